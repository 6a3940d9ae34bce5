package main

import (
	"sync/atomic"

	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
)

// signing signs what is forwarded with the keys of the present configuration. Destinations keep running when those change.
type signing struct {
	current atomic.Pointer[forward.Signer]
}

// newSigner is nil where nothing is signed.
func newSigner(c configs.Signing) (*forward.Signer, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	return forward.NewSigner(c.Keys)
}

// sign is a forward.Sign.
func (s *signing) sign(envelope []byte) string {
	if signer := s.current.Load(); signer != nil {
		return signer.Sign(envelope)
	}
	return ""
}

// keySet is what consumers check the signatures by.
func (s *signing) keySet() []byte {
	if signer := s.current.Load(); signer != nil {
		return signer.KeySet()
	}
	return []byte(`{"keys":[]}`)
}
