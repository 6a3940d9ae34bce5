package outbound

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// call is a request that is ready but for a token that must be fetched.
type call struct {
	method string
	url    string
	header http.Header
	body   []byte
	oauth  *OAuth
	freeze http.Header // what every later attempt repeats; nil when it was kept before, or nothing is
	// The subscription's client certificate.
	certificate, key string
}

// prepare makes the request of an attempt with all its proofs.
func (s *Server) prepare(p provider, sub *Subscription, r *tracked, attempt int, now time.Time) (c *call, err error) {
	if p.write == nil {
		return nil, errors.New("this program does not know the provider " + sub.Provider)
	}
	err = guardedError(func() error {
		d := r.Delivery
		if d.FirstAttempt.IsZero() {
			d.FirstAttempt = now // this is it
		}
		header, body, err := p.write(sub, &d, attempt)
		if err != nil {
			return err
		}
		c, err = s.sign(sub, http.MethodPost, header, body, now)
		return err
	})
	if err != nil || !p.frozen {
		return c, err
	}
	authorization := take(c.header, "Authorization") // never repeated: the credentials of today are the ones that count
	if r.Frozen == nil {
		c.freeze = c.header.Clone()
	} else {
		c.header = r.Frozen.Clone()
	}
	if authorization != nil {
		c.header["Authorization"] = authorization
	}
	return c, nil
}

// take removes a header, whatever the case of its name, and gives what it was; nil when there was none.
func take(header http.Header, name string) []string {
	var was []string
	for other, values := range header {
		if strings.EqualFold(other, name) {
			was = append(was, values...)
			delete(header, other)
		}
	}
	return was
}

// isOwn reports whether a header is the transport's own, which it sets by the request as it is.
func isOwn(name string) bool {
	return slices.ContainsFunc([]string{"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection"}, func(own string) bool {
		return strings.EqualFold(own, name)
	})
}

// sign adds to a request the subscription's own headers, with their names as they are written, and then its proofs, in
// their order. What comes later takes the place of what has the same name.
func (s *Server) sign(sub *Subscription, method string, header http.Header, body []byte, now time.Time) (*call, error) {
	c := &call{method: method, url: sub.URL, header: maps.Clone(header), body: body}
	if c.header == nil {
		c.header = http.Header{}
	}
	for name, value := range sub.Headers {
		if isOwn(name) {
			return nil, errors.New("the header " + name + " cannot be set; remove it from the subscription")
		}
		take(c.header, name)
		c.header[name] = []string{value}
	}
	base, rest := splitURL(sub.URL)
	req := &hookgate.Request{Method: method, Target: rest, Header: http.Header{}, Body: body, ReceivedAt: now}
	for i := range sub.Auth {
		a := &sub.Auth[i]
		switch {
		case a.Scheme == "none" || a.Scheme == "":
		case a.Scheme == "client-certificate":
			c.certificate, c.key = a.Certificate, a.CertificateKey
		case a.OAuth != nil:
			c.oauth = a.OAuth
		default:
			signer, err := s.signers.of(s.options.Signers, a, base)
			if err != nil {
				return nil, err
			}
			if err := signer.Sign(req, now); err != nil {
				return nil, err
			}
		}
	}
	for name, values := range req.Header {
		take(c.header, name)
		c.header[name] = values
	}
	return c, nil
}

// exchange makes an attempt's request and notes what came of it. A token that is refused is fetched again, once.
func (s *Server) exchange(ctx context.Context, p provider, sub *Subscription, c *call, a *Attempt) {
	began := s.clock.Now()
	defer func() { a.Took = s.clock.Now().Sub(began) }()
	timeout := cmp.Or(sub.Timeout, p.timeout, 10*time.Second)
	token := ""
	for again := false; ; again = true {
		if c.oauth != nil {
			var err error
			if token, err = s.tokens.get(ctx, s, sub, c.oauth, token); err != nil {
				if a.Error = cutText(err.Error()); errors.Is(err, errInterrupted) {
					a.Error = errInterrupted.Error()
				}
				return
			}
			take(c.header, "Authorization")
			c.header["Authorization"] = []string{"Bearer " + token}
		}
		s.once(ctx, p, sub, c, a, timeout)
		if c.oauth == nil || a.Status != http.StatusUnauthorized || again {
			return
		}
	}
}

// once makes the request.
func (s *Server) once(ctx context.Context, p provider, sub *Subscription, c *call, a *Attempt, timeout time.Duration) {
	with, err := s.client.with(c.certificate, c.key)
	if err != nil {
		a.Error = err.Error()
		return
	}
	req, err := request(c.method, c.url, wire(c.header, p.lowerHeaders), c.body)
	if err != nil {
		a.Error = err.Error()
		return
	}
	var body []byte
	a.Status, body, err = s.roundTrip(ctx, with, req, timeout)
	a.Response, a.Error = slices.Clip(body[:min(len(body), keptAnswer)]), ""
	switch {
	case err != nil:
		a.Error = cutText(err.Error())
	case succeeds(p, sub, a.Status):
	case a.Status >= 300 && a.Status < 400:
		a.Error = "the answer was " + statusText(a.Status) + ", and redirects are not followed"
	default:
		a.Error = "the answer was " + statusText(a.Status)
	}
}

// wire copies headers, with their names in the case that goes out.
func wire(header http.Header, lower bool) http.Header {
	out := make(http.Header, len(header)+1)
	for name, values := range header {
		if lower {
			name = strings.ToLower(name)
		}
		out[name] = append(out[name], values...)
	}
	return out
}

// Call makes one request to a subscription's URL now, with its headers and credentials, outside of the log and without
// retries: a set-up call. The attempt's error is set when there was no answer, or when it is none of a success.
func (s *Server) Call(ctx context.Context, sub *Subscription, method string, header http.Header, body []byte) Attempt {
	now := s.now()
	a := Attempt{Number: 1, At: now}
	sub = sub.clone()
	p := s.providers[sub.Provider]
	var c *call
	err := guardedError(func() (err error) {
		c, err = s.sign(sub, method, header.Clone(), body, now)
		return err
	})
	if err != nil {
		a.Error = cutText("the request could not be made: " + err.Error())
		return a
	}
	s.exchange(ctx, p, sub, c, &a)
	return a
}
