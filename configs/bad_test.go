package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/configs"
)

const bad = "testdata/bad"

// outcome is what a bad file leads to: its problems and warnings, without the file's name.
func outcome(t *testing.T, path string) (got []string, found map[configs.Rule]bool, output string) {
	t.Helper()
	c, warnings, err := configs.Load(path, environment(variables()), rules())
	var problems configs.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	if (c == nil) == (err == nil) {
		t.Errorf("a configuration %v and an error %v", c != nil, err)
	}
	found = make(map[configs.Rule]bool)
	for word, list := range map[string]configs.Problems{"want": problems, "warn": warnings} {
		for _, p := range list {
			found[p.Rule] = true
			rest, ok := strings.CutPrefix(p.Error(), path+":")
			if !ok {
				t.Errorf("%s does not begin with the name of the file", p)
			}
			got = append(got, word+": "+rest)
			output += fmt.Sprintf("%v\n%+v\n%#v\n", p, p, p)
		}
	}
	return got, found, output + fmt.Sprint(err, warnings)
}

// wanted are the comment lines at the end of a bad file.
func wanted(data []byte) (want []string) {
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "# wa"); ok {
			want = append(want, "wa"+rest)
		}
	}
	return want
}

// badFiles copies the bad files to a folder in which the files that they refer to have known permissions, whatever the
// checkout gave them.
func badFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bad)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "files", "large"), []byte(strings.Repeat(canary, 11_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"open": 0o644, "closed": 0o600, "blank": 0o600, "old.pem": 0o644, "expired.key": 0o600, "other.key": 0o600} {
		if err := os.Chmod(filepath.Join(dir, "files", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := badFiles(t)
	for _, rule := range configs.AllRules() {
		t.Run(rule.String(), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, rule.String()+".yaml")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("the rule %q has no bad file: %v", rule, err)
			}
			want := wanted(data)
			got, found, _ := outcome(t, path)
			if !found[rule] {
				t.Errorf("the rule is not what is reported")
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got:\n# %s\nwant:\n# %s", strings.Join(got, "\n# "), strings.Join(want, "\n# "))
			}
		})
	}
}

func TestBadFilesAreRules(t *testing.T) {
	t.Parallel()
	rules := make(map[string]bool)
	for i, r := range configs.AllRules() {
		if r.String() == "" || rules[r.String()] {
			t.Errorf("the rule number %d has no name of its own", i)
		}
		rules[r.String()] = true
	}
	files, err := filepath.Glob(bad + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !rules[strings.TrimSuffix(filepath.Base(f), ".yaml")] {
			t.Errorf("%s is no rule", f)
		}
	}
}

func TestL02_NoSecretInAnyProblem(t *testing.T) {
	t.Parallel()
	dir := badFiles(t)
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	literals, references := 0, 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), canary) {
			literals++
		}
		if strings.Contains(string(data), "env:SECRET") {
			references++
		}
		if _, _, output := outcome(t, f); strings.Contains(output, canary) {
			t.Errorf("%s: a secret is shown:\n%s", filepath.Base(f), output)
		}
	}
	if literals < 4 || references < 40 {
		t.Errorf("only %d bad files hold a secret and %d refer to one, so this proves little", literals, references)
	}
}

// Each of these puts a secret where it does not belong.
func TestL02_MisplacedSecrets(t *testing.T) {
	t.Parallel()
	const secret = canary + "-0123456789abcdef0123456789abcdef"
	for _, text := range []string{
		"sources: " + secret,
		"sources: [" + secret + "]",
		secret,
		secret + ":",
		"admin: {token: " + secret + "}",
		"admin: {token: \"" + secret + "\n",
		"admin: {token: [" + secret + "]}",
		"admin: {token: {" + secret + "}}",
		"admin: {token, " + canary + "}",
		"admin: {" + canary + "}",
		"admin: {token: *" + secret + "}",
		"admin: {token: &" + secret + " x}",
		"admin: {token: !" + secret + " x}",
		"admin: {token: |\n " + secret + "\n}",
		"admin:\n  token: >" + secret + "\n",
		"admin:\n  token: %" + secret + "\n",
		"admin:\n  token: @" + secret + "\n",
		"admin:\n  token: \"\\q" + secret + "\"\n",
		"admin:\n  token: file:" + secret + "\n",
		"admin:\n  token: env:" + canary + "-a b\n",
		"admin: {token: '${" + secret + "}'}",
		"journal: {url: " + secret + "}",
		"journal: {url: 'sqlite://x?" + secret + "'}",
		"journal: {url: 'redis://:" + secret + "@host'}",
		"journal: {url: '" + canary + "://:%zz@host'}",
		"public_url: https://user:" + secret + "@host",
		"listen: " + secret,
		"log: {level: " + secret + "}",
		"limits: {strangers: " + secret + ", in_flight: " + secret + "}",
		"journal: {retention: " + secret + ", max_size: " + secret + "}",
		"destinations: [{name: x, type: " + secret + ", allow_private: " + secret + "}]",
		"destinations: [{name: " + secret + "!, type: stdout}]",
		"%YAML " + secret + "\n---\na: b",
	} {
		_, _, err := parse(t, text)
		if err == nil {
			t.Errorf("no problem with %q", text)
			continue
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
			t.Errorf("%q is shown: %v", text, err)
		}
	}
}
