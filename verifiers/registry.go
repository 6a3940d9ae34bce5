// Package verifiers holds the schemes by which a provider proves who it is, one file a scheme. A scheme both verifies what
// arrives and signs what the emulated provider sends, over the same signed bytes, so that the two cannot drift apart.
package verifiers

import (
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// Scheme is one configured auth entry. It is safe for concurrent use, and it has neither clock nor network, unless it is a
// hookgate.Preparer, whose Prepare has both.
type Scheme interface {
	hookgate.Verifier
	// Sign sets on req the headers that prove it at the time now, with the first secret, user or the private key, and
	// replaces what was there under those names, but for an id that it can sign; client-certificate sets the certificates
	// instead. It reads the body, for bird-signature also the target, and for hmac whatever its declaration signs. A scheme
	// with key pairs signs only when it was made by NewSigner; otherwise the error's code is InternalMistake.
	Sign(req *hookgate.Request, now time.Time) error
}

// kind is what the registry knows of a scheme before it is configured.
type kind struct {
	make      func(s *settings) Scheme
	takes     map[string]use                                  // by option; what is not here is refused
	keyPair   bool                                            // signing needs a private key
	headers   func(entry hookgate.AuthSettings) []string      // that the proof is in; nil where it is in none
	freshness func(entry hookgate.AuthSettings) time.Duration // nil where no time is signed
	warn      func(s *settings)
}

var registry = map[string]kind{
	"access-token":   {make: newAccessToken, takes: map[string]use{"secrets": required, "prefix": optional}, headers: in("Authorization"), warn: warnAccessToken},
	"basic":          {make: newBasic, takes: map[string]use{"users": required}, headers: in("Authorization"), warn: warnBasic},
	"bearer":         {make: newBearer, takes: takenByBearer, keyPair: true, headers: in("Authorization"), warn: warnBearer},
	"bird-signature": {make: newBirdSignature, takes: map[string]use{"secrets": required}, headers: in(birdHeader, birdTimeHeader), freshness: always(birdBack + birdAhead)},
	"hmac":           {make: newDeclared, takes: map[string]use{"declaration": required, "secrets": required}, headers: declaredHeaders, freshness: freshDeclared, warn: warnDeclared},
	"hub-signature":  {make: newHubSignature, takes: map[string]use{"secrets": required, "encoding": optional}, headers: in(hubHeader)},
	"none":           {make: newNone},
	"siq-signature":  {make: newSiqSignature, takes: map[string]use{"keys": required}, keyPair: true, headers: in(siqHeader)},

	"client-certificate": {make: newClientCertificate, takes: map[string]use{"ca": optional, "names": optional, "fingerprints": optional}, keyPair: true, warn: warnClientCertificate},
	"standard-webhooks":  {make: newStandardWebhooks, takes: map[string]use{"secrets": required}, headers: in(standardSignature, standardTime, standardID), freshness: always(2 * standardTolerance)},
}

func always(d time.Duration) func(hookgate.AuthSettings) time.Duration {
	return func(hookgate.AuthSettings) time.Duration { return d }
}

func in(headers ...string) func(hookgate.AuthSettings) []string {
	return func(hookgate.AuthSettings) []string { return headers }
}

// New makes the scheme that an auth entry describes. The error is a hookgate.Problems that names everything that is
// wrong with the entry at once. Options that are not given must be zero: a default that was filled in counts as given.
//
// An entry that asks somebody shares nothing with others; Parties.New makes those that do. New itself asks nobody.
func New(entry hookgate.AuthSettings) (Scheme, error) {
	return build(&settings{AuthSettings: entry})
}

// NewSigner makes a scheme that can also sign. siq-signature and bearer need private, a PEM private key (PKCS #8, PKCS #1
// or SEC 1); their keys may then be left out, and what they sign verifies under the private key's own public half. Where
// keys are given, the private key must belong to one of them. For every other scheme private must be the zero Secret and
// the result is that of New, but that a shared key may be short: whoever verifies decides about that. client-certificate
// needs in private the certificate behind its key.
func NewSigner(entry hookgate.AuthSettings, private hookgate.Secret) (Scheme, error) {
	return build(&settings{AuthSettings: entry, private: private, signs: true})
}

func build(s *settings) (Scheme, error) {
	if s.parties == nil {
		s.parties = NewParties(time.Now, nil)
	}
	k, known := registry[s.Scheme]
	if !known {
		s.unknownScheme()
		return nil, s.problems.Err()
	}
	s.checkOptions(k)
	scheme := k.make(s)
	if err := s.problems.Err(); err != nil {
		return nil, err
	}
	return scheme, nil
}

// Names lists the schemes in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(registry))
	for name := range registry {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Freshness is the whole span of signed times that an entry accepts, back plus ahead: 24 h 5 min for bird-signature, 10 min
// for standard-webhooks, twice the tolerance for hmac where its declaration signs a time, and 0 for a scheme that signs none
// or is not known. A source must remember its events at least as long, or a delivery could be replayed after its marker has
// gone and before its signature has grown too old.
func Freshness(entry hookgate.AuthSettings) time.Duration {
	if k := registry[entry.Scheme]; k.freshness != nil {
		return k.freshness(entry)
	}
	return 0
}

// Warnings names what New accepts although it is weak: a password or token under 12 characters, which the provider's
// console may have dictated, an HMAC with SHA-1, and an issuer or authority of which everything is taken. The loader warns
// of the scheme none itself. An entry that New refuses may be given too.
func Warnings(entry hookgate.AuthSettings) []hookgate.Problem {
	s := &settings{AuthSettings: entry}
	if k := registry[entry.Scheme]; k.warn != nil {
		k.warn(s)
	}
	return s.problems
}
