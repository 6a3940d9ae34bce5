package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestPage reads a run with a pass, a failure in a subtest, one that never ended, and a line that is no event.
func TestPage(t *testing.T) {
	t.Parallel()
	input := `{"Action":"run","Package":"p","Test":"TestR13_Backlog"}
{"Action":"output","Package":"p","Test":"TestR13_Backlog/sqlite","Output":"    backlog_test.go:12: 5 of 5 | p99 3 ms\n"}
{"Action":"output","Package":"p","Test":"TestR13_Backlog/sqlite","Output":"    --- PASS: TestR13_Backlog/sqlite (1.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestR13_Backlog/sqlite","Elapsed":1}
{"Action":"pass","Package":"p","Test":"TestR13_Backlog","Elapsed":61.4}
not json
{"Action":"output","Package":"q","Test":"TestR01_Kill9","Output":"    crash_test.go:9: 7 lost\n"}
{"Action":"fail","Package":"q","Test":"TestR01_Kill9","Elapsed":2}
{"Action":"output","Package":"q","Test":"TestR20_Soak","Output":"    soak_test.go:1: 1h\n"}
`
	var shown strings.Builder
	reports, failed, err := read(strings.NewReader(input), &shown)
	if err != nil || !failed || !strings.Contains(shown.String(), "not json\n") {
		t.Errorf("failed %t, %v, shown %q", failed, err, shown.String())
	}
	page := write(reports, time.Unix(0, 0))
	for _, want := range []string{
		"| `TestR01_Kill9` | fail | 2s |\n| `TestR13_Backlog` | pass | 1m1s |\n| `TestR20_Soak` | fail | 0s |\n",
		"## TestR13_Backlog\n```text\nsqlite: 5 of 5 | p99 3 ms\n```", "## TestR01_Kill9\n```text\n7 lost\n```", "1970-01-01 00:00 UTC",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "---") && strings.Contains(page, "PASS") {
		t.Errorf("the page holds what the tool says, too:\n%s", page)
	}
	if _, failed, _ := read(strings.NewReader(`{"Action":"pass","Package":"p","Test":"TestR01_X"}`), io.Discard); failed {
		t.Error("a run that passed is a failure")
	}
}
