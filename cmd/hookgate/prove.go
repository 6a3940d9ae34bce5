package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// proveCommand puts a user's own configuration to the proof.
type proveCommand struct {
	Config string `required:"" short:"c" placeholder:"FILE" help:"The configuration whose sources, limits, journal and destinations are put to the proof."`

	Source      []string      `sep:"," group:"What is proved" placeholder:"NAME" help:"Sources to send to; all that can be emulated unless given."`
	Destination []string      `sep:"," group:"What is proved" placeholder:"NAME" help:"Destinations to read back; all unless given. The others are left out."`
	Running     string        `group:"What is proved" placeholder:"URL" help:"Send to the gateway that runs there, into its own journal and destinations, and kill nothing. URL is what stands before the sources' paths."`
	Others      bool          `group:"What is proved" help:"With --running: others send there, too, so that what this run has not sent is counted and proves nothing."`
	Configured  bool          `name:"configured-redis" group:"What is proved" help:"Use the configured Redis, under keys of this run's own that are removed afterwards, instead of starting one."`
	Rate        float64       `default:"200" group:"Load" help:"Deliveries a second, by the clock and not by the answers."`
	For         time.Duration `group:"Load" placeholder:"DURATION" help:"How long to send; 10s unless given, or as long as --kills takes."`
	InFlight    int           `default:"256" group:"Load" help:"Deliveries under way at most."`
	Kill        []string      `sep:"," enum:"gateway,redis" group:"Faults" placeholder:"WHAT" help:"Kill gateway, redis or both without warning, each 50 to 1,500 ms after it last came back, and start it again. Only processes that this run has started."`
	Kills       int           `group:"Faults" placeholder:"N" help:"How often each; as often as --for has room for unless given."`

	Dir      string        `type:"existingdir" group:"Output" placeholder:"DIR" help:"Where the folder of the run is made: put it on the disk that the real journal is on. The system's folder for temporary files unless given."`
	Keep     bool          `group:"Output" help:"Keep the folder: journal, destinations, log. After a broken promise it is always kept."`
	Wait     time.Duration `default:"60s" group:"Output" help:"How long to wait for what is not there yet, once all has been sent, before it counts as lost."`
	JSON     bool          `name:"json" group:"Output" help:"For scripts: the report as JSON."`
	Progress bool          `group:"Output" help:"Show progress every second even where standard error is no terminal."`
}

// Help is shown behind the flags' own help.
func (proveCommand) Help() string {
	return `Sends signed deliveries of made-up events through a gateway with your configuration, sends again what was not answered
2xx as a provider does, reads the destinations back, and counts what was acknowledged and is not there (lost), is there
twice (doubled) or changed (wrong), was never sent (forged), or overtook another of its key. The exit code is 1 if
anything acknowledged was lost, changed or forged, else 0.

Ten seconds without faults, then twenty kills of the gateway, then of both, for a script:

    hookgate prove --config hookgate.yaml

    hookgate prove --config hookgate.yaml --kill gateway --kills 20

    hookgate prove --config hookgate.yaml --kill gateway,redis --kills 10 --json

It harms nothing real. It starts a gateway of its own, hookgate serve with this configuration, but with listeners, a
journal and destinations of its own in a temporary folder, and for anything on Redis a redis-server of its own. Keys that
only the provider has are replaced by made-up ones. It can read back destinations of type file, redis-stream and http, for
which it stands in as the receiver. With --running it sends made-up events to your real gateway, and so to your consumers.`
}

// maxProven bounds the deliveries of a run, each of which takes about 300 bytes of memory until it is judged.
const maxProven = 2_000_000

// killPause is about what lies between two kills, with the start behind it.
const killPause = 1200 * time.Millisecond

// check finds what is wrong with the flags, and fills in how long to send.
func (c *proveCommand) check() error {
	if c.For == 0 && c.Kills == 0 {
		c.For = 10 * time.Second
	}
	length := max(c.For, time.Duration(c.Kills*len(c.Kill))*killPause)
	wrong := ""
	switch u, err := url.Parse(c.Running); {
	case c.Running != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != ""):
		wrong = "--running is a URL such as http://127.0.0.1:8080, without user and query"
	case c.Running != "" && len(c.Kill) > 0:
		wrong = "--kill is for a gateway that prove starts itself; leave out --running"
	case c.Running != "" && c.Configured:
		wrong = "--configured-redis is for a gateway that prove starts itself; one that runs has its own"
	case c.Others && c.Running == "":
		wrong = "--others is for --running; nobody else sends to a gateway that prove starts itself"
	case c.Configured && slices.Contains(c.Kill, "redis"):
		wrong = "--kill redis kills only a Redis that prove has started; leave out --configured-redis"
	case c.Kills < 0 || (c.Kills > 0 && len(c.Kill) == 0):
		wrong = "--kills says how often what --kill names is killed; write --kill gateway, or --kill gateway,redis"
	case !(c.Rate > 0 && c.Rate <= 100_000):
		wrong = "--rate is above 0 and at most 100,000"
	case c.InFlight < 2 || c.InFlight > 10_000:
		wrong = "--in-flight is from 2 to 10,000"
	case c.For < 0 || c.Wait < 0:
		wrong = "--for and --wait are not below zero"
	case c.Rate*length.Seconds() > maxProven:
		wrong = fmt.Sprintf("that would be about %.0f deliveries, and prove remembers at most %d; lower --rate, --for or --kills", c.Rate*length.Seconds(), maxProven)
	}
	if wrong != "" {
		return exitError{exitUsage, errors.New(wrong)}
	}
	return nil
}

// Run makes the run and prints its report, when it was ended early, too.
func (c proveCommand) Run(ctx context.Context, m *Main) error {
	if err := c.check(); err != nil {
		return err
	}
	p, err := newProof(c, m)
	if err != nil {
		return err
	}
	report, err := p.run(ctx)
	if report != nil {
		err = errors.Join(err, report.print(m.Stdout, c.JSON))
	}
	if kept := p.clear(c.Keep || err != nil || (report != nil && !report.Kept)); kept != "" {
		fmt.Fprintln(m.Stderr, "journal, destinations and log are kept in", kept)
	}
	if err == nil && !report.Kept {
		return errSaid
	}
	return err
}
