package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// sdkReceiver is a consumer that reads what arrives with the official CloudEvents SDK and refuses what it cannot read.
type sdkReceiver struct {
	url string

	mu     sync.Mutex
	events map[string]map[string]cloudevents.Event // by path, then id
	failed map[string]error                        // by id: structured events that the SDK does not read
	errs   []error
}

// beyondSDK tells payloads whose JSON the SDK's decoder does not read although RFC 8259 allows it: numbers that no float
// holds, and escapes in member names. The gateway must pass them on untouched.
var beyondSDK = regexp.MustCompile(`1e400|\\u[0-9a-fA-F]{4}[^"\\]*"\s*:`)

func startSDK(t *testing.T) *sdkReceiver {
	t.Helper()
	s := &sdkReceiver{failed: make(map[string]error), events: map[string]map[string]cloudevents.Event{"/structured": {}, "/binary": {}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sdkReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err == nil {
		err = e.Validate()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && r.URL.Path == "/structured" && beyondSDK.Match(body) {
		s.failed[idOf(body)] = err
		return
	}
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("%s: %w", r.URL.Path, err))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.events[r.URL.Path][e.ID()] = *e
}

// compare waits for all events in both modes and holds the SDK's reading against what was wanted.
func (s *sdkReceiver) compare(t *testing.T, want map[string]map[string]any) {
	t.Helper()
	eventually(t, "the CloudEvents SDK has read every event in both modes", func() (bool, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.events["/structured"])+len(s.failed) >= len(want) && len(s.events["/binary"]) >= len(want) || len(s.errs) > 0,
			fmt.Sprintf("%d and %d of %d", len(s.events["/structured"]), len(s.events["/binary"]), len(want))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.errs {
		t.Error(err)
	}
	for mode, events := range s.events {
		for id, expected := range want {
			e, ok := events[id]
			if !ok && mode == "/structured" && s.failed[id] != nil {
				continue
			}
			if !ok {
				t.Errorf("%s: no %s", mode, id)
				continue
			}
			text := func(name string) string { v, _ := expected[name].(string); return v }
			tenant, _ := e.Extensions()["tenant"].(string)
			subject := e.Subject()
			if mode == "/binary" { // the binding has a receiver decode headers, which this SDK leaves to its user
				tenant, subject = decoded(t, tenant), decoded(t, subject)
			}
			if e.Type() != text("type") || subject != text("subject") || tenant != text("tenant") {
				t.Errorf("%s: %s is read as type %q, subject %q, tenant %q", mode, expected["case"], e.Type(), e.Subject(), tenant)
			}
			data, err := base64.StdEncoding.DecodeString(text("data_b64"))
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Data(); !bytes.Equal(got, data) && !sameJSON(got, data) {
				t.Errorf("%s: data of %s is read as %q, want %q", mode, expected["case"], got, data)
			}
		}
	}
}

func decoded(t *testing.T, header string) string {
	t.Helper()
	s, err := url.PathUnescape(header)
	if err != nil {
		t.Error(err)
	}
	return s
}

// sameJSON allows for an SDK that hands on JSON data without the white space between its tokens.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
