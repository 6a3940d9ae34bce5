//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
	"github.com/hookgate/hookgate/normalize"
	"github.com/hookgate/hookgate/verifiers"
)

// TestDeliveries sends what is measured through the gateway's verifiers and readers: it is authentic, all of it can be read,
// each event has its number at the end of its subject, and a time of its own that keeps the order of the numbers.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	k, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	public := []hookgate.Secret{hookgate.NewSecret(k.public, "")}
	for scheme, entry := range map[string]hookgate.AuthSettings{
		"hub-signature": {Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(secret), "")}},
		"siq-signature": {Keys: public}, "bearer": {Keys: public},
		"basic": {Users: []hookgate.Secret{hookgate.NewSecret([]byte(user), "")}},
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p, err := newProvider(scheme, k)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.renew(); err != nil {
				t.Fatal(err)
			}
			entry.Scheme = scheme
			v, err := verifiers.New(entry)
			if err != nil {
				t.Fatal(err)
			}
			reader, err := normalize.New(p.name, normalize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			batch, last := 1, int64(0)
			if p.name == "netcore" {
				batch = 3
			}
			for i := 0; i < 9*perSecond; i += perSecond * batch {
				one := trial{provider: p, sources: 1, size: 900, batch: batch, first: i}.delivery(0)
				if p.name != "netcore" && len(one.body) != 900 {
					t.Errorf("a body of %d bytes, want 900", len(one.body))
				}
				req, err := p.sign(one)
				if err != nil {
					t.Fatal(err)
				}
				verdict, err := v.Verify(req, req.ReceivedAt)
				if err != nil {
					t.Fatal(err)
				}
				events := reader.Normalize(req, hookgate.Verdict{verdict})
				if len(events) != batch {
					t.Fatalf("%d events, want %d", len(events), batch)
				}
				for n, e := range events {
					if e.Quarantine != "" || len(e.Subject) < digits {
						t.Fatalf("event %d: quarantine %q, subject %q", i+n, e.Quarantine, e.Subject)
					}
					if got, err := strconv.Atoi(e.Subject[len(e.Subject)-digits:]); got != i+n || err != nil {
						t.Errorf("event %d has the number %d, %v", i+n, got, err)
					}
				}
				if at := events[0].IdentityTime; at <= last {
					t.Errorf("event %d happened at %d, the one before at %d", i, at, last)
				} else {
					last = at
				}
			}
		})
	}
	if _, err := newProvider("carrier-pigeon", k); err == nil {
		t.Error("a scheme that there is not has deliveries")
	}
}

// TestFill fills a journal in two goes; all events are there, and none is a duplicate of another.
func TestFill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "remembered.db")
	held := 0
	for _, n := range []int{0, 700, 1900, 100} {
		var err error
		if held, err = fill(path, held, n); err != nil {
			t.Fatal(err)
		}
	}
	if held != 1900 {
		t.Errorf("%d are said to be held", held)
	}
	j, err := journal.OpenSQLite(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	seen := map[string]bool{}
	for last := int64(0); last < 1900; {
		entries, err := j.Read(t.Context(), last, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			seen[e.Event.Subject], last = true, e.Seq
		}
	}
	for n := range 1900 {
		if subject := fmt.Sprintf("6650a2af%0*d", digits, n); !seen[subject] {
			t.Errorf("%s is not there", subject)
		}
	}
}

// TestTenThousandSources is about the room in a configuration file, which ends at 2 MiB.
func TestTenThousandSources(t *testing.T) {
	t.Parallel()
	p, err := newProvider("hub-signature", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := trial{provider: p, sources: 10_000, streams: 50, journal: "x.db"}.config("127.0.0.1:6379")
	if n := strings.Count(text, "provider: sprinklr"); n != 10_000 || len(text) > 2<<20 {
		t.Errorf("%d sources in %d bytes", n, len(text))
	}
}
