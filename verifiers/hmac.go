package verifiers

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

// hmacKey makes HMAC-SHA256 values under one secret. Its states are used again, because setting one up costs as much as
// hashing a short body.
type hmacKey struct {
	label
	states *sync.Pool
}

func newHMACKey(l label, secret []byte) hmacKey {
	return hmacKey{l, &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

func (k hmacKey) sum(message []byte) (sum [sha256.Size]byte) {
	state := k.states.Get().(hash.Hash)
	defer k.states.Put(state)
	state.Reset()
	state.Write(message)
	state.Sum(sum[:0])
	return sum
}

// sameText compares a signature of ours with one that came in, whose length its grammar has fixed already.
func sameText(ours []byte, theirs string) bool {
	return len(ours) > 0 && subtle.ConstantTimeCompare(ours, []byte(theirs)) == 1
}
