package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// desk takes orders for the destination events, one at a time, and dry runs besides.
type desk struct {
	orders []admin.ReplayOrder
	list   []admin.Replay
}

func (d *desk) Begin(_ context.Context, o admin.ReplayOrder) (admin.Replay, error) {
	if o.Destination != "events" {
		return admin.Replay{}, admin.ErrUnknownDestination
	}
	for _, r := range d.list {
		if r.State == admin.ReplayRunning && !o.DryRun {
			return r, fmt.Errorf("%w (%s)", admin.ErrReplayRuns, r.ID)
		}
	}
	d.orders = append(d.orders, o)
	r := admin.Replay{ID: fmt.Sprintf("r%d", len(d.orders)), Destination: o.Destination, DeadLetters: o.DeadLetters, DryRun: o.DryRun, Rate: o.Rate, State: admin.ReplayRunning, Started: noon}
	if o.DryRun && o.Rate != 1 {
		r.State, r.Scanned, r.Matched = admin.ReplayDone, 10, 4
	}
	d.list = append([]admin.Replay{r}, d.list...)
	return r, nil
}

func (d *desk) List() []admin.Replay { return d.list }

func (d *desk) Stop(_ context.Context, id string) (admin.Replay, error) {
	for i := range d.list {
		if d.list[i].ID == id {
			d.list[i].State = admin.ReplayStopped
			return d.list[i], nil
		}
	}
	return admin.Replay{}, admin.ErrUnknownReplay
}

// letters are dead letters of which three can be replayed.
type letters struct{ admin.Operator }

func (letters) Replay(_ context.Context, destination string, seqs []int64) (int, error) {
	if destination != "events" {
		return 0, admin.ErrUnknownDestination
	}
	return min(len(seqs), 3), nil
}

func withReplays(d *desk) admin.Options {
	return options(func(o *admin.Options) { o.Operator, o.Replays, o.Now = letters{}, d, func() time.Time { return noon } })
}

func send(o admin.Options, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	rec := httptest.NewRecorder()
	admin.Handler(o).ServeHTTP(rec, r)
	return rec
}

