package verifiers

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"sync"
)

// hmacKey makes HMAC values under one secret. Its states are used again, because setting one up costs as much as hashing a
// short body.
type hmacKey struct {
	label
	states *sync.Pool
}

// hmacState is one of them, with room for the sum: what an interface writes to would be allocated each time.
type hmacState struct {
	hash.Hash
	sum [sha512.Size]byte
}

func newHMACKey(l label, digest func() hash.Hash, secret []byte) hmacKey {
	return hmacKey{l, &sync.Pool{New: func() any { return &hmacState{Hash: hmac.New(digest, secret)} }}}
}

// appendSum is the HMAC of the parts, one behind the other.
func (k hmacKey) appendSum(dst []byte, parts ...[]byte) []byte {
	state := k.states.Get().(*hmacState)
	defer k.states.Put(state)
	state.Reset()
	for _, part := range parts {
		state.Write(part)
	}
	return append(dst, state.Sum(state.sum[:0])...)
}

// sameText compares a signature of ours with one that came in, whose length its grammar has fixed already.
func sameText(ours []byte, theirs string) bool {
	return len(ours) > 0 && subtle.ConstantTimeCompare(ours, []byte(theirs)) == 1
}
