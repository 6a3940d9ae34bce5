package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// maxCapture bounds the file of a captured request, in bytes.
const maxCapture = 16 << 20

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
