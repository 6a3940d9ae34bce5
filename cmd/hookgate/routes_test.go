package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARenamedSourceKeepsItsBacklog: what was accepted under the old name is forwarded, although no source of that name is
// configured any more.
func TestARenamedSourceKeepsItsBacklog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "later", "events") // the folder is made later: until then the destination is in trouble
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), "  - {name: first, type: http, url: \"http://127.0.0.1:"+freePort(t)+"\"}\n  - {name: second, type: stdout}\n"),
		"    provider: salesiq\n", "    provider: salesiq\n    destinations: [second]\n", 1)
	config = strings.Replace(config, "    provider: sprinklr\n", "    provider: sprinklr\n    destinations: [first]\n", 1)
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	if a := newSender(t, r.Hooks).deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	r.stop()
	if strings.Contains(r.stdout.String(), "sprinklr") {
		t.Error("the source's event went to a destination that it does not name")
	}
	if err := os.Mkdir(filepath.Dir(out), 0o700); err != nil {
		t.Fatal(err)
	}
	i := strings.Index(config, "  - {name: first")
	config = strings.Replace(config[:i], "name: care", "name: help", 1) + "  - {name: first, type: file, path: " + out + "}\n  - {name: second, type: stdout}\n"
	serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	eventually(t, "the event of the old name", func() (bool, string) { n := len(lines(t, out)); return n == 1, fmt.Sprint(n) })
}

// TestReloadThatFailsHalfWay: a destination that cannot be opened leaves all of before going, also those that were stopped
// for their new settings.
func TestReloadThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	config := scenario(file("j.db"), "  - {name: a, type: file, path: "+file("a")+"}\n  - {name: b, type: file, path: "+file("b")+"}\n")
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	r.write(t, strings.NewReplacer("path: "+file("a"), "path: "+file("missing/a"), "path: "+file("b"), "path: "+file("c")).Replace(config))
	r.hangup <- nil
	r.said(t, "the old one goes on")
	if a := s.deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	eventually(t, "both files of before get the event", func() (bool, string) {
		return len(lines(t, file("a"))) == 1 && len(lines(t, file("b"))) == 1, r.stderr.String()
	})
	// A destination that is taken out with something undelivered is named in the log.
	away := strings.Replace(config, "  - {name: b, type: file, path: "+file("b")+"}", "  - {name: b, type: http, url: \"http://127.0.0.1:"+freePort(t)+"\"}", 1)
	r.takeOver(t, away)
	if a := s.deliver(t.Context(), caseBody(2, 1)); a.outcome != "accepted" {
		t.Fatal(a)
	}
	r.said(t, "backing off")
	r.takeOver(t, strings.Replace(away, "name: b,", "name: renamed,", 1))
	r.said(t, "not configured any more, and behind")
}
