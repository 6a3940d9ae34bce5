package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// devCanary is what every variable of the environment holds: hookgate dev must use none of them.
const devCanary = "c4n4ry-of-the-environment"

// startDev runs hookgate dev in this process until the test or stop ends it.
func startDev(t *testing.T, now func() time.Time, args ...string) *running {
	t.Helper()
	r := new(running)
	r.run(t, &Main{
		Args: append([]string{"dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...), Now: now,
		Env: func(string) (string, bool) { return devCanary, true },
	})
	return r
}

// greeting is what dev has printed before the first event.
type greeting struct {
	file    string // of the configuration
	secrets map[string]string
	curls   []string
}

func readGreeting(t *testing.T, r *running) greeting {
	t.Helper()
	text := r.stdout.String()
	for _, address := range []string{r.Hooks, r.Admin} {
		if !strings.Contains(text, "http://"+address) {
			t.Errorf("the address %s is not shown", address)
		}
	}
	file := regexp.MustCompile(`configuration: (\S+)\n`).FindStringSubmatch(text)
	if file == nil {
		t.Fatalf("the file of the configuration is not shown:\n%s", text)
	}
	g := greeting{file: file[1], secrets: make(map[string]string)}
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z_]+)=(.+)$`).FindAllStringSubmatch(text, -1) {
		g.secrets[m[1]] = m[2]
	}
	g.curls = regexp.MustCompile(`(?m)^curl .*$`).FindAllString(text, -1)
	return g
}

// shellWords splits a command line as a shell does that knows single quotes and nothing else.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		for line != "" && line[0] != ' ' {
			end, quoted := strings.IndexAny(line, " '"), line[0] == '\''
			if quoted {
				line = line[1:]
				end = strings.IndexByte(line, '\'')
				if end < 0 {
					t.Fatalf("a quote has no end in %q", line)
				}
			}
			if end < 0 {
				end = len(line)
			}
			word += line[:end]
			if line = line[end:]; quoted {
				line = line[1:]
			}
		}
		all = append(all, word)
	}
	return all
}

// sendCurl does what the command says without a curl.
func sendCurl(t *testing.T, command string) *http.Response {
	t.Helper()
	var url, body string
	header := make(http.Header)
	for w := shellWords(t, command)[1:]; len(w) > 0; w = w[1:] {
		switch w[0] {
		case "-i":
		case "-H":
			name, value, ok := strings.Cut(w[1], ": ")
			if !ok {
				t.Fatalf("no header: %q", w[1])
			}
			header.Set(name, value)
			w = w[1:]
		case "--data-binary":
			body, w = w[1], w[1:]
		default:
			if url != "" || strings.HasPrefix(w[0], "-") {
				t.Fatalf("the test does not know %q in %s", w[0], command)
			}
			url = w[0]
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Close = header, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp
}

// runCurl hands the command to a shell and the curl of this machine; where there is none, it does what the command says.
func runCurl(t *testing.T, command string) *http.Response {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("no curl on this machine: the command is read instead")
		return sendCurl(t, command)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()} // no proxy and no .curlrc
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(out))), nil)
	if err != nil {
		t.Fatalf("%s: %v:\n%s", command, err, out)
	}
	defer resp.Body.Close()
	return resp
}

// shownEvents are the envelopes of the terminal, by id; they must be whole.
func shownEvents(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	all := make(map[string]map[string]any)
	for _, part := range strings.Split(text, "\n--- ")[1:] {
		head, rest, _ := strings.Cut(part, "\n")
		var envelope map[string]any
		if err := json.NewDecoder(strings.NewReader(rest)).Decode(&envelope); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			continue // its rest is still to come
		} else if err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		id, _ := envelope["id"].(string)
		if all[id] != nil {
			t.Errorf("%s is shown twice", id)
		}
		want, _ := envelope["type"].(string)
		by, _ := envelope["verifiedby"].(string)
		key, _ := envelope["keyid"].(string)
		if head != want+", verified by "+by+" with "+key {
			t.Errorf("the head %q does not fit the envelope %v", head, envelope)
		}
		all[id] = envelope
	}
	return all
}

// TestDev is what a newcomer does: start it, paste the printed commands, paste them again.
func TestDev(t *testing.T) {
	t.Parallel()
	r := startDev(t, time.Now)
	g := readGreeting(t, r)
	greeted := r.stdout.String()
	if len(g.curls) != 5 {
		t.Fatalf("%d commands are printed:\n%s", len(g.curls), greeted)
	}
	for name := range g.secrets {
		if !slices.Contains([]string{"SPRINKLR_PSK", "COMMBOX_TOKEN", "NETCORE_USER", "BIRD_SIGNING_KEY"}, name) {
			t.Errorf("the secret %s is shown", name)
		}
	}
	if len(g.secrets) != 4 {
		t.Errorf("%d secrets are shown", len(g.secrets))
	}
	config, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range g.secrets {
		if strings.Contains(string(config), secret) || !strings.Contains(string(config), "env:"+name) {
			t.Errorf("the configuration does not refer to %s:\n%s", name, config)
		}
	}

	ids := make(map[string]bool)
	for _, command := range g.curls {
		first := runCurl(t, command)
		if first.StatusCode != http.StatusOK || first.Header.Get("Hookgate-Outcome") != "accepted" {
			t.Errorf("first: %s %v\n%s", first.Status, first.Header, command)
		}
		ids[first.Header.Get("Hookgate-Event-Id")] = true
		second := sendCurl(t, command)
		if second.StatusCode != http.StatusOK || second.Header.Get("Hookgate-Outcome") != "duplicate" {
			t.Errorf("second: %s %v\n%s", second.Status, second.Header, command)
		}
	}
	var events map[string]map[string]any
	eventually(t, "five events are shown", func() (bool, string) {
		events = shownEvents(t, r.stdout.String())
		return len(events) >= 5, r.stdout.String()
	})
	providers := make(map[any]bool)
	for id, e := range events {
		providers[e["provider"]] = true
		if !ids[id] {
			t.Errorf("%s is shown and was not answered", id)
		}
	}
	if len(providers) != 5 || len(events) != 5 {
		t.Errorf("%d events of %d providers are shown, want 5 of 5", len(events), len(providers))
	}
	if status, body := r.ask(t, "/readyz", ""); status != http.StatusOK {
		t.Errorf("readiness: %d %s", status, body)
	}

	if code := r.stop(); code != exitDone {
		t.Errorf("ended with %d:\n%s", code, r.stderr)
	}
	if _, err := os.Stat(filepath.Dir(g.file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the run is still there: %v", err)
	}
	later := strings.TrimPrefix(r.stdout.String(), greeted) + r.stderr.String()
	for name, secret := range g.secrets {
		if _, password, ok := strings.Cut(secret, ":"); ok {
			secret = password
		}
		if strings.Contains(later, secret) {
			t.Errorf("%s is shown with an event or in the log:\n%s", name, later)
		}
	}
	for _, never := range []string{devCanary, "PRIVATE KEY"} {
		if strings.Contains(greeted+later, never) {
			t.Errorf("%q is shown", never)
		}
	}
}

// TestDevKeep: with --keep the configuration and the journal stay, and the next run takes them up with other secrets.
func TestDevKeep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	first := startDev(t, time.Now, "--keep", dir)
	g := readGreeting(t, first)
	if g.file != filepath.Join(dir, "hookgate.yaml") {
		t.Errorf("the configuration is %s", g.file)
	}
	if a := sendCurl(t, g.curls[0]); a.Header.Get("Hookgate-Outcome") != "accepted" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	eventually(t, "the event is shown", func() (bool, string) {
		return len(shownEvents(t, first.stdout.String())) == 1, first.stdout.String()
	})
	if code := first.stop(); code != exitDone {
		t.Fatalf("ended with %d:\n%s", code, first.stderr)
	}
	for _, name := range []string{"hookgate.yaml", "hookgate.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		} else if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
	}
	// A minute later, because the samples of one second are the same events.
	second := startDev(t, func() time.Time { return time.Now().Add(time.Minute) }, "--keep", dir)
	again := readGreeting(t, second)
	for name, secret := range again.secrets {
		if g.secrets[name] == secret {
			t.Errorf("%s is the same in both runs", name)
		}
	}
	if a := sendCurl(t, strings.Replace(g.curls[0], first.Hooks, second.Hooks, 1)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a command of the first run: %s %v", a.Status, a.Header)
	}
	if a := sendCurl(t, again.curls[0]); a.Header.Get("Hookgate-Outcome") != "accepted" {
		t.Errorf("a command of the second run: %s %v", a.Status, a.Header)
	}
	eventually(t, "the event of the second run is shown", func() (bool, string) {
		return len(shownEvents(t, second.stdout.String())) == 1, second.stdout.String()
	})
}

// TestDevOffersALoad runs the emulation that dev prints, with the secret that stands before it.
func TestDevOffersALoad(t *testing.T) {
	t.Parallel()
	r := startDev(t, time.Now)
	line := regexp.MustCompile(`(?m)^SPRINKLR_PSK=(\S+) .*? (emulate .*)$`).FindStringSubmatch(r.stdout.String())
	if line == nil {
		t.Fatalf("no emulation is offered:\n%s", r.stdout)
	}
	stdout := new(syncBuffer)
	m := &Main{Args: append(shellWords(t, line[2]), "--report", "json"), Stdout: stdout, Stderr: new(syncBuffer), Now: time.Now,
		Env: func(name string) (string, bool) { return line[1], name == "SPRINKLR_PSK" }}
	if code := m.Run(t.Context()); code != exitDone {
		t.Fatalf("ends with %d:\n%s", code, m.Stderr)
	}
	if got := stdout.String(); !strings.Contains(got, `"succeeded":100`) && !strings.Contains(got, `"succeeded": 100`) {
		t.Errorf("not all were accepted:\n%s", got)
	}
}
