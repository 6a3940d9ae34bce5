package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func streamOf(server *redisServer, name string) string {
	return fmt.Sprintf("  - {name: events, type: redis-stream, url: %q, stream: %s}\n", server.url, name)
}

// counts are the copies of each event id in a stream.
func counts(entries []redis.XMessage) map[string]int {
	ids := make(map[string]int, len(entries))
	for _, e := range entries {
		ids[e.Values["id"].(string)]++
	}
	return ids
}

// TestR16_DuplicateStorm: 100 events, 20 copies each at once with mixed attempts. Every answer is 200, and each event is
// forwarded once. A machine that is busy with other tests may answer 503; then a copy is sent again, as a provider does, and
// is a duplicate if the journal took the first one too late for its answer.
func TestR16_DuplicateStorm(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	stream := server.fresh(t, "storm")
	r := serve(t, scenario(filepath.Join(t.TempDir(), "j.db"), streamOf(server, stream))+"limits: {per_address: 4096}\n", func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := make(map[string]int)
	late := 0 // copies that were answered 503 first
	gate := make(chan struct{})
	for n := range 100 {
		for copies := range 20 {
			wg.Go(func() {
				<-gate
				body := fmt.Sprintf(`{"entity_type":"conversation","org_id":"1","event":"conversation.created","entity_id":"%d","attempt":%d,"event_time":1716560000268}`, n, copies%4+1)
				a := s.post(t.Context(), "/hooks/chat", body, "")
				again := 0
				for ; a.status == http.StatusServiceUnavailable && again < 20; again++ {
					a = s.post(t.Context(), "/hooks/chat", body, "")
				}
				mu.Lock()
				late += min(again, 1)
				outcomes[fmt.Sprintf("%d %s", a.status, a.outcome)]++
				mu.Unlock()
			})
		}
	}
	close(gate)
	wg.Wait()
	accepted, duplicates := outcomes["200 accepted"], outcomes["200 duplicate"]
	if accepted+duplicates != 2000 || accepted > 100 || accepted < 100-late {
		t.Errorf("answers: %v, want 100 accepted and 1900 duplicates; %d came again after 503", outcomes, late)
	}
	client := server.client(t)
	eventually(t, "100 entries", func() (bool, string) {
		n := client.XLen(t.Context(), stream).Val()
		return n >= 100, fmt.Sprint(n)
	})
	if code := r.stop(); code != exitDone {
		t.Errorf("ended with %d:\n%s", code, r.stderr)
	}
	for id, n := range counts(server.stream(t, client, stream)) {
		if n != 1 {
			t.Errorf("%s was forwarded %d times", id, n)
		}
	}
}

// TestR07_RedisAway: the destination is killed under load and comes back; the providers never notice, and the stream is
// complete and in order.
func TestR07_RedisAway(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	stream := server.fresh(t, "away")
	r := serve(t, scenario(filepath.Join(t.TempDir(), "j.db"), streamOf(server, stream)), func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	f := newFlow(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx, s, 4) }()
	more := func(n int) {
		target := f.count() + n
		eventually(t, "more events are taken", func() (bool, string) { return f.count() >= target, fmt.Sprint(f.count()) })
	}
	more(300)
	server.kill()
	more(600)
	if os.Getenv("HOOKGATE_TEST_LONG") != "" {
		<-time.After(time.Minute)
	}
	server.start(t)
	more(300)
	cancel()
	<-done
	if len(f.other) > 0 {
		t.Errorf("answers other than 200: %v", f.other)
	}
	f.complete(r.stderr.String, server.entries(t, stream)) // in order, though what was in flight may stand there twice
	for _, said := range []string{`"state":"backing off"`, `"state":"running"`} {
		if !strings.Contains(r.stderr.String(), `"destination":"events",`+said) {
			t.Errorf("the log does not say %s:\n%s", said, r.stderr)
		}
	}
}

// TestD01_ForgeriesChangeNothing: a forged copy before and after the authentic event leaves it accepted, and a flood of
// forgeries over its limit leaves the signed sender alone.
func TestD01_ForgeriesChangeNothing(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "events")
	config := scenario(filepath.Join(t.TempDir(), "j.db"), "  - {name: events, type: file, path: "+out+"}\n") + "limits: {strangers: 5/h}\n"
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	body := caseBody(1, 1)
	forged := func() answer { return s.post(t.Context(), "/hooks/care", body, "sha256="+strings.Repeat("0", 64)) }
	if a := forged(); a.status != http.StatusUnauthorized {
		t.Errorf("forged before: %v", a)
	}
	if a := s.deliver(t.Context(), body); a.outcome != "accepted" {
		t.Errorf("authentic: %v", a)
	}
	statuses := make(map[int]int)
	for range 50 {
		a := forged()
		statuses[a.status]++
		if a.status == http.StatusTooManyRequests && a.retryAfter == "" {
			t.Fatal("429 without Retry-After")
		}
	}
	if statuses[http.StatusUnauthorized] != 4 || statuses[http.StatusTooManyRequests] != 46 {
		t.Errorf("answers to forgeries: %v, want 4 of 401 and 46 of 429", statuses)
	}
	if a := s.deliver(t.Context(), body); a.outcome != "duplicate" {
		t.Errorf("authentic again: %v", a)
	}
	if a := s.deliver(t.Context(), caseBody(2, 1)); a.outcome != "accepted" {
		t.Errorf("the next authentic one: %v", a)
	}
	eventually(t, "two lines", func() (bool, string) { n := len(lines(t, out)); return n == 2, fmt.Sprint(n) })
}

