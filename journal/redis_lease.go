package journal

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// How long a lease lasts at the server, when its holder stops by itself if it could not renew it, and how often it does.
// The fence must leave the holder time to stop before the lease ends.
const (
	leaseFor   = 5 * time.Second
	fenceAfter = 4 * time.Second
	renewEvery = time.Second
	claimEvery = 250 * time.Millisecond // while another node still has a shard that is this one's
	roundPause = 50 * time.Millisecond  // between two rounds at least
	deadAfter  = 5 * time.Second        // a node that was not heard for so long

	giveUpWithin = 15 * time.Second // for the work on a shard to end; then its lease is left to run out
)

//go:embed nodes.lua
var nodesLua string

//go:embed claim.lua
var claimLua string

//go:embed renew.lua
var renewLua string

//go:embed adopt.lua
var adoptLua string

var nodesScript = redis.NewScript(nodesLua)

// sharing is a run of Share. One goroutine owns it; holds have one each.
type sharing struct {
	r     *Redis
	start func(*Shard) (stop func())
	holds map[*Shard]*hold
	token map[*Shard]string // of the next hold: a claim whose answer was lost is repeated as it was
	nodes []string          // the live ones in order; empty before the first answer
	wake  chan struct{}
}

// Share works on this node's part of the shards until ctx ends: shard i is the live node's whose place in the order of
// names is i modulo their number, and a lease sees to it that no two work on one. start begins the work on a shard and
// gives what ends it; it may be called for several shards at once, and so may the stops, which may take some seconds, in
// which other shards go on; one that takes 15 s loses the lease, or nobody would ever work on the shard. A shard is stopped
// when it is another node's now, when its lease was lost, when this node could not renew it for 4 s, and when ctx ends; then
// all are given back before Share returns. What was not recorded by then is read again by the next holder. While Redis is
// away Share keeps trying. It must not run twice at once.
func (r *Redis) Share(ctx context.Context, start func(*Shard) (stop func())) {
	sh := &sharing{r: r, start: start, holds: map[*Shard]*hold{}, token: map[*Shard]string{}, wake: make(chan struct{}, 1)}
	calls := context.WithoutCancel(ctx) // what is given back at the end must still be renewed until then
	for ctx.Err() == nil {
		pause := sh.round(calls)
		sh.sleep(ctx, pause)
	}
	sh.depart(calls)
	for _, h := range sh.holds {
		h.giveUp()
	}
	for sh.reap(); len(sh.holds) > 0; sh.reap() {
		sh.renew(calls)
		sh.sleep(calls, renewEvery)
	}
	sh.depart(calls) // in case Redis was away before
}

// round does once what there is to do, and gives the time until the next. Every conversation has its own bound, so that
// even a round in which all of them fail is over before a fence falls.
func (sh *sharing) round(ctx context.Context) time.Duration {
	sh.reap()
	sh.renew(ctx)
	if !sh.beat(ctx) {
		return renewEvery
	}
	for _, h := range sh.holds {
		if !sh.mine(h.shard) {
			h.giveUp()
		}
	}
	if sh.claim(ctx) {
		return claimEvery
	}
	return renewEvery
}

// sleep ends early when something has happened to a hold, but never at once.
func (sh *sharing) sleep(ctx context.Context, d time.Duration) {
	if !rest(ctx, roundPause) {
		return
	}
	t := time.NewTimer(d - roundPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-sh.wake:
	case <-ctx.Done():
	}
}

func (sh *sharing) rouse() {
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

// reap forgets the holds that are over.
func (sh *sharing) reap() {
	for s, h := range sh.holds {
		select {
		case <-h.ended:
			delete(sh.holds, s)
		default:
		}
	}
}

// beat says that this node lives and hears who else does.
func (sh *sharing) beat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	nodes, err := nodesScript.Run(ctx, sh.r.client, []string{sh.r.nodesKey()}, sh.r.o.Node, deadAfter.Milliseconds()).StringSlice()
	if err != nil {
		return false
	}
	slices.Sort(nodes)
	sh.nodes = nodes
	return true
}

// depart lets the others know that this node's shards are theirs now.
func (sh *sharing) depart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	_ = sh.r.client.ZRem(ctx, sh.r.nodesKey(), sh.r.o.Node).Err() // else they notice after deadAfter
}

