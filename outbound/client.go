package outbound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// Bounds of what a receiver may answer with; all ours.
const (
	maxAnswer       = 64 << 10 // bytes of the body that are read
	keptAnswer      = 4 << 10  // bytes of it that the log keeps
	maxAnswerHeader = 64 << 10
	maxCertified    = 64 // subscriptions with a client certificate whose connections are kept open
)

// client makes the requests, of deliveries and for tokens. It follows no redirect and uses no proxy, which would connect in
// our place, past the guard.
type client struct {
	dialer *net.Dialer
	base   *tls.Config
	each   int // connections kept to one host
	plain  *http.Client

	mu        sync.Mutex
	certified map[[sha256.Size]byte]*http.Client
}

func newClient(o Options) *client {
	// No host is ours: whoever subscribes says where to. The time-out of a request ends its waiting; those here and of the
	// transport end a connection that nobody waits for any more.
	dialer := hookgate.NewGuard("", o.AllowPrivate).Dialer(time.Minute)
	c := &client{dialer: dialer, base: o.TLS, each: o.Workers, certified: map[[sha256.Size]byte]*http.Client{}}
	c.plain = c.make(nil)
	return c
}

func (c *client) make(certificate *tls.Certificate) *http.Client {
	config := &tls.Config{}
	if c.base != nil {
		config = c.base.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true) // header names keep their case
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            c.dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    time.Minute,
			Protocols:              protocols,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    c.each,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxAnswerHeader,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// with is the client for a subscription, with its certificate where it has one.
func (c *client) with(certificate, key string) (*http.Client, error) {
	if certificate == "" && key == "" {
		return c.plain, nil
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(certificate), certificate, key))
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.certified[id]; known != nil {
		return known, nil
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, errors.New("the client certificate and its key are no pair in PEM form")
	}
	for old, one := range c.certified {
		if len(c.certified) < maxCertified {
			break
		}
		one.CloseIdleConnections()
		delete(c.certified, old)
	}
	made := c.make(&pair)
	c.certified[id] = made
	return made, nil
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain.CloseIdleConnections()
	for _, one := range c.certified {
		one.CloseIdleConnections()
	}
}

// errLate is why a request was given up.
type errLate struct{ after time.Duration }

func (e errLate) Error() string { return fmt.Sprintf("no whole answer within %v", e.after) }

// roundTrip makes one request and reads its answer, all within timeout by the server's clock. The body is at most 64 KiB of
// the answer's.
func (s *Server) roundTrip(ctx context.Context, with *http.Client, req *http.Request, timeout time.Duration) (status int, body []byte, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := s.clock.After(timeout)
	go func() {
		select {
		case <-late:
			cancel(errLate{timeout})
		case <-ctx.Done():
		}
	}()
	res, err := with.Do(req.WithContext(ctx))
	if err != nil {
		return 0, nil, why(ctx, err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return res.StatusCode, body, why(ctx, err)
	}
	return res.StatusCode, body, nil
}

// why is an error without the URL, whose path or query may be a secret.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed before the answer was whole")
	}
	return err
}

// request makes the request for a URL, whose path and query go out as they are written.
func request(method, target string, header http.Header, body []byte) (*http.Request, error) {
	u, err := url.Parse(target)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the subscription's URL is no http:// or https:// URL")
	}
	if _, rest := splitURL(target); strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "//") && isPlain(rest) {
		rest, _, _ = strings.Cut(rest, "#")
		u.Opaque, u.RawQuery, u.ForceQuery = rest, "", false
	}
	req, err := http.NewRequest(method, "http://placeholder.invalid/", bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the method is none of HTTP")
	}
	if len(body) == 0 {
		req.Body, req.GetBody = http.NoBody, nil
	}
	req.URL, req.Host, req.Header = u, u.Host, header
	if _, told := header["User-Agent"]; !told {
		header["User-Agent"] = []string{""} // or there would be Go's
	}
	for name := range header {
		if strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key") {
			req.GetBody = nil // or the client would send it again by itself
		}
	}
	return req, nil
}

// splitURL cuts a URL into scheme://host and the rest, which together are the URL byte for byte.
func splitURL(target string) (base, rest string) {
	_, after, found := strings.Cut(target, "://")
	if !found {
		return target, ""
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		return target, ""
	}
	at := len(target) - len(after) + end
	return target[:at], target[at:]
}

// isPlain reports whether a text can stand in a request line.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