func TestReplays_Orders(t *testing.T) {
	t.Parallel()
	const path, dead = "/v1/replays", "/v1/dead-letters/events/replay"
	order := func(change func(*admin.ReplayOrder)) *admin.ReplayOrder {
		o := admin.ReplayOrder{Destination: "events", Rate: 100}
		change(&o)
		return &o
	}
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       *admin.ReplayOrder // nil where none is given
		says       string
	}{
		"by id":   {path, `{"destination":"events","id":["` + knownID + `"]}`, 202, order(func(o *admin.ReplayOrder) { o.IDs = []string{knownID} }), `"id":"r1"`},
		"by time": {path, `{"destination":"events","from":"2h","to":"2026-05-01T11:00:00Z"}`, 202, order(func(o *admin.ReplayOrder) { o.From, o.To = noon.Add(-2*time.Hour), noon.Add(-time.Hour) }), `"state":"running"`},
		"by lists": {path, `{"destination":"events","source":["a"],"type":["b.*"],"entitytype":["c"],"provider":["d"]}`, 202, order(func(o *admin.ReplayOrder) {
			o.Match = hookgate.Match{Source: []string{"a"}, Type: []string{"b.*"}, EntityType: []string{"c"}, Provider: []string{"d"}}
		}), ""},
		"all":                     {path, `{"destination":"events","all":true,"rate":10000}`, 202, order(func(o *admin.ReplayOrder) { o.Rate = 10000 }), `"rate":10000`},
		"dead ones":               {path, `{"destination":"events","all":true,"dead_letters":true}`, 202, order(func(o *admin.ReplayOrder) { o.DeadLetters = true }), `"dead_letters":true`},
		"dry run":                 {path, `{"destination":"events","all":true,"dry_run":true}`, 200, order(func(o *admin.ReplayOrder) { o.DryRun = true }), `"scanned":10,"matched":4,"sent":0`},
		"long dry run":            {path, `{"destination":"events","all":true,"dry_run":true,"rate":1}`, 202, order(func(o *admin.ReplayOrder) { o.DryRun, o.Rate = true, 1 }), `"state":"running"`},
		"dead letters, all":       {dead, `{"all":true}`, 202, order(func(o *admin.ReplayOrder) { o.DeadLetters = true }), `"dead_letters":true`},
		"dead letters, selected":  {dead, `{"from":"1h","rate":7}`, 202, order(func(o *admin.ReplayOrder) { o.DeadLetters, o.From, o.Rate = true, noon.Add(-time.Hour), 7 }), ""},
		"dead letters, dry run":   {dead, `{"all":true,"dry_run":true}`, 200, order(func(o *admin.ReplayOrder) { o.DeadLetters, o.DryRun = true, true }), ""},
		"dead letters, by number": {dead, `{"seqs":[1,2,3,4]}`, 200, nil, `{"replayed":3}`},

		"no body":                {path, ``, 400, nil, "the body is empty; send a JSON object with some of destination"},
		"no JSON":                {path, `destination=events`, 400, nil, "send a JSON object"},
		"no object":              {path, `[]`, 400, nil, "send a JSON object"},
		"two objects":            {path, `{"destination":"events","all":true} {}`, 400, nil, "something follows"},
		"text for a list":        {path, `{"destination":"events","type":"a"}`, 400, nil, "send a JSON object"},
		"a slip":                 {path, `{"destination":"events","types":["a"]}`, 400, nil, `unknown field \"types\"; send a JSON object with some of destination, dead_letters, id, from, to, source, type, entitytype and provider, all, rate and dry_run`},
		"no destination":         {path, `{"all":true}`, 400, nil, "destination is missing"},
		"unknown destination":    {path, `{"destination":"other","all":true}`, 404, nil, "no destination of this name"},
		"no selection":           {path, `{"destination":"events"}`, 400, nil, "nothing says which events"},
		"no selection, dry":      {path, `{"destination":"events","dry_run":true}`, 400, nil, "nothing says which events"},
		"all and some":           {path, `{"destination":"events","all":true,"source":["a"]}`, 400, nil, "leave one of them out"},
		"not all":                {path, `{"destination":"events","all":false}`, 400, nil, "nothing says which events"},
		"rate of 0":              {path, `{"destination":"events","all":true,"rate":0}`, 400, nil, "rate is from 1 to 10000"},
		"rate below":             {path, `{"destination":"events","all":true,"rate":-1}`, 400, nil, "rate is from 1 to 10000"},
		"rate above":             {path, `{"destination":"events","all":true,"rate":10001}`, 400, nil, "rate is from 1 to 10000"},
		"rate of a fraction":     {path, `{"destination":"events","all":true,"rate":0.5}`, 400, nil, "send a JSON object"},
		"no time":                {path, `{"destination":"events","from":"soon"}`, 400, nil, "from: "},
		"no id":                  {path, `{"destination":"events","id":["x"]}`, 400, nil, "is not an event's id"},
		"too large":              {path, `{"destination":"` + strings.Repeat("x", 1<<20) + `"}`, 400, nil, "larger than 1048576 bytes"},
		"seqs elsewhere":         {path, `{"destination":"events","seqs":[1]}`, 400, nil, `unknown field \"seqs\"`},
		"dead, nothing":          {dead, `{}`, 400, nil, "nothing says which events"},
		"dead, no numbers":       {dead, `{"seqs":[]}`, 400, nil, "1 to 10000 sequence numbers"},
		"dead, too many":         {dead, `{"seqs":[` + strings.Repeat("1,", 10000) + `1]}`, 400, nil, "1 to 10000 sequence numbers"},
		"dead, numbers and all":  {dead, `{"seqs":[1],"all":true}`, 400, nil, "give seqs alone"},
		"dead, numbers and rate": {dead, `{"seqs":[1],"rate":1}`, 400, nil, "give seqs alone"},
		"dead, numbers and some": {dead, `{"seqs":[1],"from":"1h"}`, 400, nil, "give seqs alone"},
		"dead, destination":      {dead, `{"destination":"events","all":true}`, 400, nil, `unknown field \"destination\"; send a JSON object with some of seqs`},
		"dead, unknown":          {"/v1/dead-letters/other/replay", `{"all":true}`, 404, nil, "no destination of this name"},
		"dead, unknown, numbers": {"/v1/dead-letters/other/replay", `{"seqs":[1]}`, 404, nil, "no destination of this name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{}
			rec := send(withReplays(d), http.MethodPost, c.path, c.body)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) || !json.Valid(rec.Body.Bytes()) || rec.Body.Len() > 600 {
				t.Errorf("%d %s, want %d %s", rec.Code, rec.Body, c.status, c.says)
			}
			if (rec.Header().Get("Location") != "") != (c.status == 202) || (c.status == 202 && rec.Header().Get("Location") != "/v1/replays/r1") {
				t.Errorf("Location is %q", rec.Header().Get("Location"))
			}
			switch {
			case c.want == nil && len(d.orders) > 0:
				t.Errorf("ordered %+v", d.orders)
			case c.want != nil && (len(d.orders) != 1 || !reflect.DeepEqual(d.orders[0], *c.want)):
				t.Errorf("ordered %+v, want %+v", d.orders, *c.want)
			}
		})
	}
}

