package hookgate_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	scenarioRow  = regexp.MustCompile(`^\| R([0-9]+) \|`)
	scenarioTest = regexp.MustCompile(`\bTestR([0-9]{2})_\w+`)
)

// TestScenarios holds docs/scenarios.md and the tests against each other: each row names exactly the tests with its id.
func TestScenarios(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "grep", "-hoE", `^func TestR[0-9]{2}_\w+`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range scenarioProblems(string(page), string(out)) {
		t.Error(problem)
	}
}

// scenarioProblems compares the rows of a page with the tests of a listing.
func scenarioProblems(page, listing string) (problems []string) {
	there := make(map[string]map[string]bool) // tests by id
	for _, m := range scenarioTest.FindAllStringSubmatch(listing, -1) {
		if there[m[1]] == nil {
			there[m[1]] = make(map[string]bool)
		}
		there[m[1]][m[0]] = true
	}
	table, limits, _ := strings.Cut(page, "\n## ")
	rows := make(map[string]bool)
	for line := range strings.Lines(table) {
		m := scenarioRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		id := fmt.Sprintf("%02d", n)
		if rows[id] {
			problems = append(problems, fmt.Sprintf("R%d is here twice", n))
		}
		rows[id] = true
		named := scenarioTest.FindAllString(line, -1)
		slices.Sort(named)
		if want := slices.Sorted(maps.Keys(there[id])); len(named) == 0 || !slices.Equal(named, want) {
			problems = append(problems, fmt.Sprintf("R%d names %v; its tests are %v", n, named, want))
		}
	}
	for n := 1; n <= 22; n++ {
		if !rows[fmt.Sprintf("%02d", n)] {
			problems = append(problems, fmt.Sprintf("R%d has no row", n))
		}
	}
	for id := range there {
		if !rows[id] {
			problems = append(problems, fmt.Sprintf("tests are named after R%s, which is no row", id))
		}
	}
	for line := range strings.Lines(limits) {
		if m := scenarioRow.FindStringSubmatch(line); m != nil && len(strings.Split(line, "|")) != 5 {
			problems = append(problems, fmt.Sprintf("what R%s cannot be put through has no reason", m[1]))
		}
	}
	return problems
}

// TestScenariosCanFail gives it pages that are wrong.
func TestScenariosCanFail(t *testing.T) {
	t.Parallel()
	var page, listing strings.Builder
	for n := 1; n <= 22; n++ {
		fmt.Fprintf(&page, "| R%d | x | y | `TestR%02d_A`, `TestR%02d_B` | z |\n", n, n, n)
		fmt.Fprintf(&listing, "func TestR%02d_B\nfunc TestR%02d_A\n", n, n)
	}
	if problems := scenarioProblems(page.String(), listing.String()); problems != nil {
		t.Errorf("a good page: %v", problems)
	}
	for name, c := range map[string]struct{ page, listing string }{
		"a row without a test":      {strings.Replace(page.String(), "`TestR03_A`, `TestR03_B`", "", 1), listing.String()},
		"a test that is not there":  {page.String(), strings.Replace(listing.String(), "func TestR07_A\n", "", 1)},
		"a test that is not named":  {page.String(), listing.String() + "func TestR07_C\n"},
		"a test without a row":      {page.String(), listing.String() + "func TestR23_A\n"},
		"a row that is missing":     {strings.Replace(page.String(), "| R5 |", "| X5 |", 1), listing.String()},
		"a row twice":               {page.String() + "| R5 | x | y | `TestR05_A`, `TestR05_B` | z |\n", listing.String()},
		"a limit without its cause": {page.String() + "\n## Limits\n| R5 | x |\n", listing.String()},
	} {
		if problems := scenarioProblems(c.page, c.listing); len(problems) == 0 {
			t.Errorf("%s is not noticed", name)
		}
	}
}
