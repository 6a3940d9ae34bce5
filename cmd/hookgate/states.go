package main

import (
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate/forward"
)

// states logs what becomes of a destination, whose forwarders are many: a line when the first of them gets into trouble,
// when the last is out of it again, and when events have been given up.
type states struct {
	log  zerolog.Logger
	name string

	mu   sync.Mutex
	of   map[int]forward.Stats
	said forward.State
}

// observer is told of one part's forwarder.
func (s *states) observer(part int) func(forward.Stats) {
	return func(now forward.Stats) {
		s.mu.Lock()
		defer s.mu.Unlock()
		dead := now.Dead - s.of[part].Dead
		s.of[part] = now
		s.say(now, dead)
	}
}

// forget leaves out a part that is forwarded here no more. It may have been the only one in trouble.
func (s *states) forget(part int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, part)
	for _, left := range s.of {
		s.say(left, 0)
	}
}

func (s *states) say(cause forward.Stats, dead uint64) {
	state, delivered := forward.State(""), uint64(0)
	for _, of := range s.of {
		state = worse(state, of.State)
		delivered += of.Delivered
	}
	if state == s.said && dead == 0 {
		return
	}
	s.said = state
	level := zerolog.InfoLevel
	if state != forward.Running || dead > 0 {
		level = zerolog.WarnLevel
	}
	line := s.log.WithLevel(level).Str("destination", s.name).Str("state", string(state)).Uint64("delivered", delivered)
	if level == zerolog.WarnLevel {
		line.Str("error", cause.LastError)
	}
	if dead > 0 {
		line.Uint64("dead", dead)
	}
	line.Msg("destination")
}

// worse is the one of two states that an operator should hear of.
func worse(a, b forward.State) forward.State {
	order := []forward.State{"", forward.Stopped, forward.Starting, forward.Running, forward.Stalled, forward.BackingOff, forward.Paused}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}
