package verifiers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hookgate/hookgate"
)

// Bounds of a question to an issuer; all ours.
const (
	askTime         = 3 * time.Second // all of it, well inside the shortest time-out of a provider
	maxAnswer       = 64 << 10        // bytes
	maxAnswerHeader = 16 << 10
)

// newClient makes a client for one issuer. It follows no redirect, knows no proxy, which would connect in our place, past
// the guard, asks for no compression, and keeps no connection: questions are rare, and nothing of it outlives one.
func newClient(u *url.URL, allowPrivate bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            hookgate.NewGuard(u.Hostname(), allowPrivate).Dialer(askTime).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    askTime,
			MaxResponseHeaderBytes: maxAnswerHeader,
			DisableCompression:     true,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends the request and gives the body of a 200. The request's context bounds the whole. The error is safe to show: an
// issuer may repeat in its answer what it was sent, so nothing of the answer is in it.
func ask(client *http.Client, req *http.Request) ([]byte, error) {
	answer, err := client.Do(req)
	if err != nil {
		return nil, plainly(err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return nil, fmt.Errorf("the answer is a redirect (%d), and none is followed; configure where it leads to", answer.StatusCode)
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("the answer is %d: the issuer does not let the gateway ask", answer.StatusCode)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the answer is %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, plainly(err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return body, nil
}

// plainly says why there is no answer. A failed connection speaks for itself; anything else may quote the other side.
func plainly(err error) error {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", askTime)
	case errors.Is(err, context.Canceled):
		return errors.New("the gateway is stopping")
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &dial) && dial.Op == "dial":
		return dial
	}
	return errors.New("the connection broke, or the answer is no HTTP")
}
