package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hookgate/hookgate/admin"
)

// replayFlags are those of every replay.
type replayFlags struct {
	All    bool `group:"Which events" help:"All there are; needed where nothing else says which."`
	DryRun bool `group:"Replay" help:"Only count, and show the first few."`
	Rate   int  `default:"100" group:"Replay" help:"Events a second, at most 10000."`
}

// The bounds of following a replay: our defaults.
const (
	followEvery = 250 * time.Millisecond
	followTries = 20 // calls in a row without an answer
	stopTimeout = 15 * time.Second
)

// follow begins a replay of a selection and shows how far it is until it ends. When ctx ends, the gateway is asked to stop
// it.
func (f replayFlags) follow(ctx context.Context, m *Main, a adminFlags, destination string, dead bool, order map[string]any) error {
	client, err := a.client(m)
	if err != nil {
		return err
	}
	if f.All == (len(order) > 0) {
		return exitError{exitUsage, errors.New("say which events: by their ids, by --from, --to, --source, --type, --entitytype or --provider, or --all of them")}
	}
	for name, set := range map[string]bool{"all": f.All, "dry_run": f.DryRun, "dead_letters": dead} {
		if set {
			order[name] = true
		}
	}
	order["destination"], order["rate"] = destination, f.Rate
	var r admin.Replay
	// Whatever is begun must be known by its id, or it could not be stopped.
	if err := client.call(context.WithoutCancel(ctx), http.MethodPost, "/v1/replays", order, &r); err != nil {
		return err
	}
	show := replayProgress{newProgress(m.Stderr, false), time.Now()}
	err = client.watch(ctx, &r, show.tell)
	show.end()
	if err != nil {
		return err
	}
	if err := printReplay(m, &r, a.JSON); err != nil {
		return err
	}
	switch r.State {
	case admin.ReplayFailed:
		return fmt.Errorf("the replay failed: %s; when that is mended, begin it again: what was sent keeps its ids", printable(r.Error))
	case admin.ReplayStopped:
		return errors.New("the replay was stopped; begin it again to send the rest: what was sent keeps its ids")
	}
	return nil
}

// watch asks until the replay has ended.
func (c *adminClient) watch(ctx context.Context, r *admin.Replay, tell func(*admin.Replay)) error {
	path, id := "/v1/replays/"+r.ID, r.ID
	for lost := 0; r.State == admin.ReplayRunning; {
		tell(r)
		if pause(ctx, followEvery) != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			if err := c.call(stopping, http.MethodDelete, path, nil, r); err != nil {
				return fmt.Errorf("replay %s could not be stopped, and may go on: %w", id, err)
			}
			return nil
		}
		err := c.call(ctx, http.MethodGet, path, nil, r)
		var unreached unreachedError
		switch {
		case err == nil:
			lost = 0
		case ctx.Err() != nil: // it is stopped in the next turn
		case errors.As(err, &unreached) && lost < followTries:
			lost++
		default:
			return fmt.Errorf("replay %s is out of sight, and may go on: %w", id, err)
		}
	}
	return nil
}

// replayProgress shows how far a replay is: on a terminal in one line that changes, else a line every few seconds.
type replayProgress struct {
	*progress
	last time.Time
}

func (p *replayProgress) tell(r *admin.Replay) {
	if !p.terminal && time.Since(p.last) < quietEvery*time.Second {
		return
	}
	p.last = time.Now()
	text := fmt.Sprintf("looked at %d, fit %d, sent on %d", r.Scanned, r.Matched, r.Sent)
	if p.terminal {
		text = "\r\x1b[K" + text
	} else {
		text += "\n"
	}
	p.told++
	fmt.Fprint(p.out, text)
}

// printReplay writes how a replay ended.
func printReplay(m *Main, r *admin.Replay, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(m.Stdout)
		out.SetEscapeHTML(false)
		return out.Encode(r)
	}
	t := newTable(m.Stdout)
	row := func(name, format string, args ...any) { t.row(name, fmt.Sprintf(format, args...)) }
	row("replay", "%s to %s: %s", r.ID, r.Destination, r.State)
	row("looked at", "%d", r.Scanned)
	row("fit", "%d", r.Matched)
	if !r.DryRun {
		row("sent on", "%d", r.Sent)
	}
	for _, left := range []struct {
		n   int64
		why string
	}{
		{r.Waiting, "still to come to " + r.Destination + " anyway"},
		{r.Unwanted, "the match or when of " + r.Destination + " leaves them out"},
		{r.Gone, "no longer kept"},
	} {
		if left.n > 0 {
			row("left out", "%d, %s", left.n, left.why)
		}
	}
	if err := t.end(); err != nil || !r.DryRun {
		return err
	}
	if len(r.First) == 0 {
		return nil
	}
	fmt.Fprintf(m.Stdout, "\nNothing was sent. The first %d of them:\n\n", len(r.First))
	first := newEventList(m, false)
	if _, err := first.write(r.First); err != nil {
		return err
	}
	return first.table.end()
}
