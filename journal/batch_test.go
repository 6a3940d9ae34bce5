package journal_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestR17_NextAttemptDuringSync sends the second attempt of a batch, with one event more, while the sync of the first is
// under way, and the third behind it. None has an answer before the sync returned, and each says exactly what it is of every
// event.
func TestR17_NextAttemptDuringSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := shimmed(t, dir)
	j, err := journal.OpenTuned(filepath.Join(dir, "j.db"), journal.Options{Now: clock}, journal.Tuning{VFS: shimName})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	syncing, release := make(chan struct{}), make(chan struct{})
	d.mu.Lock()
	d.syncing, d.release = syncing, release
	d.mu.Unlock()
	bad := part{id: "bad", data: "<", quarantine: "not JSON"}
	batches := [][]part{
		{{id: "a"}, bad, {id: "b"}},
		{{id: "b", attempt: 2}, {id: "c", attempt: 2}, bad, {id: "a", attempt: 2}},
		{{id: "c", attempt: 3}, {id: "a", attempt: 3}, {id: "c", attempt: 1}, {id: "d", attempt: 3}},
	}
	answers := make([]chan []hookgate.Result, len(batches))
	for n, parts := range batches {
		answers[n] = make(chan []hookgate.Result, 1)
		go func() {
			req, events := request(start, parts...)
			results, err := j.Accept(context.Background(), req, events)
			if err != nil {
				t.Error(err)
			}
			answers[n] <- results
		}()
		if n == 0 {
			<-syncing // the commit of the first attempt waits for the disk
			continue
		}
		eventually(t, "the next attempt waits", func() bool { return j.Stats(t.Context()).Queue == n })
	}
	for n := range answers {
		select {
		case r := <-answers[n]:
			t.Fatalf("attempt %d was answered before the sync returned: %+v", n+1, r)
		default:
		}
	}
	d.mu.Lock()
	d.syncing = nil
	d.mu.Unlock()
	close(release)
	for n, want := range [][]hookgate.Result{
		{{Class: hookgate.First, Seq: 1}, {Class: hookgate.First}, {Class: hookgate.First, Seq: 2}},
		{{Class: hookgate.Retry, Seq: 2}, {Class: hookgate.Recovered, Seq: 3}, {Class: hookgate.Replay}, {Class: hookgate.Retry, Seq: 1}},
		{{Class: hookgate.Retry, Seq: 3}, {Class: hookgate.Retry, Seq: 1}, {Class: hookgate.Late, Seq: 3}, {Class: hookgate.Recovered, Seq: 4}},
	} {
		got := <-answers[n]
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("attempt %d: %+v, want %+v", n+1, got, want)
				break
			}
		}
	}
	entries, err := j.Read(t.Context(), 0, 10)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}
