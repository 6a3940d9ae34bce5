package journal

import (
	"context"
	"errors"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// How long a pipeline may take. The sum of two, the second repeating the first, or three quick ones, is well below maxWait.
const (
	pipelineLimit = redisTimeout + 100*time.Millisecond
	clusterLimit  = 2*redisTimeout + 100*time.Millisecond // with redirections, which the client follows by itself
	replicaWait   = 300 * time.Millisecond
	diskWait      = 1500 * time.Millisecond // appendfsync everysec syncs once a second
	maxSpare      = 256
)

// pipeline sends calls together. On one server they are a transaction: Redis writes and syncs its file once for all of it,
// and without that once for every 16 KiB that it reads, which with appendfsync always is twice as slow.
type pipeline struct {
	i     *redisIntake
	spare chan string // keys of raw requests that nobody needs
	cmds  []*redis.Cmd
}

// run sends the calls. Every call has its own answer or its own error afterwards.
func (p *pipeline) run(calls []*call, eval bool) {
	client, limit, disk := p.i.client, pipelineLimit, p.i.monitor.disk.Load()
	switch {
	case p.i.cluster:
		limit = clusterLimit
	case disk:
		client, limit = p.i.patient, diskWait+redisTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	pipe := client.Pipeline()
	var exec *redis.Cmd
	if !p.i.cluster {
		pipe.Do(ctx, "MULTI")
	}
	p.cmds = p.cmds[:0]
	for k, c := range calls {
		c.args[0], c.args[1] = "EVALSHA", p.i.sha
		if eval && (k == 0 || p.i.cluster) { // within a transaction the first one teaches the server the script for all
			c.args[0], c.args[1] = "EVAL", acceptScript
		}
		p.cmds = append(p.cmds, pipe.Do(ctx, c.args...))
	}
	for range min(len(p.spare), maxSpare) {
		pipe.Unlink(ctx, <-p.spare)
	}
	if !p.i.cluster {
		exec = pipe.Do(ctx, "EXEC")
	}
	copied := p.copied(ctx, pipe, disk)
	_, _ = pipe.Exec(ctx) // every command has its own error
	p.answers(calls, exec)
	if missing := copied(); missing != nil {
		for _, c := range calls {
			if c.err == nil {
				c.err = missing
			}
		}
	}
	clear(p.cmds)
}

// answers gives every call its own. The replies of a transaction's commands come together at its end.
func (p *pipeline) answers(calls []*call, exec *redis.Cmd) {
	if exec == nil {
		for k, c := range calls {
			c.reply, c.err = p.cmds[k].Text()
		}
		return
	}
	replies, err := exec.Slice()
	if redis.HasErrorPrefix(err, "EXECABORT") { // for what was wrong with one of them when it was queued
		for _, cmd := range p.cmds {
			if cmd.Err() != nil {
				err = cmd.Err()
				break
			}
		}
	}
	if err == nil && len(replies) < len(calls) {
		err = errors.New("Redis has answered too little")
	}
	for k, c := range calls {
		if c.reply, c.err = "", err; err != nil {
			continue
		}
		switch reply := replies[k].(type) {
		case string:
			c.reply = reply
		case error:
			c.err = reply
		}
	}
}

// copied waits, on the connection that has written, for replicas and for the disk. What it returns is nil when they have
// everything. In a Cluster there is no such connection.
func (p *pipeline) copied(ctx context.Context, pipe redis.Pipeliner, disk bool) func() error {
	replicas := p.i.o.Replicas
	switch {
	case p.i.cluster || (replicas == 0 && !disk):
		return func() error { return nil }
	case disk:
		cmd := pipe.Do(ctx, "WAITAOF", 1, replicas, diskWait.Milliseconds())
		return func() error {
			counts, err := cmd.Int64Slice()
			if err != nil || (len(counts) == 2 && counts[0] >= 1 && counts[1] >= int64(replicas)) {
				return err
			}
			return unsafeYet("see whether the disk of Redis is slow, and whether its replicas follow and are appendonly", "journal: Redis has not synced within %s", diskWait)
		}
	}
	cmd := pipe.Do(ctx, "WAIT", replicas, replicaWait.Milliseconds())
	return func() error {
		n, err := cmd.Int64()
		if err != nil || n >= int64(replicas) {
			return err
		}
		return unsafeYet("see whether the replicas of Redis run and follow", "journal: %d of %d replicas have the event", n, replicas)
	}
}

// unsafeYet refuses what is in Redis but not where it must be. The retry finds it as a duplicate, and waits again.
func unsafeYet(hint, format string, args ...any) error {
	e := hookgate.Errorf(hookgate.Unavailable, format, args...)
	e.Hint, e.RetryAfter = hint, retrySoon
	return e
}
