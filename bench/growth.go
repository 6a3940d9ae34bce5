//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type growthCommand struct {
	Common
	Rounds     int      `default:"3" help:"Runs of every point, in turn."`
	Events     int      `default:"20000" help:"Events at a point; fewer where they are large."`
	Remembered []int    `sep:"," default:"0,10000,100000,1000000,10000000" help:"Sizes of the journal, in events. Ten million take 5 GiB in --dir, and minutes to make."`
	Only       []string `sep:"," placeholder:"AXIS" help:"What grows: sources, destinations, size, batch, remembered; all unless given."`
}

// axis is one thing that grows.
type axis struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	X     string `json:"x"` // what is counted
	Said  string `json:"about"`

	points []int
	trial  func(x int) trial
}

// trial is one point: a gateway, and what is sent to it.
type trial struct {
	x        int
	journal  string // the path of one that is kept; empty for a new one
	provider *provider
	sources  int
	streams  int
	size     int // bytes of a body
	batch    int // events in a request
	events   int
	first    int // the number of the first event
}

// point is what a trial gave. Processor time is that of the gateway alone.
type point struct {
	cpu, all, rate, allocations, peak, ready float64
	tally                                    tally
}

// Run measures, and writes docs/growth.md, docs/growth.json and a plot for each axis.
func (c *growthCommand) Run() error { return c.within(c.measure) }

func (c *growthCommand) measure(m machine, dir, program string) (err error) {
	s := &setup{program: program, dir: dir, connections: c.Connections}
	if s.keys, err = newKeys(); err != nil {
		return err
	}
	axes, err := c.axes(s.keys)
	if err != nil {
		return err
	}
	report := &growthReport{Made: time.Now().UTC().Format(time.DateOnly), Machine: m, Rounds: c.Rounds}
	for _, a := range axes {
		grown, err := c.grow(s, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
		report.Axes = append(report.Axes, grown)
	}
	if slices.Contains(c.Only, "remembered") || len(c.Only) == 0 {
		grown, err := c.remember(s)
		if err != nil {
			return fmt.Errorf("remembered: %w", err)
		}
		report.Axes, report.Goals = append(report.Axes, grown), grown.goalsOf()
	}
	return report.write(c.Out)
}

// axes are those of which every point has a journal of its own.
func (c *growthCommand) axes(k *keys) ([]axis, error) {
	signed, err := newProvider("hub-signature", k)
	if err != nil {
		return nil, err
	}
	batches, err := newProvider("basic", k)
	if err != nil {
		return nil, err
	}
	usual := trial{provider: signed, sources: 1, streams: 1, size: 900, batch: 1, events: c.Events}
	with := func(change func(*trial, int)) func(int) trial {
		return func(x int) trial {
			t := usual
			t.x = x
			change(&t, x)
			return t
		}
	}
	all := []axis{
		{"sources", "Sources", "configured sources", "The events are spread over all sources.",
			[]int{1, 10, 100, 1000, 10_000}, with(func(t *trial, x int) { t.sources = x })},
		{"destinations", "Destinations", "Redis streams, each of which gets every event", "Cost until all have it.",
			[]int{1, 2, 5, 10, 20, 50}, with(func(t *trial, x int) { t.streams, t.events = x, min(c.Events, max(400_000/x, 1)) })},
		{"size", "Size of a body", "bytes", "",
			[]int{200, 1000, 4000, 16_000, 64_000, 250_000, 1_000_000}, with(func(t *trial, x int) { t.size, t.events = x, min(c.Events, 100_000_000/x) })},
		{"batch", "Events in a request", "events in a request of Netcore", "Basic authentication, a form with JSON of about 230 bytes an event.",
			[]int{1, 10, 100, 1000, 10_000}, with(func(t *trial, x int) { t.provider, t.batch, t.events = batches, x, max(c.Events/x, 10)*x })},
	}
	if len(c.Only) == 0 {
		return all, nil
	}
	names := []string{"remembered"}
	for _, a := range all {
		names = append(names, a.Name)
	}
	for _, name := range c.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only: nothing that grows is called %s; there are %s", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(all, func(a axis) bool { return !slices.Contains(c.Only, a.Name) }), nil
}

// grow measures every point of an axis in every round.
func (c *growthCommand) grow(s *setup, a axis) (grown, error) {
	found := make([][]point, len(a.points))
	for round := range c.Rounds {
		for i, x := range a.points {
			p, err := s.try(a.trial(x))
			if err != nil {
				return grown{}, fmt.Errorf("%d: %w", x, err)
			}
			fmt.Printf("%s %d, round %d: %.1f us of the gateway an event, %.0f events/s\n", a.Name, x, round+1, p.cpu, p.rate)
			found[i] = append(found[i], p)
		}
	}
	g := grown{axis: a}
	for i, x := range a.points {
		g.Points = append(g.Points, newGrownPoint(x, a.trial(x).events, found[i]))
	}
	return g, nil
}

// mostAsked is the number of sources up to which the metrics, some forty lines a source, are asked for allocations: writing
// them must not be what is measured.
const mostAsked = 1000

// try runs a gateway through one trial.
func (s *setup) try(t trial) (_ point, err error) {
	dir, err := os.MkdirTemp(s.dir, "trial-")
	if err != nil {
		return point{}, err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		}
	}()
	all, err := prepare(t.events/t.batch, t.provider, t.delivery)
	if err != nil {
		return point{}, err
	}
	queue, err := startRedis(filepath.Join(dir, "queue"), "")
	if err != nil {
		return point{}, err
	}
	defer queue.stop()
	if t.journal == "" {
		t.journal = filepath.Join(dir, "hookgate.db")
	}
	gate, err := startGateway(s.program, dir, t.config(queue.address))
	if err != nil {
		return point{}, err
	}
	defer gate.stop()
	made := func(int) (float64, error) { return 0, nil }
	if t.sources <= mostAsked {
		if made, err = gate.allocations(); err != nil {
			return point{}, err
		}
	}
	gate.mark()
	queue.mark()
	o, err := fire(load{address: gate.address, requests: all, connections: min(s.connections, max(len(all)/4, 1))})
	if err != nil {
		return point{}, err
	}
	if o.statuses[200] != len(all) {
		return point{}, fmt.Errorf("answers by status: %v", o.statuses)
	}
	p := point{rate: o.perSecond() * float64(t.batch), ready: gate.ready.Seconds() * 1000}
	if err := t.complete(queue.address, &p); err != nil {
		return point{}, err
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(t.events) }
	p.cpu, p.all = each(gate.since()), each(gate.since()+queue.since())
	if p.allocations, err = made(t.events); err != nil {
		return point{}, err
	}
	p.peak = float64(gate.peakMemory()) / (1 << 20)
	for i := range t.streams {
		if err := t.audit(queue.address, i, &p); err != nil {
			return point{}, err
		}
	}
	return p, nil
}

