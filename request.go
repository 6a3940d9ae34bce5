package hookgate

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Request is one delivery as it came in: nothing of it has been parsed, decoded or cleaned.
type Request struct {
	ID         string // ours, for the log line and the answer
	Method     string
	Target     string      // path and query exactly as received, such as /hooks/care?team=a%20b
	Header     http.Header // names in canonical form; the values of one name in the order received
	Body       []byte      // raw, at most the source's limit
	Remote     netip.Addr  // the sender's address: the peer's, or what a trusted proxy says of it
	ReceivedAt time.Time   // every window and every stored time is measured from here
	// Certificates are what the sender showed in the TLS handshake, its own first: to us, or to a trusted proxy that passes
	// them on. That it holds the key of the first is certain; nothing else about them has been checked.
	Certificates []*x509.Certificate

	digest    [sha256.Size]byte
	hasDigest bool
	plain     *Request // what a compressed one was read from; nil for all others
}

// asRead is the request as its reader saw it.
func (r *Request) asRead() *Request {
	if r.plain != nil {
		return r.plain
	}
	return r
}

// BodySHA256 is the digest of the raw body, computed once. A Request belongs to one goroutine.
func (r *Request) BodySHA256() [sha256.Size]byte {
	if !r.hasDigest {
		r.digest, r.hasDigest = sha256.Sum256(r.Body), true
	}
	return r.digest
}

// One gives the value of a header that must be there exactly once: none at all, an empty one and two equal ones are
// refused alike. Header.Get would take the first of two and let a sender choose which one is checked. The name must be
// in canonical form (http.CanonicalHeaderKey).
func (r *Request) One(name string) (string, error) {
	values := r.Header[name]
	switch {
	case len(values) == 0 || (len(values) == 1 && values[0] == ""):
		return "", Refuse(HeaderMissing, "no %s header", name)
	case len(values) > 1:
		return "", Refuse(HeaderDoubled, "%d %s headers, expected exactly one", len(values), name)
	}
	return values[0], nil
}

// StoredValues are the values of a header as they are kept with the event: whole, but for credentials, which are kept as
// [secret]. Signature headers stay, because without them nobody can verify the delivery again. The name must be in canonical
// form.
func StoredValues(name string, values []string) []string {
	if holdsCredential(name) {
		return []string{redacted}
	}
	return values
}

// holdsCredential goes by the name: beside the headers of HTTP itself those that end as the ones do in which providers and
// proxies send API keys, tokens and passwords, such as X-Api-Key, X-Auth-Token or X-Gitlab-Token. None of our schemes signs
// into such a header.
func holdsCredential(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
		return true
	}
	last := name[strings.LastIndexByte(name, '-')+1:]
	switch last {
	case "Token", "Secret", "Password", "Passwd", "Apikey", "Authorization":
		return true
	case "Key":
		before := strings.TrimSuffix(name, "-Key")
		return strings.HasSuffix(before, "Api") || strings.HasSuffix(before, "Auth") || strings.HasSuffix(before, "Access") || strings.HasSuffix(before, "Secret")
	}
	return false
}
