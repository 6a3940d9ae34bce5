package journal

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// redisIntake is what stands between callers and Redis: a queue for each worker, a breaker for each server.
type redisIntake struct {
	o        RedisOptions
	cluster  bool
	monitor  *redisMonitor
	client   redis.UniversalClient
	patient  redis.UniversalClient // for answers that wait for the server's disk
	names    []shardNames
	classes  []hookgate.Class
	sha      string
	workers  []*redisWorker
	gates    []*gate // of every shard; without a Cluster the same for all
	counters counters
	queued   atomic.Int64 // calls that have no answer yet

	lock   sync.RWMutex // orders enqueuing before the close
	closed bool
}

// shardNames are the keys of a shard that every call names, made once.
type shardNames struct{ log, epoch, quarantine, raw, marker, copies string }

// gate keeps callers from a server that does not answer.
type gate struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	trial   atomic.Bool           // one request is on its way to find out whether the server is back
	why     atomic.Pointer[error] // the last thing that went wrong, for those who are refused at once
}

// The breaker opens when three pipelines in a row, within two seconds, have had no answer; they give up after half a
// second each. It lets one through after a second.
const (
	breakerFailures = 3
	breakerWindow   = 2 * time.Second
	breakerBuckets  = 10
	breakerPause    = time.Second
)

// errExpired is told to the breaker when a server has said "not now" until nobody waited any more.
var errExpired = errors.New("not now, for too long")

// startIntake starts the workers.
func (r *Redis) startIntake() {
	i := &redisIntake{o: r.o, client: r.client, patient: r.client, monitor: r.monitor, classes: hookgate.Classes()}
	_, i.cluster = r.client.(*redis.ClusterClient)
	if one, ok := r.client.(*redis.Client); ok {
		i.patient = one.WithTimeout(diskWait + redisTimeout)
	}
	sum := sha1.Sum([]byte(acceptScript))
	i.sha = hex.EncodeToString(sum[:])
	one := newGate()
	for _, s := range r.shards {
		n := shardNames{log: s.key("log"), epoch: s.key("epoch"), quarantine: s.key("quarantine"), raw: s.key("raw:"), marker: s.key("m:"), copies: s.key("h:")}
		if r.o.Compact {
			n.marker = s.key("b:")
		}
		i.names = append(i.names, n)
		if i.cluster {
			one = newGate() // one master away is not the others' trouble
		}
		i.gates = append(i.gates, one)
	}
	for range acceptWorkers {
		i.workers = append(i.workers, newRedisWorker(i, len(r.shards)))
	}
	r.intake = i
	for _, w := range i.workers {
		r.ended.Go(w.run)
	}
	r.ended.Go(func() {
		<-r.stop
		i.lock.Lock()
		defer i.lock.Unlock()
		i.closed = true
		for _, w := range i.workers {
			close(w.calls) // what is queued is still answered
		}
	})
}

func newGate() *gate {
	return &gate{breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: breakerWindow, BucketPeriod: breakerWindow / breakerBuckets, Timeout: breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded:  func(err error) bool { return redisTroubleOf(err) == notNow },
	})}
}

// enter refuses while the server does not answer. After a pause one request is the trial, with all its calls.
func (g *gate) enter(a *acceptance, c *call) bool {
	switch g.breaker.State() {
	case gobreaker.StateClosed:
		return true
	case gobreaker.StateHalfOpen:
		if g.trial.CompareAndSwap(false, true) {
			c.trial = g
			return true
		}
		return slices.ContainsFunc(a.calls, func(other *call) bool { return other.trial == g })
	case gobreaker.StateOpen:
	}
	return false
}

// enqueue hands the calls to the workers of their shards, all or none.
func (i *redisIntake) enqueue(a *acceptance) error {
	i.lock.RLock()
	defer i.lock.RUnlock()
	if i.closed {
		return errClosed()
	}
	for _, c := range a.calls {
		if g := i.gates[c.shard.id]; !g.enter(a, c) {
			leave(a.calls)
			return g.away()
		}
	}
	n := int64(len(a.calls))
	if i.queued.Add(n) > maxQueue {
		i.queued.Add(-n)
		leave(a.calls)
		i.counters.overflowed.Add(1)
		return &hookgate.Error{Code: hookgate.Unavailable, Detail: "the journal's queue is full", Hint: "Redis is slower than what comes in", RetryAfter: retrySoon}
	}
	for _, c := range a.calls {
		i.worker(c.shard).calls <- c // there is room for all that may be queued
	}
	return nil
}

// leave gives back the trials of calls that are not sent.
func leave(calls []*call) {
	for _, c := range calls {
		if c.trial != nil {
			c.trial.trial.Store(false)
		}
	}
}

// worker is always the same for a shard, so that its calls keep their order.
func (i *redisIntake) worker(s *Shard) *redisWorker { return i.workers[s.id%len(i.workers)] }

// away asks the provider to come back later; not all at the same time.
func (g *gate) away() error {
	e := &hookgate.Error{Code: hookgate.Unavailable, Detail: "journal: Redis does not answer"}
	if err := g.why.Load(); err != nil {
		before := redisError(*err)
		e.Detail, e.Hint, e.Err = before.Detail, before.Hint, before.Err
	}
	e.RetryAfter = retryLater - retryJitter + mathrand.N(2*retryJitter)
	return e
}

const retryJitter = 5 * time.Second

// forget has the worker delete a raw request that no entry refers to. Should it not come to that, it ends with the retention.
func (i *redisIntake) forget(s *Shard, key string) {
	select {
	case i.worker(s).pipe.spare <- key:
	default:
	}
}

func errSlow() error {
	return &hookgate.Error{Code: hookgate.Unavailable, Detail: "journal: Redis is slower than what comes in", Hint: "see what slows Redis down", RetryAfter: retrySoon}
}
