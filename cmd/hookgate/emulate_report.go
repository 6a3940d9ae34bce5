package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hookgate/hookgate/outbound"
)

// quietEvery is how many seconds lie between lines of progress where nobody asked for them.
const quietEvery = 5

// progress shows how far a run is. On a terminal it is one line that changes.
type progress struct {
	out      io.Writer
	terminal bool
	every    int
	told     int
}

func newProgress(out io.Writer, asked bool) *progress {
	p := &progress{out: out, every: quietEvery}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if asked || p.terminal {
		p.every = 1
	}
	return p
}

// tell is called once a second.
func (p *progress) tell(line string) {
	if p.told++; p.told%p.every != 0 {
		return
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.out, line)
	}
}

// sofar is the line of progress of a run.
func sofar(r *outbound.EmulationReport) string {
	line := fmt.Sprintf("%.0f s: sent %d, %s", r.Seconds, r.Sent, perSecond(r))
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		line += fmt.Sprintf(", %s: %d", status, r.Answers[status])
	}
	if n := total(r.Failures); n > 0 {
		line += fmt.Sprintf(", no answer: %d", n)
	}
	return line + fmt.Sprintf(", p50 %s, p99 %s", milliseconds(r.Latency.P50), milliseconds(r.Latency.P99))
}

// end clears the line, so that the table follows nothing.
func (p *progress) end() {
	if p.terminal && p.told > 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (c *emulateCommand) print(w io.Writer, r *outbound.EmulationReport) error {
	if c.Report == "json" {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("provider", "%s", r.Provider)
	row("to", "%s", r.URL)
	row("seed, start", "%d, %s", r.Seed, r.Start.Format(time.RFC3339Nano))
	if r.Interrupted {
		row("ended early", "yes")
	}
	row("events", "%d in %d deliveries", r.Events, r.Deliveries)
	row("sent", "%d in %.1f s, %s", r.Sent, r.Seconds, perSecond(r))
	row("succeeded", "%d of %d", r.Succeeded, r.Deliveries)
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		code, _ := strconv.Atoi(status)
		row("answered "+strings.TrimSpace(status+" "+http.StatusText(code)), "%d", r.Answers[status])
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Failures)) {
		row("no answer: "+strings.ReplaceAll(kind, "_", " "), "%d", r.Failures[kind])
	}
	for _, outcome := range slices.Sorted(maps.Keys(r.Outcomes)) {
		row("Hookgate-Outcome "+outcome, "%d", r.Outcomes[outcome])
	}
	l := r.Latency
	row("latency", "p50 %s, p90 %s, p99 %s, p99.9 %s, max %s", milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99), milliseconds(l.P999), milliseconds(l.Max))
	for _, f := range []struct {
		name string
		n    int
	}{
		{"duplicates", r.Duplicates}, {"retries", r.Retries}, {"reordered", r.Reordered}, {"bad signatures", r.BadSignatures},
		{"truncated", r.Truncated}, {"slow", r.Slow}, {"oversized", r.Oversized}, {"skewed", r.Skewed}, {"rotated", r.Rotated},
	} {
		row(f.name+" sent", "%d", f.n)
	}
	return t.Flush()
}

func perSecond(r *outbound.EmulationReport) string {
	if r.Seconds <= 0 {
		return "0/s"
	}
	return fmt.Sprintf("%.0f/s", float64(r.Sent)/r.Seconds)
}

func milliseconds(ms float64) string { return strconv.FormatFloat(ms, 'f', 1, 64) + " ms" }

func total(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
