package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// digest stands for a secret where secrets are compared: all have one length.
type digest = [sha256.Size]byte

// client is one client of the endpoint.
type client struct {
	id                      string
	secrets                 []clientSecret // as many for every client
	users                   []user
	grants, sources, scopes []string
	rate                    hookgate.Budget // nil for no bound
}

type clientSecret struct {
	digest digest
	from   hookgate.Secret
}

type user struct {
	name, password digest
	from           hookgate.Secret
}

// newClient prepares a client with so many secrets. Random ones, which nobody has, fill up those of the configuration: a
// secret is compared as often for a client with one as for a client with two, and for one that is not there.
func newClient(c hookgate.TokenClient, secrets int, budget func(hookgate.Rate) hookgate.Budget) *client {
	made := &client{id: c.ID, secrets: make([]clientSecret, secrets), grants: c.Grants, sources: c.Sources, scopes: c.Scopes, rate: budget(c.Rate)}
	for i := range made.secrets {
		if i < len(c.Secrets) {
			made.secrets[i] = clientSecret{sha256.Sum256(c.Secrets[i].Reveal()), c.Secrets[i]}
		} else {
			_, _ = rand.Read(made.secrets[i].digest[:]) // it never fails
		}
	}
	for _, secret := range c.Users {
		name, password, _ := strings.Cut(string(secret.Reveal()), ":")
		made.users = append(made.users, user{sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password)), secret})
	}
	return made
}

// find is the client of an id, or the one that no secret belongs to.
func (s *settings) find(id string) *client {
	if c := s.clients[id]; c != nil {
		return c
	}
	return s.nobody
}

// knows compares with all secrets, whichever fits. retired tells of one that has ended.
func (c *client) knows(secret string, now time.Time) (known, retired bool) {
	shown := sha256.Sum256([]byte(secret))
	for i := range c.secrets {
		if own := &c.secrets[i]; subtle.ConstantTimeCompare(shown[:], own.digest[:]) == 1 {
			ended := own.from.Retired(now)
			known, retired = known || !ended, retired || ended
		}
	}
	return known, retired
}

// hasUser compares with both halves of all users that have not ended, whichever fits.
func (c *client) hasUser(name, password string, now time.Time) bool {
	shown, with := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	found := 0
	for i := range c.users {
		own := &c.users[i]
		if own.from.Retired(now) {
			continue
		}
		found |= subtle.ConstantTimeCompare(shown[:], own.name[:]) & subtle.ConstantTimeCompare(with[:], own.password[:])
	}
	return found == 1
}

// spend takes one of the client's rate, once it has proved itself: what strangers do spends nothing of it.
func (c *client) spend() *refusal {
	if c.rate == nil {
		return nil
	}
	if wait, ok := c.rate.Take(c.id); !ok {
		return overLimit(wait, "the client is over its rate", "raise the client's rate, or have it keep a token until it ends")
	}
	return nil
}
