//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

type instructionsCommand struct {
	Baseline string  `default:"bench/testdata/instructions.json" help:"What is compared with."`
	Keep     bool    `help:"Write the baseline anew."`
	Within   float64 `default:"3" help:"How many percent more than the baseline are an error."`
}

// The counted runs differ by so many events; what both do besides, such as signing, cancels out.
const (
	fewEvents  = 1000
	manyEvents = 3000
)

// Run counts the instructions of each step by valgrind, which runs the program on a processor of its own making: other
// programs on the machine, and the machine itself, change nothing. It counts this program's own code and none of the kernel.
func (c *instructionsCommand) Run() error {
	if _, err := exec.LookPath("valgrind"); err != nil {
		return fmt.Errorf("%w; on Debian: apt-get install valgrind", err)
	}
	before := map[string]float64{}
	text, err := os.ReadFile(c.Baseline)
	if err == nil {
		err = json.Unmarshal(text, &before)
	}
	if err != nil && !c.Keep {
		return fmt.Errorf("%w; --keep writes it", err)
	}
	now := map[string]float64{}
	var more []string
	fmt.Println("step        instructions an event   baseline")
	for _, step := range stepNames() {
		n, err := countStep(step)
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		now[step] = float64(int(n))
		fmt.Printf("%-10s %22.0f", step, n)
		if was := before[step]; was > 0 {
			percent := (n/was - 1) * 100
			fmt.Printf(" %10.0f  %+.1f %%", was, percent)
			if percent > c.Within {
				more = append(more, step)
			}
		}
		fmt.Println()
	}
	if c.Keep {
		return writeJSON(c.Baseline, now)
	}
	if len(more) > 0 {
		return fmt.Errorf("more than %g %% above the baseline: %s; where that is meant, --keep writes it anew", c.Within, strings.Join(more, ", "))
	}
	return nil
}

func countStep(step string) (float64, error) {
	few, err := countRun(step, fewEvents)
	if err != nil {
		return 0, err
	}
	many, err := countRun(step, manyEvents)
	return float64(many-few) / (manyEvents - fewEvents), err
}

var instructionsRead = regexp.MustCompile(`I\s+refs:\s+([0-9,]+)`)

// countRun counts the instructions of one run. One thread at a time, and no collector: when that one starts is chance.
func countRun(step string, events int) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
		self, "path", step, "--events", strconv.Itoa(events), "--prepared", strconv.Itoa(manyEvents))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(said))
	}
	found := instructionsRead.FindSubmatch(said)
	if found == nil {
		return 0, fmt.Errorf("valgrind did not tell: %s", lastLine(said))
	}
	return strconv.ParseInt(strings.ReplaceAll(string(found[1]), ",", ""), 10, 64)
}

func lastLine(text []byte) (last string) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	return last
}