func (r *Redis) nodesKey() string { return r.o.Prefix + ":{nodes}" }

func (sh *sharing) mine(s *Shard) bool {
	return len(sh.nodes) > 0 && sh.nodes[s.id%len(sh.nodes)] == sh.r.o.Node
}

// renew renews all leases at once.
func (sh *sharing) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	answers := map[*hold]*redis.Cmd{}
	sent := time.Now()
	_, _ = sh.r.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its own error
		for s, h := range sh.holds {
			if h.ctx.Err() == nil {
				answers[h] = p.Eval(ctx, renewLua, []string{s.key("lease"), s.key("epoch")}, h.token, leaseFor.Milliseconds(), h.current())
			}
		}
		return nil
	})
	for h, a := range answers {
		answer, err := a.Slice()
		if err != nil || len(answer) != 2 {
			continue // the fence stands
		}
		switch {
		case answer[0] == int64(0) || answer[1] != h.shard.known():
			h.lose()
		case answer[0] == int64(2):
			sh.adopt(ctx, h, sent)
		default:
			h.fence.Reset(time.Until(sent.Add(fenceAfter)))
		}
	}
}

// adopt asks a server that has taken the other's place whether all that this node has read is still there.
func (sh *sharing) adopt(ctx context.Context, h *hold, sent time.Time) {
	s := h.shard
	last, text := h.read()
	lease, err := sh.r.client.Eval(ctx, adoptLua, []string{s.key("lease"), s.key("log")}, h.token, leaseFor.Milliseconds(), last, text).Text()
	switch {
	case errors.Is(err, redis.Nil):
		sh.r.o.Warn(fmt.Sprintf("shard %d of the journal has lost its newest events with the last server: what came after them is read again", s.id))
		h.lose()
	case err != nil:
	case lease == "":
		h.lose()
	default:
		h.adopted(lease)
		h.fence.Reset(time.Until(sent.Add(fenceAfter)))
	}
}

// claim takes what is this node's and free. It reports whether something of it is still another node's.
func (sh *sharing) claim(ctx context.Context) bool {
	var wanted []*Shard
	for _, s := range sh.r.shards {
		if sh.mine(s) && sh.holds[s] == nil {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return false
	}
	// First: if somebody has emptied the shard, the destinations must begin anew before anybody reads their progress.
	if err := sh.r.enter(ctx, wanted, sh.r.destinations.names()); err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	answers := make([]*redis.Cmd, len(wanted))
	sent := time.Now()
	_, _ = sh.r.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its own error
		for i, s := range wanted {
			if sh.token[s] == "" {
				sh.token[s] = rand.Text()
			}
			answers[i] = p.Eval(ctx, claimLua, []string{s.key("lease"), s.key("epoch"), s.key("log")}, sh.token[s], leaseFor.Milliseconds())
		}
		return nil
	})
	left := false
	for i, s := range wanted {
		c, err := parseClaimed(answers[i].Slice())
		if err != nil {
			left = true
			continue
		}
		sh.begin(s, c, sent)
	}
	return left
}

// claimed is what comes with a lease.
type claimed struct {
	lease, epoch string
	last         int64
	text         string // what marks the entry at last; empty when it is not there any more
}

func parseClaimed(answer []any, err error) (c claimed, _ error) {
	if err != nil {
		return c, err
	}
	if len(answer) != 4 {
		return c, errors.New("the answer of Redis is not of this program's form")
	}
	c.lease, _ = answer[0].(string)
	c.epoch, _ = answer[1].(string)
	last, _ := answer[2].(string)
	c.text, _ = answer[3].(string)
	c.last, err = entryNumber("0-" + last)
	return c, err
}

// begin starts the work on a shard whose lease was got.
func (sh *sharing) begin(s *Shard, c claimed, sent time.Time) {
	h := newHold(s, sh.token[s], c, sent, sh.rouse)
	delete(sh.token, s)
	if c.epoch != s.known() { // emptied just now
		h.end()
		h.fence.Stop()
		h.release()
		return
	}
	s.mu.Lock()
	s.hold = h
	s.mu.Unlock()
	sh.holds[s] = h
	go h.run(sh.start)
}

// known is the epoch that this node knows.
func (s *Shard) known() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}
