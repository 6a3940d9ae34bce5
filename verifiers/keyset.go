package verifiers

import (
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hookgate/hookgate"
)

const (
	maxKeySet     = 64 << 10 // bytes of one JWK set
	maxKeysPerSet = 50
	maxKid        = 128 // bytes; a kid ends up as the keyid of every event
)

// tokenKey is one public key. A key of a JWK set has an algorithm and mostly a kid, a PEM key has neither.
type tokenKey struct {
	label
	kid      string
	alg      string
	inferred bool // the set names no alg, and this is the usual one of the key's kind
	public   crypto.PublicKey
}

// keySet reads the verifying keys of a JWK set that the configuration holds. A person can mend what is wrong there, so
// every key that must not stand in such a set is a problem.
func (s *settings) keySet(field string, name label, text []byte) []tokenKey {
	keys, left, wrong := readKeySet(text, s.InferAlgorithm)
	if wrong != nil {
		s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
		return nil
	}
	for _, p := range left {
		s.problems.Add(field, p.Hint, "%s", p.Message)
	}
	if len(keys) == 0 && len(left) == 0 {
		s.problems.Add(field, "expected a signing key for "+allowedForms, "the key set holds no key that could verify a token")
	}
	for i := range keys {
		keys[i].label = name
		if keys[i].kid != "" {
			keys[i].id = keys[i].kid
		}
	}
	return keys
}

// readKeySet reads a JWK set, or a single JWK. Symmetric keys, and keys for encryption or for algorithms that are not
// allowed, are not among its keys, because a provider's set often holds them. What must not stand in such a set at all (a
// private key) and what would make the choice of the algorithm the token's (a key without alg, unless infer) is left out,
// too, with a problem each. wrong is what makes the whole set unreadable.
func readKeySet(text []byte, infer bool) (keys []tokenKey, left []hookgate.Problem, wrong *hookgate.Problem) {
	if len(text) > maxKeySet {
		return nil, nil, problemf("", "the key set has %d bytes, at most %d are read", len(text), maxKeySet)
	}
	var set map[string]json.RawMessage
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, problemf(`expected {"keys":[...]}`, "the key set is not JSON")
	}
	members := []json.RawMessage{text}
	if list, isSet := set["keys"]; isSet {
		members = nil
		if err := json.Unmarshal(list, &members); err != nil || len(members) > maxKeysPerSet {
			return nil, nil, problemf(fmt.Sprintf(`expected {"keys":[...]} with at most %d keys`, maxKeysPerSet), "the key set cannot be read")
		}
	}
	kids := make(map[string]bool, len(members))
	for i, member := range members {
		key, usable, wrong := parseJWK(member, infer)
		if wrong == nil && usable && key.kid != "" && kids[key.kid] {
			wrong = &hookgate.Problem{Message: "an earlier key of the set has the same kid"}
		}
		switch {
		case wrong != nil:
			left = append(left, *problemf(wrong.Hint, "key %d of the set: %s", i+1, wrong.Message))
		case usable:
			kids[key.kid] = true
			keys = append(keys, key)
		}
	}
	return keys, left, nil
}

func parseJWK(member []byte, infer bool) (key tokenKey, usable bool, wrong *hookgate.Problem) {
	// A map, because a struct would take kty and KTY for one.
	var fields map[string]any
	if err := json.Unmarshal(member, &fields); err != nil {
		return key, false, &hookgate.Problem{Message: "it is not a JSON object"}
	}
	text := func(name string) string { v, _ := fields[name].(string); return v }
	key.kid, key.alg = text("kid"), text("alg")
	key.inferred = infer && key.alg == ""
	_, hasPrivate := fields["d"]
	use := text("use")
	switch {
	case text("kty") == "oct" || fields["k"] != nil: // whoever reads a symmetric key could sign
		return key, false, nil
	case hasPrivate:
		return key, false, &hookgate.Problem{Message: "it is a private key", Hint: "only the public half belongs here"}
	case use != "" && use != "sig":
		return key, false, nil
	case key.alg == "" && !infer:
		return key, false, &hookgate.Problem{Message: "it names no alg", Hint: `write the issuer's algorithm into it, such as "alg":"RS256", or set infer_algorithm: true`}
	case !key.inferred && !fits(key.alg, nil):
		return key, false, nil
	case len(key.kid) > maxKid || strings.ContainsFunc(key.kid, func(r rune) bool { return r <= ' ' || r > '~' }):
		return key, false, &hookgate.Problem{Message: "its kid is longer than 128 bytes or not plain ASCII"}
	}
	public, err := parsePublicJWK(member)
	if err != nil {
		return key, false, &hookgate.Problem{Message: "it cannot be read", Hint: "RSA keys need 2048 bit or more"}
	}
	if key.inferred {
		key.alg = defaultAlgorithm(public)
	}
	if key.public = public; !fits(key.alg, public) {
		return key, false, &hookgate.Problem{Message: "its alg does not fit its kty and crv"}
	}
	if rsaKey, isRSA := public.(*rsa.PublicKey); isRSA {
		if wrong := checkRSA(rsaKey); wrong != nil {
			return key, false, wrong
		}
	}
	return key, true, nil
}
