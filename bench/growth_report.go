//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// growthReport is docs/growth.json; docs/growth.md and the plots are the same for people.
type growthReport struct {
	Made    string  `json:"made"`
	Machine machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	Axes    []grown `json:"axes"`
	Goals   []goal  `json:"goals"`
}

// goalsOf are those of a journal that remembers many events.
func (g *grown) goalsOf() (goals []goal) {
	for _, p := range g.Points {
		if p.X == 1_000_000 {
			goals = append(goals, newGoal("start until ready with a million events in the journal, ms", 150, true, p.Ready))
		}
		if p.X == 10_000_000 && p.Ratio != nil {
			goals = append(goals, newGoal("events/s with ten million remembered events, ratio to a new journal", .9, false, *p.Ratio))
		}
	}
	return goals
}

// grown is an axis with what was measured along it.
type grown struct {
	axis
	Points []grownPoint `json:"points"`
}

type grownPoint struct {
	X           int     `json:"x"`
	Events      int     `json:"events"`
	CPU         spread  `json:"gateway_cpu_us"` // an event
	All         spread  `json:"gateway_and_redis_cpu_us"`
	Rate        spread  `json:"events_per_second"`
	Ratio       *spread `json:"ratio_to_new_journal,omitempty"`
	Allocations spread  `json:"allocations"` // 0 where nobody asked
	PeakMiB     spread  `json:"peak_mib"`
	Ready       spread  `json:"started_in_ms"`
	tally
}

func newGrownPoint(x, events int, found []point) grownPoint {
	g := grownPoint{
		X: x, Events: events,
		CPU:         over(found, func(p point) float64 { return p.cpu }),
		All:         over(found, func(p point) float64 { return p.all }),
		Rate:        over(found, func(p point) float64 { return p.rate }),
		Allocations: over(found, func(p point) float64 { return p.allocations }),
		PeakMiB:     over(found, func(p point) float64 { return p.peak }),
		Ready:       over(found, func(p point) float64 { return p.ready }),
	}
	for _, p := range found {
		g.Lost += p.tally.Lost
		g.Doubled += p.tally.Doubled
		g.Forged += p.tally.Forged
	}
	return g
}

// write puts both forms of the report and the plots into a folder.
func (r *growthReport) write(dir string) error {
	if err := writeJSON(filepath.Join(dir, "growth.json"), r); err != nil {
		return err
	}
	for _, g := range r.Axes {
		if err := os.WriteFile(filepath.Join(dir, g.file()), []byte(g.plot()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "growth.md"), []byte(r.markdown()), 0o644)
}

func (g *grown) file() string { return "growth-" + g.Name + ".svg" }

func (r *growthReport) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What an event costs as things grow

Made by %s; do not edit. [growth.json](growth.json) has every figure, [bench.md](bench.md) what the gateway takes beside a bare
handler. Cost is processor time of the gateway, from the first request until every stream is complete; the journal is on SQLite
with synchronous=FULL, the destinations are Redis streams. Figures are the median of %d rounds, and in brackets least and most.
Nothing else than what is named differs from one source, one destination, 900 bytes a body and an empty journal.
`, "`make growth`", r.Rounds)
	if len(r.Goals) > 0 {
		b.WriteString("\n## Goals\n" + goalTable(r.Goals))
	}
	for _, g := range r.Axes {
		fmt.Fprintf(&b, "\n## %s\n", g.Title)
		if g.Said != "" {
			fmt.Fprintf(&b, "%s\n\n", g.Said)
		}
		fmt.Fprintf(&b, "![processor time of an event by %s](%s)\n\n", g.X, g.file())
		last, rule := "", ""
		if g.Name == "remembered" {
			last, rule = " ratio to a new journal |", "---|"
		}
		fmt.Fprintf(&b, "| %s | gateway, us | with Redis, us | events/s | allocations | MiB at most | started in, ms | lost, doubled |%s\n|---|---|---|---|---|---|---|---|%s\n", g.X, last, rule)
		for _, p := range g.Points {
			allocations := p.Allocations.in("%.0f")
			if p.Allocations.Most == 0 {
				allocations = "not asked"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %d, %d |", thousands(p.X), p.CPU.in("%.1f"), p.All.in("%.1f"), p.Rate.in("%.0f"),
				allocations, p.PeakMiB.in("%.0f"), p.Ready.in("%.0f"), p.Lost, p.Doubled)
			if p.Ratio != nil {
				fmt.Fprintf(&b, " %s |", p.Ratio.in("%.2f"))
			}
			b.WriteString("\n")
		}
	}
	fmt.Fprintf(&b, "\n## Measured on\n%s: %s", r.Made, r.Machine)
	return b.String()
}

// thousands writes a number with its groups apart.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
