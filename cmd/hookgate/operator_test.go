package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const adminToken = "admin-token-0123456789"

// operate is request for what is answered in JSON; a refusal without any gives nil.
func (r *running) operate(t *testing.T, method, path, token, body string) (int, map[string]any) {
	t.Helper()
	status, text := r.request(t, method, path, token, body)
	var got map[string]any
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return status, got
}

// TestA03_DeadLettersAreSeenAndReplayed: an event that a target refuses to the end is listed with the target's answer, and is
// delivered under its id once it is replayed. Who had it replayed is in the log.
func TestA03_DeadLettersAreSeenAndReplayed(t *testing.T) {
	t.Parallel()
	var ids sync.Map // by subject
	var mended atomic.Bool
	var taken atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"version":2}`)) && !mended.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		taken.Add(1)
		var envelope struct{ ID, Subject string }
		_ = json.Unmarshal(body, &envelope)
		ids.Store(envelope.Subject, envelope.ID)
	}))
	defer target.Close()
	r := operate(t, "  - {name: events, type: http, url: \""+target.URL+"\", retry: {attempts: 2, backoff: 10ms}}\n")
	s := newSender(t, r.Hooks)
	for n := range 4 {
		if a := s.deliver(t.Context(), caseBody(n, 10)); a.outcome != "accepted" {
			t.Fatal(a)
		}
	}
	list := func() []any {
		status, got := r.operate(t, "GET", "/v1/dead-letters/events", adminToken, "")
		letters, ok := got["dead_letters"].([]any)
		if status != http.StatusOK || !ok {
			t.Fatalf("%d %v", status, got)
		}
		return letters
	}
	eventually(t, "one dead letter", func() (bool, string) { return len(list()) == 1 && taken.Load() == 3, fmt.Sprint(list(), taken.Load()) })
	letter := list()[0].(map[string]any)
	id := letter["event"].(map[string]any)["id"]
	if letter["attempts"] != 2.0 || !strings.Contains(letter["error"].(string), "422") || letter["event"].(map[string]any)["subject"] != "case-2" {
		t.Errorf("the dead letter is %v", letter)
	}
	mended.Store(true)
	for _, c := range []struct {
		body   string
		status int
		count  any
	}{
		{`{"seqs":[3,3,1,99]}`, http.StatusOK, 1.0}, // of those only 3 is a dead letter
		{`{"seqs":[3]}`, http.StatusOK, 0.0},
		{`{"seqs":[]}`, http.StatusBadRequest, nil},
		{`{"everything":true}`, http.StatusBadRequest, nil},
		{`x`, http.StatusBadRequest, nil},
	} {
		if status, got := r.operate(t, "POST", "/v1/dead-letters/events/replay", adminToken, c.body); status != c.status || got["replayed"] != c.count {
			t.Errorf("replay %s: %d %v", c.body, status, got)
		}
		if c.count == 1.0 {
			eventually(t, "it is delivered and no dead letter any more", func() (bool, string) {
				return taken.Load() == 4 && len(list()) == 0, fmt.Sprint(taken.Load(), list())
			})
		}
	}
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/v1/dead-letters/events", "", http.StatusUnauthorized},
		{"POST", "/v1/dead-letters/events/replay", "wrong", http.StatusUnauthorized},
		{"GET", "/v1/quarantine", "", http.StatusUnauthorized},
		{"GET", "/v1/dead-letters/other", adminToken, http.StatusNotFound},
		{"POST", "/v1/dead-letters/other/replay", adminToken, http.StatusNotFound},
		{"GET", "/v1/dead-letters/events/replay", adminToken, http.StatusMethodNotAllowed},
		{"GET", "/v1/dead-letters/events?limit=0", adminToken, http.StatusBadRequest},
		{"GET", "/v1/quarantine?before=x", adminToken, http.StatusBadRequest},
	} {
		if status, got := r.operate(t, c.method, c.path, c.token, `{"seqs":[1]}`); status != c.status {
			t.Errorf("%s %s: %d %v, want %d", c.method, c.path, status, got, c.status)
		}
	}
	if got, _ := ids.Load("case-2"); got != id {
		t.Errorf("replayed as %v, want %v", got, id)
	}
	for _, line := range []string{
		`"remote":"127.0.0.1:[0-9]+","method":"POST","path":"/v1/dead-letters/events/replay","order":"{\\"seqs\\":\[3,3,1,99\]}","status":200`,
		`"path":"/v1/dead-letters/events/replay","order":"{\\"everything\\":true}","status":400`,
		`"path":"/v1/dead-letters/other/replay","order":"[^"]*(\\"[^"]*)*","status":404`,
	} {
		eventually(t, "it is in the log", func() (bool, string) { return regexp.MustCompile(line).MatchString(r.stderr.String()), line })
	}
	if log := r.stderr.String(); strings.Contains(log, `"path":"/v1/quarantine"`) || strings.Contains(log, adminToken) {
		t.Error("reading, or the token, is in the log")
	}
	if a := s.deliver(t.Context(), "not json \xff"); a.outcome != "quarantined" {
		t.Fatal(a)
	}
	status, got := r.operate(t, "GET", "/v1/quarantine?limit=1", adminToken, "")
	parts, _ := got["quarantined"].([]any)
	if status != http.StatusOK || len(parts) != 1 {
		t.Fatalf("%d %v", status, got)
	}
	part := parts[0].(map[string]any)
	if part["source"] != "care" || part["verifiedby"] != "hub-signature" || part["reason"] == "" || part["part_base64"] != "bm90IGpzb24g/w==" {
		t.Errorf("the quarantined part is %v", part)
	}
}

// TestNoTokenNoEvents: without a token the open pages show figures, and nobody what customers wrote.
func TestNoTokenNoEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := serve(t, scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(dir, "e")+"}\n"), func(m *Main) { m.Env = scenarioEnv })
	for _, path := range []string{"/v1/quarantine", "/v1/dead-letters/events"} {
		if status, got := r.operate(t, "GET", path, "", ""); status != http.StatusForbidden || !strings.Contains(fmt.Sprint(got["error"]), "admin.token") {
			t.Errorf("%s: %d %v", path, status, got)
		}
	}
}
