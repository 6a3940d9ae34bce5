//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
)

// requests are whole HTTP requests, signed and written before the clock starts: building and signing is the provider's
// work, and this machine's cores are to be spent on taking deliveries.
type requests [][]byte

// delivery is one request to make: where it goes and what it says.
type delivery struct {
	path string
	body []byte
}

// prepare makes and signs n deliveries, by as many goroutines as there are processors: an RSA signature takes a millisecond.
func prepare(n int, p *provider, delivery func(i int) delivery) (requests, error) {
	all := make(requests, n)
	workers := runtime.NumCPU()
	failed := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < n && failed[w] == nil; i += workers {
				all[i], failed[w] = p.write(delivery(i))
			}
		})
	}
	group.Wait()
	return all, errors.Join(failed...)
}

// sign makes the request of a delivery, by the gateway's own scheme.
func (p *provider) sign(d delivery) (*hookgate.Request, error) {
	req := &hookgate.Request{
		Method: http.MethodPost, Target: d.path, Body: d.body, Header: http.Header{"Content-Type": {p.contentType}}, ReceivedAt: time.Now(),
	}
	if p.proof != nil { // the sender has a token already, and uses it until it expires
		req.Header["Authorization"] = p.proof
	} else if err := p.signer.Sign(req, req.ReceivedAt); err != nil {
		return nil, fmt.Errorf("%s: %w", p.scheme, err)
	}
	return req, nil
}

// write signs a delivery and writes it as it goes over the wire.
func (p *provider) write(d delivery) ([]byte, error) {
	req, err := p.sign(d)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(d.body) + 512)
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: hooks.example.com\r\nUser-Agent: provider/1.0\r\nContent-Length: %d\r\n", d.path, len(d.body))
	if err := req.Header.Write(&b); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	b.Write(d.body)
	return b.Bytes(), nil
}

// forge changes the last byte of each body, so that no signature fits any more.
func (r requests) forge() requests {
	forged := make(requests, len(r))
	for i, request := range r {
		forged[i] = bytes.Clone(request)
		forged[i][len(request)-1] = ' '
	}
	return forged
}
