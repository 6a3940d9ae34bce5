package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/middleware"
)

// The bounds of a captured request: the bytes of its file, and the headers in which a certificate is looked for.
const (
	maxCapture = 16 << 20
	maxPassed  = 4
)

// readCapture reads a captured request from a file: as it went over the wire in HTTP/1, a request line, headers, an empty line
// and the raw body; or the JSON of hookgate failed show --json. The lines before the body may end with CR LF or LF.
func readCapture(path string) (*hookgate.Request, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the captured request: %w", err)
	}
	if info.Size() > maxCapture {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxCapture)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the captured request: %w", err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte{'{'}) {
		return parseFailed(path, data)
	}
	return parseCapture(path, data)
}

func parseFailed(path string, data []byte) (*hookgate.Request, error) {
	var d admin.FailedDelivery
	if err := json.Unmarshal(data, &d); err != nil || d.Method == "" {
		return nil, fmt.Errorf("%s is not what hookgate failed show --json prints", path)
	}
	return &hookgate.Request{Method: d.Method, Target: d.Target, Header: d.Header, Body: d.Body, ReceivedAt: d.Received}, nil
}

func parseCapture(path string, data []byte) (*hookgate.Request, error) {
	wrong := func(line int, what string) error {
		return fmt.Errorf("%s:%d: %s; write a request line such as POST /hooks/care HTTP/1.1, header lines, an empty line, and the raw body", path, line, what)
	}
	var req *hookgate.Request
	for n := 1; ; n++ {
		line, rest, ok := bytes.Cut(data, []byte{'\n'})
		text := strings.TrimSuffix(string(line), "\r")
		switch {
		case req == nil:
			words := strings.Fields(text)
			if len(words) < 2 || !strings.HasPrefix(words[1], "/") {
				return nil, wrong(n, "this is no request line")
			}
			req = &hookgate.Request{Method: words[0], Target: words[1], Header: make(http.Header), ReceivedAt: time.Now()}
		case text == "":
			req.Body = rest
			return req, nil
		default:
			name, value, ok := strings.Cut(text, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, wrong(n, "this is no header line")
			}
			req.Header.Add(name, strings.TrimSpace(value))
		}
		if !ok {
			return nil, wrong(n, "the file ends before the empty line behind the headers")
		}
		data = rest
	}
}

// sent is the public address that a captured request names, if it names one.
func sent(req *hookgate.Request) (urls []string) {
	if host := req.Header.Get("Host"); host != "" {
		urls = append(urls, "https://"+host, "http://"+host)
	}
	return urls
}

// passed is a header in which a proxy may have passed the sender's certificate on.
type passed struct {
	header       string
	certificates []*x509.Certificate
	wrong        error // why the gateway reads none of it
}

// passedOn gives the headers that hold certificates in a form which the gateway takes from a proxy (see
// middleware.CertificatesFrom), and those whose names only speak of one.
func passedOn(header http.Header) (readable, unreadable []passed) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		switch certificates, err := middleware.CertificatesFrom(header, name); {
		case len(certificates) > 0 && len(readable) < maxPassed:
			readable = append(readable, passed{header: name, certificates: certificates})
		case err != nil && strings.Contains(strings.ToLower(name), "cert") && len(unreadable) < maxPassed:
			unreadable = append(unreadable, passed{header: name, wrong: err})
		}
	}
	return readable, unreadable
}
