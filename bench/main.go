// Command bench measures how many signed deliveries a second Hookgate takes, durable and forwarded to a Redis stream
// meanwhile, beside a bare handler that only reads the body and checks the HMAC: same generator, same machine, in turn.
// `make bench` runs it and keeps the report in docs/bench.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	events, size, connections, rounds int
	report, program                   string
}

func run() error {
	var o options
	bare := flag.String("bare", "", "serve the bare handler at this address (used by bench itself)")
	flag.IntVar(&o.events, "events", 100_000, "deliveries in one run")
	flag.IntVar(&o.size, "size", 900, "bytes in a body")
	flag.IntVar(&o.connections, "connections", 256, "senders, each waiting for its answer")
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each, in turn")
	flag.StringVar(&o.report, "report", "docs/bench.md", "where the report goes")
	flag.StringVar(&o.program, "program", "", "measure this binary instead of building one")
	flag.Parse()
	if *bare != "" {
		return bareMain(*bare)
	}
	dir, err := os.MkdirTemp("", "hookgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.program == "" {
		o.program = filepath.Join(dir, "hookgate")
		build := exec.Command("go", "build", "-trimpath", "-o", o.program, "./cmd/hookgate")
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("go build: %w", err)
		}
	}
	var rounds []round
	for i := range o.rounds {
		r, err := measure(o, filepath.Join(dir, fmt.Sprint(i)), i*o.events)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		fmt.Printf("round %d: bare %.0f/s, hookgate %.0f/s, ratio %.2f, p99 %s, complete %s after the last answer; CPU an event: bare %s, hookgate %s, redis %s\n",
			i+1, r.bare.rate(), r.gate.rate(), r.ratio(), r.gate.percentile(.99), r.drain,
			r.bareCPU/time.Duration(o.events), r.gateCPU/time.Duration(o.events), r.queueCPU/time.Duration(o.events))
		rounds = append(rounds, r)
	}
	return write(o, rounds)
}

// measure runs the bare handler, then Hookgate on a new journal, with the same deliveries.
func measure(o options, dir string, first int) (r round, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	deliveries := makeRequests("127.0.0.1", first, o.events, o.size)
	bare, err := startBare(self)
	if err != nil {
		return r, err
	}
	r.bare, err = fire(bare.address, deliveries, o.connections)
	r.bareCPU = bare.stop()
	if err != nil {
		return r, err
	}
	queue, err := startRedis(dir)
	if err != nil {
		return r, err
	}
	defer func() { r.queueCPU = queue.stop() }()
	gate, err := startHookgate(o.program, dir, queue.address)
	if err != nil {
		return r, err
	}
	defer func() { r.gateCPU = gate.stop() }()
	if r.gate, err = fire(gate.address, deliveries, o.connections); err != nil {
		return r, err
	}
	if r.gate.statuses[200] != o.events {
		return r, fmt.Errorf("answers by status: %v", r.gate.statuses)
	}
	r.drain, err = drained(context.Background(), queue.address, int64(o.events))
	return r, err
}
