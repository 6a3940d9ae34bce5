package hookgate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// word is a verifier that wants one word in a header, and a reader whose body lines are events; "!" in front of a line
// makes it unreadable, an empty body is a set-up call that had to authenticate.
type word string

func (w word) Verify(req *hookgate.Request, _ time.Time) (hookgate.Proof, error) {
	v, err := req.One("Word")
	if err != nil {
		return hookgate.Proof{}, err
	}
	if !hookgate.SecretEqual([]byte(v), []byte(w)) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "wrong word")
	}
	return hookgate.Proof{Scheme: "word", KeyID: "k"}, nil
}

type lines struct{}

func (lines) Probe(req *hookgate.Request) bool { return string(req.Body) == "ping" }

func (lines) Reply(*hookgate.Request) (string, []byte) { return "text/plain", []byte("thanks") }

func (lines) Normalize(req *hookgate.Request, _ hookgate.Verdict) (events []*hookgate.Event) {
	for line := range strings.FieldsSeq(string(req.Body)) {
		if strings.HasPrefix(line, "!") {
			events = append(events, hookgate.Quarantined([]byte(line), "starts with !"))
			continue
		}
		events = append(events, &hookgate.Event{Type: "lines.line", Attempt: 1, Identity: hookgate.DigestIdentity([]byte(line)), Data: []byte(line), ContentType: hookgate.JSON})
	}
	return events
}

// memory is a journal that forgets at its end; set err to make it fail.
type memory struct {
	mu   sync.Mutex
	seen map[string]bool
	err  error
}

func (m *memory) Accept(_ context.Context, _ *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	results := make([]hookgate.Result, len(events))
	for i, e := range events {
		results[i].Class = hookgate.First
		if m.seen[e.ID] {
			results[i].Class = hookgate.Replay
		}
		m.seen[e.ID] = true
	}
	return results, nil
}

// away is a verifier whose issuer cannot be asked.
type away struct{ word }

func (away) Prepare(context.Context, *hookgate.Request, time.Time) error {
	return &hookgate.Error{Code: hookgate.Unavailable, RetryAfter: 30 * time.Second}
}

type budget int

func (b *budget) Take(string) (time.Duration, bool) {
	*b--
	return 90 * time.Second, *b >= 0
}

func gateway(change func(*hookgate.Gateway, *hookgate.Source, *memory)) (*hookgate.Gateway, *memory) {
	journal := &memory{seen: make(map[string]bool)}
	g := &hookgate.Gateway{Journal: journal, Now: time.Now}
	src := &hookgate.Source{Name: "test", Provider: "lines", Path: "/hooks/test", Verifiers: []hookgate.Verifier{word("open")}, Reader: lines{}, MaxBody: 64}
	if change != nil {
		change(g, src, journal)
	}
	g.SetSources([]*hookgate.Source{src})
	return g, journal
}

