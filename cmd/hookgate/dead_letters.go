package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hookgate/hookgate/admin"
)

// deadLettersCommand looks at what destinations have not taken.
type deadLettersCommand struct {
	List   deadLettersListCommand   `cmd:"" help:"List the events that a destination has refused to the end, the oldest first."`
	Replay deadLettersReplayCommand `cmd:"" help:"Give dead letters all their attempts again."`
}

type deadLettersListCommand struct {
	Destination string `arg:"" help:"Whose they are."`
	After       int64  `group:"Output" placeholder:"SEQ" help:"Go on behind this one."`
	Limit       int    `default:"50" group:"Output" help:"How many at most."`
	adminFlags
}

func (deadLettersListCommand) Help() string {
	return `Such as:

    hookgate dead-letters list orders --config hookgate.yaml`
}

// Run lists them with the destination's last answer.
func (c deadLettersListCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	if c.Limit < 1 || c.After < 0 {
		return exitError{exitUsage, errors.New("--limit is 1 or more, --after 0 or more")}
	}
	lines := newList(m, c.JSON, func(d admin.DeadLetter) []string {
		s := summarise(d.Event)
		return []string{strconv.FormatInt(d.Seq, 10), when(s.Received), s.ID, s.Type, strconv.Itoa(d.Attempts), d.Error}
	}, "seq", "received", "id", "type", "attempts", "error")
	for after, more := c.After, true; more && lines.found < c.Limit; {
		most := min(c.Limit-lines.found, letterPage)
		var page struct {
			Letters []json.RawMessage `json:"dead_letters"`
		}
		path := fmt.Sprintf("/v1/dead-letters/%s?after=%d&limit=%d", url.PathEscape(c.Destination), after, most)
		if err := client.call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		last, err := lines.write(page.Letters)
		if err != nil {
			return err
		}
		after, more = last.Seq, len(page.Letters) == most
	}
	return lines.end("no dead letters of " + c.Destination)
}

type deadLettersReplayCommand struct {
	Destination string  `arg:"" help:"Whose they are; it gets them again."`
	Seq         []int64 `arg:"" optional:"" help:"Their numbers in the list, sent again at once."`
	replayFlags
	ID []string `sep:"," group:"Which events" placeholder:"ID" help:"With one of these ids."`
	selectionFlags
	adminFlags
}

func (deadLettersReplayCommand) Help() string {
	return `When the destination takes again what it refused, two of them, then all of the last day:

    hookgate dead-letters replay orders 17 21 --config hookgate.yaml

    hookgate dead-letters replay orders --from 24h --config hookgate.yaml`
}

// Run sends some again by their numbers, or those of a selection as a replay.
func (c deadLettersReplayCommand) Run(ctx context.Context, m *Main) error {
	order := c.members(c.ID)
	if len(c.Seq) == 0 {
		return c.follow(ctx, m, c.adminFlags, c.Destination, true, order)
	}
	if len(order) > 0 || c.All || c.DryRun {
		return exitError{exitUsage, errors.New("numbers say which dead letters are meant; leave out all else that does, and --dry-run")}
	}
	client, err := c.client(m)
	if err != nil {
		return err
	}
	var said struct {
		Replayed int `json:"replayed"`
	}
	if err := client.call(ctx, http.MethodPost, "/v1/dead-letters/"+url.PathEscape(c.Destination)+"/replay", map[string]any{"seqs": c.Seq}, &said); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(m.Stdout).Encode(said)
	}
	others := ""
	if said.Replayed < len(c.Seq) {
		others = "; the others are no dead letters of " + c.Destination
	}
	_, err = fmt.Fprintf(m.Stdout, "%d of %d are sent again%s\n", said.Replayed, len(c.Seq), others)
	return err
}
