package outbound

import (
	"errors"
	"slices"
	"sync"

	"github.com/hookgate/hookgate"
)

// signerKey is all that a signer is made of.
type signerKey struct{ scheme, secret, user, password, prefix, private, base string }

// signers keeps the signers that were made, because reading a private key costs more than signing a small body.
type signers struct {
	mu    sync.Mutex
	known map[signerKey]Signer
}

func newSigners() *signers { return &signers{known: map[signerKey]Signer{}} }

// maxSigners bounds what is kept; beyond it all are made anew.
const maxSigners = 4096

// of gives the signer of a way of proof, for a URL that begins with base.
func (s *signers) of(make func(hookgate.AuthSettings, hookgate.Secret) (Signer, error), a *Auth, base string) (Signer, error) {
	key := signerKey{scheme: a.Scheme, secret: a.Secret, user: a.User, password: a.Password, prefix: a.Prefix}
	if len(a.Keys) > 0 {
		key.private = slices.MinFunc(a.Keys, func(x, y Key) int { return x.Created.Compare(y.Created) }).Private
	}
	if a.Scheme == "bird-signature" {
		key.base = base
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[key]; known != nil {
		return known, nil
	}
	if make == nil {
		return nil, errors.New("the server was given nothing that signs")
	}
	entry := hookgate.AuthSettings{Scheme: a.Scheme, PublicURL: key.base}
	switch a.Scheme {
	case "basic":
		entry.Users = []hookgate.Secret{hookgate.NewSecret([]byte(a.User+":"+a.Password), "")}
	case "access-token":
		entry.Prefix = &a.Prefix
		entry.Secrets = []hookgate.Secret{hookgate.NewSecret([]byte(a.Secret), "")}
	case "hub-signature", "bird-signature":
		entry.Secrets = []hookgate.Secret{hookgate.NewSecret([]byte(a.Secret), "")}
	}
	var private hookgate.Secret
	if key.private != "" {
		private = hookgate.NewSecret([]byte(key.private), "")
	}
	signer, err := make(entry, private)
	if err != nil {
		return nil, err
	}
	if len(s.known) >= maxSigners {
		clear(s.known)
	}
	s.known[key] = signer
	return signer, nil
}
