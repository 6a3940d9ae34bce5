package journal

import (
	"context"
	_ "embed"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// The bounds of a shard's tail, and the time between two reads of its follower: without it every accepted request would
// be a read of its own.
const (
	shardTailEntries = 1024
	shardTailBytes   = 2 << 20
	followPause      = 5 * time.Millisecond
	followRetry      = time.Second // after failures at most
)

// hold is a shard's time on this node, from the claim of its lease to the release.
type hold struct {
	shard *Shard
	token string
	tail  *tail
	fence *time.Timer        // ends the hold while the lease still lasts at the server
	ctx   context.Context    // ends with the lease
	end   context.CancelFunc // may be called more than once
	leave chan struct{}      // closed when the shard is to be given up in peace
	ended chan struct{}      // closed when all of it is over
	wake  func()             // has Share look

	mu    sync.Mutex
	lease string // token and server
	last  int64  // the highest number that was read, and what marks its entry; empty when that was not there any more
	text  string
}

func newHold(s *Shard, token string, c claimed, sent time.Time, wake func()) *hold {
	h := &hold{
		shard: s, token: token, tail: newSizedTail(shardTailEntries, shardTailBytes), wake: wake,
		leave: make(chan struct{}), ended: make(chan struct{}), lease: c.lease, last: c.last, text: c.text,
	}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.tail.pass(c.last)
	h.fence = time.AfterFunc(time.Until(sent.Add(fenceAfter)), h.lose)
	return h
}

// lose stops everything at once: another node may take the shard soon.
func (h *hold) lose() {
	h.end()
	h.wake()
}

// giveUp ends the hold in peace; it is Share's to call.
func (h *hold) giveUp() {
	select {
	case <-h.leave:
	default:
		close(h.leave)
	}
}

// run is the whole of it: work begins, the shard is lost or given up, work ends, and the lease is given back.
func (h *hold) run(start func(*Shard) (stop func())) {
	defer h.wake() // when ended is closed, or Share would look too early and again a second later only
	defer close(h.ended)
	var follower sync.WaitGroup
	follower.Go(h.follow)
	stop := start(h.shard)
	select {
	case <-h.leave:
		late := time.AfterFunc(h.shard.r.patience, h.lose)
		defer late.Stop()
	case <-h.ctx.Done():
	}
	stop()
	h.end()
	h.fence.Stop()
	h.shard.mu.Lock()
	h.shard.hold = nil
	h.shard.mu.Unlock()
	h.release()
	follower.Wait()
}

//go:embed release.lua
var releaseLua string

var releaseScript = redis.NewScript(releaseLua)

// release lets others have the lease at once. Without an answer they have it when it ends.
func (h *hold) release() {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	_ = releaseScript.Run(ctx, h.shard.r.client, []string{h.shard.key("lease")}, h.token).Err()
}

// follow fills the tail with what is new.
func (h *hold) follow() {
	s, after, failures := h.shard, h.tail.newest(), 0
	for h.ctx.Err() == nil {
		begun, count := time.Now(), s.size.count(shardTailEntries/2)
		messages, err := s.next(h.ctx, h, after, count)
		if err != nil {
			rest(h.ctx, min(followRetry, 50*time.Millisecond<<min(failures, 5)))
			failures++
			continue
		}
		failures = 0
		if len(messages) == 0 {
			continue
		}
		s.size.saw(messages)
		after = h.take(messages, after)
		if len(messages) < count {
			rest(h.ctx, time.Until(begun.Add(followPause)))
		}
	}
}

// take adds entries to the tail. One that cannot be read is left to the readers, who say what is wrong with it.
func (h *hold) take(messages []redis.XMessage, after int64) int64 {
	newest := messages[len(messages)-1]
	last, err := entryNumber(newest.ID)
	if err != nil {
		return after
	}
	entries, sizes := make([]hookgate.Entry, 0, len(messages)), make([]int, 0, len(messages))
	for _, m := range messages {
		e, err := parseEntry(m)
		if err != nil {
			break
		}
		entries, sizes = append(entries, e), append(sizes, entryOverhead+len(e.Event.Data))
	}
	h.mu.Lock()
	h.last, h.text = last, fields(newest.Values).markText()
	h.mu.Unlock()
	h.tail.append(entries, sizes)
	if len(entries) < len(messages) {
		h.tail.pass(last)
	}
	return last
}

// read is how far the shard was read.
func (h *hold) read() (last int64, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, h.text
}

// adopted notes that the shard goes on at another server.
func (h *hold) adopted(lease string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lease = lease
}

func (h *hold) current() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease
}

// rest reports whether the whole time has passed.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
