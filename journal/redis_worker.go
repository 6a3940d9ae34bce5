package journal

import (
	"fmt"
	"slices"
	"time"
)

// Two workers keep Redis busy while answers travel; more only make the pipelines shorter.
const (
	acceptWorkers    = 2
	maxPipeline      = 256
	maxPipelineBytes = 4 << 20
	// A pipeline of a large batch must end well within redisTimeout, also on a server that is ten times as slow as ours,
	// where this many events take 20 ms: else it never gets in, and the breaker takes it for a server that is away.
	maxPipelineEvents = 1000
)

const (
	sendWithin = 2400 * time.Millisecond // after Accept; later the answer would find nobody
	holdFor    = 25 * time.Millisecond

	// maxRepeats is two because a server that closes its connections one by one may cut the second as well. The second comes
	// only when the first answers were missed quickly.
	maxRepeats = 2
)

// redisWorker sends the calls of its shards, those that wait in one pipeline.
type redisWorker struct {
	i      *redisIntake
	calls  chan *call
	held   []*call   // the server has said "not now"; and those that came later to the same shards
	holds  []int     // how many are held, by shard
	due    time.Time // when the held ones are sent again
	timer  *time.Timer
	newest []int64 // the highest number given to a new event, by shard
	batch  []*call
	again  []*call
	pipe   pipeline
	report map[*gate]func(error)
}

func newRedisWorker(i *redisIntake, shards int) *redisWorker {
	return &redisWorker{
		i: i, calls: make(chan *call, maxQueue), holds: make([]int, shards), newest: make([]int64, shards),
		timer: time.NewTimer(time.Hour), report: map[*gate]func(error){},
		pipe: pipeline{i: i, spare: make(chan string, maxSpare)},
	}
}

// run ends when the queue is closed and empty. Nothing is held for longer than sendWithin.
func (w *redisWorker) run() {
	defer w.timer.Stop()
	for w.gather() {
		w.round(w.batch)
		clear(w.batch)
	}
}

// gather takes what waits: first what was held and is due, then what is new. A new call of a shard that has held ones goes
// behind them.
func (w *redisWorker) gather() bool {
	w.batch = w.batch[:0]
	size, events := 0, 0
	take := func(c *call) {
		w.batch = append(w.batch, c)
		size, events = size+c.bytes, events+len(c.at)
	}
	full := func() bool {
		return len(w.batch) >= maxPipeline || size >= maxPipelineBytes || events >= maxPipelineEvents
	}
	if len(w.held) > 0 && !time.Now().Before(w.due) {
		n := 0
		for ; n < len(w.held) && !full(); n++ {
			take(w.held[n])
			w.holds[w.held[n].shard.id]--
		}
		w.held = slices.Delete(w.held, 0, n)
	}
	for !full() {
		c, ok := w.next(len(w.batch) == 0)
		switch {
		case c == nil:
			return ok || len(w.batch)+len(w.held) > 0
		case w.holds[c.shard.id] > 0:
			w.hold(c)
		default:
			take(c)
		}
	}
	return true
}

// next gives the next new call, or none: at once, or when the held ones are due. It is false when there will be none any more.
func (w *redisWorker) next(wait bool) (c *call, ok bool) {
	if !wait {
		select {
		case c, ok = <-w.calls:
			return c, ok
		default:
			return nil, true
		}
	}
	if len(w.held) == 0 {
		c, ok = <-w.calls
		return c, ok
	}
	w.timer.Reset(time.Until(w.due))
	select {
	case c, ok = <-w.calls:
		if !ok {
			<-w.timer.C
		}
		return c, ok
	case <-w.timer.C:
		return nil, true
	}
}

func (w *redisWorker) hold(calls ...*call) {
	w.held = append(w.held, calls...)
	for _, c := range calls {
		w.holds[c.shard.id]++
	}
}

