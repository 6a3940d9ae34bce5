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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/oracle"
	"github.com/hookgate/hookgate/verifiers"
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

// flow delivers different events over several connections until stop, and keeps the sender's log for the oracle.
type flow struct {
	t      *testing.T
	source *hookgate.Source // what the gateway makes of a delivery

	mu    sync.Mutex
	sent  []oracle.Sent
	acked int
	next  int
	other map[int]int // answers other than 200, by status
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	secret := hookgate.NewSecret([]byte(scenarioSecret), "env:SCENARIO_SECRET")
	source, err := buildSource(configs.Source{
		Name: "care", Provider: "sprinklr", Path: "/hooks/care", MaxBody: 1 << 20,
		Auth: []hookgate.AuthSettings{{Scheme: "hub-signature", Secrets: []hookgate.Secret{secret}}},
	}, verifiers.NewParties(time.Now, nil))
	if err != nil {
		t.Fatal(err)
	}
	return &flow{t: t, source: source, other: make(map[int]int)}
}

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
				e := f.event(body)
				for attempt := 1; ctx.Err() == nil; attempt++ {
					at := time.Now()
					a := s.deliver(ctx, body)
					f.record(ctx, e, attempt, at, a)
					if a.status == http.StatusOK {
						break
					}
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

// event is what the gateway makes of a body.
func (f *flow) event(body string) *hookgate.Event {
	events, err := expected(f.source, "/hooks/care", http.Header{"X-Hub-Signature": {sign(body)}}, []byte(body), time.Now())
	if err != nil || len(events) != 1 || events[0].Quarantine != "" {
		f.t.Errorf("%s: %v, %v", body, events, err)
		return new(hookgate.Event)
	}
	return events[0]
}

func (f *flow) record(ctx context.Context, e *hookgate.Event, attempt int, at time.Time, a answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, sentOf(e, attempt, at, a.status, time.Now()))
	switch {
	case a.status == http.StatusOK:
		f.acked++
		if a.eventID != e.ID {
			f.t.Errorf("acknowledged as %s, want %s", a.eventID, e.ID)
		}
	case a.status != 0 || ctx.Err() == nil:
		f.other[a.status]++
	}
}

// count is how many events were acknowledged.
func (f *flow) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked
}

// soFar is the sender's log until now.
func (f *flow) soFar() []oracle.Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// complete waits until all that was acknowledged has arrived, and gives the verdict: nothing is wrong or forged, and what
// has one destination's order is in order. about is told when it fails.
func (f *flow) complete(about func() string, from ...entries) oracle.Verdict {
	f.t.Helper()
	sent := f.soFar()
	missing := oracle.Promised(sent)
	promised := len(missing)
	got := make([][]oracle.Delivered, len(from))
	eventually(f.t, "every acknowledged event is delivered", func() (bool, string) {
		for i, e := range from {
			more, err := e.read(context.WithoutCancel(f.t.Context()))
			for _, d := range more {
				delete(missing, d.ID)
			}
			got[i] = append(got[i], more...)
			if err != nil {
				return false, err.Error()
			}
		}
		return len(missing) == 0, fmt.Sprintf("%d of %d are missing\n%s%s", len(missing), promised, gone(sent, missing), about())
	})
	v := oracle.Judge(sent, slices.Concat(got...))
	if !v.Kept() || (len(from) == 1 && (v.OutOfOrder > 0 || v.Compared < v.Delivered/2)) {
		f.t.Errorf("the oracle says %+v", v)
	}
	f.t.Logf("%d acknowledged, %d lost, %d doubled, %d wrong, %d forged, %d of %d out of order; other answers: %v",
		v.Acknowledged, v.Lost, v.Doubled, v.Wrong, v.Forged, v.OutOfOrder, v.Compared, f.other)
	return v
}

// gone are the lines of the sender's log of what is missing, the first ones.
func gone(sent []oracle.Sent, missing map[string]bool) (said string) {
	n := 0
	for _, s := range sent {
		if missing[s.ID] && n < 40 {
			n++
			said += fmt.Sprintf("%s of %s, attempt %d, sent %s, answered %d %s\n", s.ID, s.Key, s.Attempt, s.At.Format(time.StampMilli), s.Status, s.Answered.Format(time.StampMilli))
		}
	}
	return said
}

// nothing is what there is to tell of a failure that the log of no gateway explains.
func nothing() string { return "" }

// idOf finds the id in an envelope without reading the rest.
func idOf(envelope []byte) string {
	_, rest, ok := bytes.Cut(envelope, []byte(`"id":"`))
	if !ok || len(rest) < 32 {
		return ""
	}
	return string(rest[:32])
}
