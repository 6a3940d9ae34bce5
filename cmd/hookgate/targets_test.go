package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/journal"
)

// oneEvent is a part of a journal with one event, and remembers nothing. It counts who waits for the next.
type oneEvent struct{ waiting atomic.Int64 }

func (o *oneEvent) Read(ctx context.Context, after int64, _ int) ([]hookgate.Entry, error) {
	if after == 0 {
		return []hookgate.Entry{{Seq: 1, Event: &hookgate.Event{PartitionKey: "k", Data: []byte("{}")}}}, nil
	}
	o.waiting.Add(1)
	defer o.waiting.Add(-1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (o *oneEvent) Fetch(context.Context, []int64) ([]hookgate.Entry, error) { return nil, nil }

func (o *oneEvent) Progress(context.Context, string) (hookgate.Progress, error) {
	return hookgate.Progress{}, nil
}

func (o *oneEvent) Record(context.Context, string, hookgate.Step) error { return nil }

// stuckWriter takes nothing until it is let go.
type stuckWriter struct {
	once    sync.Once
	entered chan struct{}
	letGo   chan struct{}
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.entered) })
	<-w.letGo
	return len(b), nil
}

// TestTargetsWhileOneDoesNotStop: a reload waits for a destination that it takes out. Meanwhile the parts of the journal that
// this node loses are not forwarded any more, those that it gets are, and whoever asks for numbers has them.
func TestTargetsWhileOneDoesNotStop(t *testing.T) {
	t.Parallel()
	w := &stuckWriter{entered: make(chan struct{}), letGo: make(chan struct{})}
	targets := newTargets(&journals{shards: 2}, zerolog.Nop(), w, time.Now)
	out := filepath.Join(t.TempDir(), "out")
	file := hookgate.DestinationSettings{Name: "file", Type: "file", Path: out}
	stuck := hookgate.DestinationSettings{Name: "stuck", Type: "stdout"}
	if err := targets.set(&configs.Config{Destinations: []hookgate.DestinationSettings{file, stuck}}); err != nil {
		t.Fatal(err)
	}
	var lost, got oneEvent
	giveUp := targets.take(held{id: 0, log: &lost, ledger: &lost})
	<-w.entered
	eventually(t, "both wait for more", func() (bool, string) { return lost.waiting.Load() == 2, fmt.Sprint(lost.waiting.Load()) })
	var reload, leave sync.WaitGroup
	reload.Go(func() {
		if err := targets.set(&configs.Config{Destinations: []hookgate.DestinationSettings{file}}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "one is stopping", func() (bool, string) { return lost.waiting.Load() == 1, fmt.Sprint(lost.waiting.Load()) })
	leave.Go(giveUp)
	taken := make(chan func(), 1)
	go func() { taken <- targets.take(held{id: 1, log: &got, ledger: &got}) }()
	eventually(t, "the lost part has no forwarder", func() (bool, string) { return lost.waiting.Load() == 0, fmt.Sprint(lost.waiting.Load()) })
	eventually(t, "the other part has one", func() (bool, string) { return got.waiting.Load() == 1, fmt.Sprint(got.waiting.Load()) })
	eventually(t, "both events are there", func() (bool, string) { return len(lines(t, out)) == 2, fmt.Sprint(lines(t, out)) })
	if n := targets.stats()["file"].Delivered; n != 2 {
		t.Errorf("%d delivered", n)
	}
	if _, ok := targets.forwarder("stuck", 0); ok {
		t.Error("replays are brought to one that stops")
	}
	close(w.letGo)
	reload.Wait()
	leave.Wait()
	(<-taken)()
	if targets.has("stuck") || !targets.has("file") {
		t.Error("the reload has not done its work")
	}
	if err := targets.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTargetsWhileTheJournalIsAway: a reload that the journal cannot take in changes nothing; one that names the same
// destinations needs nothing of the journal.
func TestTargetsWhileTheJournalIsAway(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	r, err := journal.OpenRedis(t.Context(), server.url, journal.RedisOptions{Shards: 1, Destinations: []string{"old"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	j := &journals{shards: 1, destinations: []string{"old"}}
	j.redis.Store(r)
	targets := newTargets(j, zerolog.Nop(), nil, time.Now)
	t.Cleanup(func() { _ = targets.stop(context.Background()) })
	dir := t.TempDir()
	of := func(name, path string) *configs.Config {
		return &configs.Config{Destinations: []hookgate.DestinationSettings{{Name: name, Type: "file", Path: filepath.Join(dir, path)}}}
	}
	if err := targets.set(of("old", "a")); err != nil {
		t.Fatal(err)
	}
	server.kill()
	if err := targets.set(of("new", "b")); err == nil {
		t.Error("the journal is away, and nobody says so")
	}
	if !targets.has("old") || targets.has("new") {
		t.Error("the old destination does not go on")
	}
	if err := targets.set(of("old", "c")); err != nil {
		t.Errorf("the journal knows it: %v", err)
	}
	server.start(t)
	eventually(t, "it is taken over", func() (bool, string) {
		err := targets.set(of("new", "b"))
		return err == nil, fmt.Sprint(err)
	})
	if targets.has("old") || !targets.has("new") {
		t.Error("the new destination does not run")
	}
}

// TestReplayWaitsForRoom: when more replays wait in a shard than may, the next ones wait until there is room.
func TestReplayWaitsForRoom(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	r, err := journal.OpenRedis(t.Context(), server.url, journal.RedisOptions{Shards: 1, Destinations: []string{"d"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	j := &journals{shards: 1}
	j.redis.Store(r)
	targets := newTargets(j, zerolog.Nop(), nil, time.Now)
	targets.running["d"] = &target{}
	many := make([]hookgate.Parked, 10_000)
	for i := range many {
		many[i].Seq = int64(i + 1)
	}
	if err := j.replay(t.Context(), targets, "d", 0, many); err != nil {
		t.Fatal(err)
	}
	client := server.client(t)
	scripts := func() string {
		_, rest, _ := strings.Cut(client.Info(t.Context(), "commandstats").Val(), "cmdstat_evalsha:")
		line, _, _ := strings.Cut(rest, ",")
		return line
	}
	before := scripts()
	done := make(chan error, 1)
	go func() { done <- j.replay(t.Context(), targets, "d", 0, []hookgate.Parked{{Seq: 10_001}}) }()
	eventually(t, "the next has been refused once", func() (bool, string) { return scripts() != before, before })
	if err := client.ZRemRangeByRank(t.Context(), "hookgate:{0}:asked:d", 0, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	// A reload that takes the destination out ends the waiting.
	go func() { done <- j.replay(t.Context(), targets, "d", 0, []hookgate.Parked{{Seq: 10_002}}) }()
	before = scripts()
	eventually(t, "the next has been refused once", func() (bool, string) { return scripts() != before, before })
	targets.mu.Lock()
	clear(targets.running)
	targets.mu.Unlock()
	if err := <-done; !errors.Is(err, admin.ErrUnknownDestination) {
		t.Errorf("nobody takes it any more: %v", err)
	}
}

// TestTargetsWithoutAPart: a node that has no part of the journal is not what keeps a destination down.
func TestTargetsWithoutAPart(t *testing.T) {
	t.Parallel()
	targets := newTargets(&journals{shards: 1}, zerolog.Nop(), nil, time.Now)
	t.Cleanup(func() { _ = targets.stop(context.Background()) })
	if err := targets.set(&configs.Config{Destinations: []hookgate.DestinationSettings{{Name: "file", Type: "file", Path: filepath.Join(t.TempDir(), "out")}}}); err != nil {
		t.Fatal(err)
	}
	p := &program{journals: targets.journals, targets: targets}
	if s := p.snapshot(0); len(s.Destinations) != 1 || !s.Destinations[0].Up || s.JournalParts != 0 {
		t.Errorf("%+v", s)
	}
}

// TestStopNamesOnlyWhatHangs: when the time of a stop is over, a destination that has ended has ended.
func TestStopNamesOnlyWhatHangs(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	close(done)
	r := &target{forwarders: map[int]*forwarding{0: {done: done}}}
	for range 100 {
		if !r.ended(over) {
			t.Fatal("it is said to hang")
		}
	}
	r.forwarders[1] = &forwarding{done: make(chan struct{})}
	if r.ended(over) {
		t.Error("one that hangs is said to have ended")
	}
}

// TestStatesOfAPartGivenUp: when the one part that was in trouble goes to another node, the destination is out of it here.
func TestStatesOfAPartGivenUp(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &states{log: zerolog.New(&log), name: "events", of: make(map[int]forward.Stats)}
	s.observer(0)(forward.Stats{State: forward.Running})
	s.observer(1)(forward.Stats{State: forward.BackingOff, LastError: "refused"})
	log.Reset()
	s.forget(1)
	if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"level":"info"`) || !strings.Contains(line, `"state":"running"`) {
		t.Errorf("it says %q", line)
	}
	log.Reset()
	s.forget(0)
	if log.Len() > 0 {
		t.Errorf("without any part it says %q", &log)
	}
}

// TestDurabilityNamesTheSpill: the line at the start says it, too, although the spill connects while it is made.
func TestDurabilityNamesTheSpill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), fileAt(filepath.Join(dir, "out"))), `j.db"}`, `j.db", spill: "sqlite://`+filepath.Join(dir, "s.db")+`"}`, 1)
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	r.stop()
	if log := r.stderr.String(); !strings.Contains(log, `"durability":"sqlite, every commit synced: an answer of 200 is on this node's disk; events that it does not take go to a file`) {
		t.Errorf("it says\n%s", log)
	}
}
