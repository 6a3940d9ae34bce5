package hookgate

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"
)

const redacted = "[secret]"

// Secret is a value that never prints. It comes from a reference (env:NAME or file:PATH), which is what logs, key ids
// and error messages show instead of it.
type Secret struct {
	value    []byte
	ref      string
	notAfter time.Time
}

// NewSecret keeps value under the reference it was read from.
func NewSecret(value []byte, ref string) Secret { return Secret{value: value, ref: ref} }

// Reveal gives the bytes, for signing and comparing alone.
func (s Secret) Reveal() []byte { return s.value }

// Ref is the reference as it was written in the configuration; it is safe to show.
func (s Secret) Ref() string { return s.ref }

// Until gives the secret an end: what was received at t or later is no longer proved by it.
func (s Secret) Until(t time.Time) Secret {
	s.notAfter = t
	return s
}

// NotAfter is the end that Until gave it; the zero time for one that has none.
func (s Secret) NotAfter() time.Time { return s.notAfter }

// Retired reports whether the secret has ended at the time of receipt.
func (s Secret) Retired(received time.Time) bool {
	return !s.notAfter.IsZero() && !received.Before(s.notAfter)
}

// Every way in which Go prints a value ends here.
func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// SecretEqual compares in constant time whatever the lengths are, because it compares digests. An empty value equals
// nothing, so that an unset secret can never be matched by an unset header.
func SecretEqual(a, b []byte) bool {
	da, db := sha256.Sum256(a), sha256.Sum256(b)
	same := subtle.ConstantTimeCompare(da[:], db[:]) == 1
	return same && len(a) > 0 && len(b) > 0
}
