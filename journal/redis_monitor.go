package journal

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// How often the server is asked, and from what part of its maxmemory on an operator is told and events are refused: Redis
// itself would refuse at the whole, in the middle of what it does for us.
const (
	monitorEvery  = time.Second
	configEvery   = time.Minute
	monitorWait   = 2 * time.Second
	startWait     = 4 * time.Second
	memoryWarns   = 70 // per cent
	memoryEases   = 65
	memoryRefuses = 85
)

// redisMonitor knows how the server is.
type redisMonitor struct {
	r       *Redis
	kind    string // of the URL: "", sentinel or cluster
	line    atomic.Pointer[string]
	problem atomic.Pointer[hookgate.Error] // why we are not ready
	refusal atomic.Pointer[hookgate.Error] // why nothing is accepted for now
	disk    atomic.Bool                    // answers wait for the server's sync

	// Of the goroutine alone.
	told     map[string]bool
	settings map[string]redisSettings // of the servers by their run IDs, as they were read last
	checked  time.Time
}

// startMonitor reads what the server promises, refuses what would lose events, and watches from then on. A server that is
// still reading its file is waited for, some seconds.
func (r *Redis) startMonitor(ctx context.Context) error {
	m := &redisMonitor{r: r, told: map[string]bool{}}
	switch c := r.client.(type) {
	case *redis.ClusterClient:
		m.kind = "cluster"
	case *redis.Client:
		if c.Options().Addr == "FailoverClient" {
			m.kind = "sentinel"
		}
	}
	r.monitor = m
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	servers, err := r.readServers(ctx, true)
	for loading(servers, err) && ctx.Err() == nil {
		select {
		case <-time.After(monitorEvery / 10):
		case <-ctx.Done():
		}
		servers, err = r.readServers(ctx, true)
	}
	if err != nil {
		return errUnreadable(err)
	}
	for _, s := range servers {
		if err := s.refuse(r.o, m.kind == "cluster"); err != nil {
			return unfit(err)
		}
	}
	m.promise(servers)
	m.judge(servers)
	r.ended.Go(m.run)
	return nil
}

func loading(servers []redisServer, err error) bool {
	return redis.HasErrorPrefix(err, "LOADING") || slices.ContainsFunc(servers, func(s redisServer) bool { return s.loading })
}

func (m *redisMonitor) run() {
	ticker := time.NewTicker(monitorEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.tick()
		case <-m.r.stop:
			return
		}
	}
}

// tick looks at the servers once. What only CONFIG tells is read again every minute, and when other servers answer.
func (m *redisMonitor) tick() {
	ctx, cancel := context.WithTimeout(context.Background(), monitorWait)
	defer cancel()
	servers, err := m.r.readServers(ctx, false)
	if len(servers) == 0 {
		m.problem.Store(redisError(err))
		return
	}
	changed := !m.known(servers)
	if waits, ok := m.r.waits.(*redis.ClusterClient); ok && (changed || err != nil) {
		waits.ReloadState(ctx) // asking every master has done it for the other client
	}
	m.tell("partly", err != nil, "a part of the Cluster does not answer: events of its shards are not accepted")
	if changed || time.Since(m.checked) >= configEvery {
		if servers, err = m.r.readServers(ctx, true); len(servers) == 0 {
			m.problem.Store(redisError(err))
			return
		}
		m.promise(servers)
	}
	m.judge(servers)
}

// known reports whether these are the servers whose settings were read last, which hold for them until they are read again.
func (m *redisMonitor) known(servers []redisServer) bool {
	for i := range servers {
		s, ok := m.settings[servers[i].runID]
		if !ok {
			return false
		}
		servers[i].redisSettings = s
	}
	return len(servers) == len(m.settings)
}

// promise states the durability, and tells when it is not what it was or not the best.
func (m *redisMonitor) promise(servers []redisServer) {
	m.settings, m.checked = map[string]redisSettings{}, time.Now()
	for _, s := range servers {
		m.settings[s.runID] = s.redisSettings
	}
	disk := m.kind != "cluster" && !slices.ContainsFunc(servers, func(s redisServer) bool { return !s.waitsForDisk() })
	line, safe := durability(servers, m.r.o, m.kind, disk)
	before := m.line.Swap(&line)
	m.disk.Store(disk)
	if changed := before != nil && *before != line; changed || (before == nil && !safe) {
		m.r.o.Warn("journal: " + line)
	}
}

// judge says whether we are ready and whether events may come.
func (m *redisMonitor) judge(servers []redisServer) {
	var problem, refusal error
	fullest := int64(0)
	for _, s := range servers {
		switch err := s.refuse(m.r.o, m.kind == "cluster"); {
		case err != nil:
			if problem = err; s.evicts() {
				refusal = err
			}
		case s.loading:
			problem = hinted("it goes on by itself", "journal: Redis still reads its file")
		case s.writeFailed:
			problem = hinted("look at its disk and its log", "journal: Redis cannot write its append-only file")
		case m.kind != "cluster" && s.replicas < m.r.o.Replicas:
			problem = hinted("see whether the replicas run and follow", "journal: Redis has %d replicas, and %d must have every event", s.replicas, m.r.o.Replicas)
		}
		if s.max > 0 {
			fullest = max(fullest, s.used*100/s.max)
		}
	}
	m.tell("problem", problem != nil, fmt.Sprint(problem))
	if fullest >= memoryRefuses {
		e := hookgate.Errorf(hookgate.Unavailable, "journal: Redis uses %d %% of its maxmemory", fullest)
		e.Hint, e.RetryAfter = redisHints["OOM"], retryLater
		if refusal = e; problem == nil {
			problem = e
		}
	}
	if fullest >= memoryWarns || fullest < memoryEases {
		m.tell("memory", fullest >= memoryWarns, fmt.Sprintf("journal: Redis uses %d %% of its maxmemory; from %d %% on events are refused (%s)", fullest, memoryRefuses, redisHints["OOM"]))
	}
	m.problem.Store(asProblem(problem))
	m.refusal.Store(asProblem(refusal))
}

func asProblem(err error) *hookgate.Error {
	if err == nil {
		return nil
	}
	e := *redisError(err)
	e.RetryAfter = max(e.RetryAfter, retrySoon)
	return &e
}

// tell warns once, when something begins to be so.
func (m *redisMonitor) tell(what string, is bool, text string) {
	if is && !m.told[what] {
		m.r.o.Warn(text)
	}
	m.told[what] = is
}

// Ready is nil while the server is as it must be; otherwise the error says why it is not.
func (r *Redis) Ready() error {
	select {
	case <-r.stop:
		return errClosed()
	default:
	}
	if e := r.monitor.problem.Load(); e != nil {
		return e
	}
	return nil
}

// Durability tells in one line what an answer of 200 is worth: which Redis keeps it, and what a crash of it can lose.
func (r *Redis) Durability() string { return *r.monitor.line.Load() }
