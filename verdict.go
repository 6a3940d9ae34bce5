package hookgate

import (
	"context"
	"strings"
	"time"
)

// Verifier checks one scheme over the raw request. It is pure: no clock, no network, no globals; now is the time of
// receipt. An error is a *Error with code Unauthenticated and a Reason.
type Verifier interface {
	Verify(req *Request, now time.Time) (Proof, error)
}

// Preparer is a Verifier whose judgement rests on what somebody else knows, such as the key set of an issuer. Prepare
// fetches that before Verify is asked, so that Verify stays pure. It bounds its own wait and how often it asks, whatever
// strangers send. An error is a *Error with code Unavailable: who cannot be asked has not said no.
type Preparer interface {
	Verifier
	Prepare(ctx context.Context, req *Request, now time.Time) error
}

// Proof is what one passed scheme vouches for.
type Proof struct {
	Scheme     string // the scheme's name, as in the configuration
	KeyID      string // which of the keys matched; empty for a scheme without keys
	SignedTime string // the text of the time that the signature covers; empty where none is signed
	SignedID   string // the text of the id that the signature covers; empty where none is signed
}

// Verdict lists the schemes that passed. The zero value says that nothing was proved.
type Verdict []Proof

// Authenticate lets every verifier judge the request. All must pass, and without a verifier nothing does.
func Authenticate(ctx context.Context, verifiers []Verifier, req *Request, now time.Time) (Verdict, error) {
	if len(verifiers) == 0 {
		return nil, Refuse(NoVerifier, "the source has no auth entry")
	}
	verdict := make(Verdict, 0, len(verifiers))
	for i, v := range verifiers {
		if p, ok := v.(Preparer); ok {
			if err := p.Prepare(ctx, req, now); err != nil {
				return nil, err
			}
		}
		proof, err := v.Verify(req, now)
		if err != nil {
			e := AsError(err)
			e.Entry = i
			return nil, e
		}
		verdict = append(verdict, proof)
	}
	return verdict, nil
}

// Schemes names the schemes that passed, joined by commas.
func (v Verdict) Schemes() string { return v.join(func(p Proof) string { return p.Scheme }) }

// KeyIDs names the keys that matched, joined by commas; empty where no scheme has keys.
func (v Verdict) KeyIDs() string { return v.join(func(p Proof) string { return p.KeyID }) }

// SignedTime is the text of the time that the first time-signing scheme covers; empty where none does.
func (v Verdict) SignedTime() string {
	for _, p := range v {
		if p.SignedTime != "" {
			return p.SignedTime
		}
	}
	return ""
}

// SignedID is the text of the id that the first id-signing scheme covers; empty where none does.
func (v Verdict) SignedID() string {
	for _, p := range v {
		if p.SignedID != "" {
			return p.SignedID
		}
	}
	return ""
}

func (v Verdict) join(part func(Proof) string) string {
	if len(v) == 1 {
		return part(v[0])
	}
	var parts []string
	for _, p := range v {
		if s := part(p); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ",")
}