// TestR18_StopUnderLoad: a stop under load loses nothing that was acknowledged, and answers nothing but 200.
func TestR18_StopUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	config := scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+out+"}\n")
	f := newFlow(t)
	for range sized(3, 200) {
		r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx, newSender(t, r.Hooks), 8) }()
		target := f.count() + 200
		eventually(t, "events are taken", func() (bool, string) { return f.count() >= target, fmt.Sprint(f.count()) })
		if code := r.stop(); code != exitDone {
			t.Fatalf("ended with %d:\n%s", code, r.stderr)
		}
		cancel()
		<-done
	}
	delete(f.other, 0) // no answer: the listener had gone
	if len(f.other) > 0 {
		t.Errorf("answers other than 200: %v", f.other)
	}
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	defer r.stop()
	if v := f.complete(r.stderr.String, &fileEntries{path: out}); v.Doubled > 0 {
		t.Errorf("%d were delivered twice after an orderly stop", v.Doubled)
	}
}

// TestReload takes over a good file, by signal, and goes on with the old one after a bad one.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	config := scenario(file("j.db"), "  - {name: events, type: file, path: "+file("one")+"}\n")
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	if a := s.deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	r.write(t, "sources: [")
	r.hangup <- nil
	r.said(t, "the old one goes on")
	if a := s.deliver(t.Context(), caseBody(2, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	eventually(t, "two lines", func() (bool, string) { return len(lines(t, file("one"))) == 2, "" })
	r.takeOver(t, strings.ReplaceAll(config, "name: care", "name: help")+"  - {name: second, type: file, path: "+file("two")+"}\n")
	if a := s.deliver(t.Context(), caseBody(3, 1)); a.status != http.StatusNotFound {
		t.Errorf("the old path answers %v", a)
	}
	if a := s.post(t.Context(), "/hooks/help", caseBody(3, 1), sign(caseBody(3, 1))); a.outcome != "accepted" {
		t.Errorf("the new path answers %v", a)
	}
	eventually(t, "the new destination has the third, the old one all", func() (bool, string) {
		return len(lines(t, file("two"))) == 1 && len(lines(t, file("one"))) == 3, fmt.Sprint(lines(t, file("two")), lines(t, file("one")))
	})
}

// TestH01_OddPaths: nothing but the exact path is taken, nothing is redirected, and no path grows a series.
func TestH01_OddPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := serve(t, scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(dir, "e")+"}\n"), func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/hooks//care", "//hooks/care", "/hooks/care/", "/hooks/./care", "/hooks/x/../care", "/hooks/..%2fadmin", "/hooks%2Fcare", "/hooks/c%61re", "/hooks/care%00", "/hooks/care%0a", "/", "/metrics", "/readyz"} {
		if a := s.post(t.Context(), path, caseBody(1, 1), sign(caseBody(1, 1))); a.status != http.StatusNotFound {
			t.Errorf("%s: %v, want 404", path, a)
		}
	}
	for n := range 300 {
		s.post(t.Context(), fmt.Sprintf("/hooks/%d", n), "x", "")
	}
	if n := strings.Count(r.get(t, "/metrics"), "\nhookgate_requests_total{"); n != 1 {
		t.Errorf("%d series after unknown paths alone, want 1", n)
	}
}

// get asks the admin listener.
func (r *running) get(t *testing.T, path string) string {
	t.Helper()
	_, body := r.ask(t, path, "")
	return body
}
