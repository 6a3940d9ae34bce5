package hookgate

import (
	"path"
	"time"
)

// The settings that more than one folder needs. The loader in configs fills them, cmd hands them to the registries of
// verifiers and forward. The tag doc is the reference documentation of the option.

// AuthSettings is one entry under a source's auth.
type AuthSettings struct {
	Scheme   string   `yaml:"scheme" doc:"how the provider proves who it is"`
	Secrets  []Secret `yaml:"secrets" ends:"true" doc:"shared secrets or tokens, alternatives for rotation"`
	Keys     []Secret `yaml:"keys" ends:"true" public:"true" doc:"public keys (PEM, bare base64 or a JWK set), alternatives for rotation"`
	Users    []Secret `yaml:"users" ends:"true" doc:"references to user:password pairs, alternatives"`
	Prefix   *string  `yaml:"prefix" doc:"the word before the token; may be empty" default:"Bearer"`
	Issuer   string   `yaml:"issuer" doc:"the token's iss must equal it"`
	Audience string   `yaml:"audience" doc:"must be among the token's aud"`
	Encoding string   `yaml:"encoding" doc:"of the signature" enum:"hex,HEX,base64" default:"hex"`

	Scopes         []string      `yaml:"scopes" doc:"bearer: the token must have all of them"`
	JWKSURL        string        `yaml:"jwks_url" doc:"bearer: where the issuer's key set is"`
	InferAlgorithm bool          `yaml:"infer_algorithm" doc:"bearer: take keys that name no alg, and the algorithm from their kind" default:"false"`
	Introspection  Introspection `yaml:"introspection" doc:"bearer: ask the issuer about every token it has not told of yet (RFC 7662)"`
	Issued         bool          `yaml:"issued" doc:"bearer: tokens of this gateway's own token endpoint, made for this source" default:"false"`
	AllowPrivate   bool          `yaml:"allow_private" doc:"bearer: the issuer may resolve to a private address; one that is written out always may" default:"false"`

	CA           []Secret `yaml:"ca" ends:"true" public:"true" doc:"client-certificate: certificates (PEM) of who issues it"`
	Names        []string `yaml:"names" doc:"client-certificate: its subject alternative names, one of which it must have"`
	Fingerprints []string `yaml:"fingerprints" doc:"client-certificate: SHA-256 digests of the certificates themselves, in hex"`

	Declaration string `yaml:"declaration" doc:"hmac: the name of the declaration that says how the provider signs"`

	// What the loader puts here from elsewhere in the configuration.
	PublicURL string         `yaml:"-"` // public_url, which some providers sign, and tokens may name as their issuer
	Source    string         `yaml:"-"` // the source's name
	Tokens    *TokenSettings `yaml:"-"` // the token endpoint, for issued
	Declared  *Declaration   `yaml:"-"` // what declaration names
}

// Introspection is how an issuer is asked about a token.
type Introspection struct {
	URL          string `yaml:"url" doc:"the issuer's introspection endpoint"`
	ClientID     string `yaml:"client_id" doc:"what the gateway proves itself with there"`
	ClientSecret Secret `yaml:"client_secret" doc:"the password that goes with it"`
}

// TokenSettings is the gateway's own token endpoint.
type TokenSettings struct {
	Path     string        `yaml:"path" doc:"where tokens are asked for" default:"/oauth/token"`
	Issuer   string        `yaml:"issuer" doc:"the tokens' iss; public_url unless set"`
	Keys     []Secret      `yaml:"keys" ends:"true" doc:"private keys (PEM: Ed25519, P-256 or RSA); the first signs, all verify"`
	Lifetime time.Duration `yaml:"lifetime" doc:"of a token, at most 24h" default:"1h"`
	Clients  []TokenClient `yaml:"clients" doc:"who may ask for tokens"`
}

// KeySetPath is where the public keys are: beside the place where tokens are asked for.
func (s TokenSettings) KeySetPath() string { return path.Join(path.Dir(s.Path), "jwks") }

