// Command soak reads what `go test -json` says from its input, shows it, and writes what the scenarios logged and what
// became of them as a page: every test with its subtests, on which machine, with which versions. It ends with 1 when a test
// failed or there was none. `make soak` runs it and keeps the page as docs/soak.md.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// report is what is known of one test and its subtests.
type report struct {
	name, verdict string
	seconds       float64
	lines         []string
}

// logged is a line of t.Log: file and number, then the text.
var logged = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*)$`)

func main() {
	page := flag.String("page", "docs/soak.md", "where the page goes")
	flag.Parse()
	reports, failed, err := read(os.Stdin, os.Stdout)
	if err == nil {
		err = os.WriteFile(*page, []byte(write(reports, time.Now())), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	if failed {
		os.Exit(1)
	}
}

// read collects the events by test, in the order in which the tests end, and copies their text to out.
func read(in io.Reader, out io.Writer) (reports []*report, failed bool, err error) {
	open := make(map[string]*report)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 64<<20) // a test may print a whole page
	for scanner.Scan() {
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) != nil {
			_, _ = fmt.Fprintln(out, scanner.Text()) // what is no event is said by the tool itself
			continue
		}
		_, _ = io.WriteString(out, e.Output)
		if e.Action == "fail" || e.Action == "build-fail" {
			failed = true
		}
		if e.Test == "" {
			continue
		}
		top, sub, _ := strings.Cut(e.Test, "/")
		key := e.Package + " " + top
		r := open[key]
		if r == nil {
			r = &report{name: top}
			open[key] = r
		}
		switch e.Action {
		case "output":
			if m := logged.FindStringSubmatch(strings.TrimSuffix(e.Output, "\n")); m != nil {
				r.lines = append(r.lines, strings.TrimPrefix(sub+": ", ": ")+m[1])
			}
		case "pass", "fail", "skip":
			if sub == "" {
				r.verdict, r.seconds = e.Action, e.Elapsed
				reports = append(reports, r)
				delete(open, key)
			}
		}
	}
	for _, r := range open { // the process ended under them
		r.verdict = "fail"
		reports, failed = append(reports, r), true
	}
	return reports, failed || len(reports) == 0, scanner.Err()
}

// write makes the page.
func write(reports []*report, now time.Time) string {
	slices.SortStableFunc(reports, func(a, b *report) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	fmt.Fprintf(&b, `# The scenarios at full length

Made by %s; do not edit. What each scenario is, and what must hold, is in [scenarios.md](scenarios.md).

%s, %s, %d cores (%s), %s; %s; commit %s.

| test | verdict | took |
|---|---|---|
`, "`make soak`", now.UTC().Format("2006-01-02 15:04 UTC"), said("uname", "-sr"), runtime.NumCPU(), processor(), runtime.Version(), said("redis-server", "--version"), said("git", "rev-parse", "--short", "HEAD"))
	for _, r := range reports {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.name, r.verdict, time.Duration(r.seconds*float64(time.Second)).Round(time.Second))
	}
	for _, r := range reports {
		if len(r.lines) > 0 {
			fmt.Fprintf(&b, "\n## %s\n```text\n%s\n```\n", r.name, strings.Join(r.lines, "\n"))
		}
	}
	return b.String()
}

// said is the first line that a program prints, without what distinguishes one build from another.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return name + " unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	line, _, _ = strings.Cut(line, " sha=")
	return line
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the system's name must do
	if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
		name, _, _ := strings.Cut(rest, "\n")
		return name
	}
	return runtime.GOARCH
}
