package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// readKnown reads the comparisons that may be turned round unnoticed, and why. A line that begins with # is a remark.
func readKnown(name string) (map[string]string, error) {
	known := make(map[string]string)
	if name == "" {
		return known, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndex(line, " # ")
		if cut < 0 {
			return nil, fmt.Errorf("%s:%d: no reason; write FILE: FUNCTION: COMPARISON # why", name, number)
		}
		known[strings.TrimSpace(line[:cut])] = strings.TrimSpace(line[cut+3:])
	}
	return known, nil
}

// unmet are the known comparisons that are not in the files any more. What is listed of other files is none of this run.
func unmet(packages []*goPackage, known map[string]string) []string {
	tried, there := make(map[string]bool), make(map[string]bool)
	for _, p := range packages {
		for _, m := range p.mutants {
			tried[m.file], there[m.key()] = true, true
		}
	}
	var gone []string
	for key := range known {
		if file, _, _ := strings.Cut(key, ": "); tried[file] && !there[key] {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return gone
}

// report prints what no test noticed and what the list of known ones says wrongly; either is an error.
func report(packages []*goPackage, known map[string]string, out io.Writer) error {
	counts := make(map[ending]int)
	bad, stale := 0, 0
	for _, p := range packages {
		for _, m := range p.mutants {
			end := m.end
			switch {
			case end.unnoticed() && m.why != "":
				end = excused
			case end.unnoticed():
				bad++
				fmt.Fprintf(out, "%s: %s\n\t%s\n", end, m, m.key())
			}
			if m.why != "" && !m.end.unnoticed() {
				stale++
				fmt.Fprintf(out, "listed as known, but %s: %s\n", m.end, m.key())
			}
			counts[end]++
		}
	}
	for _, key := range unmet(packages, known) {
		stale++
		fmt.Fprintf(out, "listed as known, but not there: %s\n", key)
	}
	for _, end := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%5d %s\n", counts[end], end)
	}
	if bad > 0 {
		return fmt.Errorf("%d comparisons can be turned round unnoticed; write a test that notices, or list them with a reason", bad)
	}
	if stale > 0 {
		return fmt.Errorf("%d lines of the known comparisons are out of date; take them off", stale)
	}
	return nil
}

// page is the record of a run in which nothing went unnoticed. It holds neither dates nor times, so that the same code
// gives the same page.
func page(packages []*goPackage) []byte {
	var b bytes.Buffer
	b.WriteString(pageHead)
	var known []*mutant
	var tried, noticed int
	for _, p := range packages {
		for group := range slices.Values(byFile(p.mutants)) {
			seen := 0
			for _, m := range group {
				if m.end.unnoticed() {
					known = append(known, m)
				} else {
					seen++
				}
			}
			fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", group[0].file, len(group), seen, len(group)-seen)
			tried, noticed = tried+len(group), noticed+seen
		}
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n", tried, noticed, tried-noticed)
	if len(known) > 0 {
		b.WriteString("\n## Known\nTurned round, these change nothing that a test could see from outside.\n\n| where | comparison | why |\n|---|---|---|\n")
	}
	for _, m := range known {
		fmt.Fprintf(&b, "| %s, %s | <code>%s</code> | %s |\n", m.file, m.function, cell.Replace(m.text), cell.Replace(m.why))
	}
	return b.Bytes()
}

const pageHead = `# Comparisons turned round
Each ==, !=, <, <=, >, >=, &&, || and ! of these files was turned round by itself, and the tests of the package ran on
what came of it. Noticed means that a test failed, or did not come to an end. ` + "`make mutants`" + ` writes this page where nothing
went unnoticed but what is listed in [verifiers/testdata/mutants.txt](../verifiers/testdata/mutants.txt).

| file | turned round | noticed | known |
|---|---|---|---|
`

var cell = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;")

func byFile(all []*mutant) (groups [][]*mutant) {
	for _, m := range all {
		if n := len(groups); n == 0 || groups[n-1][0].file != m.file {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], m)
	}
	return groups
}
