package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// scenarioSecret is what every source of the scenarios is signed with.
const scenarioSecret = "scenario-secret-0123456789"

func scenarioEnv(name string) (string, bool) { return scenarioSecret, name == "SCENARIO_SECRET" }

// scenario is a configuration with one Sprinklr source, care, and the given rest.
func scenario(journal, destinations string) string {
	return fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://%s"}
sources:
  - name: care
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]
  - name: chat
    provider: salesiq
    auth: [{scheme: none}]
destinations:
%s`, journal, destinations)
}

// caseBody is the n-th event of a scenario; events of one key follow each other with steps of keys.
func caseBody(n, keys int) string {
	return fmt.Sprintf(`{"id":"6650a2b0%016x","type":"case.update","payload":{"id":"case-%d","version":%d},"eventTime":1716560560020,"subscriptionDetails":{"subscriptionId":"s-1"}}`, n, n%keys, n)
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(scenarioSecret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// sender delivers to one program, as a provider with kept connections does.
type sender struct {
	client http.Client
	base   string
}

func newSender(t *testing.T, address string) *sender {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &sender{client: http.Client{Transport: transport, Timeout: 10 * time.Second}, base: "http://" + address}
}

// answer is what a delivery came to; status 0 means no answer.
type answer struct {
	status           int
	outcome, eventID string
	retryAfter       string
}

func (s *sender) post(ctx context.Context, path, body, signature string) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}
	}
	if signature != "" {
		req.Header.Set("X-Hub-Signature", signature)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Hookgate-Outcome"), resp.Header.Get("Hookgate-Event-Id"), resp.Header.Get("Retry-After")}
}

func (s *sender) deliver(ctx context.Context, body string) answer {
	return s.post(ctx, "/hooks/care", body, sign(body))
}

// flow delivers different events over several connections until stop, and remembers which were acknowledged.
type flow struct {
	mu    sync.Mutex
	acked map[string]bool // by event id
	next  int
	other map[int]int // answers other than 200, by status
}

func newFlow() *flow { return &flow{acked: make(map[string]bool), other: make(map[int]int)} }

// run sends until ctx ends. What was not acknowledged is sent again before anything new, as a provider does.
func (f *flow) run(ctx context.Context, s *sender, connections int) {
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				f.mu.Lock()
				n := f.next
				f.next++
				f.mu.Unlock()
				body := caseBody(n, 50)
				for ctx.Err() == nil {
					a := s.deliver(ctx, body)
					f.mu.Lock()
					if a.status == http.StatusOK {
						f.acked[a.eventID] = true
						f.mu.Unlock()
						break
					}
					if a.status != 0 || ctx.Err() == nil {
						f.other[a.status]++
					}
					f.mu.Unlock()
					select {
					case <-ctx.Done():
					case <-time.After(10 * time.Millisecond):
					}
				}
			}
		})
	}
	wg.Wait()
}

func (f *flow) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.acked)
}

// missing are the acknowledged ids that are not among the delivered ones.
func (f *flow) missing(delivered map[string]int) (lost []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.acked {
		if delivered[id] == 0 {
			lost = append(lost, id)
		}
	}
	return lost
}

// idOf finds the id in an envelope without reading the rest.
func idOf(envelope []byte) string {
	_, rest, ok := bytes.Cut(envelope, []byte(`"id":"`))
	if !ok || len(rest) < 32 {
		return ""
	}
	return string(rest[:32])
}