// round sends a batch, repeats what had no answer, and answers the callers. The token makes the repetition safe.
func (w *redisWorker) round(batch []*call) {
	now := time.Now()
	calls := batch[:0]
	for _, c := range batch {
		if now.Before(c.of.until) {
			calls = append(calls, c)
			continue
		}
		w.expired(c)
	}
	w.exec(calls, false)
	for n := range maxRepeats {
		if w.unanswered(calls); len(w.again) == 0 || (n > 0 && time.Since(now) > redisTimeout) {
			break
		}
		w.exec(w.again, true) // the server may have been started anew and know no script
	}
	clear(w.again)
	w.settle(calls)
}

// unanswered puts into again what is to be sent again.
func (w *redisWorker) unanswered(calls []*call) {
	w.again = w.again[:0]
	for _, c := range calls {
		switch redisTroubleOf(c.err) {
		case unknownToAll:
			c.about[aboutAgain] = 1
			w.again = append(w.again, c)
		case noScript:
			w.again = append(w.again, c)
		case noTrouble, notNow, notAtAll:
		}
	}
}

// settle answers what has an answer and holds what the server cannot do at the moment.
func (w *redisWorker) settle(calls []*call) {
	w.watch(calls)
	var held []*call
	for _, c := range calls {
		if redisTroubleOf(c.err) == notNow {
			held = append(held, c)
			continue
		}
		err := c.err
		if err == nil {
			err = c.take(w.i.classes)
		}
		c.finish(w.i, err)
	}
	if len(held) == 0 {
		return
	}
	w.due = time.Now().Add(holdFor)
	later := w.held
	w.held = nil
	w.hold(held...)
	w.held = append(w.held, later...)
}

// expired answers a call that has waited too long to be sent.
func (w *redisWorker) expired(c *call) {
	if c.err == nil {
		c.err = errSlow()
	} else if g := w.i.gates[c.shard.id]; redisTroubleOf(c.err) == notNow {
		if done, err := g.breaker.Allow(); err == nil {
			done(errExpired)
		}
	}
	c.finish(w.i, c.err)
}

// exec runs the calls that the breakers let through.
func (w *redisWorker) exec(calls []*call, eval bool) {
	if calls = w.admit(calls); len(calls) == 0 {
		return
	}
	w.pipe.run(calls, eval)
	w.tell(calls)
}

// admit asks the breakers, one question a server; who is refused has the error at once.
func (w *redisWorker) admit(calls []*call) []*call {
	clear(w.report)
	refused := false
	for _, c := range calls {
		g := w.i.gates[c.shard.id]
		if _, asked := w.report[g]; asked {
			continue
		}
		done, err := g.breaker.Allow()
		if err != nil {
			done, refused = nil, true
		}
		w.report[g] = done
	}
	if !refused {
		return calls
	}
	var in []*call
	for _, c := range calls {
		if w.report[w.i.gates[c.shard.id]] == nil {
			c.err = w.i.gates[c.shard.id].away()
			continue
		}
		in = append(in, c)
	}
	return in
}

// tell tells the breakers how it went: the worst of what a server's calls had.
func (w *redisWorker) tell(calls []*call) {
	for _, want := range []redisTrouble{unknownToAll, notNow} {
		for _, c := range calls {
			g := w.i.gates[c.shard.id]
			if done := w.report[g]; done != nil && redisTroubleOf(c.err) == want {
				why := c.err
				g.why.Store(&why)
				done(c.err)
				delete(w.report, g)
			}
		}
	}
	for _, done := range w.report {
		if done != nil {
			done(nil)
		}
	}
}

// watch notices a log that has gone back: numbers are given again that new events had. What one pipeline brings may be out
// of order.
func (w *redisWorker) watch(calls []*call) {
	for _, c := range calls {
		if c.err != nil {
			continue
		}
		lowest, highest := c.numbers()
		if highest == 0 {
			continue
		}
		id := c.shard.id
		if before := w.newest[id]; lowest <= before {
			w.i.counters.missing.Add(before - lowest + 1)
			w.i.o.Warn(fmt.Sprintf("shard %d of the journal on Redis has gone back from %d to %d: Redis has lost what it had acknowledged", id, before, lowest))
			w.newest[id] = 0
		}
	}
	for _, c := range calls {
		if c.err == nil {
			_, highest := c.numbers()
			w.newest[c.shard.id] = max(w.newest[c.shard.id], highest)
		}
	}
}
