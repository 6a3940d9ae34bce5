package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// httpWorkers is how many requests run at once: our default.
const httpWorkers = 32

// Bounds of what a target may answer with: our defaults.
const (
	maxAnswerBody   = 64 << 10
	maxAnswerHeader = 64 << 10
)

// httpTarget posts CloudEvents, one a request. A status of 2xx confirms.
type httpTarget struct {
	url    string
	binary bool
	keys   [][]byte
	now    func() time.Time
	sign   Sign
	client *http.Client
	pool   *http.Transport
}

func checkHTTP(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if len(s.URL.Reveal()) == 0 {
		missing(ps, "url", "such as https://events.example.com/hooks")
	} else if _, err := targetURL(s); err != nil {
		ps.Add("url", "write https://host/path", "%s", err)
	}
	if s.Mode != "" && s.Mode != modeStructured && s.Mode != modeBinary {
		ps.Add("mode", "write structured or binary", "unknown mode %q", s.Mode)
	}
	for i, secret := range s.Secrets {
		if _, err := signingKey(secret); err != nil {
			ps.Add("secrets["+strconv.Itoa(i)+"]", "a Standard Webhooks secret is whsec_ and base64", "%s %s", secret.Ref(), err)
		}
	}
}

// targetURL reads the URL. What is wrong with it is told without its text, which may hold a password or a token.
func targetURL(s hookgate.DestinationSettings) (*url.URL, error) {
	u, err := url.Parse(string(s.URL.Reveal()))
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("is not an http:// or https:// URL")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case u.Fragment != "":
		return nil, errors.New("has a fragment, which is never sent")
	}
	if odd := hookgate.OddHost(u.Hostname()); odd != "" {
		return nil, errors.New("has a host that " + odd + ": write the address in its usual form")
	}
	return u, nil
}

func openHTTP(s hookgate.DestinationSettings, o Options) (Destination, error) {
	u, err := targetURL(s)
	if err != nil {
		return nil, err
	}
	h := &httpTarget{url: u.String(), binary: s.Mode == modeBinary, now: o.Now, sign: o.Sign}
	for _, secret := range s.Secrets {
		key, err := signingKey(secret)
		if err != nil {
			return nil, err
		}
		h.keys = append(h.keys, key)
	}

	h.pool = &http.Transport{
		Proxy:                  nil, // a proxy from the environment would connect in our place, past the guard
		DialContext:            hookgate.NewGuard(u.Hostname(), s.AllowPrivate).Dialer(s.Timeout).DialContext,
		TLSHandshakeTimeout:    s.Timeout,
		MaxIdleConnsPerHost:    httpWorkers,
		MaxConnsPerHost:        httpWorkers,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
	h.client = &http.Client{
		Transport:     h.pool,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// Publish posts the entries one after the other; after one that failed the rest is held.
func (h *httpTarget) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	errs := make([]error, len(batch))
	for i, e := range batch {
		if errs[i] = h.post(ctx, e.Event); errs[i] != nil {
			for j := i + 1; j < len(batch); j++ {
				errs[j] = ErrHeld
			}
			break
		}
	}
	return errs
}

func (h *httpTarget) post(ctx context.Context, e *hookgate.Event) error {
	req, err := h.request(ctx, e)
	if err != nil {
		return err
	}
	res, err := h.client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) { // it quotes the URL, and the path may be a token
			err = withURL.Err
		}
		var dial *net.OpError
		reached := !errors.As(err, &dial) || dial.Op != "dial"
		return &Trouble{Err: fmt.Errorf("http: %w", err), Suspect: reached}
	}
	// What is left of the answer is read so that the connection can be used again, but not without end.
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswerBody)
	_ = res.Body.Close()
	return h.judge(res)
}

func (h *httpTarget) request(ctx context.Context, e *hookgate.Event) (*http.Request, error) {
	body := e.Data
	if !h.binary {
		body = e.AppendSigned(make([]byte, 0, len(e.Data)+1024), false, h.sign)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, &Trouble{Err: errors.New("http: the URL makes no request")}
	}
	req.Header["User-Agent"] = []string{"hookgate"}
	req.Header["Content-Type"] = []string{structuredType}
	if h.binary {
		delete(req.Header, "Content-Type")
		setBinary(req.Header, e)
	}
	if len(h.keys) > 0 {
		at := h.now().Unix()
		req.Header["Webhook-Id"] = []string{e.ID}
		req.Header["Webhook-Timestamp"] = []string{strconv.FormatInt(at, 10)}
		req.Header["Webhook-Signature"] = []string{signature(h.keys, e.ID, at, body)}
	}
	for _, name := range []string{"Content-Type", "Webhook-Id"} { // the two that are not percent-encoded
		if v := req.Header[name]; len(v) > 0 && strings.ContainsFunc(v[0], func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, &Refusal{Err: fmt.Errorf("http: the event's %s cannot stand in a header", name)}
		}
	}
	return req, nil
}

// judge says what a status means. 410, 429 and the three of an overloaded or absent server are about the target, and so are
// a redirect and what a wrong address or credential is answered: no event would fare better, and waiting loses none. Every
// other failure is about this event.
func (h *httpTarget) judge(res *http.Response) error {
	err := fmt.Errorf("http: answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		return &Trouble{Err: err, Pause: true}
	case code >= 300 && code < 400, code == http.StatusUnauthorized, code == http.StatusForbidden,
		code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		return &Trouble{Err: err, RetryAfter: retryAfter(res.Header.Get("Retry-After"), h.now()), Suspect: true}
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway,
		code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return &Trouble{Err: err, RetryAfter: retryAfter(res.Header.Get("Retry-After"), h.now())}
	}
	return &Refusal{Err: err}
}

// retryAfter reads the header, which is a number of seconds or a date; zero where it is neither.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// Close ends the idle connections; those in use end with their requests.
func (h *httpTarget) Close() error {
	h.pool.CloseIdleConnections()
	return nil
}
