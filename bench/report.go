//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// report is docs/bench.json; docs/bench.md is the same for people.
type report struct {
	Made        string      `json:"made"`
	Machine     machine     `json:"machine"`
	Rounds      int         `json:"rounds"`
	Size        int         `json:"body_bytes"`
	Connections int         `json:"connections"`
	Drift       spread      `json:"bare_after_to_before"` // what the same thing differs by within a round
	Bare        figures     `json:"bare"`
	Rows        []rowReport `json:"rows"`
	Goals       []goal      `json:"goals"`
}

type rowReport struct {
	row
	figures
	Ratio spread `json:"ratio"`
	// CPURatio is the processor time of an event at the bare handler, generator included, to that at the row with all its
	// servers: the ratio of two cores that do nothing else, which others on the machine move less.
	CPURatio spread  `json:"ratio_by_processor_time"`
	Half     *atHalf `json:"at_half_load,omitempty"`
}

// figures are what a row gave at capacity. Processor time is microseconds an event.
type figures struct {
	Events       int    `json:"events"`
	Rate         spread `json:"per_second"`
	P50          spread `json:"p50_ms"`
	P99          spread `json:"p99_ms"`
	ServerCPU    spread `json:"server_cpu_us"`
	JournalCPU   spread `json:"journal_cpu_us"`
	QueueCPU     spread `json:"queue_cpu_us"`
	GeneratorCPU spread `json:"generator_cpu_us"`
	Allocations  spread `json:"allocations"`
	PeakMiB      spread `json:"peak_mib"`
	Completed    spread `json:"complete_after_last_answer_ms"` // the stream
	Refused      int    `json:"refused"`                       // answered 503, in all rounds
	tally
}

// atHalf is a row at half of its capacity, by the clock. Milliseconds.
type atHalf struct {
	Offered      spread `json:"offered_per_second"`
	P50          spread `json:"p50_ms"`
	P99          spread `json:"p99_ms"`
	P999         spread `json:"p999_ms"`
	Most         spread `json:"most_ms"`
	Late         spread `json:"sent_late_p99_ms"`
	Delivered50  spread `json:"received_to_delivered_p50_ms"`
	Delivered99  spread `json:"received_to_delivered_p99_ms"`
	Delivered999 spread `json:"received_to_delivered_p999_ms"`
	Refused      int    `json:"refused"`
	tally
}

// goal is one of the figures that were set beforehand.
type goal struct {
	What    string  `json:"what"`
	Wanted  float64 `json:"wanted"`
	AtMost  bool    `json:"at_most"` // otherwise at least
	Figure  spread  `json:"figure"`
	Reached bool    `json:"reached"` // by the median
}

func newGoal(what string, wanted float64, atMost bool, figure spread) goal {
	reached := figure.Median >= wanted
	if atMost {
		reached = figure.Median < wanted
	}
	return goal{what, wanted, atMost, figure, reached}
}

func newReport(c *compareCommand, m machine, wanted []row, rounds []round) *report {
	r := &report{
		Made: time.Now().UTC().Format(time.DateOnly), Machine: m, Rounds: len(rounds), Size: c.Size, Connections: c.Connections,
		Drift: over(rounds, func(r round) float64 { return r.after.outcome.perSecond() / r.before.outcome.perSecond() }),
	}
	var both []*sample
	for _, round := range rounds {
		both = append(both, round.before, round.after)
	}
	r.Bare = figuresOf(both)
	for _, row := range wanted {
		var samples, halves []*sample
		for _, round := range rounds {
			samples = append(samples, round.rows[row.Name])
			if half := round.rows[row.Name].atHalf; half != nil {
				halves = append(halves, half)
			}
		}
		one := rowReport{row: row, figures: figuresOf(samples)}
		one.Ratio = over(rounds, func(r round) float64 { return r.rows[row.Name].outcome.perSecond() / r.ceiling() })
		one.CPURatio = over(rounds, func(r round) float64 {
			return (r.before.cost() + r.after.cost()) / 2 / r.rows[row.Name].cost()
		})
		if len(halves) > 0 {
			one.Half = halfOf(halves)
		}
		r.Rows = append(r.Rows, one)
	}
	r.Goals = goalsOf(r.Rows)
	return r
}

