package verifiers_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

var update = flag.Bool("update", false, "rewrite testdata/coverage.txt from what is measured")

// parts are the columns of coverage.txt: a part of the request and a change to it.
func parts() []struct {
	name  string
	alter func(req *hookgate.Request, now *time.Time)
} {
	type part = struct {
		name  string
		alter func(req *hookgate.Request, now *time.Time)
	}
	list := []part{
		{"body", func(r *hookgate.Request, _ *time.Time) { r.Body = append(r.Body, ' ') }},
		{"path", func(r *hookgate.Request, _ *time.Time) {
			r.Target = strings.Replace(r.Target, "/hooks/test", "/hooks/tesu", 1)
		}},
		{"query", func(r *hookgate.Request, _ *time.Time) { r.Target += "1" }},
		{"host", func(r *hookgate.Request, _ *time.Time) {
			for _, h := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-Url", "Forwarded"} {
				r.Header[h] = []string{"evil.example.net"}
			}
		}},
		{"method", func(r *hookgate.Request, _ *time.Time) { r.Method = http.MethodPut }},
		{"content-type", func(r *hookgate.Request, _ *time.Time) { r.Header["Content-Type"] = []string{"text/plain"} }},
	}
	for _, h := range []string{"Authorization", "X-Hub-Signature", "X-Siqsignature", "Messagebird-Signature", "Messagebird-Request-Timestamp", "Messagebird-Request-Id",
		standardSignature, standardID, standardTime, sumHeader, sumID, sumTime} {
		list = append(list, part{h, func(r *hookgate.Request, _ *time.Time) {
			if had := r.Header[h]; len(had) == 1 {
				r.Header[h] = []string{flipped(had[0])}
			} else {
				r.Header[h] = []string{"altered"}
			}
		}})
	}
	list = append(list, part{"certificate", func(r *hookgate.Request, _ *time.Time) { r.Certificates = nil }})
	return append(list, part{"time", func(_ *hookgate.Request, now *time.Time) { *now = now.AddDate(1, 0, 0) }})
}

// What a scheme covers is measured, not declared: identity may rest on nothing else.
func TestCoverage(t *testing.T) {
	t.Parallel()
	columns := parts()
	var out strings.Builder
	fmt.Fprintf(&out, "%-17s", "scheme")
	for _, c := range columns {
		fmt.Fprintf(&out, " %s", c.name)
	}
	out.WriteByte('\n')
	all := fixtures(t)
	for _, name := range verifiers.Names() {
		f := all[name]
		s, v := signer(t, f.one, f.privateOne), verifier(t, f.one)
		fmt.Fprintf(&out, "%-17s", name)
		for _, c := range columns {
			req, now := copyOf(signedBy(t, s)), receipt
			accepted(t, v, copyOf(req), now)
			c.alter(req, &now)
			cell := "-"
			if _, err := v.Verify(req, now); err != nil {
				cell = "covered"
			}
			fmt.Fprintf(&out, " %-*s", len(c.name), cell)
		}
		out.WriteByte('\n')
	}
	got := trimLines(out.String())
	path := filepath.Join("testdata", "coverage.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("coverage has changed; review it and run go test -run TestCoverage -update\ngot:\n%s\nwant:\n%s", got, want)
	}
}

// golden reads coverage.txt: for each scheme the parts that are covered.
func golden(t testing.TB) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "coverage.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	columns := strings.Fields(lines[0])
	table := make(map[string]map[string]bool)
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		row := make(map[string]bool)
		for i, cell := range cells[1:] {
			row[columns[i+1]] = cell == "covered"
		}
		table[cells[0]] = row
	}
	return table
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
