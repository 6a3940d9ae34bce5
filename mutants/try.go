package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// ending is what came of a mutant.
type ending int

// The endings.
const (
	noticed   ending = iota + 1 // a test failed
	timedOut                    // the tests did not come to an end
	survived                    // all tests passed
	unreached                   // no test comes by
	excused                     // unnoticed, and known to be no fault
)

func (e ending) String() string {
	return [...]string{"not tried", "noticed", "ended by time-out", "SURVIVED", "SURVIVED, reached by no test", "unnoticed, as is known"}[e]
}

func (e ending) unnoticed() bool { return e == survived || e == unreached }

// quick is how long a test may take alone that a mutant meets first. The few slow ones, which mostly wait, run where the
// quick ones notice nothing.
const quick = time.Second

// try builds the package's tests once and runs them for every mutant.
func (p *goPackage) try(ctx context.Context, patience time.Duration, progress io.Writer) error {
	scratch, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	fmt.Fprintf(progress, "%s: building %d mutants\n", p.dir, len(p.mutants))
	b, err := p.build(ctx, scratch)
	if err != nil {
		return err
	}
	b.patience = patience
	start := time.Now()
	if out, _, err := b.run(ctx, 0, "", maxClean); err != nil {
		return fmt.Errorf("the tests fail with nothing turned round: %w\n%s", err, out)
	}
	whole := time.Since(start)
	tests, err := b.tests(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "%s: with nothing turned round the tests take %s; asking %d of them what they reach\n", p.dir, whole.Round(time.Millisecond), len(tests))
	if err := sideBySide(ctx, tests, func(t *test) error { return b.reach(ctx, t) }); err != nil {
		return err
	}
	done := counter{of: len(p.mutants), out: progress, start: time.Now()}
	numbers := make([]int, len(p.mutants))
	for i := range numbers {
		numbers[i] = i + 1
	}
	return sideBySide(ctx, numbers, func(n int) error {
		m := p.mutants[n-1]
		end, err := b.tryOne(ctx, n, tests, whole)
		if err == nil {
			m.end = end
			done.add(m)
		}
		return err
	})
}

// tryOne runs the quick tests that reach a mutant, and where they notice nothing every test.
func (b *binary) tryOne(ctx context.Context, n int, tests []*test, whole time.Duration) (ending, error) {
	var first []string
	var alone time.Duration
	reached := false
	for _, t := range tests {
		if !t.reached[n] {
			continue
		}
		reached = true
		if t.took < quick {
			first = append(first, t.name)
			alone += t.took
		}
	}
	if !reached {
		return unreached, nil
	}
	if len(first) > 0 {
		if _, end, err := b.run(ctx, n, pattern(first), b.limit(alone)); end != survived {
			return end, abandoned(ctx, err)
		}
	}
	_, end, err := b.run(ctx, n, "", b.limit(whole))
	return end, abandoned(ctx, err)
}

// limit is how long tests may take with a mutant on that took this long without. It is generous, because time is the one
// thing that another program can take away from them.
func (b *binary) limit(clean time.Duration) time.Duration { return b.patience + 4*clean }

// abandoned keeps of the errors of a run only that of being called off: the others are what is looked for.
func abandoned(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return nil
}

// sideBySide does as many at a time as there are processors, and ends with the first error.
func sideBySide[T any](ctx context.Context, all []T, do func(T) error) error {
	var mu sync.Mutex
	var failed error
	var workers sync.WaitGroup
	work := slices.Clone(all)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				if failed != nil || len(work) == 0 || ctx.Err() != nil {
					mu.Unlock()
					return
				}
				one := work[0]
				work = work[1:]
				mu.Unlock()
				if err := do(one); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return errors.Join(failed, ctx.Err())
}

// counter shows how far a trial has come.
type counter struct {
	mu       sync.Mutex
	done, of int
	ends     [excused + 1]int
	out      io.Writer
	start    time.Time
}

func (c *counter) add(m *mutant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	c.ends[m.end]++
	if m.end != noticed {
		fmt.Fprintf(c.out, "%s: %s\n", m.end, m)
	}
	if c.done%50 != 0 && c.done != c.of {
		return
	}
	took := time.Since(c.start)
	left := time.Duration(float64(took) / float64(c.done) * float64(c.of-c.done))
	fmt.Fprintf(c.out, "%d of %d in %s: %d noticed, %d by time-out, %d unnoticed; about %s left\n", c.done, c.of, took.Round(time.Second),
		c.ends[noticed], c.ends[timedOut], c.ends[survived]+c.ends[unreached], left.Round(time.Second))
}
