package journal

import (
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// acceptScript keeps the invariants: append first, marker after; every path writes; all keys declared, in one slot.
//
//go:embed accept.lua
var acceptScript string

// The bounds of one call. Redis does nothing else while a script runs: 500 events take it some 10 ms.
const (
	maxScript      = 500
	maxScriptBytes = 1 << 20
)

// Accept dedupes and appends the events of a request, each in the shard of its partition key and the shards at the same
// time. It answers when all of them are as durable as Durability says. It fails as a whole when one shard fails; what got
// in all the same is a duplicate when it comes again. The bounds and the ownership of request and events are those of
// SQLite.Accept. While Redis is known to be away it fails at once.
func (r *Redis) Accept(ctx context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	if e := r.monitor.refusal.Load(); e != nil {
		return nil, e
	}
	in, err := newIntake(req, events, false)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return in.results, nil
	}
	w := waits.Get().(*wait)
	in.done = w.done
	if err := r.intake.enqueue(r.acceptance(in)); err != nil {
		return nil, err
	}
	return w.results(ctx, in, "Redis is too slow")
}

// acceptance is one request on its way into its shards.
type acceptance struct {
	in    *intake
	calls []*call
	until time.Time    // nothing is sent after it
	left  atomic.Int32 // calls without an answer
	err   atomic.Pointer[hookgate.Error]
	spare string // the key of a raw request that may turn out to be needed by nobody
}

// call is one run of the script: events of one request in one shard.
type call struct {
	of    *acceptance
	shard *Shard
	at    []int // the places of its events in the request
	args  []any // of EVALSHA or EVAL
	about []byte
	bytes int
	trial *gate // whose one trial it is, if any

	reply string
	err   error
}

// aboutAgain is the place of the flag in what a call tells the script first.
const aboutAgain = 12

// acceptance groups the events by shard. Nothing is sent yet.
func (r *Redis) acceptance(in *intake) *acceptance {
	a := &acceptance{in: in, until: time.Now().Add(sendWithin)}
	if len(in.events) == 1 {
		a.calls = []*call{r.newCall(a, r.shardOf(in.events[0]), []int{0}, rawPlace{})}
		a.left.Store(1)
		return a
	}
	type group struct {
		shard *Shard
		at    []int
		bytes int
	}
	var groups []*group
	open := make([]*group, len(r.shards))
	for i, e := range in.events {
		s := r.shardOf(e)
		g := open[s.id]
		if g == nil || len(g.at) == maxScript || g.bytes >= maxScriptBytes {
			g = &group{shard: s}
			open[s.id], groups = g, append(groups, g)
		}
		g.at, g.bytes = append(g.at, i), g.bytes+len(e.Data)+len(in.records[i].head)
	}
	// The request itself stands beside the first event. Where all is one call, the script sees whether it is needed.
	name := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, rand.Uint64()))
	raw := rawPlace{name: name, place: strconv.Itoa(groups[0].shard.id) + "/" + name, keep: keepIfNew}
	if len(groups) > 1 {
		raw.keep, a.spare = keepAlways, groups[0].shard.key("raw:"+name)
	}
	for _, g := range groups {
		a.calls = append(a.calls, r.newCall(a, g.shard, g.at, raw))
		raw.keep = 0
	}
	a.left.Store(int32(len(a.calls)))
	return a
}

// rawPlace is where a request of several events stands; that of a single event stands in its entry.
type rawPlace struct {
	name  string
	place string // with the shard, as the entries name it
	keep  byte
}

// What a call does with the request of several events. The script knows only its own shard's.
const (
	keepIfNew  = 1
	keepAlways = 2
)

