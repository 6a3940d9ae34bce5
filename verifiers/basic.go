package verifiers

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// basic is HTTP Basic authentication (RFC 7617): Authorization: Basic base64(user:password). CommBox, Netcore and Sprinklr
// offer it in their consoles (their pages say so); UTF-8, and that the password is everything after the first colon, is
// our reading. It proves nothing about the body.
type basic struct{ users []basicUser }

// basicUser holds digests, because digests have one length and can be compared in constant time.
type basicUser struct {
	label
	pair           []byte // user:password, for signing
	user, password [sha256.Size]byte
}

func newBasic(s *settings) Scheme {
	scheme := &basic{}
	for i, secret := range s.Users {
		field := fmt.Sprintf("users[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		user, password, found := strings.Cut(string(secret.Reveal()), ":")
		hint := hintSet(secret)
		switch {
		case !found:
			s.problems.Add(field, "write user:password", "the value has no colon between user and password")
		case strings.TrimSpace(user) == "":
			s.problems.Add(field, hint, "the user is empty")
		case strings.TrimSpace(password) == "":
			s.problems.Add(field, hint, "the password is empty")
		case !utf8.Valid(secret.Reveal()):
			s.problems.Add(field, "save it as UTF-8", "the value is not UTF-8")
		}
		scheme.users = append(scheme.users, basicUser{
			label:    labelOf(field, secret),
			pair:     secret.Reveal(),
			user:     sha256.Sum256([]byte(user)),
			password: sha256.Sum256([]byte(password)),
		})
	}
	return scheme
}

func warnBasic(s *settings) {
	for i, secret := range s.Users {
		_, password, _ := strings.Cut(string(secret.Reveal()), ":")
		s.warnShort(fmt.Sprintf("users[%d]", i), "password", []byte(password))
	}
}

// signed is the credentials' text for a user:password pair, and the only text that is accepted for it.
func (*basic) signed(pair []byte) string { return base64.StdEncoding.EncodeToString(pair) }

func (b *basic) Sign(req *hookgate.Request, _ time.Time) error {
	set(req, "Authorization", "Basic "+b.signed(b.users[0].pair))
	return nil
}

func (b *basic) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	text, err := credentials(req, "Basic")
	if err != nil {
		return hookgate.Proof{}, err
	}
	var room [96]byte
	pair, canonical := canonicalBase64(room[:0], text)
	if !canonical || !utf8.Valid(pair) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "the credentials are not canonical base64 of UTF-8 text")
	}
	colon := bytes.IndexByte(pair, ':')
	if colon < 0 {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "the credentials have no colon between user and password")
	}
	user, password := sha256.Sum256(pair[:colon]), sha256.Sum256(pair[colon+1:])
	for i := range b.users {
		known := &b.users[i]
		// Both are compared always: stopping at a wrong user would tell which users exist.
		same := subtle.ConstantTimeCompare(user[:], known.user[:]) & subtle.ConstantTimeCompare(password[:], known.password[:])
		if same == 1 {
			return known.proves("basic", now)
		}
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "user and password are none of the %d pairs", len(b.users))
}
