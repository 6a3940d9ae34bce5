package hookgate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const allowedMethods = "GET, HEAD, POST"

// ServeHTTP takes one delivery and answers it by the table of docs/answers.md. A stranger sees a status and nothing else.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	report := ReportOf(w)
	src, ok := g.Source(r.URL.EscapedPath())
	if !ok { // before the body is read
		g.fail(w, report, Errorf(UnknownSource, "no source listens at this path"))
		return
	}
	report.Source, report.Provider = src.Name, src.Provider
	req := &Request{ID: report.RequestID, Method: r.Method, Target: target(r), Header: r.Header, ReceivedAt: g.Now()}
	req.Remote, req.Certificates = g.Client(r)
	report.Client = req.Remote
	err := g.admit(w, r, src, req)
	if err == nil {
		err = g.read(w, r, src, req)
	}
	if err != nil {
		g.fail(w, report, err)
		return
	}
	report.Bytes = len(req.Body)
	if err := g.sit(); err != nil {
		g.fail(w, report, err)
		return
	}
	defer g.rise()
	// A sender that hangs up does not take back what it sent, so its context ends nothing here.
	outcome, err := g.Receive(context.Background(), src, req)
	report.Outcome = outcome
	if err != nil {
		g.fail(w, report, err)
		return
	}
	succeed(w, src, req, outcome)
}

// admit refuses whoever the source does not allow, before the body is read.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request, src *Source, req *Request) error {
	if src.allows(req.Remote) {
		return nil
	}
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // or the server would read the body before it sends the answer
	}
	return g.refused(src, req, Refuse(AddressDenied, "%s is in none of the networks that the source allows", req.Remote))
}

// sit takes a seat, where there is a bound.
func (g *Gateway) sit() error {
	if g.Seats == nil {
		return nil
	}
	select {
	case g.Seats <- struct{}{}:
		return nil
	default:
		return &Error{Code: Unavailable, Detail: fmt.Sprintf("%d deliveries are worked on, which is the limit", cap(g.Seats)), RetryAfter: time.Second}
	}
}

func (g *Gateway) rise() {
	if g.Seats != nil {
		<-g.Seats
	}
}

// read takes the raw body once, within the source's limit. A set-up call by HEAD or GET has none that matters.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, src *Source, req *Request) error {
	switch r.Method {
	case http.MethodHead, http.MethodGet:
		return nil
	case http.MethodPost:
	default:
		return Errorf(WrongMethod, "method %q", r.Method)
	}
	if len(r.Trailer) > 0 {
		return Refuse(HeaderDoubled, "the request announces trailers; a header that arrives after the body proves nothing")
	}
	if encoded(req.Header["Content-Encoding"]) && !src.zipped(req) {
		e := Errorf(WrongEncoding, "the body is encoded, and not in a way that the source takes")
		e.Hint = "where the provider sends gzip, set the source's gzip"
		return e
	}
	if r.ContentLength > src.MaxBody {
		w.Header().Set("Connection", "close") // the rest is not read
		return Errorf(TooLarge, "the body announces %d bytes, the limit is %d", r.ContentLength, src.MaxBody)
	}
	from := r.Body // of an announced length the server reads no byte more
	if r.ContentLength < 0 {
		from = http.MaxBytesReader(w, r.Body, src.MaxBody)
	}
	body, err := readBody(from, r.ContentLength)
	if err != nil {
		w.Header().Set("Connection", "close") // what follows on this connection is not to be trusted
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return Errorf(TooLarge, "the body is larger than %d bytes", src.MaxBody)
		}
		return Errorf(BrokenBody, "the body broke off: %w", err)
	}
	req.Body = body
	return nil
}

// encoded reports whether any of the codings is one that changes the body.
func encoded(values []string) bool {
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// maxTrusted is the announced length, in bytes, that gets its memory before the first byte has come.
const maxTrusted = 16 << 10

// readBody reads all, into a buffer of the right size where a usual length is announced. A large one has to be sent
// first: announcing costs a stranger nothing.
func readBody(r io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > maxTrusted {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

// outcomeHeader saves making the header's value for every answer; nobody changes it.
var outcomeHeader = map[Kind][]string{
	Probe: {string(Probe)}, Accepted: {string(Accepted)}, Duplicate: {string(Duplicate)}, Quarantine: {string(Quarantine)},
}

// succeed answers 200, which every one of the providers counts as success.
func succeed(w http.ResponseWriter, src *Source, req *Request, outcome Outcome) {
	h := w.Header()
	h["Hookgate-Outcome"] = outcomeHeader[outcome.Kind]
	if e, ok := outcome.only(); ok {
		h["Hookgate-Event-Id"] = []string{e.ID}
	}
	if replier, ok := src.Reader.(Replier); ok && req.Method == http.MethodPost {
		if contentType, body := replier.Reply(req.asRead()); len(body) > 0 {
			h.Set("Content-Type", contentType)
			_, _ = w.Write(body) // a sender that has gone sends the delivery again and meets its marker
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}

// fail answers with the status of the error's code and no word about why.
func (g *Gateway) fail(w http.ResponseWriter, report *Report, err error) {
	e := AsError(err)
	report.Err = e
	e.SetRetryAfter(w.Header())
	if e.Code == WrongMethod {
		w.Header().Set("Allow", allowedMethods)
	}
	w.WriteHeader(e.Code.Status())
}

// target is path and query as they stood in the request line; an absolute-form one loses its scheme and host.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	t := r.URL.EscapedPath()
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		t += "?" + r.URL.RawQuery
	}
	return t
}

// Client is who sent r, by the gateway's resolver or by the connection itself: for whatever else listens where it does.
func (g *Gateway) Client(r *http.Request) (netip.Addr, []*x509.Certificate) {
	if g.Clients != nil {
		return g.Clients.Client(r)
	}
	return Direct(r)
}

// Direct is the peer, and the certificates that it showed in the handshake with us.
func Direct(r *http.Request) (netip.Addr, []*x509.Certificate) {
	if r.TLS == nil {
		return Peer(r), nil
	}
	return Peer(r), r.TLS.PeerCertificates
}

// Peer is the address at the other end of the connection; the zero address where that is none.
func Peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("") // a zone, an interface of ours, would be in no network
}
