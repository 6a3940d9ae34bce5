package forward_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

func fileSettings(path string) hookgate.DestinationSettings {
	return hookgate.DestinationSettings{Name: "f", Type: "file", Path: path}
}

func TestFileCutsATornLastLine(t *testing.T) {
	t.Parallel()
	line := string(event(1, "a").AppendLine(nil)) + "\n"
	long := `{"specversion":"1.0","id":"` + strings.Repeat("x", 200<<10)
	for name, test := range map[string]struct {
		before, after string
		refused       bool
	}{
		"new": {"", "", false}, "whole": {line, line, false}, "torn": {line + line[:50], line, false},
		"torn early": {line + "{", line, false}, "torn long": {line + long, line, false}, "all torn": {line[:30], "", false},
		"not ours": {"precious", "precious", true}, "not ours behind": {"a\nprecious", "a\nprecious", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "f")
			if test.before != "" {
				if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := forward.New(fileSettings(path), forward.Options{})
			if (err != nil) != test.refused {
				t.Fatalf("%v", err)
			}
			want := test.after
			if err == nil {
				if err := publishOne(t, d, event(1, "a")); err != nil {
					t.Error(err)
				}
				want += line
				_ = d.Close()
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != want {
				t.Errorf("%.80q, want %.80q", got, want)
			}
			if info, _ := os.Stat(path); test.before == "" && info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}

func TestFileTakesOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/dev/null", t.TempDir(), filepath.Join(t.TempDir(), "no", "such")} {
		if _, err := forward.New(fileSettings(path), forward.Options{}); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}

// Lines that the writer took whole count, and a torn one never runs into the next.
func TestStdoutTornWrite(t *testing.T) {
	t.Parallel()
	batch := batchOf(events(3, 3)...)
	first := len(event(1, "k0").AppendLine(nil)) + 1
	w := &writer{err: errors.New("full"), cut: first + 10}
	d, err := forward.New(hookgate.DestinationSettings{Type: "stdout"}, forward.Options{Stdout: w})
	if err != nil {
		t.Fatal(err)
	}
	errs := d.Publish(t.Context(), batch)
	if errs[0] != nil || errs[1] == nil || errs[2] == nil {
		t.Fatalf("%v", errs)
	}
	w.fail(nil)
	for _, err := range d.Publish(t.Context(), batch[1:]) {
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := linesOf(w.text())
	if len(lines) != 4 || len(lines[1]) != 10 {
		t.Fatalf("%q", lines)
	}
	idsOf(t, [][]byte{lines[0], lines[2], lines[3]})
}
