package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// secretFile writes a secret and gives its reference.
func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

// listening is a made-up admin API.
func listening(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// TestClient_WhereAndToken: the address and the token come from the flags or from the configuration, and what is wrong is
// said with the way out, without the token.
func TestClient_WhereAndToken(t *testing.T) {
	t.Parallel()
	const right = "canary-admin-token-0123456789"
	fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer " + right:
			_, _ = w.Write([]byte(`{"events":[],"next":"","more":false}`))
		case "Bearer wrong-0123456789":
			w.WriteHeader(http.StatusUnauthorized)
		case "":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":"set admin.token: without one nobody sees events here"}`))
		case "Bearer elsewhere-0123456789":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		default:
			_, _ = w.Write([]byte("<html>" + right))
		}
	})
	asks := listening(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	file := func(listen, token string) string {
		return configFile(t, strings.Replace(scenario("hookgate.db", "  - {name: events, type: stdout}\n"),
			`admin: {listen: "127.0.0.1:0"}`, fmt.Sprintf(`admin: {listen: %q, token: %q}`, listen, token), 1))
	}
	token := secretFile(t, right)
	_, port, _ := net.SplitHostPort(fake.Listener.Addr().String())
	closed := "http://127.0.0.1:" + freePort(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"flags":                     {[]string{"--admin", fake.URL, "--token", token}, exitDone, "no event fits"},
		"with a slash":              {[]string{"--admin", fake.URL + "/", "--token", token}, exitDone, "no event fits"},
		"configuration":             {[]string{"--config", file("127.0.0.1:"+port, token)}, exitDone, "no event fits"},
		"every address":             {[]string{"--config", file(":"+port, token)}, exitDone, "no event fits"},
		"every address, in figures": {[]string{"--config", file("0.0.0.0:"+port, token)}, exitDone, "no event fits"},

		"no token needed, but one wanted": {[]string{"--admin", fake.URL}, exitFailed, "set admin.token"},
		"token asked for":                 {[]string{"--admin", asks.URL}, exitFailed, "asks for its token; give --token, or --config"},
		"wrong token":                     {[]string{"--admin", fake.URL, "--token", secretFile(t, "wrong-0123456789")}, exitFailed, "does not take this token"},
		"not the admin listener":          {[]string{"--admin", fake.URL, "--token", secretFile(t, "another-0123456789")}, exitFailed, "is it the admin listener"},
		"redirected":                      {[]string{"--admin", fake.URL, "--token", secretFile(t, "elsewhere-0123456789")}, exitFailed, "answers 302"},
		"nobody there":                    {[]string{"--admin", closed, "--token", token}, exitFailed, "cannot be reached: dial tcp"},
		"nobody there, the way out":       {[]string{"--admin", closed, "--token", token}, exitFailed, "see that hookgate serve runs and that this is its admin.listen, or give --admin"},
		"literal token":                   {[]string{"--admin", fake.URL, "--token", right}, exitUsage, "--token"},
		"both":                            {[]string{"--admin", fake.URL, "--config", file(":"+port, token)}, exitUsage, "leave out --admin and --token"},
		"no URL":                          {[]string{"--admin", "127.0.0.1:8081"}, exitUsage, "--admin is a URL such as http://127.0.0.1:8081"},
		"a user in the URL":               {[]string{"--admin", "http://op:" + right + "@127.0.0.1:8081"}, exitUsage, "without user and query"},
		"port 0":                          {[]string{"--config", file("127.0.0.1:0", token)}, exitUsage, "give --admin instead of --config"},
		"bad configuration":               {[]string{"--config", configFile(t, "sources: [")}, exitFailed, "or give --admin and --token"},
		"limit of 0":                      {[]string{"--admin", fake.URL, "--token", token, "--limit", "0"}, exitUsage, "--limit is 1 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, append([]string{"events", "list"}, c.args...)...)
			if got.code != c.code || got.stdout != "" || !strings.Contains(got.stderr, c.says) {
				t.Errorf("code %d, want %d; %q, want %q in it; standard output %q", got.code, c.code, got.stderr, c.says, got.stdout)
			}
			if strings.Contains(got.stderr, right) {
				t.Errorf("the token is shown: %q", got.stderr)
			}
		})
	}
}

