package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hookgate/hookgate/admin"
)

// quarantineCommand looks at what was authenticated and could not be read.
type quarantineCommand struct {
	List quarantineListCommand `cmd:"" help:"List the parts of deliveries that could not be read, the newest first."`
	Show quarantineShowCommand `cmd:"" help:"Show one of them."`
}

type quarantineListCommand struct {
	Before int64 `group:"Output" placeholder:"SEQ" help:"Go on behind this one, with older ones."`
	Limit  int   `default:"50" group:"Output" help:"How many at most."`
	adminFlags
}

func (quarantineListCommand) Help() string {
	return `Such as:

    hookgate quarantine list --config hookgate.yaml`
}

// Run lists them with the reason.
func (c quarantineListCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	if c.Limit < 1 || c.Before < 0 {
		return exitError{exitUsage, errors.New("--limit is 1 or more, --before 0 or more")}
	}
	lines := newList(m, c.JSON, func(q admin.QuarantinedPart) []string {
		return []string{strconv.FormatInt(q.Seq, 10), when(q.Received), q.Source, q.Provider, q.Verified, strconv.Itoa(len(q.Part)), q.Reason}
	}, "seq", "received", "source", "provider", "verifiedby", "bytes", "reason")
	for before, more := c.Before, true; more && lines.found < c.Limit; {
		most := min(c.Limit-lines.found, letterPage)
		parts, err := client.quarantined(ctx, before, most)
		if err != nil {
			return err
		}
		last, err := lines.write(parts)
		if err != nil {
			return err
		}
		before, more = last.Seq, len(parts) == most
	}
	return lines.end("nothing in quarantine")
}

// quarantined reads a part of the list.
func (c *adminClient) quarantined(ctx context.Context, before int64, limit int) ([]json.RawMessage, error) {
	var page struct {
		Quarantined []json.RawMessage `json:"quarantined"`
	}
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/quarantine?before=%d&limit=%d", before, limit), nil, &page)
	return page.Quarantined, err
}

type quarantineShowCommand struct {
	Seq int64 `arg:"" help:"Its number in the list."`
	adminFlags
}

func (quarantineShowCommand) Help() string {
	return `Such as:

    hookgate quarantine show 3 --config hookgate.yaml`
}

// Run shows one of them: the list, begun right behind it, has it first.
func (c quarantineShowCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	parts, err := client.quarantined(ctx, c.Seq+1, 1)
	if err != nil {
		return err
	}
	var q admin.QuarantinedPart
	if len(parts) > 0 {
		if err := json.Unmarshal(parts[0], &q); err != nil {
			return err
		}
	}
	if len(parts) == 0 || q.Seq != c.Seq {
		return fmt.Errorf("there is no %d in quarantine; hookgate quarantine list shows what there is", c.Seq)
	}
	if c.JSON {
		_, err := fmt.Fprintln(m.Stdout, string(parts[0]))
		return err
	}
	t := newTable(m.Stdout)
	t.row("seq", strconv.FormatInt(q.Seq, 10))
	t.row("received", when(q.Received))
	t.row("source", q.Source)
	t.row("provider", q.Provider)
	t.row("verifiedby", q.Verified)
	t.row("reason", q.Reason)
	t.row("bytes", strconv.Itoa(len(q.Part)))
	if err := t.end(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(m.Stdout, "\n%s\n", readable(q.Part))
	return err
}
