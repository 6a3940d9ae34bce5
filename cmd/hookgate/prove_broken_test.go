package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/oracle"
)

// hasty is a journal in memory. What is not stable goes with a crash, and when it answers decides what that means.
type hasty struct {
	early bool // it answers before the commit, which then comes with that of the next forty

	mu      sync.Mutex
	known   map[string]bool
	pending []*hookgate.Event
	stable  []*hookgate.Event
}

// Accept is a hookgate.Journal's.
func (h *hasty) Accept(_ context.Context, _ *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	results := make([]hookgate.Result, len(events))
	for i, e := range events {
		results[i].Class = hookgate.Replay
		if !h.known[e.ID] {
			h.known[e.ID] = true
			h.pending = append(h.pending, e)
			results[i].Class = hookgate.First
		}
	}
	if !h.early || len(h.pending) >= 40 {
		h.stable, h.pending = append(h.stable, h.pending...), nil
	}
	return results, nil
}

// crash loses what is not stable.
func (h *hasty) crash() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.pending {
		delete(h.known, e.ID)
	}
	h.pending = nil
}

// TestOracleFailsAnEarlyAnswer: the same crashes lose nothing where the answer follows the commit, and are found out where it
// comes before. An oracle that cannot tell the two apart proves nothing.
func TestOracleFailsAnEarlyAnswer(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		f := newFlow(t)
		journal := &hasty{early: early, known: make(map[string]bool)}
		gateway := &hookgate.Gateway{Journal: journal, Now: time.Now}
		gateway.SetSources([]*hookgate.Source{f.source})
		server := httptest.NewServer(gateway)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.run(ctx, newSender(t, server.Listener.Addr().String()), 4)
		}()
		for range 5 {
			taken := f.count()
			eventually(t, "events are taken", func() (bool, string) { return f.count() > taken+100, "" })
			journal.crash()
		}
		cancel()
		<-done
		server.Close()
		journal.crash()
		var delivered []oracle.Delivered
		for _, e := range journal.stable {
			delivered = append(delivered, oracle.Read(e.AppendEnvelope(nil)))
		}
		v := oracle.Judge(f.soFar(), delivered)
		if (v.Lost > 0) != early || v.Kept() == early || v.Delivered == 0 || v.Wrong+v.Forged+v.Doubled > 0 {
			t.Errorf("answered early: %v; the oracle says %+v", early, v)
		}
		t.Logf("answered early: %v; %d of %d acknowledged are lost", early, v.Lost, v.Acknowledged)
	}
}

// TestOracleFailsATruncatedJournal: what a power cut takes from a journal that does not sync its commits, the end of its log,
// is taken from one that does. What was acknowledged is gone then, and the oracle counts it.
func TestOracleFailsATruncatedJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	journal, late := filepath.Join(dir, "j.db"), filepath.Join(dir, "late")
	out := filepath.Join(late, "events")
	if err := os.Mkdir(late, 0o700); err != nil {
		t.Fatal(err)
	}
	config := scenario(journal, "  - {name: events, type: file, path: "+out+"}\n")
	f := newFlow(t)
	c := startChild(t, config)
	// Without its folder the destination cannot write, so that everything is still to be forwarded when the journal is cut.
	eventually(t, "the destination has begun", func() (bool, string) { _, err := os.Stat(out); return err == nil, fmt.Sprint(err) })
	if err := os.RemoveAll(late); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	s := newSender(t, c.hooks)
	go func() { defer close(done); f.run(ctx, s, 4) }()
	eventually(t, "events are taken", func() (bool, string) { return f.count() > 60, c.stderr.String() })
	c.kill()
	cancel()
	<-done
	wal := journal + "-wal"
	info, err := os.Stat(wal)
	if err != nil || info.Size() == 0 {
		t.Fatalf("there is no log to cut: %v, %v", info, err)
	}
	if err := os.Truncate(wal, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(late, 0o700); err != nil {
		t.Fatal(err)
	}
	c = startChild(t, config)
	last := caseBody(1_000_000, 50)
	if a := newSender(t, c.hooks).deliver(t.Context(), last); a.outcome != "accepted" {
		t.Fatal(a)
	}
	want := f.event(last).ID
	eventually(t, "what is left is forwarded", func() (bool, string) {
		all := lines(t, out)
		return len(all) > 0 && idOf([]byte(all[len(all)-1])) == want, c.stderr.String()
	})
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
	all := must((&fileEntries{path: out}).read(t.Context()))(t)
	v := oracle.Judge(f.soFar(), all[:len(all)-1])
	if v.Lost == 0 || v.Kept() || v.Forged+v.Wrong > 0 {
		t.Errorf("the oracle says %+v", v)
	}
	t.Logf("%d of %d acknowledged are lost", v.Lost, v.Acknowledged)
}
