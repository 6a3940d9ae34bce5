package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// commandResult is what a command wrote and how it ended.
type commandResult struct {
	code           int
	stdout, stderr string
}

// runCommand runs a command line that ends by itself.
func runCommand(t *testing.T, args ...string) commandResult {
	t.Helper()
	var stdout, stderr bytes.Buffer
	m := &Main{Args: args, Stdout: &stdout, Stderr: &stderr, Env: scenarioEnv, Now: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code := m.Run(ctx)
	if ctx.Err() != nil {
		t.Fatalf("%v runs on and on:\n%s", args, stderr.String())
	}
	return commandResult{code, stdout.String(), stderr.String()}
}

// TestGoldenHelp keeps what --help says, of the program and of every command, in testdata/help.
func TestGoldenHelp(t *testing.T) {
	t.Setenv("COLUMNS", "80") // the width that kong wraps at
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{"hookgate": {"--help"}}
	var add func(of *kong.Node, path ...string)
	add = func(of *kong.Node, path ...string) {
		for _, c := range of.Children {
			at := append(slices.Clone(path), c.Name)
			files[strings.Join(at, "-")] = append(at, "--help")
			add(c, at...)
		}
	}
	add(parser.Model.Node)
	dir := filepath.Join("testdata", "help")
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range files {
		got := runCommand(t, args...)
		if got.code != exitDone || got.stderr != "" {
			t.Errorf("%v: code %d, standard error %q", args, got.code, got.stderr)
		}
		file := filepath.Join(dir, name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got.stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.stdout != string(want) {
			t.Errorf("%v does not say what %s does; look, then run: go test ./cmd/hookgate -run Golden -update\n%s", args, file, got.stdout)
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(kept) != len(files) {
		t.Errorf("testdata/help holds %v, %v; want a file for each of %d", kept, err, len(files))
	}
}

// TestUsage: a command line that is not understood ends with 2, is explained on standard error, and does nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"nothing":               {nil, []string{`"dev"`, `"serve"`, `"check"`, `"emulate"`}},
		"command with a slip":   {[]string{"serv"}, []string{"serv", `"serve"`}},
		"unknown command":       {[]string{"obliterate"}, []string{"unexpected argument obliterate"}},
		"flag with a slip":      {[]string{"serve", "--confg", "x"}, []string{"--confg", `did you mean "--config"?`}},
		"flag without value":    {[]string{"serve", "--config"}, []string{"--config"}},
		"missing flag":          {[]string{"check"}, []string{"missing flags: --config=FILE"}},
		"flag of another":       {[]string{"version", "--config", "x"}, []string{"unknown flag --config"}},
		"argument too much":     {[]string{"version", "now"}, []string{"unexpected argument now"}},
		"flag before a command": {[]string{"--verbose", "serve"}, []string{"unknown flag --verbose"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, c.args...)
			if got.code != exitUsage || got.stdout != "" {
				t.Errorf("code %d, standard output %q; want %d and nothing", got.code, got.stdout, exitUsage)
			}
			for _, what := range append(c.says, "see hookgate --help") {
				if !strings.Contains(got.stderr, what) {
					t.Errorf("standard error is %q, want %q in it", got.stderr, what)
				}
			}
			if strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("standard error is not one line: %q", got.stderr)
			}
		})
	}
}

// configFile writes a file and gives its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hookgate.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := scenario("hookgate.db", "  - {name: events, type: stdout}\n") // warned of the scheme none
	wrong := strings.NewReplacer("provider: sprinklr", "provider: sprinkler", "type: stdout", "type: stdin").Replace(good)
	for name, c := range map[string]struct {
		file     string
		code     int
		problems []string // patterns, in the order of the file
		warnings int
	}{
		"good":          {configFile(t, good), exitDone, nil, 1},
		"two problems":  {configFile(t, wrong), exitFailed, []string{`:7:15: .*sprinkler.*did you mean "sprinklr"`, `:13:26: .*stdin`}, 1},
		"no YAML":       {configFile(t, "sources: ["), exitFailed, []string{`hookgate.yaml:1:`}, 0},
		"no file":       {filepath.Join(t.TempDir(), "gone.yaml"), exitFailed, []string{`gone.yaml: no such file`}, 0},
		"unset secret":  {configFile(t, strings.Replace(good, "SCENARIO_SECRET", "NOT_THERE", 1)), exitFailed, []string{`:8:.*NOT_THERE`}, 1},
		"nothing at it": {t.TempDir(), exitFailed, []string{`is a directory`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, "check", "--config", c.file)
			if got.code != c.code {
				t.Errorf("code %d, want %d", got.code, c.code)
			}
			var problems, warnings []string
			for line := range strings.Lines(got.stderr) {
				if strings.HasPrefix(line, "warning: ") {
					warnings = append(warnings, line)
				} else {
					problems = append(problems, line)
				}
			}
			matchProblems(t, problems, c.problems)
			if len(warnings) != c.warnings {
				t.Errorf("warnings: %q, want %d", warnings, c.warnings)
			}
			if want := c.file + " is good: sources 2, destinations 1\n"; c.code == exitDone && got.stdout != want {
				t.Errorf("standard output is %q, want %q", got.stdout, want)
			} else if c.code != exitDone && got.stdout != "" {
				t.Errorf("standard output is %q, want nothing", got.stdout)
			}

			asJSON := runCommand(t, "check", "--json", "-c", c.file)
			if asJSON.code != c.code || asJSON.stderr != "" {
				t.Errorf("--json: code %d, standard error %q", asJSON.code, asJSON.stderr)
			}
			var object struct {
				OK                 *bool
				Problems, Warnings []string
			}
			decoder := json.NewDecoder(strings.NewReader(asJSON.stdout))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&object); err != nil || object.OK == nil || object.Problems == nil || object.Warnings == nil {
				t.Fatalf("--json: %v: %s", err, asJSON.stdout)
			}
			matchProblems(t, object.Problems, c.problems)
			if *object.OK != (c.code == exitDone) || len(object.Warnings) != c.warnings {
				t.Errorf("--json: %s", asJSON.stdout)
			}
			if strings.Contains(got.stderr+got.stdout+asJSON.stdout, scenarioSecret) {
				t.Error("the secret is shown")
			}
		})
	}
}

