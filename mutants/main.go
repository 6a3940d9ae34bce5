// Command mutants turns round every comparison of a package, one at a time, and runs the package's tests on what comes of
// it. A comparison that can be turned round without a test noticing proves nothing; it is listed, and the exit code is 1.
//
// All of them are compiled into one test binary, each behind a number that the environment chooses, so that a mutant costs
// a run of the tests that reach it and no build. Nothing in the tree changes.
//
//	go run ./mutants ./verifiers guard.go
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: go run ./mutants [-list] [-known FILE] [-page FILE] TARGET...

A target is the folder of a package, or single files of it. Every ==, !=, <, <=, >, >=, &&, || and ! in them is turned
round in turn while the package's tests run. What no test notices is printed, and the exit code is 1.

`

type options struct {
	targets     []string
	list        bool
	known, page string
	patience    time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.list, "list", false, "only list what would be turned round")
	flag.StringVar(&o.known, "known", "", "file of `comparisons` that change nothing when turned round: FILE: FUNCTION: COMPARISON # why")
	flag.StringVar(&o.page, "page", "", "write what was tried to this Markdown file, where nothing went unnoticed")
	flag.DurationVar(&o.patience, "patience", 10*time.Second, "how much longer than four times their usual time tests may take before they count as endless")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if o.targets = flag.Args(); len(o.targets) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries every target. Findings go to out, progress to progress.
func run(ctx context.Context, o options, out, progress io.Writer) error {
	known, err := readKnown(o.known)
	if err != nil {
		return err
	}
	packages, err := find(ctx, o.targets)
	if err != nil {
		return err
	}
	for _, p := range packages {
		for _, m := range p.mutants {
			m.why = known[m.key()]
			if o.list {
				fmt.Fprintln(out, m)
			}
		}
		for _, m := range p.left {
			fmt.Fprintf(out, "not turned round, %s: %s\n", m.why, m)
		}
		if !o.list {
			if err := p.try(ctx, o.patience, progress); err != nil {
				return fmt.Errorf("%s: %w", p.dir, err)
			}
		}
	}
	if o.list {
		return nil
	}
	if err := report(packages, known, out); err != nil || o.page == "" {
		return err
	}
	return os.WriteFile(o.page, page(packages), 0o644)
}
