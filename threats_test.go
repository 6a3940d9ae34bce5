package hookgate_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	threatRow  = regexp.MustCompile(`^\| ([A-Z])([0-9]+) \| (.+) \|$`)
	threatTest = regexp.MustCompile(`func Test([STDBHLAOC])([0-9]{2})_`)
)

// TestThreats holds docs/threats.md and the tests against each other: a row that no test proves is a wish.
func TestThreats(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, untested := make(map[string]bool), make(map[string]bool)
	section := rows
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "## Not tested here") {
			section = untested
		}
		if m := threatRow.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			if section[m[1]+m[2]] {
				t.Errorf("%s is here twice", m[1]+m[2])
			}
			section[m[1]+m[2]] = true
		}
	}
	if len(rows) < 70 {
		t.Fatalf("only %d rows were read", len(rows))
	}
	out, err := exec.Command("git", "grep", "-hE", `^func Test[A-Z][0-9]{2}_`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]int)
	for _, m := range threatTest.FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.Atoi(m[2])
		tests[fmt.Sprint(m[1], n)]++
	}
	for row := range rows {
		if (tests[row] == 0) != untested[row] {
			t.Errorf("%s has %d tests; said to be untested: %t", row, tests[row], untested[row])
		}
	}
	for id := range untested {
		if !rows[id] {
			t.Errorf("%s is said to be untested and is no row", id)
		}
	}
	for id := range tests {
		if !rows[id] {
			t.Errorf("tests are named after %s, which is no row of docs/threats.md", id)
		}
	}
}
