package outbound

import (
	"encoding/json"
	"time"
)

// Subscription is one address that a provider delivers to, and the way it does.
type Subscription struct {
	Provider string
	ID       string // in the provider's form
	Name     string
	URL      string
	Events   []string // native events, or the provider's own constants; what an empty list means is the provider's
	Active   bool
	Auth     []Auth // all are applied
	Headers  map[string]string

	// Settings is what only this provider has, as JSON of a type in the provider's file.
	Settings json.RawMessage

	// What follows overrides the provider's own way; zero leaves it.
	Timeout time.Duration   // of one attempt
	Retries []time.Duration // the wait before each attempt after the first; nil leaves the provider's, an empty list is none
	Success string          // "200", "2xx" or "<300"

	Created, Updated time.Time

	// What the engine counts.
	LastSuccess, LastFailure time.Time
	Failures                 int64 // deliveries given up
}

// Auth is one way in which deliveries of a subscription prove where they come from.
type Auth struct {
	Scheme   string // a scheme of the verifiers
	Secret   string // hub-signature, bird-signature, access-token
	User     string // basic
	Password string // basic
	Prefix   string // access-token: the word before the token; empty means the token alone
	Keys     []Key  // siq-signature, and bearer that we sign ourselves: the oldest signs
	OAuth    *OAuth // bearer whose tokens are fetched

	Certificate, CertificateKey string // client-certificate, PEM
}

// Key is a private key that deliveries are signed with.
type Key struct {
	ID      string
	Private string // PEM, PKCS #8
	Created time.Time
}

// OAuth is where tokens are fetched, and how.
type OAuth struct {
	Grant        string `json:"grant"` // client_credentials or password
	TokenURL     string `json:"token_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	ClientAuth   string `json:"client_auth"` // header or body
	Scope        string `json:"scope,omitempty"`
	Username     string `json:"username,omitempty"` // password grant
	Password     string `json:"password,omitempty"`
}

// decode reads the settings of a subscription; what was stored was checked.
func decode[T any](s *Subscription) (t T) {
	if len(s.Settings) > 0 {
		_ = json.Unmarshal(s.Settings, &t)
	}
	return t
}

// encode stores the settings of a subscription.
func (s *Subscription) encode(settings any) {
	b, err := json.Marshal(settings)
	if err != nil {
		panic("outbound: settings that are no JSON: " + err.Error()) // a mistake in this package, not of a caller's
	}
	s.Settings = b
}
