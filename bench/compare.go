//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

type compareCommand struct {
	Common
	Rounds    int      `default:"5" help:"Runs of every row, in turn."`
	Events    int      `default:"100000" help:"Deliveries in one run."`
	RSAEvents int      `name:"rsa-events" default:"30000" help:"The same for SalesIQ's RSA signatures, each of which takes a millisecond to make."`
	Size      int      `default:"900" help:"Bytes in a body."`
	Only      []string `sep:"," placeholder:"ROW" help:"Rows to measure beside the bare handler, such as b,c; all unless given."`
}

// round is one run of every row, with the bare handler before and after the others.
type round struct {
	before, after *sample
	rows          map[string]*sample
}

// ceiling is the bare handler's answers a second. A machine that got slower or faster in between has it in the middle.
func (r round) ceiling() float64 {
	return (r.before.outcome.perSecond() + r.after.outcome.perSecond()) / 2
}

// Run measures, and writes docs/bench.md and docs/bench.json.
func (c *compareCommand) Run() error {
	wanted, err := c.rows()
	if err != nil {
		return err
	}
	return c.within(func(m machine, dir, program string) error { return c.measure(m, dir, program, wanted) })
}

func (c *compareCommand) measure(m machine, dir, program string, wanted []row) error {
	s := &setup{program: program, dir: dir, connections: c.Connections}
	if err := c.prepare(s, wanted); err != nil {
		return err
	}
	var all []round
	for i := range c.Rounds {
		r, err := c.round(s, wanted, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		all = append(all, r)
		c.tell(i, r, wanted)
	}
	return newReport(c, m, wanted, all).write(c.Out)
}

func (c *compareCommand) rows() ([]row, error) {
	if len(c.Only) == 0 {
		return rows, nil
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	for _, name := range c.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only: no row is called %s; there are %s", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !slices.Contains(c.Only, r.Name) }), nil
}

// prepare signs what the rows send. All rounds send the same, each to a journal of its own.
func (c *compareCommand) prepare(s *setup, wanted []row) (err error) {
	if s.keys, err = newKeys(); err != nil {
		return err
	}
	s.providers, s.requests = map[string]*provider{}, map[string]requests{}
	for _, r := range append([]row{bare}, wanted...) {
		if s.providers[r.scheme] != nil {
			continue
		}
		p, err := newProvider(r.scheme, s.keys)
		if err != nil {
			return err
		}
		s.providers[r.scheme] = p
		if err := c.sign(s, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *compareCommand) sign(s *setup, p *provider) (err error) {
	n := c.Events
	if p.scheme == "siq-signature" {
		n = min(n, c.RSAEvents)
	}
	fmt.Printf("signing %d deliveries, %s\n", n, p.scheme)
	s.requests[p.scheme], err = prepare(n, p, func(i int) delivery { return delivery{"/hooks/bench", p.body(i, c.Size)} })
	return err
}

func (c *compareCommand) round(s *setup, wanted []row, dir string) (r round, err error) {
	r.rows = map[string]*sample{}
	if p := s.providers["bearer"]; p != nil { // its token has not expired when its row comes
		if err := p.renew(); err != nil {
			return r, err
		}
		if err := c.sign(s, p); err != nil {
			return r, err
		}
	}
	if r.before, err = s.measureBare(); err != nil {
		return r, fmt.Errorf("bare handler: %w", err)
	}
	for _, row := range wanted {
		if r.rows[row.Name], err = s.measure(row, dir); err != nil {
			return r, fmt.Errorf("row %s: %w", row.Name, err)
		}
	}
	if r.after, err = s.measureBare(); err != nil {
		return r, fmt.Errorf("bare handler: %w", err)
	}
	return r, nil
}

// tell says how a round went.
func (c *compareCommand) tell(i int, r round, wanted []row) {
	fmt.Printf("round %d of %d: bare %.0f/s, after it %.0f/s", i+1, c.Rounds, r.before.outcome.perSecond(), r.after.outcome.perSecond())
	for _, row := range wanted {
		m := r.rows[row.Name]
		fmt.Printf("; %s %.0f/s (%.2f)", row.Name, m.outcome.perSecond(), m.outcome.perSecond()/r.ceiling())
		if h := m.atHalf; h != nil {
			fmt.Printf(" half: p99 %.1f ms, delivered p99 %d ms", milli(h.outcome.latency.ValueAtPercentile(99)), h.tally.delivery.ValueAtPercentile(99)/1000)
		}
	}
	fmt.Println()
}

func milli(micros int64) float64 { return float64(micros) / 1000 }

// Common are the options of every measurement.
type Common struct {
	Connections int    `default:"256" help:"Kept connections."`
	Program     string `placeholder:"FILE" help:"Measure this binary instead of building one."`
	Dir         string `placeholder:"DIR" help:"Where journals are put, on the disk that is to be measured; the folder of temporary files unless given."`
	Out         string `default:"docs" help:"Where the report goes."`
}

// within makes a folder, and the program unless one was given, looks at the machine and lets do measure there. The folder goes
// at the end and when somebody interrupts; the servers end with this process. After an error it stays for a look.
func (c *Common) within(do func(m machine, dir, program string) error) error {
	dir, err := os.MkdirTemp(c.Dir, "hookgate-bench-")
	if err != nil {
		return err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}()
	program, err := c.build(dir)
	if err != nil {
		return err
	}
	m, err := look(program, dir)
	if err == nil {
		err = do(m, dir, program)
	}
	if err != nil {
		return fmt.Errorf("%w; configurations and journals are left in %s", err, dir)
	}
	return os.RemoveAll(dir)
}

// build makes the program that is measured.
func (c *Common) build(dir string) (program string, err error) {
	if c.Program != "" {
		return filepath.Abs(c.Program)
	}
	program = filepath.Join(dir, "hookgate")
	build := exec.Command("go", "build", "-buildvcs=auto", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/hookgate")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("go build: %w", err)
	}
	return program, nil
}
