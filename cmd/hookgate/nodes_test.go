package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/oracle"
)

// onRedis is a scenario whose journal is on Redis; more stands in the journal's mapping behind the URL.
func onRedis(url, more, destinations string) string {
	config := scenario("", destinations)
	return strings.Replace(config, `journal: {url: "sqlite://"}`, fmt.Sprintf("journal: {url: %q%s}", url, more), 1)
}

func fileAt(path string) string { return "  - {name: events, type: file, path: " + path + "}\n" }

// inFiles counts the deliveries in the files of all nodes, by event id.
func inFiles(t *testing.T, files ...string) map[string]int {
	t.Helper()
	ids := make(map[string]int)
	for _, file := range files {
		for _, line := range lines(t, file) {
			ids[idOf([]byte(line))]++
		}
	}
	return ids
}

func doubled(ids map[string]int) (n int) {
	for _, copies := range ids {
		n += copies - 1
	}
	return n
}

// sized is a scenario's size: the short one in every run, the long one where HOOKGATE_TEST_LONG is set.
func sized(short, long int) int {
	if os.Getenv("HOOKGATE_TEST_LONG") != "" {
		return long
	}
	return short
}

// TestR16_ThreeNodes: copies of 100 events spread over three nodes at once. Every answer is 200, one copy of each is
// accepted, and each event is forwarded once.
func TestR16_ThreeNodes(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	dir := t.TempDir()
	var senders []*sender
	var files []string
	for n := range 3 {
		files = append(files, filepath.Join(dir, fmt.Sprint("node", n)))
		r := serve(t, onRedis(server.url, "", fileAt(files[n])), func(m *Main) { m.Env = scenarioEnv })
		senders = append(senders, newSender(t, r.Hooks))
	}
	const ids = 100
	copies := sized(60, 1000)
	var mu sync.Mutex
	outcomes := make(map[string]int)
	var wg sync.WaitGroup
	work := make(chan int)
	for range 64 {
		wg.Go(func() {
			for n := range work {
				a := senders[n%3].deliver(t.Context(), caseBody(n/3%ids, ids))
				mu.Lock()
				outcomes[fmt.Sprintf("%d %s", a.status, a.outcome)]++
				mu.Unlock()
			}
		})
	}
	for _, n := range rand.Perm(ids * copies / 3 * 3) {
		work <- n
	}
	close(work)
	wg.Wait()
	all := ids * copies / 3 * 3
	if outcomes["200 accepted"] != ids || outcomes["200 duplicate"] != all-ids {
		t.Errorf("answers: %v, want %d accepted and %d duplicates", outcomes, ids, all-ids)
	}
	eventually(t, "all are forwarded", func() (bool, string) {
		n := len(inFiles(t, files...))
		return n == ids, fmt.Sprint(n)
	})
	if n := doubled(inFiles(t, files...)); n != 0 {
		t.Errorf("%d forwarded twice", n)
	}
}

// TestR01_NodeKilled: three nodes under load; one after the other is killed and comes back. The others forward what it
// had accepted and not yet forwarded; nothing acknowledged is lost.
func TestR01_NodeKilled(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	stream := server.fresh(t, "nodes")
	config := onRedis(server.url, "", streamOf(server, stream))
	nodes := make([]*child, 3)
	f := newFlow(t)
	flows := make([]func(), 3)
	start := func(n int) {
		nodes[n] = startChild(t, config)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx, newSender(t, nodes[n].hooks), 4) }()
		flows[n] = func() { cancel(); <-done }
	}
	for n := range nodes {
		start(n)
	}
	arrived := make(map[string]bool)
	watched := server.entries(t, stream)
	for round := range sized(3, 20) {
		taken := f.count()
		eventually(t, "events are taken", func() (bool, string) { return f.count() > taken+300, fmt.Sprint(f.count()) })
		n := round % 3
		nodes[n].kill()
		flows[n]()
		before := oracle.Promised(f.soFar())
		at := time.Now()
		eventually(t, "the others forward what was acknowledged before the kill", func() (bool, string) {
			more := must(watched.read(t.Context()))(t)
			for _, d := range more {
				arrived[d.ID] = true
			}
			maps.DeleteFunc(before, func(id string, _ bool) bool { return arrived[id] })
			return len(before) == 0, fmt.Sprint(len(before), " are missing")
		})
		t.Logf("taken over after %v", time.Since(at).Round(10*time.Millisecond))
		start(n)
	}
	for n := range nodes {
		flows[n]()
	}
	delete(f.other, 0) // no answer: it was being killed
	if len(f.other) > 0 {
		t.Errorf("answers other than 200: %v", f.other)
	}
	f.complete(nothing, server.entries(t, stream))
}

