//go:build linux

// Command bench measures Hookgate beside a bare handler that only reads the body and checks the HMAC: the same generator
// on the same machine, in turn, each server a process of its own. `make bench` and `make growth` keep the reports in docs/.
package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"
)

type commands struct {
	Compare      compareCommand      `cmd:"" default:"withargs" help:"Measure every row in turn beside the bare handler, and write docs/bench.md and docs/bench.json."`
	Growth       growthCommand       `cmd:"" help:"Measure what an event costs as sources, destinations, bodies, batches and the journal grow, and write docs/growth.md with a plot of each."`
	Instructions instructionsCommand `cmd:"" help:"Count the instructions of each step of an event's way, and compare them with the baseline."`
	Path         pathCommand         `cmd:"" hidden:"" help:"Go the way of an event in this process (used by instructions)."`
	Bare         bareCommand         `cmd:"" hidden:"" help:"Be the bare handler (used by bench itself)."`
	Least        leastCommand        `cmd:"" hidden:"" help:"Be the least that a durable gateway can be (used by bench itself)."`
}

func main() {
	var c commands
	parsed := kong.Parse(&c, kong.Name("bench"), kong.UsageOnError())
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