// TestAnswers has a row for every cell of the answer table.
func TestAnswers(t *testing.T) {
	t.Parallel()
	type sent struct {
		method, path, body string
		header             http.Header
		raw                io.Reader
	}
	open := http.Header{"Word": {"open"}}
	with := func(name, value string) http.Header {
		h := open.Clone()
		h.Add(name, value)
		return h
	}
	for name, c := range map[string]struct {
		sent     sent
		change   func(*hookgate.Gateway, *hookgate.Source, *memory)
		before   string // a body that is delivered first
		status   int
		outcome  string
		id       bool
		header   [2]string
		body     string
		unstored bool
	}{
		"accepted":                  {sent: sent{body: "a", header: open}, status: 200, outcome: "accepted", id: true, body: "thanks"},
		"batch accepted":            {sent: sent{body: "a b", header: open}, status: 200, outcome: "accepted", body: "thanks"},
		"duplicate":                 {sent: sent{body: "a", header: open}, before: "a", status: 200, outcome: "duplicate", id: true, body: "thanks"},
		"partly new":                {sent: sent{body: "a b", header: open}, before: "a", status: 200, outcome: "accepted", body: "thanks"},
		"quarantined":               {sent: sent{body: "!a", header: open}, status: 200, outcome: "quarantined", body: "thanks"},
		"new and quarantined":       {sent: sent{body: "!a b", header: open}, status: 200, outcome: "accepted", id: true, body: "thanks"},
		"duplicate and quarantined": {sent: sent{body: "!a b", header: open}, before: "b", status: 200, outcome: "quarantined", id: true, body: "thanks"},
		"HEAD":                      {sent: sent{method: "HEAD"}, status: 200, outcome: "probe", unstored: true},
		"GET":                       {sent: sent{method: "GET"}, status: 200, outcome: "probe", unstored: true},
		"provider's probe":          {sent: sent{body: "ping"}, status: 200, outcome: "probe", body: "thanks", unstored: true},
		"authenticated probe":       {sent: sent{header: open}, status: 200, outcome: "probe", body: "thanks", unstored: true},
		"empty, not authenticated":  {sent: sent{}, status: 401, unstored: true},
		"no proof":                  {sent: sent{body: "a"}, status: 401, unstored: true},
		"wrong proof":               {sent: sent{body: "a", header: http.Header{"Word": {"shut"}}}, status: 401, unstored: true},
		"proof twice":               {sent: sent{body: "a", header: with("Word", "open")}, status: 401, unstored: true},
		"no verifier": {sent: sent{body: "a", header: open}, status: 401, unstored: true,
			change: func(_ *hookgate.Gateway, s *hookgate.Source, _ *memory) { s.Verifiers = nil }},
		"every entry must pass": {sent: sent{body: "a", header: open}, status: 401, unstored: true,
			change: func(_ *hookgate.Gateway, s *hookgate.Source, _ *memory) {
				s.Verifiers = append(s.Verifiers, word("sesame"))
			}},
		"unknown source":       {sent: sent{path: "/hooks/other", body: "a", header: open}, status: 404, unstored: true},
		"path with more":       {sent: sent{path: "/hooks/test/", body: "a", header: open}, status: 404, unstored: true},
		"path not clean":       {sent: sent{path: "/hooks//test", body: "a", header: open}, status: 404, unstored: true},
		"path encoded":         {sent: sent{path: "/hooks%2ftest", body: "a", header: open}, status: 404, unstored: true},
		"wrong method":         {sent: sent{method: "PUT", body: "a", header: open}, status: 405, header: [2]string{"Allow", "GET, HEAD, POST"}, unstored: true},
		"just large enough":    {sent: sent{body: strings.Repeat("a", 64), header: open}, status: 200, outcome: "accepted", id: true, body: "thanks"},
		"too large":            {sent: sent{body: strings.Repeat("a", 65), header: open}, status: 413, unstored: true},
		"too large, in chunks": {sent: sent{raw: io.MultiReader(strings.NewReader(strings.Repeat("a", 65))), header: open}, status: 413, unstored: true},
		"encoded":              {sent: sent{body: "a", header: with("Content-Encoding", "gzip")}, status: 415, unstored: true},
		"encoded twice":        {sent: sent{body: "a", header: with("Content-Encoding", "identity, br")}, status: 415, unstored: true},
		"empty is no code":     {sent: sent{body: "a", header: with("Content-Encoding", "")}, status: 200, outcome: "accepted", id: true, body: "thanks"},
		"identity is no code":  {sent: sent{body: "a", header: with("Content-Encoding", "identity")}, status: 200, outcome: "accepted", id: true, body: "thanks"},
		"refused as malformed": {sent: sent{body: "!a", header: open}, status: 400, unstored: true,
			change: func(_ *hookgate.Gateway, s *hookgate.Source, _ *memory) { s.RejectMalformed = true }},
		"half malformed is kept": {sent: sent{body: "!a b", header: open}, status: 200, outcome: "accepted", id: true, body: "thanks",
			change: func(_ *hookgate.Gateway, s *hookgate.Source, _ *memory) { s.RejectMalformed = true }},
		"over the source's rate": {sent: sent{body: "a", header: open}, status: 429, header: [2]string{"Retry-After", "90"}, unstored: true,
			change: func(_ *hookgate.Gateway, s *hookgate.Source, _ *memory) { s.Quota = new(budget) }},
		"stranger over the limit": {sent: sent{body: "a"}, status: 429, header: [2]string{"Retry-After", "90"}, unstored: true,
			change: func(g *hookgate.Gateway, _ *hookgate.Source, _ *memory) { g.Strangers = new(budget) }},
		"authentic beside strangers over the limit": {sent: sent{body: "a", header: open}, status: 200, outcome: "accepted", id: true, body: "thanks",
			change: func(g *hookgate.Gateway, _ *hookgate.Source, _ *memory) { g.Strangers = new(budget) }},
		"journal unavailable": {sent: sent{body: "a", header: open}, status: 503, header: [2]string{"Retry-After", "7"}, unstored: true,
			change: func(_ *hookgate.Gateway, _ *hookgate.Source, m *memory) {
				m.err = &hookgate.Error{Code: hookgate.Unavailable, RetryAfter: 6100 * time.Millisecond}
			}},
		"issuer away": {sent: sent{body: "a", header: open}, status: 503, header: [2]string{"Retry-After", "30"}, unstored: true,
			change: func(g *hookgate.Gateway, s *hookgate.Source, _ *memory) {
				s.Verifiers, g.Strangers = []hookgate.Verifier{away{word("open")}}, new(budget)
			}},
		"no seat left": {sent: sent{body: "a", header: open}, status: 503, header: [2]string{"Retry-After", "1"}, unstored: true,
			change: func(g *hookgate.Gateway, _ *hookgate.Source, _ *memory) {
				g.Seats = make(chan struct{}, 1)
				g.Seats <- struct{}{}
			}},
		"the last seat": {sent: sent{body: "a", header: open}, status: 200, outcome: "accepted", id: true, body: "thanks",
			change: func(g *hookgate.Gateway, _ *hookgate.Source, _ *memory) { g.Seats = make(chan struct{}, 1) }},
		"a mistake of ours": {sent: sent{body: "a", header: open}, status: 503, unstored: true,
			change: func(_ *hookgate.Gateway, _ *hookgate.Source, m *memory) { m.err = errors.New("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, journal := gateway(c.change)
			if c.before != "" {
				first := httptest.NewRequest("POST", "/hooks/test", strings.NewReader(c.before))
				first.Header = open
				g.ServeHTTP(httptest.NewRecorder(), first)
			}
			known := len(journal.seen)
			body := c.sent.raw
			if body == nil {
				body = strings.NewReader(c.sent.body)
			}
			r := httptest.NewRequest(or(c.sent.method, "POST"), or(c.sent.path, "/hooks/test"), body)
			if c.sent.header != nil {
				r.Header = c.sent.header
			}
			w := httptest.NewRecorder()
			taken := len(g.Seats)
			g.ServeHTTP(w, r)
			if len(g.Seats) != taken {
				t.Error("a seat was not given back")
			}
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if got := w.Header().Get("Hookgate-Outcome"); got != c.outcome {
				t.Errorf("outcome %q, want %q", got, c.outcome)
			}
			if got := w.Header().Get("Hookgate-Event-Id") != ""; got != c.id {
				t.Errorf("event id there: %v, want %v", got, c.id)
			}
			if got := w.Header().Get(c.header[0]); got != c.header[1] {
				t.Errorf("%s: %q, want %q", c.header[0], got, c.header[1])
			}
			if w.Body.String() != c.body {
				t.Errorf("body %q, want %q", w.Body, c.body)
			}
			if c.unstored && len(journal.seen) != known {
				t.Error("something was stored")
			}
		})
	}
}

func TestS08_ATrailerProvesNothing(t *testing.T) {
	t.Parallel()
	g, journal := gateway(nil)
	r := httptest.NewRequest("POST", "/hooks/test", strings.NewReader("a"))
	r.Header.Set("Word", "open")
	r.Trailer = http.Header{"Word": nil}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || len(journal.seen) > 0 {
		t.Errorf("status %d, %d stored", w.Code, len(journal.seen))
	}
}

func TestABrokenBodyIsNotTaken(t *testing.T) {
	t.Parallel()
	g, journal := gateway(nil)
	r := httptest.NewRequest("POST", "/hooks/test", strings.NewReader("a"))
	r.ContentLength = 2
	r.Header.Set("Word", "open")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || len(journal.seen) > 0 {
		t.Errorf("status %d, %d stored", w.Code, len(journal.seen))
	}
}

func TestD01_AForgeryChangesNothingForTheAuthenticEvent(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]string{"before": {"shut", "open"}, "after": {"open", "shut", "open"}} {
		g, _ := gateway(nil)
		var got []string
		for _, w := range order {
			r := httptest.NewRequest("POST", "/hooks/test", strings.NewReader("a"))
			r.Header.Set("Word", w)
			rec := httptest.NewRecorder()
			g.ServeHTTP(rec, r)
			got = append(got, rec.Header().Get("Hookgate-Outcome"))
		}
		want := map[string]string{"before": " accepted", "after": "accepted  duplicate"}[name]
		if strings.Join(got, " ") != want {
			t.Errorf("forgery %s: %q, want %q", name, got, want)
		}
	}
}

