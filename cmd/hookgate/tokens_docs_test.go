package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDocsOAuth does what docs/oauth.md says: makes the key, runs the configuration, asks for tokens by its commands and
// delivers with them, and compares the table of what to enter with the configuration.
func TestDocsOAuth(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the page's examples are run with curl; apt-get install curl")
	}
	text := page(t, "docs/oauth.md")
	dir := t.TempDir()
	shell := func(script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	secret := strings.TrimSpace(shell(fenced(text, "sh")[0]))
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(secret) {
		t.Fatalf("the page's commands print %d characters", len(secret))
	}
	config := "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\njournal: {url: \"sqlite://" + filepath.Join(dir, "j.db") + "\"}\n" +
		fenced(text, "yaml")[0] + "destinations: [{name: events, type: file, path: " + filepath.Join(dir, "events") + "}]\n"
	env := map[string]string{"SPRINKLR_CLIENT_SECRET": secret, "COMMBOX_CLIENT_SECRET": houseNext, "COMMBOX_LOGIN_USER": twinUser, "SPRINKLR_PSK": scenarioSecret}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	r := &running{file: filepath.Join(dir, "hookgate.yaml"), hangup: make(chan os.Signal, 1)}
	r.write(t, config)
	r.run(t, &Main{Args: []string{"serve", "--config", r.file}, Env: lookup, Now: time.Now, Hangup: r.hangup})
	if said := r.stderr.String(); strings.Contains(said, `"level":"warn"`) {
		t.Errorf("the page's configuration is warned of:\n%s", said)
	}
	block := regexp.MustCompile("(?s)\n```\n(SECRET=.*?)```\n").FindStringSubmatch(text)
	if block == nil {
		t.Fatal("docs/oauth.md has no commands")
	}
	answers := strings.Split(strings.TrimSpace(shell(strings.NewReplacer("SECRET=...", "SECRET="+secret, "https://hooks.example.com", "http://"+r.Hooks, "curl ", "curl -sS -w '\\n' --fail-with-body ").Replace(block[1]))), "\n")
	if len(answers) != 3 || !strings.Contains(answers[2], `"kty":"OKP"`) {
		t.Fatalf("the commands print %q", answers)
	}
	shape := regexp.MustCompile(`"access_token":"[^"]*"`)
	if said := shape.ReplaceAllString(answers[0], `"access_token":"…"`); !strings.Contains(text, "`"+said+"`") {
		t.Errorf("the page does not show %s", said)
	}
	h := &tokenHouse{t: t, running: r, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	for i, answer := range answers[:2] {
		body := caseBody(i, 1)
		if got := h.deliver("care", body, accessToken(answer), sign(body)); got != 200 {
			t.Errorf("the token of command %d opens care with %d", i+1, got)
		}
	}
	user, password, _ := strings.Cut(twinUser, ":")
	_, answer := h.ask(url.Values{"grant_type": {"password"}, "username": {user}, "password": {password}, "client_id": {"commbox"}, "client_secret": {houseNext}})
	if got := h.deliver("inbox", `{"Event":{"Subscription":"Object","Name":"OnNew","Brand":"b","Object":{"Id":"1"}}}`, accessToken(answer), ""); got != 200 {
		t.Errorf("the password grant opens inbox with %d: %s", got, answer)
	}

	want := map[string][2]string{
		"token URL, URL": {"https://hooks.example.com/oauth/token", "https://hooks.example.com/oauth/token"},
		"client id":      {"sprinklr", "commbox"}, "client secret": {"SPRINKLR_CLIENT_SECRET", "COMMBOX_CLIENT_SECRET"}, "scope": {"hooks", "hooks"},
		"grant": {"client credentials", "Password Credentials"}, "username, password": {"not asked", "COMMBOX_LOGIN_USER"},
	}
	for _, row := range tableAfter(t, text, "## What to enter at the provider") {
		if cells, ok := want[row[0]]; ok {
			for i, cell := range cells {
				if !strings.Contains(row[i+1], cell) {
					t.Errorf("%s: %q does not say %s", row[0], row[i+1], cell)
				}
			}
			delete(want, row[0])
		}
	}
	if len(want) > 0 {
		t.Errorf("the table lacks %v", want)
	}
	if !json.Valid([]byte(answers[2])) {
		t.Error("the key set is no JSON")
	}
}
