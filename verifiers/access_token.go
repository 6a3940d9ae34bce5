package verifiers

import (
	"fmt"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// accessToken is a fixed token: the whole Authorization value is prefix, one space, token; with an empty prefix it is the
// token alone. CommBox's console asks for a header prefix and an access token (its page says so); the header's name and
// the exact comparison, the prefix's case included, are ours. It proves nothing about the body.
type accessToken struct {
	prefix string
	tokens []named
}

func newAccessToken(s *settings) Scheme {
	scheme := &accessToken{prefix: "Bearer"}
	if s.Prefix != nil {
		scheme.prefix = *s.Prefix
	}
	if !isFieldValue(scheme.prefix) {
		s.problems.Add("prefix", "write the bare word, such as Bearer, or an empty text", "the prefix begins or ends with a blank, or holds a control character")
	}
	for i, secret := range s.Secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		if !isFieldValue(string(secret.Reveal())) {
			s.problems.Add(field, "take out the line break or blank around it",
				"the token begins or ends with a blank, or holds a control character, and no header can carry it")
		}
		scheme.tokens = append(scheme.tokens, named{label: labelOf(field, secret), value: scheme.signed(secret.Reveal())})
	}
	return scheme
}

func warnAccessToken(s *settings) {
	for i, secret := range s.Secrets {
		s.warnShort(fmt.Sprintf("secrets[%d]", i), "token", secret.Reveal())
	}
}

// signed is the header's whole value for a token.
func (a *accessToken) signed(token []byte) []byte {
	if a.prefix == "" {
		return token
	}
	return append([]byte(a.prefix+" "), token...)
}

func (a *accessToken) Sign(req *hookgate.Request, _ time.Time) error {
	set(req, "Authorization", string(a.tokens[0].value))
	return nil
}

func (a *accessToken) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	value, err := req.One("Authorization")
	if err != nil {
		return hookgate.Proof{}, err
	}
	if a.prefix != "" {
		if rest, ok := strings.CutPrefix(value, a.prefix+" "); !ok || rest == "" || rest[0] == ' ' {
			return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "Authorization is not the prefix, one space and a token")
		}
	}
	given := []byte(value)
	for _, token := range a.tokens {
		if hookgate.SecretEqual(given, token.value) {
			return token.proves("access-token", now)
		}
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "the token is none of the %d secrets", len(a.tokens))
}

// isFieldValue reports whether a header can carry text unchanged: HTTP strips blanks around a value and forbids controls.
func isFieldValue(text string) bool {
	if strings.TrimSpace(text) != text {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
