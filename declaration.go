package hookgate

import "time"

// Declaration says how a provider signs, and how its bodies are read, where no code of ours knows it. It must carry
// vectors that show both: one that verifies and one that does not.
type Declaration struct {
	Name      string       `yaml:"name" doc:"what sources call it, as provider and as declaration"`
	Header    string       `yaml:"header" doc:"the header that holds the signature"`
	Prefix    string       `yaml:"prefix" doc:"what stands before the signature in its header, such as sha256="`
	Pair      string       `yaml:"pair" doc:"where the header is a list of name=value pairs, the name before a signature"`
	Encoding  string       `yaml:"encoding" doc:"of the signature; base64 is padded, base64url is not" enum:"hex,HEX,base64,base64url,base64url-padded" default:"hex"`
	Algorithm string       `yaml:"algorithm" doc:"of the HMAC" enum:"sha256,sha512,sha1" default:"sha256"`
	Key       string       `yaml:"key" doc:"how the secret becomes the key: its own bytes, or decoded" enum:"raw,base64,hex,whsec" default:"raw"`
	Signed    string       `yaml:"signed" doc:"what is signed; {body}, {timestamp}, {id}, {method}, {url} and {target} (path and query) stand for the request's own, \\n for a line feed" default:"{body}"`
	Timestamp DeclaredTime `yaml:"timestamp" doc:"where the signed time is"`
	ID        string       `yaml:"id" doc:"the header of the signed id"`
	Read      DeclaredRead `yaml:"read" doc:"how a body becomes an event"`
	Vectors   []Vector     `yaml:"vectors" doc:"requests that verify and that do not; at least one of each"`
}

// DeclaredTime is where a declared provider puts the time that it signs.
type DeclaredTime struct {
	Header    string        `yaml:"header" doc:"its header; the signature's own where pair is set"`
	Pair      string        `yaml:"pair" doc:"the name before it in a list of name=value pairs"`
	Unit      string        `yaml:"unit" doc:"what it counts" enum:"s,ms" default:"s"`
	Tolerance time.Duration `yaml:"tolerance" doc:"how far it may lie from the receipt, both ways" default:"5m"`
}

// DeclaredRead is how the JSON body of a declared provider becomes an event. A value is taken from the body by its path,
// such as data.object.id, or from a header, such as header:X-Event; of several the first that is there counts.
type DeclaredRead struct {
	Event      []string      `yaml:"event" doc:"the event's name; several are joined by a dot, and in each | stands before what is taken where the value is absent"`
	ID         []string      `yaml:"id" doc:"what names the event, the same in every retry; a header only where it is signed. Without one, or where it is absent, the digest of the body names it"`
	NativeID   []string      `yaml:"native_id" doc:"the provider's own id of the event or delivery, for people; signed or not"`
	Time       []string      `yaml:"time" doc:"when it happened: RFC 3339, or a number of seconds or milliseconds"`
	Subject    []string      `yaml:"subject" doc:"the id of what it is about"`
	EntityType []string      `yaml:"entitytype" doc:"what it is about; the first segment of the event's name unless set"`
	Tenant     []string      `yaml:"tenant" doc:"the account it belongs to"`
	Form       string        `yaml:"form" doc:"the field that holds the JSON where the body is a form"`
	Reply      []string      `yaml:"reply" doc:"what is answered, where the provider tests the address by a text that must come back"`
	Window     time.Duration `yaml:"window" doc:"how long events are remembered; 168h unless set"`
}

// Vector is a request with its outcome, to prove a declaration by.
type Vector struct {
	Verifies bool     `yaml:"verifies" doc:"what must come of it" default:"false"`
	Secret   string   `yaml:"secret" doc:"written out, for it proves nothing but the declaration"`
	Method   string   `yaml:"method" doc:"of the request" default:"POST"`
	URL      string   `yaml:"url" doc:"of the request, where the URL is signed"`
	Headers  []string `yaml:"headers" doc:"lines of name: value"`
	Body     string   `yaml:"body" doc:"the raw body; empty unless set"`
	Base64   string   `yaml:"body_base64" doc:"the raw body in base64, where it is more than a line of text"`
	At       string   `yaml:"at" doc:"the time of receipt (RFC 3339), where a time is signed"`
	From     string   `yaml:"from" doc:"where the vector is from, for people"`
}
