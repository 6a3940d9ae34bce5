package verifiers

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

const (
	minHMACKey = 16 // bytes; a shorter one can be searched for offline with a single delivery at hand
	minSecret  = 12 // characters of a password or token, below which Warnings speaks up
)

// named is a secret's bytes with the label under which a proof shows it.
type named struct {
	label
	value []byte
}

// label is what a proof calls a key, and the secret that it comes from, which may have an end.
type label struct {
	id   string
	from hookgate.Secret
}

// labelOf calls a key by its reference, or by its place in the entry where it has none.
func labelOf(field string, secret hookgate.Secret) label {
	l := label{secret.Ref(), secret}
	if l.id == "" {
		l.id = field
	}
	return l
}

// KeyIDs names the keys that an entry lists, as proofs name them. The keys of a key set have names of their own.
func KeyIDs(entry hookgate.AuthSettings) (ids []string) {
	if len(entry.Fingerprints) > 0 {
		entry.CA = nil // the fingerprint is the key
	}
	for option, secrets := range map[string][]hookgate.Secret{"secrets": entry.Secrets, "keys": entry.Keys, "users": entry.Users, "ca": entry.CA} {
		for i, secret := range secrets {
			ids = append(ids, labelOf(fmt.Sprintf("%s[%d]", option, i), secret).id)
		}
	}
	if entry.Issued && entry.Tokens != nil {
		for i, secret := range entry.Tokens.Keys {
			ids = append(ids, labelOf(fmt.Sprintf("tokens.keys[%d]", i), secret).id)
		}
	}
	if entry.Introspection.URL != "" {
		ids = append(ids, askedID)
	}
	for _, text := range entry.Fingerprints {
		if raw, err := fingerprintBytes(text); err == nil && len(raw) == sha256.Size {
			ids = append(ids, pinID([sha256.Size]byte(raw)))
		}
	}
	return ids
}

// proves is the proof by a key that fits, if it had not ended when the request came.
func (l label) proves(scheme string, received time.Time) (hookgate.Proof, error) {
	if l.from.Retired(received) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.KeyRetired, "made with %s, which ended at %s", l.id, stamp(l.from.NotAfter()))
	}
	return hookgate.Proof{Scheme: scheme, KeyID: l.id}, nil
}

// resolved reports whether a secret holds something that can be a secret. What it refuses are the marks of a variable
// that was never set: an empty key would accept whatever anybody signs with the empty key.
func (s *settings) resolved(field string, secret hookgate.Secret) bool {
	value := string(secret.Reveal())
	name, isEnv := strings.CutPrefix(secret.Ref(), "env:")
	_, afterOpening, opened := strings.Cut(value, "${")
	switch {
	case value == "":
		s.problems.Add(field, hintSet(secret), "the value is empty")
	case strings.TrimSpace(value) == "":
		s.problems.Add(field, hintSet(secret), "the value is blank")
	case opened && strings.Contains(afterOpening, "}"):
		s.problems.Add(field, hintSet(secret), "the value still holds a ${...} that nothing has replaced")
	case isEnv && isOwnName(value, name):
		s.problems.Add(field, hintSet(secret), "the value is the name of its own variable")
	default:
		return true
	}
	return false
}

// isOwnName reports whether value, or the password in it, is only the name of the variable that should hold it.
func isOwnName(value, name string) bool {
	_, password, _ := strings.Cut(value, ":")
	return value == name || value == "$"+name || value == "env:"+name || password == name || password == "$"+name
}

func hintSet(secret hookgate.Secret) string {
	if secret.Ref() == "" {
		return ""
	}
	return "give " + secret.Ref() + " its value"
}

// hmacSecrets decodes and checks the shared keys of a scheme that computes an HMAC.
func (s *settings) hmacSecrets(how string, digest func() hash.Hash) []hmacKey {
	keys := make([]hmacKey, 0, len(s.Secrets))
	for i, secret := range s.Secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		key, wrong := decodeKey(how, secret.Reveal())
		switch {
		case wrong != nil:
			s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
			continue
		case len(key) == 0:
			s.problems.Add(field, hintSet(secret), "the key is empty after decoding")
			continue
		case len(key) < minHMACKey && !s.signs && !s.tried: // who only signs has the key that the provider gave him
			s.problems.Add(field, "make a longer one and set it at the provider too", "the key has %d bytes, and an HMAC key needs %d", len(key), minHMACKey)
		}
		keys = append(keys, newHMACKey(labelOf(field, secret), digest, key))
	}
	return keys
}

// warnShort speaks of a password or token that can be guessed.
func (s *settings) warnShort(field, what string, value []byte) {
	if n := utf8.RuneCount(value); n > 0 && n < minSecret {
		s.problems.Add(field, "make a longer one where the provider allows it", "the %s has %d characters, fewer than %d", what, n, minSecret)
	}
}
