package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The moments of kills, counted from when the last victim served again, and how long a Redis stays away.
const (
	soonestKill = 50 * time.Millisecond
	latestKill  = 1500 * time.Millisecond
	longestAway = 400 * time.Millisecond
)

// killer kills processes at random moments, one at a time, and starts them again.
type killer struct {
	victims map[string]*process
	times   int // each; 0 is until it is told to end

	mu   sync.Mutex
	made map[string]int
	back map[string]*hdrhistogram.Histogram // from the kill until it served again, in microseconds
}

func newKiller(times int) *killer {
	return &killer{victims: make(map[string]*process), times: times, made: make(map[string]int), back: make(map[string]*hdrhistogram.Histogram)}
}

func (k *killer) add(p *process) {
	k.victims[p.name] = p
	k.back[p.name] = hdrhistogram.New(1, (2 * startTimeout).Microseconds(), 3)
}

// run kills until all is killed as often as told, or ctx ends. The error says what did not come back.
func (k *killer) run(ctx context.Context) error {
	for {
		victim := k.next()
		if victim == nil {
			return nil
		}
		if pause(ctx, soonestKill+rand.N(latestKill-soonestKill)) != nil {
			return nil
		}
		at := time.Now()
		victim.kill()
		if victim.name == "redis" {
			_ = pause(ctx, rand.N(longestAway)) // it comes back in any case
		}
		if err := victim.start(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("after kill %d of the %s: %w", k.count(victim.name)+1, victim.name, err)
		}
		k.mu.Lock()
		k.made[victim.name]++
		_ = k.back[victim.name].RecordValue(time.Since(at).Microseconds()) // in range
		k.mu.Unlock()
	}
}

// next chooses at random among those that were not killed as often as told; nil when there is none.
func (k *killer) next() *process {
	k.mu.Lock()
	defer k.mu.Unlock()
	var left []*process
	for name, p := range k.victims {
		if k.times == 0 || k.made[name] < k.times {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left[rand.IntN(len(left))]
}

func (k *killer) count(name string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.made[name]
}