// full are dead letters for which there is no room.
type full struct{ admin.Operator }

func (full) Replay(ctx context.Context, _ string, _ []int64) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// TestReplays_NoRoom: whoever asks has an answer before the listener gives up on it, and a stop does not wait for longer.
func TestReplays_NoRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		rec := send(options(func(o *admin.Options) { o.Operator = full{} }), http.MethodPost, "/v1/dead-letters/events/replay", `{"seqs":[1]}`)
		if took := time.Since(began); took > 9*time.Second || rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "ask for less at once") {
			t.Errorf("%d %s after %s", rec.Code, rec.Body, took)
		}
	})
}

// TestReplays_Course: begun, seen, not twice at once, stopped.
func TestReplays_Course(t *testing.T) {
	t.Parallel()
	const all = `{"destination":"events","all":true}`
	o := withReplays(&desk{})
	for i, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/v1/replays", "", 200, `{"replays":[]}`},
		{"POST", "/v1/replays", all, 202, `"id":"r1"`},
		{"POST", "/v1/replays", all, 409, "is under way; wait for its end, or stop it (r1)"},
		{"POST", "/v1/dead-letters/events/replay", `{"all":true}`, 409, "(r1)"},
		{"POST", "/v1/replays", `{"destination":"events","all":true,"dry_run":true}`, 200, `"id":"r2"`},
		{"GET", "/v1/replays", "", 200, `{"replays":[{"id":"r2"`},
		{"GET", "/v1/replays/r1", "", 200, `{"id":"r1","destination":"events","dead_letters":false,"dry_run":false,"rate":100,"state":"running","scanned":0,"matched":0,"sent":0,"waiting":0,"unwanted":0,"gone":0,"started":"2026-05-01T12:00:00Z"}`},
		{"GET", "/v1/replays/r9", "", 404, "no replay of this id"},
		{"DELETE", "/v1/replays/r9", "", 404, "no replay of this id"},
		{"DELETE", "/v1/replays/r1", "", 200, `"state":"stopped"`},
		{"GET", "/v1/replays/r1", "", 200, `"state":"stopped"`},
		{"POST", "/v1/replays", all, 202, `"id":"r3"`},
	} {
		if rec := send(o, c.method, c.path, c.body); rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
			t.Errorf("step %d, %s %s: %d %s, want %d %s", i, c.method, c.path, rec.Code, rec.Body, c.status, c.says)
		}
	}
}

// TestOperatorPages_TokenAndMethods: what shows what customers wrote is for the holder of the token, and nobody where there
// is none; every other method is answered with those that there are.
func TestOperatorPages_TokenAndMethods(t *testing.T) {
	t.Parallel()
	for path, allow := range map[string]string{
		"/v1/events":                     "GET",
		"/v1/events/" + knownID:          "GET",
		"/v1/replays":                    "GET, POST",
		"/v1/replays/r1":                 "GET, DELETE",
		"/v1/quarantine":                 "GET",
		"/v1/dead-letters/events":        "GET",
		"/v1/dead-letters/events/replay": "POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			d, s := &desk{}, &shelf{}
			change := func(o *admin.Options) { o.Operator, o.Replays, o.Events = letters{}, d, s }
			if !strings.Contains(", "+allow+",", ", "+method+",") {
				rec := send(options(change), method, path, "")
				if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != allow {
					t.Errorf("%s %s: %d, Allow %q, want %q", method, path, rec.Code, rec.Header().Get("Allow"), allow)
				}
				continue
			}
			for _, authorization := range [][]string{nil, {"Bearer wrong"}} {
				if rec := ask(options(change), method, path, authorization...); rec.Code != http.StatusUnauthorized {
					t.Errorf("%s %s with %q: %d", method, path, authorization, rec.Code)
				}
			}
			open := options(func(o *admin.Options) { change(o); o.Token = hookgate.Secret{} })
			if rec := ask(open, method, path); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "admin.token") {
				t.Errorf("%s %s of a gateway without a token: %d %s", method, path, rec.Code, rec.Body)
			}
			if len(d.orders)+len(s.asked) > 0 {
				t.Errorf("%s %s has done something", method, path)
			}
		}
	}
}
