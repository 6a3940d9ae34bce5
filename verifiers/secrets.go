package verifiers

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

const (
	minHMACKey = 16 // bytes; a shorter one can be searched for offline with a single delivery at hand
	minSecret  = 12 // characters of a password or token, below which Warnings speaks up
)

// named is a secret's bytes with the name under which a proof shows it.
type named struct {
	id    string
	value []byte
}

// keyID is what a proof calls a secret: its reference, or its place in the entry where it has none.
func keyID(field string, secret hookgate.Secret) string {
	if ref := secret.Ref(); ref != "" {
		return ref
	}
	return field
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

// hmacSecrets checks the shared keys of a scheme that computes an HMAC.
func (s *settings) hmacSecrets() []hmacKey {
	keys := make([]hmacKey, 0, len(s.Secrets))
	for i, secret := range s.Secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		if n := len(secret.Reveal()); n < minHMACKey && !s.signs { // who only signs has the key that the provider gave him
			s.problems.Add(field, "make a longer one and set it at the provider too", "the key has %d bytes, and an HMAC key needs %d", n, minHMACKey)
		}
		keys = append(keys, newHMACKey(keyID(field, secret), secret.Reveal()))
	}
	return keys
}

// warnShort speaks of a password or token that can be guessed.
func (s *settings) warnShort(field, what string, value []byte) {
	if n := utf8.RuneCount(value); n > 0 && n < minSecret {
		s.problems.Add(field, "make a longer one where the provider allows it", "the %s has %d characters, fewer than %d", what, n, minSecret)
	}
}
