package verifiers

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

// hmacKey makes HMAC values under one secret, with SHA-256 unless newMAC was told otherwise. Its states are used again,
// because setting one up costs as much as hashing a short body.
type hmacKey struct {
	label
	states *sync.Pool
}

func newHMACKey(l label, secret []byte) hmacKey { return newMAC(l, sha256.New, secret) }

func newMAC(l label, digest func() hash.Hash, secret []byte) hmacKey {
	return hmacKey{l, &sync.Pool{New: func() any { return hmac.New(digest, secret) }}}
}

func (k hmacKey) sum(message []byte) (sum [sha256.Size]byte) {
	state := k.states.Get().(hash.Hash)
	defer k.states.Put(state)
	state.Reset()
	state.Write(message)
	state.Sum(sum[:0])
	return sum
}

// appendSum is sum over the parts one behind the other, for any hash.
func (k hmacKey) appendSum(dst []byte, parts ...[]byte) []byte {
	state := k.states.Get().(hash.Hash)
	defer k.states.Put(state)
	state.Reset()
	for _, part := range parts {
		state.Write(part)
	}
	return state.Sum(dst)
}

// sameText compares a signature of ours with one that came in, whose length its grammar has fixed already.
func sameText(ours []byte, theirs string) bool {
	return len(ours) > 0 && subtle.ConstantTimeCompare(ours, []byte(theirs)) == 1
}