// TestR07_JournalRedisKilled: the Redis that holds the journal is killed ten times under load, without a spill. Providers
// see 503 meanwhile and send again; nothing acknowledged is lost, and nothing is forwarded twice as long as Redis is back
// before a lease ends.
func TestR07_JournalRedisKilled(t *testing.T) {
	t.Parallel()
	f, out, r, outage := killRedis(t, sized(10, 100), "")
	for status := range f.other {
		if status != http.StatusServiceUnavailable {
			t.Errorf("answers: %v", f.other)
		}
	}
	complete(t, f, out, r, outage)
}

// TestR07_Spill: the same with a spill: every answer is 200.
func TestR07_Spill(t *testing.T) {
	t.Parallel()
	f, out, r, outage := killRedis(t, sized(10, 100), fmt.Sprintf(", spill: %q", "sqlite://"+filepath.Join(t.TempDir(), "spill.db")))
	if len(f.other) > 0 {
		t.Errorf("answers other than 200: %v", f.other)
	}
	complete(t, f, out, r, outage)
}

// killRedis also gives the longest time that Redis was away.
func killRedis(t *testing.T, kills int, more string) (_ *flow, file string, _ *running, outage time.Duration) {
	t.Helper()
	server := startOwnRedis(t)
	out := filepath.Join(t.TempDir(), "events")
	r := serve(t, onRedis(server.url, more, fileAt(out)), func(m *Main) { m.Env = scenarioEnv })
	f := newFlow(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx, newSender(t, r.Hooks), 8) }()
	for range kills {
		taken := f.count()
		eventually(t, "events are taken", func() (bool, string) { return f.count() > taken+100, r.stderr.String() })
		killed := time.Now()
		server.kill()
		<-time.After(time.Duration(rand.IntN(400)) * time.Millisecond)
		server.start(t)
		outage = max(outage, time.Since(killed))
		<-time.After(1500 * time.Millisecond) // or it would be one long outage: leases are renewed once a second
	}
	taken := f.count()
	eventually(t, "events are taken again", func() (bool, string) { return f.count() > taken+100, r.stderr.String() })
	cancel()
	<-done
	return f, out, r, outage
}

// complete waits until all that was acknowledged is in the file, and demands that nothing is there twice, unless the outage
// was so long that the node had to give its shards up.
func complete(t *testing.T, f *flow, out string, r *running, outage time.Duration) {
	t.Helper()
	if v := f.complete(r.stderr.String, &fileEntries{path: out}); v.Doubled != 0 && outage < 3*time.Second {
		t.Errorf("%d forwarded twice, and Redis was away for %v at most", v.Doubled, outage.Round(10*time.Millisecond))
	}
}

// TestUnfitRedis: a Redis that evicts is refused at the start, with a spill or without; one that is away only without.
func TestUnfitRedis(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	must(server.client(t).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Result())(t)
	dir := t.TempDir()
	away := "redis://127.0.0.1:" + freePort(t) + "/0"
	for name, c := range map[string]struct{ url, more, want string }{
		"evicts":        {server.url, "", "set maxmemory-policy to noeviction"},
		"evicts, spill": {server.url, ", spill: \"sqlite://" + filepath.Join(dir, "s.db") + "\"", "set maxmemory-policy to noeviction"},
		"away":          {away, "", "start Redis, or correct journal.url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "hookgate.yaml")
			writeFile(t, file, []byte(onRedis(c.url, c.more, fileAt(filepath.Join(dir, "out")))))
			stderr := new(syncBuffer)
			m := &Main{Args: []string{"serve", "--config", file}, Env: scenarioEnv, Now: time.Now, Stdout: new(syncBuffer), Stderr: stderr}
			if code := m.Run(t.Context()); code != exitFailed || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("ended with %d, want %q:\n%s", code, c.want, stderr)
			}
		})
	}
	t.Run("away, spill", func(t *testing.T) {
		t.Parallel()
		r := serve(t, onRedis(away, ", spill: \"sqlite://"+filepath.Join(dir, "t.db")+"\"", fileAt(filepath.Join(dir, "away"))), func(m *Main) { m.Env = scenarioEnv })
		if a := newSender(t, r.Hooks).deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
			t.Errorf("%v", a)
		}
	})
}
