package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxClean bounds the tests with nothing turned round.
const maxClean = 10 * time.Minute

// maxAddresses is the address space of one run in KiB: a loop that never ends may grow with every round.
const maxAddresses = 4 << 20

// binary is the compiled tests of a package with all its mutants in them.
type binary struct {
	path, dir, scratch string
	patience           time.Duration
}

// test is one test, fuzz target (with its seeds) or example.
type test struct {
	name    string
	took    time.Duration // alone
	reached map[int]bool
}

// build compiles the tests over the rewritten files.
func (p *goPackage) build(ctx context.Context, scratch string) (*binary, error) {
	replace := make(map[string]string)
	overlay := func(original string, content []byte) error {
		written := filepath.Join(scratch, fmt.Sprintf("%d-%s", len(replace), filepath.Base(original)))
		replace[original] = written
		return os.WriteFile(written, content, 0o600)
	}
	for original, content := range p.rewritten {
		if err := overlay(original, content); err != nil {
			return nil, err
		}
	}
	if err := overlay(filepath.Join(p.dir, "mutant_switch.go"), fmt.Appendf(nil, switchFile, p.name, len(p.mutants)+1)); err != nil {
		return nil, err
	}
	index, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	indexFile := filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(indexFile, index, 0o600); err != nil {
		return nil, err
	}
	b := &binary{path: filepath.Join(scratch, "package.test"), dir: p.dir, scratch: scratch}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", indexFile, "-o", b.path, ".")
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("what was rewritten does not compile: %w\n%s", err, out)
	}
	return b, nil
}

// run runs the tests that a pattern names, all for an empty one, with one mutant on or, for 0, none. It ends with the first
// test that fails: others may wait for ever for what the mutant keeps from them.
func (b *binary) run(ctx context.Context, n int, tests string, limit time.Duration, env ...string) ([]byte, ending, error) {
	args := []string{"-test.paniconexit0", "-test.failfast", "-test.timeout=" + limit.String(), "-test.run=" + tests}
	// The tests end themselves; the second limit is for one that keeps its own clock from running.
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	start := time.Now()
	cmd, done, err := b.command(ctx, args)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	out := &output{failed: cancel}
	if n == 0 {
		out.failed = func() {} // its words are wanted
	}
	cmd.Env = append(cmd.Env, append(env, "MUTANT="+strconv.Itoa(n))...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Success():
		return out.text, survived, nil // whatever a child may still hold open
	case time.Since(start) >= limit:
		return out.text, timedOut, err
	default:
		return out.text, noticed, err
	}
}

// output keeps the beginning of what tests print, and tells of the first that failed.
type output struct {
	text   []byte
	failed func()
}

const maxOutput = 64 << 10 // bytes

func (o *output) Write(p []byte) (int, error) {
	if room := maxOutput - len(o.text); room > 0 {
		o.text = append(o.text, p[:min(room, len(p))]...)
	}
	if bytes.Contains(o.text, []byte("--- FAIL: ")) {
		o.failed()
	}
	return len(p), nil
}

// command prepares a run in the package's folder, as the go command would. What it starts is a group of its own, and done
// ends all of that and removes its temporary files.
func (b *binary) command(ctx context.Context, args []string) (cmd *exec.Cmd, done func(), err error) {
	tmp, err := os.MkdirTemp(b.scratch, "run-")
	if err != nil {
		return nil, nil, err
	}
	script := fmt.Sprintf(`ulimit -v %d 2>/dev/null; exec "$0" "$@"`, maxAddresses)
	cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", script, b.path}, args...)...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "PWD="+b.dir, "TMPDIR="+tmp, "MUTANT_NOTES=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, time.Second
	return cmd, func() {
		if cmd.Process != nil {
			_ = end() // nothing may be left
		}
		_ = os.RemoveAll(tmp)
	}, nil
}

// tests lists what the binary would run.
func (b *binary) tests(ctx context.Context) ([]*test, error) {
	cmd, done, err := b.command(ctx, []string{"-test.list=^(Test|Fuzz|Example)"})
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the tests cannot be listed: %w", err)
	}
	var all []*test
	for _, name := range strings.Fields(string(out)) {
		all = append(all, &test{name: name, reached: make(map[int]bool)})
	}
	if len(all) == 0 {
		return nil, errors.New("no tests")
	}
	return all, nil
}

// reach runs one test alone and notes which mutants it meets.
func (b *binary) reach(ctx context.Context, t *test) error {
	notes := filepath.Join(b.scratch, "notes-"+t.name)
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		return err
	}
	start := time.Now()
	if out, _, err := b.run(ctx, 0, pattern([]string{t.name}), maxClean, "MUTANT_NOTES="+notes); err != nil {
		return fmt.Errorf("%s fails alone with nothing turned round: %w\n%s", t.name, err, out)
	}
	t.took = time.Since(start)
	met, err := os.ReadFile(notes)
	for _, n := range strings.Fields(string(met)) {
		number, _ := strconv.Atoi(n) // written by us
		t.reached[number] = true
	}
	return err
}

// pattern is what -test.run takes for these tests and no others.
func pattern(names []string) string {
	p := "^("
	for i, name := range names {
		if i > 0 {
			p += "|"
		}
		p += regexp.QuoteMeta(name)
	}
	return p + ")$"
}
