//go:build linux

package main

import (
	"fmt"
	"strings"
)

const preface = `# Acknowledged events a second

Made by %s; do not edit. [bench.json](bench.json) has every figure; what happens as things grow is a report of its own.

Each delivery is a signed HTTP request of its own. Hookgate verifies it, drops it if it is a duplicate, writes it to the
journal with the durability that is stated, and only then answers 200; meanwhile it forwards to a Redis stream. The bare
handler of row (a) reads the body and checks the same HMAC, and no more can be had from net/http on this machine. Generator,
gateway, Redis and the journal share the machine's cores. Every round runs every row in turn on a new journal, with (a) before
and after the others; a ratio is to the mean of the two. Figures are the median of %d rounds, and in brackets least and most.

`

// markdown is the report for people.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, preface, "`make bench`", r.Rounds)
	b.WriteString("## Goals\n" + goalTable(r.Goals))
	b.WriteString("\n## At capacity\n| | row | durability of a 200 | answers/s | ratio to (a) | p99 of the answer, ms | lost, doubled, never sent, refused |\n|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(&b, "| a | %s | %s | %s | 1 | %s | |\n", bare.Title, bare.Durability, r.Bare.Rate.in("%.0f"), r.Bare.P99.in("%.1f"))
	for _, w := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d, %d, %d, %d |\n", w.Name, w.Title, w.Durability, w.Rate.in("%.0f"), w.Ratio.in("%.2f"), w.P99.in("%.1f"), w.Lost, w.Doubled, w.Forged, w.Refused)
	}
	b.WriteString("\nEvery sender waits for its answer here, so these latencies are those of a full queue. Lost is what was answered 200 and is not in\nthe stream; never sent is what is in the stream and was not\nanswered 200; refused was answered 503.\n")
	b.WriteString("\n## At half of that, by the clock\nRequests leave on a schedule that waits for nothing; latencies count from the scheduled moment.\n\n| row | offered/s | p50, ms | p99 | p99.9 | most | receipt to delivery p50, ms | p99 | p99.9 | lost, doubled, refused | sent late, p99 |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range r.Rows {
		if h := w.Half; h != nil {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %d, %d, %d | %s |\n", w.Name, h.Offered.in("%.0f"), h.P50.in("%.1f"), h.P99.in("%.1f"), h.P999.in("%.1f"),
				h.Most.in("%.0f"), h.Delivered50.in("%.0f"), h.Delivered99.in("%.0f"), h.Delivered999.in("%.0f"), h.Lost, h.Doubled, h.Refused, h.Late.in("%.2f"))
		}
	}
	b.WriteString("\n## What an event costs\nProcessor time in microseconds, allocations of the gateway, and its memory at most.\n\n| row | server | journal's Redis | stream's Redis | generator | ratio to (a) by all four | allocations | MiB | stream complete after the last answer, ms |\n|---|---|---|---|---|---|---|---|---|\n")
	cost := func(name, ratio string, f figures) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, f.ServerCPU.in("%.1f"), f.JournalCPU.in("%.1f"), f.QueueCPU.in("%.1f"), f.GeneratorCPU.in("%.1f"), ratio, f.Allocations.in("%.0f"), f.PeakMiB.in("%.0f"), f.Completed.in("%.0f"))
	}
	cost("a", "1", r.Bare)
	for _, w := range r.Rows {
		cost(w.Name, w.CPURatio.in("%.2f"), w.figures)
	}
	m := r.Machine
	fmt.Fprintf(&b, "\n## Measured on\n%s\nAfter the other rows (a) was %s of (a) before them, which is what the machine itself varies by.\n\n", m, r.Drift.in("%.2f"))
	fmt.Fprintf(&b, "%s: %d rounds of %s, %d bytes a body, %d connections. The gateway runs with its defaults, its log goes nowhere.\n",
		r.Made, r.Rounds, r.counts(), r.Size, r.Connections)
	b.WriteString(`The stream's Redis keeps nothing on disk. A bearer's deliveries share one token, as a provider uses one until it expires. The
duplicates are of 10,000 events that came before the clock started. Of the bad signatures the first 120 a minute are answered
401, the rest 429, after the signature was checked like any other.
`)
	return b.String()
}

func goalTable(goals []goal) string {
	var b strings.Builder
	b.WriteString("| goal | wanted | measured | |\n|---|---|---|---|\n")
	for _, g := range goals {
		sign, said := "at least", "reached"
		if g.AtMost {
			sign = "under"
		}
		if !g.Reached {
			said = "**not reached**"
		}
		fmt.Fprintf(&b, "| %s | %s %v | %s | %s |\n", g.What, sign, g.Wanted, g.Figure.in("%.2f"), said)
	}
	return b.String()
}

func (r *report) counts() string {
	least, most := r.Bare.Events, r.Bare.Events
	for _, w := range r.Rows {
		least, most = min(least, w.Events), max(most, w.Events)
	}
	if least == most {
		return fmt.Sprintf("%d events a row", most)
	}
	return fmt.Sprintf("%d events a row (%d of RSA)", most, least)
}
