package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// round is one run of both.
type round struct {
	bare, gate outcome
	drain      time.Duration // from the last answer until the stream was complete
	// Processor time of each server's whole life.
	bareCPU, gateCPU, queueCPU time.Duration
}

func (r round) ratio() float64 { return r.gate.rate() / r.bare.rate() }

// write puts the report where the option says: medians with their spread, and what was measured on.
func write(o options, rounds []round) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# Accepted events a second

Made by %s; do not edit. Each delivery is signed, verified, deduplicated, committed to the SQLite journal with
synchronous=FULL before its 200, and forwarded to a Redis stream while more come in. The bare handler reads the body and
checks the same HMAC. Generator, servers and Redis share the machine.

| what | median | least | most |
|---|---|---|---|
`, "`make bench`")
	row := func(name, format string, value func(round) float64) {
		var values []float64
		for _, r := range rounds {
			values = append(values, value(r))
		}
		slices.Sort(values)
		cell := func(v float64) string { return fmt.Sprintf(format, v) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, cell(values[len(values)/2]), cell(values[0]), cell(values[len(values)-1]))
	}
	row("bare handler, answers/s", "%.0f", func(r round) float64 { return r.bare.rate() })
	row("Hookgate, accepted/s", "%.0f", func(r round) float64 { return r.gate.rate() })
	row("ratio", "%.2f", round.ratio)
	row("Hookgate, p50 ms", "%.1f", func(r round) float64 { return ms(r.gate.percentile(.5)) })
	row("Hookgate, p99 ms", "%.1f", func(r round) float64 { return ms(r.gate.percentile(.99)) })
	row("stream complete after the last answer, ms", "%.0f", func(r round) float64 { return ms(r.drain) })
	each := func(cpu time.Duration) float64 { return cpu.Seconds() * 1e6 / float64(o.events) }
	row("bare handler, processor us an event", "%.0f", func(r round) float64 { return each(r.bareCPU) })
	row("Hookgate, processor us an event", "%.0f", func(r round) float64 { return each(r.gateCPU) })
	row("Redis, processor us an event", "%.0f", func(r round) float64 { return each(r.queueCPU) })
	fmt.Fprintf(&b, "\nLost 0, doubled 0: the stream held exactly the %d accepted events of each run.\n", o.events)
	fmt.Fprintf(&b, "\n%d rounds of %d events of %d bytes over %d connections, %s, %s on %s, %d cores (%s), %s.\n",
		len(rounds), o.events, o.size, o.connections, time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOARCH, runtime.NumCPU(), cpu(), "the generator on the same cores")
	return os.WriteFile(o.report, []byte(b.String()), 0o644)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cpu() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOOS
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS
}
