// Package forward follows the journal to the destinations: a few files for each, under its name, and one engine that keeps
// order per partition key, a bounded window, retries and dead letters the same for all of them. Adding a destination is its
// file and one line in the registry.
package forward

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// Destination publishes. Publish returns one error per entry, in order; nil means that the target has confirmed it. An
// error is a *Trouble (the whole destination), a *Refusal (this entry) or ErrHeld; any other is taken as trouble, since
// waiting loses nothing. A batch may hold several entries of one key only where the type's Limits say so; then a later
// one of a key is never confirmed when an earlier one of it was not. Publish returns soon after ctx ends.
type Destination interface {
	Publish(ctx context.Context, batch []hookgate.Entry) []error
	Close() error
}

// Options is what destinations take from the program instead of from globals.
type Options struct {
	Stdout io.Writer        // where the type stdout writes; that type needs it
	Now    func() time.Time // time.Now when nil; webhook-timestamp comes from it
	Sign   Sign             // of every envelope; nil for none. The http type's binary mode has no envelope to sign
}

// Sign makes the signature of an envelope; empty text for none.
type Sign func(envelope []byte) string

// Limits says how a type wants to be fed.
type Limits struct {
	Concurrent int  // Publish calls at once
	Batch      int  // entries in one call
	Bytes      int  // payload bytes in one call, about; one entry alone may be larger. 0 is no bound
	SameKey    bool // whether one batch may hold several entries of one key
}

// atLeastOne makes limits out of zero ones under which something can be sent.
func (l Limits) atLeastOne() Limits {
	l.Concurrent, l.Batch = max(l.Concurrent, 1), max(l.Batch, 1)
	return l
}

// batchBytes bounds the memory of one batch: our default.
const batchBytes = 4 << 20

// kind is one type of destination: how it is fed, what is wrong with its settings, and how it is opened.
type kind struct {
	limits Limits
	own    []string // the options that only some types have and this one does
	check  func(s hookgate.DestinationSettings, ps *hookgate.Problems)
	open   func(s hookgate.DestinationSettings, o Options) (Destination, error)
}

// kinds is the registry, from the configuration's type to what it means.
var kinds = map[string]kind{
	"redis-stream": {
		limits: Limits{Concurrent: 1, Batch: 256, Bytes: batchBytes, SameKey: true},
		own:    []string{"url", "stream", "max_len"}, check: checkRedisStream, open: openRedisStream,
	},
	"nats": {
		limits: Limits{Concurrent: 1, Batch: natsBatch, Bytes: batchBytes},
		own:    []string{"url", "subject", "stream"}, check: checkNATS, open: openNATS,
	},
	"rabbitmq": {
		limits: Limits{Concurrent: 1, Batch: rabbitBatch, Bytes: batchBytes}, // one of a key at once: see rabbitMQ
		own:    []string{"url", "exchange", "routing_key"}, check: checkRabbitMQ, open: openRabbitMQ,
	},
	"kafka": {
		limits: Limits{Concurrent: 1, Batch: kafkaRoundRecords, Bytes: batchBytes, SameKey: true},
		own:    []string{"url", "topic"}, check: checkKafka, open: openKafka,
	},
	"http": {
		limits: Limits{Concurrent: httpWorkers, Batch: 1},
		own:    []string{"url", "mode", "secrets", "allow_private"}, check: checkHTTP, open: openHTTP,
	},
	"file": {
		limits: Limits{Concurrent: 1, Batch: 256, Bytes: batchBytes, SameKey: true},
		own:    []string{"path"}, check: checkFile, open: openFile,
	},
	"stdout": {
		limits: Limits{Concurrent: 1, Batch: 256, Bytes: batchBytes, SameKey: true},
		check:  func(hookgate.DestinationSettings, *hookgate.Problems) {}, open: openStdout,
	},
}

// Names lists the types, sorted.
func Names() []string { return slices.Sorted(maps.Keys(kinds)) }

// LimitsOf tells how a type is fed; an unknown one is fed one entry at a time.
func LimitsOf(name string) Limits {
	if k, ok := kinds[name]; ok {
		return k.limits
	}
	return Limits{Concurrent: 1, Batch: 1}
}

// New opens the destination. Queues are connected to on first use, so that one that is down does not keep the gateway
// from starting; a file is opened at once. The error is hookgate.Problems where the settings of the type are wrong.
func New(s hookgate.DestinationSettings, o Options) (Destination, error) {
	k, ok := kinds[s.Type]
	if !ok {
		return nil, unknownType(s.Type)
	}
	var ps hookgate.Problems
	checkOwn(s, k, &ps)
	if err := ps.Err(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return k.open(withDefaults(s), o)
}

// The defaults of settings that were left zero; they are those of the configuration's reference.
const (
	defaultTimeout    = 15 * time.Second
	defaultWindow     = 1024
	defaultAttempts   = 12
	defaultBackoff    = time.Second
	defaultMaxBackoff = 5 * time.Minute
	defaultAfter      = 5
	defaultPause      = 2 * time.Second
)

func withDefaults(s hookgate.DestinationSettings) hookgate.DestinationSettings {
	s.Timeout = positive(s.Timeout, defaultTimeout)
	s.Window = positive(s.Window, defaultWindow)
	s.Retry.Attempts = positive(s.Retry.Attempts, defaultAttempts)
	s.Retry.Backoff = positive(s.Retry.Backoff, defaultBackoff)
	s.Retry.MaxBackoff = max(positive(s.Retry.MaxBackoff, defaultMaxBackoff), s.Retry.Backoff)
	s.Breaker.After = positive(s.Breaker.After, defaultAfter)
	s.Breaker.Pause = positive(s.Breaker.Pause, defaultPause)
	return s
}

func positive[T int | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}
