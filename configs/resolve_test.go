package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/configs"
)

// TestResolve: a reference on a command line is read as one in a file is, and what is wrong names the flag.
func TestResolve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(path, []byte("c4n4ry\n"), 0o604); err != nil { //nolint:gosec // open on purpose
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"GOOD": "c4n4ry", "SPACE": "c4n4ry ", "BLANK": " ", "HOLE": "c4n4ry${X}"}[name]
		return v, ok
	}
	for reference, want := range map[string]struct{ value, warns, fails string }{
		"env:GOOD":                        {value: "c4n4ry"},
		"env:SPACE":                       {value: "c4n4ry ", warns: "--key refers to a value that begins or ends with white space"},
		"file:" + path:                    {value: "c4n4ry", warns: "chmod o-r"},
		"env:GONE":                        {fails: "--key refers to the environment variable GONE, which is not set"},
		"env:BLANK":                       {fails: "--key refers to something empty"},
		"env:HOLE":                        {fails: "--key refers to a value that still holds ${...}"},
		"file:" + filepath.Join(dir, "x"): {fails: "no such file or directory; a relative path starts at the working folder"},
		"c4n4ry":                          {fails: "--key is written out; secrets are references: write env:NAME or file:PATH"},
		"":                                {fails: "--key is written out"},
	} {
		secret, warnings, err := configs.Resolve("--key", reference, env)
		if got := string(secret.Reveal()); got != want.value {
			t.Errorf("%s: the value is %q, want %q", reference, got, want.value)
		}
		if want.value != "" && secret.Ref() != reference {
			t.Errorf("%s: the reference is %s", reference, secret.Ref())
		}
		if (want.fails == "") != (err == nil) || (err != nil && (!strings.Contains(err.Error(), want.fails) || strings.Contains(err.Error(), "c4n4ry"))) {
			t.Errorf("%s: %v, want %q", reference, err, want.fails)
		}
		if (want.warns == "") != (len(warnings) == 0) || (len(warnings) > 0 && !strings.Contains(warnings[0].Error(), want.warns)) {
			t.Errorf("%s: warned of %v, want %q", reference, warnings, want.warns)
		}
	}
}