// TestClient_HostileText: what customers and targets wrote does not steer the terminal.
func TestClient_HostileText(t *testing.T) {
	t.Parallel()
	fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
		const bad = `\u001b[2J\u009b31m\tx\r\ny`
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/events/"):
			fmt.Fprintf(w, `{"event":{"id":"%[1]s","data":{"a":"%[1]s"}},"destinations":[{"destination":"%[1]s","state":"dead","error":"%[1]s"}],"request":{"method":"%[1]s","target":"%[1]s","header":{"%[1]s":["%[1]s"]}}}`, bad)
		case r.URL.Path == "/v1/events":
			fmt.Fprintf(w, `{"events":[{"id":"%[1]s","type":"%[1]s","subject":"%[1]s","source":"%[1]s"}]}`, bad)
		case strings.HasPrefix(r.URL.Path, "/v1/dead-letters/"):
			fmt.Fprintf(w, `{"dead_letters":[{"seq":1,"error":"%[1]s","event":{"id":"%[1]s"}}]}`, bad)
		case r.URL.Path == "/v1/quarantine":
			fmt.Fprintf(w, `{"quarantined":[{"seq":1,"source":"%[1]s","reason":"%[1]s","part_base64":"G1sySg=="}]}`, bad)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"error":"%s"}`, bad)
		}
	})
	for _, args := range [][]string{
		{"events", "list"}, {"events", "show", "x"}, {"dead-letters", "list", "events"}, {"quarantine", "list"}, {"quarantine", "show", "1"},
		{"events", "replay", "--all", "-d", "events"},
	} {
		got := runCommand(t, append(args, "--admin", fake.URL)...)
		for _, r := range got.stdout + got.stderr {
			if r != '\n' && (r < 0x20 || (r >= 0x7f && r < 0xa0)) {
				t.Errorf("%v writes %q", args, got.stdout+got.stderr)
				break
			}
		}
		if !strings.Contains(got.stdout+got.stderr, "[2J") {
			t.Errorf("%v shows nothing of it: %q", args, got.stdout+got.stderr)
		}
	}
}

// TestClient_GoesOn: a list is asked for until there are as many as wanted, or none any more.
func TestClient_GoesOn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.RawQuery)
		fmt.Fprintf(w, `{"events":[{"id":"e%d"}],"next":"n%d","more":%v}`, len(asked), len(asked), len(asked) < 3)
	})
	for limit, want := range map[string][]string{
		"2":   {"limit=2&source=a&source=b", "before=n1&limit=1&source=a&source=b"},
		"600": {"limit=500&source=a&source=b", "before=n1&limit=500&source=a&source=b", "before=n2&limit=500&source=a&source=b"},
	} {
		asked = nil
		got := runCommand(t, "events", "list", "--json", "--limit", limit, "--source", "a,b", "--admin", fake.URL)
		if got.code != exitDone || strings.Count(got.stdout, "\n") != len(want) || fmt.Sprint(asked) != fmt.Sprint(want) {
			t.Errorf("limit %s: %+v asked %q", limit, got, asked)
		}
	}
}

// TestClient_SmallPages: what may be as large as a body is asked for in pages that stay below what the client reads.
func TestClient_SmallPages(t *testing.T) {
	t.Parallel()
	var asked []string
	fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		list, seq := make([]string, 100), 0
		fmt.Sscanf(r.URL.Query().Get("after")+r.URL.Query().Get("before"), "%d", &seq)
		for i := range list {
			list[i] = fmt.Sprintf(`{"seq":%d}`, seq+i+1)
		}
		fmt.Fprintf(w, `{"dead_letters":[%[1]s],"quarantined":[%[1]s]}`, strings.Join(list, ","))
	})
	for place, args := range map[string][]string{"after": {"dead-letters", "list", "events"}, "before": {"quarantine", "list"}} {
		asked = nil
		got := runCommand(t, append(args, "--json", "--limit", "200", "--admin", fake.URL)...)
		want := []string{place + "=0&limit=100", place + "=100&limit=100"}
		if got.code != exitDone || strings.Count(got.stdout, "\n") != 200 || fmt.Sprint(asked) != fmt.Sprint(want) {
			t.Errorf("%v: code %d, %d lines, asked %q, want %q", args, got.code, strings.Count(got.stdout, "\n"), asked, want)
		}
	}
}

// TestClient_Follow: however a replay ends, the command says so, with an exit code of its own.
func TestClient_Follow(t *testing.T) {
	t.Parallel()
	const started = `{"id":"r1","destination":"events","state":"running"}`
	for name, c := range map[string]struct {
		first string
		then  []string // empty breaks the connection off
		code  int
		says  string
	}{
		"done":           {started, []string{started, `{"id":"r1","destination":"events","state":"done","scanned":9,"matched":4,"sent":4,"waiting":2,"unwanted":1}`}, exitDone, "left out   2, still to come to events anyway\nleft out   1, the match or when of events leaves them out\n"},
		"failed":         {started, []string{`{"id":"r1","destination":"events","state":"failed","sent":3,"error":"no node has it"}`}, exitFailed, "the replay failed: no node has it; when that is mended, begin it again"},
		"stopped":        {started, []string{`{"id":"r1","destination":"events","state":"stopped","sent":3}`}, exitFailed, "the replay was stopped; begin it again"},
		"out of sight":   {started, []string{"", "", `{"id":"r1","destination":"events","state":"done","sent":7}`}, exitDone, "sent on    7\n"},
		"restarted":      {started, []string{`{"error":"no replay of this id is known"}`}, exitFailed, "replay r1 is out of sight, and may go on: no replay of this id"},
		"one runs":       {`{"error":"a replay to this destination is under way"}`, nil, exitFailed, "is under way"},
		"dry":            {`{"id":"r1","destination":"events","dry_run":true,"state":"done","scanned":9,"matched":1,"first":[{"id":"e1"}]}`, nil, exitDone, "Nothing was sent. The first 1 of them:"},
		"long dry":       {`{"id":"r1","dry_run":true,"state":"running"}`, []string{`{"id":"r1","dry_run":true,"state":"done","matched":5}`}, exitDone, "fit        5\n"},
		"not understood": {`{"error":"rate is from 1 to 10000 events a second"}`, nil, exitFailed, "rate is from 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			then := c.then
			fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
				said := c.first
				if r.Method == http.MethodGet {
					said, then = then[0], then[1:]
				}
				if said == "" {
					conn, _, _ := http.NewResponseController(w).Hijack()
					_ = conn.Close()
					return
				}
				if strings.HasPrefix(said, `{"error"`) {
					w.WriteHeader(http.StatusConflict)
				}
				_, _ = w.Write([]byte(said))
			})
			got := runCommand(t, "events", "replay", "--from", "1h", "-d", "events", "--admin", fake.URL)
			if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.says) || len(then) > 0 {
				t.Errorf("%+v, want %d and %q", got, c.code, c.says)
			}
		})
	}
}

// TestClient_CtrlC: the gateway is asked to stop what it was asked to begin, also when that answer is not in yet.
func TestClient_CtrlC(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"while it begins", "while it runs"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			state, deleted := "running", false
			fake := listening(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodDelete:
					state, deleted = "stopped", true
				case (r.Method == http.MethodPost) == (when == "while it begins"):
					interrupt()
				}
				fmt.Fprintf(w, `{"id":"r1","destination":"events","state":%q,"sent":3}`, state)
			})
			var stdout, stderr bytes.Buffer
			m := &Main{Args: []string{"events", "replay", "--all", "--json", "-d", "events", "--admin", fake.URL}, Stdout: &stdout, Stderr: &stderr, Env: scenarioEnv, Now: time.Now}
			code := m.Run(ctx)
			if code != exitFailed || !deleted || !strings.Contains(stdout.String(), `"state":"stopped"`) || strings.Count(stdout.String(), "\n") != 1 || !strings.Contains(stderr.String(), "begin it again") {
				t.Errorf("code %d, deleted %v, %q, %q", code, deleted, &stdout, &stderr)
			}
		})
	}
}

func TestReplayCommands_Usage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no destination":      {[]string{"events", "replay", "--all"}, "--destination"},
		"no selection":        {[]string{"events", "replay", "-d", "events"}, "or --all of them"},
		"all and some":        {[]string{"events", "replay", "-d", "events", "--all", "--source", "care"}, "or --all of them"},
		"dead, no selection":  {[]string{"dead-letters", "replay", "events"}, "or --all of them"},
		"dead, numbers, all":  {[]string{"dead-letters", "replay", "events", "1", "--all"}, "numbers say which"},
		"dead, numbers, dry":  {[]string{"dead-letters", "replay", "events", "1", "--dry-run"}, "numbers say which"},
		"dead, numbers, some": {[]string{"dead-letters", "replay", "events", "1", "--from", "1h"}, "numbers say which"},
		"dead, no number":     {[]string{"dead-letters", "replay", "events", "one"}, "one"},
		"no subcommand":       {[]string{"events"}, `expected one of "list", "show", "replay"`},
		"show nothing":        {[]string{"events", "show"}, "<id>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, c.args...)
			if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, c.says) {
				t.Errorf("%+v", got)
			}
		})
	}
}
