package issuer

import (
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// granted are the scopes of the token, in the order of the configuration: those that are asked for, or else all that the
// client has. More than the client has is refused, not cut (RFC 6749, section 3.3 allows both): a token that opens less
// than its owner thinks fails later, and far away.
func (c *client) granted(asked string) ([]string, *refusal) {
	if asked == "" {
		return slices.Clone(c.scopes), nil
	}
	wanted := strings.Split(asked, " ")
	for _, scope := range wanted {
		if !slices.Contains(c.scopes, scope) { // the empty one between two spaces among them
			err := hookgate.Errorf(hookgate.Malformed, "a scope is asked for that the client does not have")
			err.Hint = "the client has: " + strings.Join(c.scopes, " ")
			return nil, &refusal{outcome: hookgate.TokenInvalidScope, err: err}
		}
	}
	scopes := make([]string, 0, len(wanted))
	for _, scope := range c.scopes {
		if slices.Contains(wanted, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}
