package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The Redis client probes an address that refused it once a second, and notices only then that it was closed.
	goleak.VerifyTestMain(withServers{m}, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// withServers ends the servers that all tests share, before the leaks are counted.
type withServers struct{ *testing.M }

func (m withServers) Run() int {
	defer sharedRabbit.stop()
	return m.M.Run()
}

// journal is an in-memory Log and Ledger with the promises of the real one.
type journal struct {
	mu       sync.Mutex
	entries  []hookgate.Entry // seq i+1 at i
	more     chan struct{}    // closed and replaced when entries come
	progress map[string]*progress
	delay    time.Duration // of a Record
	records  int
	failing  error // of Record
	fetching error // of Fetch
	lost     map[int64]bool
}

type progress struct {
	cursor int64
	parked map[int64]hookgate.Parked
	dead   map[int64]hookgate.Parked
}

func newJournal() *journal {
	return &journal{more: make(chan struct{}), progress: map[string]*progress{}, lost: map[int64]bool{}}
}

func (j *journal) append(events ...*hookgate.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range events {
		j.entries = append(j.entries, hookgate.Entry{Seq: int64(len(j.entries) + 1), Event: e})
	}
	close(j.more)
	j.more = make(chan struct{})
}

func (j *journal) Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	for {
		j.mu.Lock()
		more, end := j.more, int64(len(j.entries))
		if after < end {
			part := slices.Clone(j.entries[after:min(end, after+int64(limit))])
			j.mu.Unlock()
			return part, nil
		}
		j.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (j *journal) Fetch(_ context.Context, seqs []int64) ([]hookgate.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fetching != nil {
		return nil, j.fetching
	}
	var found []hookgate.Entry
	for _, s := range slices.Backward(seqs) { // another order than asked for
		if !j.lost[s] {
			found = append(found, j.entries[s-1])
		}
	}
	return found, nil
}

func (j *journal) of(destination string) *progress {
	p := j.progress[destination]
	if p == nil {
		p = &progress{parked: map[int64]hookgate.Parked{}, dead: map[int64]hookgate.Parked{}}
		j.progress[destination] = p
	}
	return p
}

func (j *journal) Progress(_ context.Context, destination string) (hookgate.Progress, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.of(destination)
	out := hookgate.Progress{Cursor: p.cursor}
	for _, parked := range p.parked {
		out.Parked = append(out.Parked, parked)
	}
	slices.SortFunc(out.Parked, func(a, b hookgate.Parked) int { return int(a.Seq - b.Seq) })
	return out, nil
}

func (j *journal) Record(ctx context.Context, destination string, step hookgate.Step) error {
	if j.delay > 0 {
		select {
		case <-time.After(j.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failing != nil {
		return j.failing
	}
	j.records++
	p := j.of(destination)
	if step.Cursor != 0 {
		if step.Cursor < p.cursor {
			return fmt.Errorf("cursor went back from %d to %d", p.cursor, step.Cursor)
		}
		p.cursor = step.Cursor
	}
	for _, parked := range step.Park {
		delete(p.parked, parked.Seq)
		delete(p.dead, parked.Seq)
		if parked.Dead {
			p.dead[parked.Seq] = parked
		} else {
			p.parked[parked.Seq] = parked
		}
	}
	for _, seq := range step.Done {
		delete(p.parked, seq)
		delete(p.dead, seq)
	}
	return nil
}

func (j *journal) cursor(destination string) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of(destination).cursor
}

func (j *journal) set(change func(*journal)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(j)
}

// unfinished is what of the first n is neither confirmed nor dead by the record.
func (j *journal) settled(destination string, n int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.of(destination)
	return p.cursor >= int64(n) && len(p.parked) == 0
}

// fake is a real destination in memory: it can refuse, stall and forget.
type fake struct {
	mu       sync.Mutex
	got      []hookgate.Entry // confirmed, in order
	attempts []time.Time
	seen     map[int64]int // attempts by seq
	judge    func(e hookgate.Entry, attempt int) error
	stall    chan struct{} // while not nil Publish waits for it or for ctx
	latency  func(e hookgate.Entry) time.Duration
	forget   bool // takes the entries and loses the confirmation
	running  int
	most     int
	keyClash bool
	keys     map[string]bool
}

func newFake() *fake { return &fake{seen: map[int64]int{}, keys: map[string]bool{}} }

func (f *fake) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	f.mu.Lock()
	stall := f.stall
	f.running++
	f.most = max(f.most, f.running)
	mine := map[string]bool{}
	for _, e := range batch {
		key := e.Event.PartitionKey
		if f.keys[key] && !mine[key] {
			f.keyClash = true
		}
		f.keys[key], mine[key] = true, true
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running--
		for key := range mine {
			delete(f.keys, key)
		}
	}()
	errs := make([]error, len(batch))
	if f.latency != nil {
		for i, e := range batch {
			if d := f.latency(e); d > 0 {
				select {
				case <-time.After(d):
				case <-ctx.Done():
					errs[i] = &forward.Trouble{Err: ctx.Err()}
					return fill(errs, &forward.Trouble{Err: ctx.Err()})
				}
			}
		}
	}
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
			return fill(errs, &forward.Trouble{Err: ctx.Err()})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts = append(f.attempts, time.Now())
	bad := map[string]bool{}
	for i, e := range batch {
		if bad[e.Event.PartitionKey] {
			errs[i] = forward.ErrHeld
			continue
		}
		f.seen[e.Seq]++
		if f.judge != nil {
			errs[i] = f.judge(e, f.seen[e.Seq])
		}
		if errs[i] != nil {
			bad[e.Event.PartitionKey] = true
			continue
		}
		f.got = append(f.got, e)
		if f.forget {
			errs[i] = &forward.Trouble{Err: errors.New("reply lost")}
		}
	}
	return errs
}

func (f *fake) Close() error { return nil }

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) entries() []hookgate.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

var received = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// event makes the n-th event of a key.
func event(n int, key string) *hookgate.Event {
	id := fmt.Sprintf("%032x", n)
	return &hookgate.Event{
		ID: id, Provider: "salesiq", Source: "chat", Type: "salesiq.conversation.created", Subject: key, EntityType: "conversation",
		Action: "created", Attempt: 1, Time: received, TimeSource: hookgate.TimeFromEvent, Received: received, ContentType: hookgate.JSON,
		Data: []byte(`{"n":` + strconv.Itoa(n) + `, "text":"say \"hi\" ü"}`), PartitionKey: "t/conversation/" + key, VerifiedBy: "siq-signature",
		RawSHA256: strings.Repeat("ab", 32),
	}
}

// events makes n events over some keys, in turn.
func events(n, keys int) []*hookgate.Event {
	out := make([]*hookgate.Event, n)
	for i := range out {
		out[i] = event(i+1, "k"+strconv.Itoa(i%keys))
	}
	return out
}

func batchOf(events ...*hookgate.Event) []hookgate.Entry {
	out := make([]hookgate.Entry, len(events))
	for i, e := range events {
		out[i] = hookgate.Entry{Seq: int64(i + 1), Event: e}
	}
	return out
}

// start runs the forwarder and gives a function that stops it and waits.
func start(t testing.TB, f *forward.Forwarder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// eventually polls until ok, or fails after a deadline that is far above what it takes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, 30*time.Second, what, ok)
}

// within is eventually with a limit of its own.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// firsts drops repeats of an id and gives the order per key in which the ids were first seen.
func firsts(got []hookgate.Entry) map[string][]int64 {
	seen := map[int64]bool{}
	out := map[string][]int64{}
	for _, e := range got {
		if !seen[e.Seq] {
			seen[e.Seq] = true
			out[e.Event.PartitionKey] = append(out[e.Event.PartitionKey], e.Seq)
		}
	}
	return out
}

func checkOrder(t *testing.T, got []hookgate.Entry) {
	t.Helper()
	for key, seqs := range firsts(got) {
		if !slices.IsSorted(seqs) {
			t.Errorf("order of %s: %v", key, seqs)
		}
	}
}

func distinct(got []hookgate.Entry) int {
	n := 0
	for _, seqs := range firsts(got) {
		n += len(seqs)
	}
	return n
}

// redisServer is a server of the test's own that can be stopped and started again on its port.
type redisServer struct {
	t    testing.TB
	addr string
	dir  string
	cmd  *exec.Cmd
}

func (r *redisServer) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--appendonly", "yes",
		"--appendfsync", "always", "--save", "", "--requirepass", "opensesame")
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		defer close(ready)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if bytes.Contains(lines.Bytes(), []byte("Ready to accept connections")) {
				ready <- true
			}
		}
	}()
	if !<-ready {
		r.t.Fatal("redis-server ended at once")
	}
}

// kill ends it with SIGKILL.
func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisServer) url() string { return "redis://:opensesame@" + r.addr + "/0" }

// held are the envelopes in the stream webhooks.
func (r *redisServer) held(t *testing.T) [][]byte {
	entries, err := redisClient(t, r.url()).XRange(t.Context(), "webhooks", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, e := range entries {
		out = append(out, []byte(e.Values["event"].(string)))
	}
	return out
}

// ownRedis starts a server on a free port.
func ownRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing from PATH: `make test` installs it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, addr: l.Addr().String(), dir: t.TempDir()}
	_ = l.Close()
	r.start()
	t.Cleanup(r.kill)
	return r
}

// redisURL is a server that the test may write to: the one of HOOKGATE_TEST_REDIS, or its own.
func redisURL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("HOOKGATE_TEST_REDIS"); url != "" {
		return url
	}
	return ownRedis(t).url()
}

func redisClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal("HOOKGATE_TEST_REDIS is not a Redis URL")
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func literal(text string) hookgate.Secret { return hookgate.NewSecret([]byte(text), "literal") }
