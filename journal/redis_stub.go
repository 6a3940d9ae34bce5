package journal

import (
	"context"
	"errors"
	"time"

	"github.com/hookgate/hookgate"
)

// This file stands in for what is being built beside it.

var errStub = errors.New("not built yet")

type (
	redisIntake  struct{}
	redisMonitor struct{}
	shardState   struct{}
)

const blockFor = time.Second

func newShard(r *Redis, id int) *Shard { return &Shard{r: r, id: id} }

func (r *Redis) Accept(context.Context, *hookgate.Request, []*hookgate.Event) ([]hookgate.Result, error) {
	return nil, errStub
}
func (r *Redis) startIntake()                       {}
func (r *Redis) startMonitor(context.Context) error { return nil }
func (r *Redis) Ready() error                       { return nil }
func (r *Redis) Durability() string                 { return "" }

func (s *Shard) Read(context.Context, int64, int) ([]hookgate.Entry, error) { return nil, errStub }
func (s *Shard) Fetch(context.Context, []int64) ([]hookgate.Entry, error)   { return nil, errStub }
func (s *Shard) Progress(context.Context, string) (hookgate.Progress, error) {
	return hookgate.Progress{}, errStub
}
func (s *Shard) Record(context.Context, string, hookgate.Step) error           { return errStub }
func (s *Shard) Ask(context.Context, string, []hookgate.Parked) error          { return errStub }
func (s *Shard) Asked(context.Context, string, int) ([]hookgate.Parked, error) { return nil, errStub }
func (s *Shard) Scan(context.Context, int64, int) ([]hookgate.Entry, error)    { return nil, errStub }

func (r *Redis) Share(ctx context.Context, start func(*Shard) (stop func()))   { <-ctx.Done() }
func (r *Redis) SetDestinations([]string) error                                { return nil }
func (r *Redis) startRetention()                                               {}
func (r *Redis) Stats(context.Context) Stats                                   { return Stats{} }
func (r *Redis) Quarantine(context.Context, int64, int) ([]Quarantined, error) { return nil, errStub }
func (r *Redis) DeadLetters(context.Context, string, int64, int) ([]hookgate.Parked, error) {
	return nil, errStub
}
func (r *Redis) Fetch(context.Context, []int64) ([]hookgate.Entry, error) { return nil, errStub }