// newCall writes the script's keys and arguments; accept.lua tells what they are.
func (r *Redis) newCall(a *acceptance, s *Shard, at []int, raw rawPlace) *call {
	in, names := a.in, r.intake.names[s.id]
	alone := raw.name == ""
	c := &call{of: a, shard: s, at: at, bytes: len(in.rawHead)}
	c.args = make([]any, 2, 11+6*len(at))
	c.args = append(c.args, 4+2*len(at), names.log, names.epoch, names.quarantine, names.raw+raw.name)
	for _, i := range at {
		id := in.records[i].key[timeLen:]
		marker := names.marker
		if r.o.Compact {
			marker += bucketOf(id)
		} else {
			marker += string(id)
		}
		c.args = append(c.args, marker, names.copies+string(id))
	}
	c.about = r.about(in.records[0].received, alone, raw.keep, len(names.copies)+1)
	c.args = append(c.args, c.about)
	if alone || raw.keep > 0 {
		c.args = append(c.args, in.rawHead, in.req.Body, raw.place)
		c.bytes += len(in.req.Body)
	} else {
		c.args = append(c.args, "", "", raw.place)
	}
	for _, i := range at {
		rec, e := &in.records[i], in.events[i]
		own := !alone || rec.data != nil
		c.args = append(c.args, eventAbout(rec, own, e.Quarantine != ""), rec.head)
		c.bytes += len(rec.head) + 128
		if own {
			c.args = append(c.args, e.Data)
			c.bytes += len(e.Data)
		}
		if e.Quarantine != "" {
			c.args = append(c.args, e.Quarantine)
		}
	}
	return c
}

// about is what holds for a whole call. The token is random and never used again, so that only the call itself, repeated,
// finds its own markers.
func (r *Redis) about(received int64, alone bool, keep byte, cut int) []byte {
	b := make([]byte, 0, 24)
	b = appendBigEndian(b, received, 6)
	b = appendBigEndian(b, int64(rand.Uint64()), 6)
	b = append(b, oneIf(r.intake.cluster), oneIf(alone), keep, oneIf(r.o.Compact)) // a Cluster's client repeats without telling
	b = appendBigEndian(b, int64(cut), 2)
	return appendBigEndian(b, r.o.Retention.Milliseconds(), 6)
}

func eventAbout(rec *record, own, quarantined bool) []byte {
	b := make([]byte, 0, 28)
	b = appendBigEndian(b, min(rec.attempt, 1<<32-1), 4)
	b = appendBigEndian(b, max(rec.expires, 0), 6)
	b = binary.BigEndian.AppendUint64(b, uint64(rec.digest))
	b = append(b, oneIf(own), oneIf(quarantined))
	b = appendBigEndian(b, rec.off, 4)
	return appendBigEndian(b, rec.len, 4)
}

// resultLen is what the script's answer holds of an event.
const resultLen = 6

// take reads the script's answer into the request's results.
func (c *call) take(classes []hookgate.Class) error {
	if len(c.reply) != resultLen*len(c.at) {
		return errors.New("the answer of Redis is not of this program's form")
	}
	for k, i := range c.at {
		b := []byte(c.reply[k*resultLen : (k+1)*resultLen])
		class := int(b[0] & 7)
		if class >= len(classes) {
			return errors.New("the answer of Redis is not of this program's form")
		}
		res := hookgate.Result{Class: classes[class], Conflict: b[0]&8 != 0}
		if n := bigEndian(b[1:]); n > 0 {
			res.Seq = c.shard.Number(n)
		}
		c.of.in.results[i] = res
	}
	return nil
}

// finish counts the call as answered; the last one answers the caller.
func (c *call) finish(r *redisIntake, err error) {
	a := c.of
	if c.trial != nil {
		c.trial.trial.Store(false)
	}
	if err != nil {
		a.err.CompareAndSwap(nil, redisError(err))
	}
	r.queued.Add(-1)
	if a.left.Add(-1) > 0 {
		return
	}
	if e := a.err.Load(); e != nil {
		a.in.done <- e
		return
	}
	r.counters.count([]*intake{a.in})
	if a.spare != "" && !anyNew(a.in.results) {
		r.forget(a.calls[0].shard, a.spare)
	}
	a.in.done <- nil
}

// numbers are the lowest and the highest number that the call has given to new events; 0 when there are none.
func (c *call) numbers() (lowest, highest int64) {
	for k := 0; k+resultLen <= len(c.reply); k += resultLen {
		n := bigEndian([]byte(c.reply[k+1 : k+resultLen]))
		if c.reply[k]&7 > 1 || n == 0 {
			continue
		}
		if lowest == 0 {
			lowest = n
		}
		lowest, highest = min(lowest, n), max(highest, n)
	}
	return lowest, highest
}

func anyNew(results []hookgate.Result) bool {
	return slices.ContainsFunc(results, hookgate.Result.New)
}

func appendBigEndian(dst []byte, n int64, size int) []byte {
	for size--; size >= 0; size-- {
		dst = append(dst, byte(n>>(8*size)))
	}
	return dst
}

func oneIf(b bool) byte {
	if b {
		return 1
	}
	return 0
}