func matchProblems(t *testing.T, got, patterns []string) {
	t.Helper()
	if len(got) != len(patterns) {
		t.Errorf("problems: %q, want %d", got, len(patterns))
		return
	}
	for i, p := range patterns {
		if !regexp.MustCompile(p).MatchString(got[i]) {
			t.Errorf("problem %q does not match %q", got[i], p)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := runCommand(t, "version")
	if got.code != exitDone || got.stderr != "" || !regexp.MustCompile(`^hookgate \S+ .*go1\.\d+\S*\n$`).MatchString(got.stdout) {
		t.Errorf("%+v", got)
	}
	got = runCommand(t, "version", "--json")
	var object map[string]string
	if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || got.code != exitDone || got.stderr != "" {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(object) != 3 || object["version"] == "" || !strings.HasPrefix(object["go"], "go1.") {
		t.Errorf("%s", got.stdout)
	}
	if _, ok := object["revision"]; !ok {
		t.Errorf("no revision: %s", got.stdout)
	}
}

// TestServeRefusesToStart: what keeps serve from starting is said in one line with the way out, and nothing stays behind.
func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	db := func(name string) string { return filepath.Join(dir, name+".db") }
	good := func(name string) string { return scenario(db(name), "  - {name: events, type: stdout}\n") }
	other := serve(t, good("busy"), func(m *Main) { m.Env = scenarioEnv })
	for name, c := range map[string]struct {
		file string
		says []string
	}{
		"port taken":       {configFile(t, strings.Replace(good("a"), "listen: 127.0.0.1:0", "listen: "+taken.Addr().String(), 1)), []string{"listen: ", taken.Addr().String(), "choose another address or stop what listens there"}},
		"admin port taken": {configFile(t, strings.Replace(good("b"), `"127.0.0.1:0"`, `"`+taken.Addr().String()+`"`, 1)), []string{"admin.listen: ", taken.Addr().String(), "choose another address or stop what listens there"}},
		"no file":          {filepath.Join(dir, "gone.yaml"), []string{"gone.yaml", "no such file"}},
		"bad file":         {configFile(t, strings.Replace(good("c"), "provider: sprinklr", "provider: sprinkler", 1)), []string{`hookgate.yaml:7:15: `, `did you mean "sprinklr"?`}},
		"no journal":       {configFile(t, good(filepath.Join("deep", "d"))), []string{"make the folder first"}},
		"journal in use":   {configFile(t, good("busy")), []string{"is in use", "stop the other process"}},
		"no destination":   {configFile(t, scenario(db("e"), "  - {name: events, type: file, path: "+filepath.Join(dir, "deep", "f")+"}\n")), []string{"destination events: ", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := runCommand(t, "serve", "--config", c.file)
			if got.code != exitFailed || got.stdout != "" {
				t.Errorf("code %d, standard output %q", got.code, got.stdout)
			}
			last := got.stderr[strings.LastIndex(strings.TrimSuffix(got.stderr, "\n"), "\n")+1:]
			if !strings.HasPrefix(last, "hookgate: ") {
				t.Errorf("the last line is %q", last)
			}
			for _, what := range c.says {
				if !strings.Contains(last, what) {
					t.Errorf("the last line is %q, want %q in it", last, what)
				}
			}
		})
	}
	if a := newSender(t, other.Hooks).deliver(t.Context(), caseBody(1, 1)); a.outcome != "accepted" {
		t.Errorf("the one that runs answers %v", a)
	}
}