// cost is the processor time of an event in all processes, the generator's too.
func (s *sample) cost() float64 {
	return (s.serverCPU + s.journalCPU + s.queueCPU + s.outcome.cpu).Seconds() / float64(s.outcome.sent)
}

func figuresOf(samples []*sample) figures {
	cpu := func(spent func(*sample) time.Duration) spread {
		return over(samples, func(s *sample) float64 { return spent(s).Seconds() * 1e6 / float64(s.outcome.sent) })
	}
	f := figures{
		Events:       samples[0].outcome.sent,
		Rate:         over(samples, func(s *sample) float64 { return s.outcome.perSecond() }),
		P50:          over(samples, func(s *sample) float64 { return milli(s.outcome.latency.ValueAtPercentile(50)) }),
		P99:          over(samples, func(s *sample) float64 { return milli(s.outcome.latency.ValueAtPercentile(99)) }),
		ServerCPU:    cpu(func(s *sample) time.Duration { return s.serverCPU }),
		JournalCPU:   cpu(func(s *sample) time.Duration { return s.journalCPU }),
		QueueCPU:     cpu(func(s *sample) time.Duration { return s.queueCPU }),
		GeneratorCPU: cpu(func(s *sample) time.Duration { return s.outcome.cpu }),
		Allocations:  over(samples, func(s *sample) float64 { return s.allocations }),
		PeakMiB:      over(samples, func(s *sample) float64 { return float64(s.peak) / (1 << 20) }),
		Completed:    over(samples, func(s *sample) float64 { return float64(s.complete-s.outcome.took) / 1e6 }),
	}
	f.tally, f.Refused = sumOf(samples)
	return f
}

func halfOf(samples []*sample) *atHalf {
	at := func(p float64) func(*sample) float64 {
		return func(s *sample) float64 { return milli(s.outcome.latency.ValueAtPercentile(p)) }
	}
	delivered := func(p float64) func(*sample) float64 {
		return func(s *sample) float64 { return milli(s.tally.delivery.ValueAtPercentile(p)) }
	}
	h := &atHalf{
		Offered: over(samples, func(s *sample) float64 { return s.outcome.perSecond() }),
		P50:     over(samples, at(50)), P99: over(samples, at(99)), P999: over(samples, at(99.9)), Most: over(samples, at(100)),
		Late:        over(samples, func(s *sample) float64 { return milli(s.outcome.late.ValueAtPercentile(99)) }),
		Delivered50: over(samples, delivered(50)), Delivered99: over(samples, delivered(99)), Delivered999: over(samples, delivered(99.9)),
	}
	h.tally, h.Refused = sumOf(samples)
	return h
}

func sumOf(samples []*sample) (sum tally, refused int) {
	for _, s := range samples {
		sum.Lost += s.tally.Lost
		sum.Doubled += s.tally.Doubled
		sum.Forged += s.tally.Forged
		refused += s.outcome.statuses[503]
	}
	return sum, refused
}

func goalsOf(rows []rowReport) (goals []goal) {
	lost := 0
	for _, r := range rows {
		lost += r.Lost
		if r.Goal > 0 {
			goals = append(goals, newGoal("("+r.Name+") "+r.Title+", ratio to (a)", r.Goal, false, r.Ratio))
		}
		if r.Half != nil {
			lost += r.Half.Lost
		}
		if r.Name == "b" {
			goals = append(goals,
				newGoal("(b) at half load, p99 of the answer, ms", 10, true, r.Half.P99),
				newGoal("(b) at half load, p99 from receipt to delivery, ms", 50, true, r.Half.Delivered99),
				newGoal("(b) allocations an event", 61, true, r.Allocations))
		}
	}
	return append(goals, newGoal("acknowledged events lost, all rows and rounds", 1, true, spreadOf([]float64{float64(lost)})))
}

// write puts both forms of the report into a folder.
func (r *report) write(dir string) error {
	if err := writeJSON(filepath.Join(dir, "bench.json"), r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.md"), []byte(r.markdown()), 0o644)
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
