package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/hookgate/hookgate/oracle"
	"github.com/hookgate/hookgate/outbound"
)

// proofReport is what a proof has found. The names of its JSON are kept, so that scripts can rest on them.
type proofReport struct {
	Kept        bool     `json:"kept"`        // something was acknowledged, nothing of that is lost or changed, and nothing is forged
	Interrupted bool     `json:"interrupted"` // it was ended early
	Gateway     string   `json:"gateway"`     // which one was sent to
	Journal     string   `json:"journal"`
	Notes       []string `json:"notes"`   // what was left out or replaced
	Seconds     float64  `json:"seconds"` // of sending

	Requests     int                   `json:"requests"`
	Again        int                   `json:"again"`        // requests after the first of a delivery
	Acknowledged int                   `json:"acknowledged"` // requests that were answered 2xx
	Unreadable   int                   `json:"unreadable"`   // events that the gateway keeps in quarantine
	Answers      map[string]int        `json:"answers"`      // by status; none is without one
	Latency      outbound.Latency      `json:"latency"`      // of answers, from when the request was due
	Kills        map[string]killReport `json:"kills"`        // by what was killed
	Destinations []destinationReport   `json:"destinations"`
}

// killReport is what kills of one kind of process came to.
type killReport struct {
	Times int     `json:"times"`
	Back  float64 `json:"back_p50_ms"` // from the kill until it served again
	Last  float64 `json:"back_max_ms"`
}

// destinationReport is the verdict on what one destination has.
type destinationReport struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Others are entries that this run has not sent, where others send to the gateway, too.
	Others int `json:"others"`
	oracle.Verdict
}

// report judges what was sent and read.
func (p *proof) report(k *killer, seconds float64, interrupted bool) *proofReport {
	l := p.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &proofReport{
		Kept: l.acknowledged > 0, Interrupted: interrupted, Gateway: p.base, Journal: p.journal(), Notes: append([]string{}, p.notes...), Seconds: seconds,
		Requests: l.requests, Again: l.again, Acknowledged: l.acknowledged, Unreadable: l.unreadable, Answers: l.answers,
		Latency: latencyOf(l.latencies), Kills: make(map[string]killReport),
	}
	for name := range k.victims {
		r.Kills[name] = killReport{k.count(name), float64(k.back[name].ValueAtQuantile(50)) / 1e3, float64(k.back[name].Max()) / 1e3}
	}
	for _, d := range p.destinations {
		found := destinationReport{Name: d.Name, Type: d.Type, Verdict: oracle.Judge(d.sent, d.delivered)}
		if p.Others {
			found.Others, found.Forged = found.Forged, 0
			delete(found.Examples, "forged")
		}
		r.Kept = r.Kept && found.Verdict.Kept()
		r.Destinations = append(r.Destinations, found)
	}
	return r
}

// journal says where events were kept while they were proved.
func (p *proof) journal() string {
	where := "a file"
	if p.config.Journal.OnRedis() {
		where = "Redis"
	}
	switch {
	case p.Running != "":
		return where + ", the real one"
	case p.Configured && p.config.Journal.OnRedis():
		return where + ", the configured one under keys of its own"
	case p.config.Journal.OnRedis():
		return where + ", its own, every write synced"
	}
	return where + " in " + p.dir + ", every commit synced"
}

func latencyOf(h *hdrhistogram.Histogram) outbound.Latency {
	ms := func(us int64) float64 { return float64(us) / 1e3 }
	if h.TotalCount() == 0 {
		return outbound.Latency{}
	}
	return outbound.Latency{
		Count: h.TotalCount(), Mean: h.Mean() / 1e3, P50: ms(h.ValueAtQuantile(50)), P90: ms(h.ValueAtQuantile(90)),
		P99: ms(h.ValueAtQuantile(99)), P999: ms(h.ValueAtQuantile(99.9)), Max: ms(h.Max()),
	}
}

func (r *proofReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("gateway", "%s", r.Gateway)
	row("journal", "%s", r.Journal)
	if r.Interrupted {
		row("ended early", "yes")
	}
	row("sent", "%d in %.1f s, %.0f/s; %d of them again", r.Requests, r.Seconds, float64(r.Requests)/max(r.Seconds, 0.001), r.Again)
	for _, name := range slices.Sorted(maps.Keys(r.Kills)) {
		k := r.Kills[name]
		row("killed "+name, "%d times, back after %s (p50), %s at most", k.Times, milliseconds(k.Back), milliseconds(k.Last))
	}
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		name := "no answer"
		if code, err := strconv.Atoi(status); err == nil {
			name = strings.TrimSpace("answered " + status + " " + http.StatusText(code))
		}
		row(name, "%d", r.Answers[status])
	}
	if r.Unreadable > 0 {
		row("unreadable", "%d, kept in quarantine", r.Unreadable)
	}
	l := r.Latency
	row("latency", "p50 %s, p90 %s, p99 %s, p99.9 %s, max %s", milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99), milliseconds(l.P999), milliseconds(l.Max))
	if err := t.Flush(); err != nil {
		return err
	}
	return r.verdict(w)
}

// verdict prints a line for each destination, what was found there, and the sentence that it comes to.
func (r *proofReport) verdict(w io.Writer) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "destination\tacknowledged\tdelivered\tlost\tdoubled\twrong\tforged\tout of order\tothers")
	for _, d := range r.Destinations {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d of %d\t%d\n", d.Name, d.Verdict.Acknowledged, d.Delivered, d.Lost, d.Doubled, d.Wrong, d.Forged, d.OutOfOrder, d.Compared, d.Others)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, d := range r.Destinations {
		for _, kind := range slices.Sorted(maps.Keys(d.Examples)) {
			if kind == "doubled" {
				continue // the usual thing after a kill
			}
			fmt.Fprintf(w, "%s at %s, such as %s\n", strings.ReplaceAll(kind, "_", " "), d.Name, strings.Join(d.Examples[kind], " "))
		}
	}
	said := "Kept: nothing that was acknowledged is lost or changed, and nothing is forged."
	switch {
	case r.Acknowledged == 0:
		said = "Nothing was acknowledged, and so nothing is proved."
	case !r.Kept:
		said = "BROKEN: see what is lost, wrong or forged above."
	}
	_, err := fmt.Fprintln(w, said)
	return err
}
