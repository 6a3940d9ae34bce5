package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDocsOutboundFacts compares the page's table of what differs between the providers with what the server says.
func TestDocsOutboundFacts(t *testing.T) {
	t.Parallel()
	tw := startTwin(t, "")
	var all struct {
		Providers []struct {
			Provider string
			Timeout  string
			Retries  []string
		}
	}
	tw.plain("GET", "/providers", nil, http.StatusOK, &all)
	text := page(t, "docs/outbound.md")
	attempts := map[string]string{ // how the page says it
		"sprinklr": "after 60 s, 300 s, 900 s", "salesiq": "three, 60 s apart", "commbox": "(3), 300 s apart", "netcore": "none", "bird": "36 in 8 h",
	}
	for _, p := range all.Providers {
		row := regexp.MustCompile("(?m)^\\| `" + p.Provider + "` \\| ([0-9]+ s) \\|.*$").FindStringSubmatch(text)
		if row == nil {
			t.Errorf("docs/outbound.md has no row for %s", p.Provider)
			continue
		}
		var total time.Duration
		var waits []string
		for _, wait := range p.Retries {
			d, err := time.ParseDuration(wait)
			if err != nil {
				t.Fatal(err)
			}
			total += d
			waits = append(waits, fmt.Sprintf("%d s", int(d.Seconds())))
		}
		said := map[string]string{
			"sprinklr": "after " + strings.Join(waits, ", "), "salesiq": map[int]string{3: "three"}[len(waits)] + ", " + strings.Join(waits[:min(1, len(waits))], "") + " apart",
			"commbox": fmt.Sprintf("(%d), %s apart", len(waits), strings.Join(waits[:min(1, len(waits))], "")), "netcore": map[bool]string{true: "none"}[len(waits) == 0],
			"bird": fmt.Sprintf("%d in %.0f h", len(waits), total.Hours()),
		}[p.Provider]
		if strings.Replace(row[1], " ", "", 1) != p.Timeout || said != attempts[p.Provider] || !strings.Contains(row[0], said) {
			t.Errorf("the row of %s is\n%s\nbut the time-out is %s and the waits are %s (%s)", p.Provider, row[0], p.Timeout, strings.Join(waits, ", "), said)
		}
	}
}

// TestDocsOutboundExample runs the commands of the page, with a receiver of this test's in place of the page's.
func TestDocsOutboundExample(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the page's examples are run with curl; apt-get install curl")
	}
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user == "hookuser" && password == "hookpass-0123456789" {
			got.Add(1)
		}
	}))
	t.Cleanup(receiver.Close)
	tw := startTwin(t, "")
	blocks := regexp.MustCompile("(?s)\n```\n(TOKEN=.*?)```\n").FindStringSubmatch(page(t, "docs/outbound.md"))
	if blocks == nil {
		t.Fatal("docs/outbound.md has no example")
	}
	script := strings.NewReplacer("TOKEN=...", "TOKEN="+twinToken, "http://127.0.0.1:8082", "http://"+tw.Outbound,
		"https://hooks.example.com/hooks/contact-centre", receiver.URL, `"entity":`, `"allow_http": true, "entity":`, "curl ", "curl -sS --fail-with-body ").Replace(blocks[1])
	out, err := exec.CommandContext(t.Context(), "bash", "-e", "-c", script).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"active":true`) || !strings.Contains(string(out), `{"deliveries":["`) || !strings.Contains(string(out), `{"deliveries":[]}`) {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the delivery arrives", func() (bool, string) { return got.Load() == 1, fmt.Sprint(got.Load()) })
}
