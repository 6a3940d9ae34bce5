package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/hookgate/hookgate/admin"
)

// failedCommand looks at deliveries that nothing proved, where quarantine_failed has them kept.
type failedCommand struct {
	List   failedListCommand   `cmd:"" help:"List kept deliveries that failed authentication, the newest first, with what was found to be wrong."`
	Show   failedShowCommand   `cmd:"" help:"Show one of them."`
	Verify failedVerifyCommand `cmd:"" help:"Judge them again with the secrets of now, as of their receipt, and accept what is proved."`
}

type failedListCommand struct {
	Source string `placeholder:"NAME" help:"Of this source alone."`
	adminFlags
}

func (failedListCommand) Help() string {
	return `Such as:

    hookgate failed list --source care --config hookgate.yaml

A source keeps them where its configuration has quarantine_failed, in the memory of the node that took them.`
}

// Run lists them.
func (c failedListCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	var page struct {
		Failed []json.RawMessage `json:"failed"`
	}
	if err := client.call(ctx, http.MethodGet, "/v1/failed?source="+url.QueryEscape(c.Source), nil, &page); err != nil {
		return err
	}
	lines := newList(m, c.JSON, func(d admin.FailedDelivery) []string {
		return []string{d.ID, when(d.Received), d.Source, d.Reason, d.Diagnosis, d.Finding}
	}, "id", "received", "source", "reason", "diagnosis", "finding")
	if _, err := lines.write(page.Failed); err != nil {
		return err
	}
	return lines.end("no failed delivery is kept; a source keeps them with quarantine_failed: 10/m")
}

type failedShowCommand struct {
	ID string `arg:"" help:"Its id in the list."`
	adminFlags
}

func (failedShowCommand) Help() string {
	return `Such as:

    hookgate failed show 5KJX2N4TQ7-1a --config hookgate.yaml`
}

// Run shows one of them.
func (c failedShowCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := client.call(ctx, http.MethodGet, "/v1/failed/"+url.PathEscape(c.ID), nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintln(m.Stdout, string(raw))
		return err
	}
	var d admin.FailedDelivery
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	t := newTable(m.Stdout)
	for _, row := range [][]string{
		{"id", d.ID}, {"received", when(d.Received)}, {"source", d.Source}, {"remote", d.Remote}, {"reason", d.Reason}, {"detail", d.Detail},
		{"diagnosis", d.Diagnosis}, {"finding", d.Finding}, {"hint", d.Hint}, {"bytes", strconv.Itoa(d.Bytes)},
	} {
		t.row(row...)
	}
	if err := t.end(); err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "\n%s %s\n", printable(d.Method), printable(d.Target))
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		for _, value := range d.Header[name] {
			fmt.Fprintf(m.Stdout, "%s: %s\n", printable(name), printable(value))
		}
	}
	_, err = fmt.Fprintf(m.Stdout, "\n%s\n", readable(d.Body))
	return err
}

type failedVerifyCommand struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"Their ids in the list."`
	Source string   `placeholder:"NAME" help:"All of this source."`
	All    bool     `help:"All of all sources."`
	adminFlags
}

func (failedVerifyCommand) Help() string {
	return `Such as, when the secret of the source care has been mended and the configuration taken over:

    hookgate failed verify --source care --config hookgate.yaml

Each is judged as of its receipt, so that a signed time that was good then still is. What is proved goes the way of every
delivery: it is deduplicated, stored and forwarded. The exit code is 1 if any still fails.`
}

// Run judges them again.
func (c failedVerifyCommand) Run(ctx context.Context, m *Main) error {
	client, err := c.client(m)
	if err != nil {
		return err
	}
	if len(c.IDs) == 0 && c.Source == "" && !c.All {
		return exitError{exitUsage, errors.New("give ids, --source NAME or --all")}
	}
	order := map[string]any{"ids": c.IDs, "source": c.Source, "all": c.All}
	var raw json.RawMessage
	if err := client.call(ctx, http.MethodPost, "/v1/failed/verify", order, &raw); err != nil {
		return err
	}
	var again admin.FailedAgain
	if err := json.Unmarshal(raw, &again); err != nil {
		return err
	}
	if c.JSON {
		fmt.Fprintln(m.Stdout, string(raw))
	} else {
		fmt.Fprintf(m.Stdout, "%d judged again: %d accepted, %d were duplicates, %d quarantined, %d still fail\n",
			again.Tried, again.Accepted, again.Duplicate, again.Quarantined, len(again.Failing))
		for _, d := range again.Failing {
			fmt.Fprintf(m.Stdout, "  %s %s: %s: %s\n", printable(d.ID), printable(d.Source), printable(d.Reason), printable(d.Detail))
		}
	}
	if len(again.Failing) > 0 {
		return errSaid
	}
	return nil
}