func (t trial) delivery(i int) delivery {
	d := delivery{path: "/hooks/" + sourceName(i%t.sources)}
	if t.provider.name == "netcore" {
		d.body = netcoreBody(t.first+i*t.batch, t.batch)
	} else {
		d.body = t.provider.body(t.first+i, t.size)
	}
	return d
}

func sourceName(i int) string { return fmt.Sprintf("bench-%05d", i) }
func streamOf(i int) string   { return fmt.Sprintf("%s-%02d", streamName, i) }

// config is the configuration of a trial, but for the listeners.
func (t trial) config(queue string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "journal: {url: %q}\nsources:\n", "sqlite://"+t.journal)
	for i := range t.sources {
		fmt.Fprintf(&b, "  - {name: %s, provider: %s, max_body: 16MiB, auth: [%s]}\n", sourceName(i), t.provider.name, t.provider.auth) // ten thousand of these must fit
	}
	b.WriteString("destinations:\n")
	for i := range t.streams {
		fmt.Fprintf(&b, "  - {name: events-%d-%d, type: redis-stream, url: \"redis://%s/0\", stream: %s}\n", i, t.first, queue, streamOf(i)) // a new one gets nothing of before
	}
	return b.String()
}

// complete waits for every stream.
func (t trial) complete(queue string, p *point) error {
	for i := range t.streams {
		target := openStream(queue, streamOf(i))
		n, err := target.length(context.Background(), int64(t.events))
		target.close()
		if err != nil {
			return err
		}
		p.tally.Lost += t.events - int(min(n, int64(t.events)))
	}
	return nil
}

// audit counts what a stream has too often or should not have.
func (t trial) audit(queue string, i int, p *point) error {
	target := openStream(queue, streamOf(i))
	defer target.close()
	acked := make([]bool, t.first+t.events)
	for n := t.first; n < len(acked); n++ {
		acked[n] = true
	}
	found, err := target.audit(context.Background(), acked)
	p.tally.Doubled += found.Doubled
	p.tally.Forged += found.Forged
	p.tally.Lost = max(p.tally.Lost, found.Lost)
	return err
}
