package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/configs"
)

// FuzzLoad wants an answer to any file: a configuration that the rules of this package allow, or problems with positions
// inside the file. Never a panic, and never a secret in what it says.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"examples/*.yaml", bad + "/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, s := range []string{
		"", "\x00", "\ufeff", "---\n---\n", "%YAML 1.2\n---\na: b", "? a\n: b", "- - - -", "[[[[", "{{{{", "a: !!binary x", "<<: *a",
		"sources:\n-", "sources: [{}]", "sources: [{auth: [{}]}]", "{sources: [env:a]}", "a:\r\n b", "listen: \"\\", "x: |2\n  a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "file:/") || strings.Contains(string(data), "file:..") {
			return // it would read this machine's files
		}
		c, warnings, err := configs.Parse("examples/fuzz.yaml", data, environment(variables()), rules())
		if (c == nil) == (err == nil) {
			t.Fatalf("a configuration %v and the error %v", c != nil, err)
		}
		var problems configs.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("an error without a position: %v", err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, p := range append(problems, warnings...) {
			if p.Line < 1 || p.Column < 1 || p.Line > lines {
				t.Errorf("%v lies outside of a file of %d lines", p, lines)
			}
			if strings.Contains(p.Error(), canary) && !strings.Contains(string(data), canary) {
				t.Errorf("a secret is shown: %v", p)
			}
			if strings.ContainsAny(p.Error(), "\n\x1b") {
				t.Errorf("a problem breaks the line: %q", p)
			}
		}
		if c != nil && (len(c.Sources) == 0 || len(c.Destinations) == 0) {
			t.Error("a configuration without a source or a destination")
		}
	})
}