// TokenClient is one client of the token endpoint.
type TokenClient struct {
	ID            string   `yaml:"id" doc:"the client_id"`
	Secrets       []Secret `yaml:"secrets" ends:"true" doc:"the client_secret, alternatives for rotation"`
	Grants        []string `yaml:"grants" doc:"how it may ask for tokens" enum:"client_credentials,password"`
	Users         []Secret `yaml:"users" ends:"true" doc:"references to user:password pairs, for the password grant"`
	Scopes        []string `yaml:"scopes" doc:"the scopes that it may ask for, and gets unless it asks for fewer"`
	Sources       []string `yaml:"sources" doc:"the sources that its tokens are good for"`
	Rate          Rate     `yaml:"rate" doc:"token requests once it has proved itself; more are answered 429" default:"60/m"`
	RevokedBefore string   `yaml:"revoked_before" doc:"tokens made before this time (RFC 3339) are refused"`
}

// DestinationSettings is one entry under destinations.
type DestinationSettings struct {
	Name         string        `yaml:"name" doc:"of the destination, in logs and metrics"`
	Type         string        `yaml:"type" doc:"which queue it is"`
	URL          Secret        `yaml:"url" doc:"where it is; written out, or a reference when it holds a password" literal:"true"`
	Stream       string        `yaml:"stream" doc:"redis-stream: the stream's key; nats: the JetStream stream that the subject must belong to"`
	MaxLen       int64         `yaml:"max_len" doc:"redis-stream: cut the stream to about this many entries; 0 never cuts" default:"0"`
	Subject      string        `yaml:"subject" doc:"nats: the subject; {provider}, {source}, {type}, {entitytype} and {action} stand for the event's own"`
	Exchange     string        `yaml:"exchange" doc:"rabbitmq: the exchange; the default one unless set"`
	RoutingKey   string        `yaml:"routing_key" doc:"rabbitmq: the routing key, with the same words in braces as subject; at the default exchange the name of a queue"`
	Topic        string        `yaml:"topic" doc:"kafka: the topic"`
	Path         string        `yaml:"path" doc:"file: where the lines go"`
	Mode         string        `yaml:"mode" doc:"http: CloudEvents mode" enum:"structured,binary" default:"structured"`
	Secrets      []Secret      `yaml:"secrets" doc:"http: Standard Webhooks secrets (whsec_...), each signs"`
	AllowPrivate bool          `yaml:"allow_private" doc:"http: may resolve to a private address; one that is written out always may" default:"false"`
	Timeout      time.Duration `yaml:"timeout" doc:"of one attempt" default:"15s"`
	Window       int           `yaml:"window" doc:"events at most that are sent and not yet recorded as confirmed, and so the most that a crash repeats" default:"1024"`
	Match        Match         `yaml:"match" doc:"which events go there; all without it"`
	When         string        `yaml:"when" doc:"a CEL expression over the envelope, such as data.priority == \"high\"; where it fails the event becomes a dead letter"`
	Retry        RetrySettings `yaml:"retry" doc:"what happens to an event that is refused"`
	Breaker      Breaker       `yaml:"breaker" doc:"when a destination in trouble is left alone"`
}

// Breaker stops all attempts at a destination that fails as a whole; one attempt tries whether it is back.
type Breaker struct {
	After int           `yaml:"after" doc:"failures of the whole destination in a row before it opens" default:"5"`
	Pause time.Duration `yaml:"pause" doc:"how long it stays open before the next attempt" default:"2s"`
}

// Match selects events. Each list that is given must have a member that fits; * in a type stands for any run of characters.
type Match struct {
	Provider   []string `yaml:"provider" doc:"names of providers"`
	Source     []string `yaml:"source" doc:"names of sources"`
	Type       []string `yaml:"type" doc:"globs over the type, such as salesiq.conversation.*"`
	EntityType []string `yaml:"entitytype" doc:"entity types"`

	// Except are the sources whose own destinations leave this one out. Events of a source that is no longer configured
	// are not among them: what was accepted is forwarded.
	Except []string `yaml:"-"`
}

// RetrySettings is the schedule of one refused event: attempt n waits backoff * 2^(n-1), at most max_backoff, with jitter.
type RetrySettings struct {
	Attempts   int           `yaml:"attempts" doc:"before the event becomes a dead letter" default:"12"`
	Backoff    time.Duration `yaml:"backoff" doc:"before the second attempt" default:"1s"`
	MaxBackoff time.Duration `yaml:"max_backoff" doc:"between attempts at most" default:"5m"`
}