func TestL04_CredentialsAreNotKept(t *testing.T) {
	t.Parallel()
	req := &hookgate.Request{Header: make(http.Header)}
	credentials := []string{
		"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Forwarded-Authorization", "Api-Key", "X-Api-Key", "ApiKey", "X-APIKEY", "DD-API-KEY",
		"X-Auth-Key", "X-Access-Key", "X-Secret-Key", "X-Auth-Token", "X-GitLab-Token", "X-Telegram-Bot-Api-Secret-Token", "X-Shopify-Access-Token", "Private-Token",
		"Token", "X-Goog-Channel-Token", "X-Webhook-Secret", "Secret", "Client-Secret", "X-Password", "Password",
	}
	whole := []string{
		"X-Hub-Signature", "X-Hub-Signature-256", "X-Siqsignature", "Messagebird-Signature", "Messagebird-Request-Timestamp", "Stripe-Signature",
		"X-Shopify-Hmac-Sha256", "X-Slack-Signature", "X-Slack-Request-Timestamp", "Webhook-Id", "Webhook-Signature", "Webhook-Timestamp", "Idempotency-Key",
		"Sec-Websocket-Key", "Host", "User-Agent", "X-Request-Id", "X-Tokens-Left", "Client-Cert", "X-Key", "Key",
	}
	for _, name := range append(slices.Clone(credentials), whole...) {
		req.Header.Set(name, "Basic canary")
		req.Header.Add(name, "canary")
	}
	for _, name := range credentials {
		name = http.CanonicalHeaderKey(name)
		if kept := hookgate.StoredValues(name, req.Header[name]); len(kept) != 1 || kept[0] != "[secret]" {
			t.Errorf("%s is kept as %q", name, kept)
		}
	}
	for _, name := range whole {
		name = http.CanonicalHeaderKey(name)
		if kept := hookgate.StoredValues(name, req.Header[name]); !slices.Equal(kept, req.Header[name]) {
			t.Errorf("%s is kept as %q", name, kept)
		}
	}
	if req.Header.Get("Authorization") != "Basic canary" {
		t.Error("the request itself was changed")
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	if got := hookgate.Code("new").Status(); got != http.StatusServiceUnavailable {
		t.Errorf("an unknown code answers %d", got)
	}
	for _, c := range []hookgate.Code{hookgate.Unavailable, hookgate.InternalMistake} {
		if c.Status() < 500 {
			t.Errorf("%s is a fault of ours and answers %d", c, c.Status())
		}
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
