package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// operated is a running program with an admin token, and how the commands reach it.
type operated struct {
	*running
	args []string
}

func operate(t *testing.T, destinations string) operated {
	t.Helper()
	return operating(t, scenario(filepath.Join(t.TempDir(), "j.db"), destinations))
}

// operating is operate for a whole configuration of scenario.
func operating(t *testing.T, config string) operated {
	t.Helper()
	config = strings.Replace(config, `admin: {listen: "127.0.0.1:0"}`, `admin: {listen: "127.0.0.1:0", token: env:ADMIN}`, 1)
	r := serve(t, config, func(m *Main) {
		m.Env = func(name string) (string, bool) {
			if name == "ADMIN" {
				return adminToken, true
			}
			return scenarioEnv(name)
		}
	})
	return operated{r, []string{"--admin", "http://" + r.Admin, "--token", secretFile(t, adminToken)}}
}

func (o operated) command(t *testing.T, args ...string) commandResult {
	t.Helper()
	return runCommand(t, append(args, o.args...)...)
}

// objects runs a command with --json and reads its lines.
func (o operated) objects(t *testing.T, args ...string) (all []map[string]any) {
	t.Helper()
	got := o.command(t, append(args, "--json")...)
	if got.code != exitDone || got.stderr != "" {
		t.Fatalf("%v: %+v", args, got)
	}
	for line := range strings.Lines(got.stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %v: %s", args, err, line)
		}
		all = append(all, object)
	}
	return all
}

// chatBody is an event of the source chat.
func chatBody(n int) string {
	return fmt.Sprintf(`{"entity_type":"conversation","org_id":"1","event":"conversation.created","entity_id":"%d","attempt":1,"event_time":1716560000268}`, n)
}

// fed is a program with a file destination that has six events of care and two of chat.
func fed(t *testing.T) (o operated, out string, ids []string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "events")
	o = operate(t, "  - {name: events, type: file, path: "+out+"}\n  - {name: chats, type: file, path: "+out+"-chats, match: {source: [chat]}}\n")
	s := newSender(t, o.Hooks)
	for n := range 6 {
		a := s.deliver(t.Context(), caseBody(n, 3))
		if a.outcome != "accepted" {
			t.Fatal(a)
		}
		ids = append(ids, a.eventID)
	}
	for n := range 2 {
		a := s.post(t.Context(), "/hooks/chat", chatBody(n), "")
		if a.outcome != "accepted" {
			t.Fatal(a)
		}
		ids = append(ids, a.eventID)
	}
	eventually(t, "all is delivered and recorded", func() (bool, string) {
		record := o.objects(t, "events", "show", ids[7])
		return len(lines(t, out)) == 8 && len(lines(t, out+"-chats")) == 2 && strings.Count(fmt.Sprint(record[0]["destinations"]), "delivered") == 2, fmt.Sprint(record)
	})
	return o, out, ids
}

// settled waits until nothing is parked for the destination events: until then what was sent again counts as still to come.
func (o operated) settled(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is parked", func() (bool, string) {
		_, page := o.ask(t, "/metrics", adminToken)
		return strings.Contains(page, "hookgate_parked{destination=\"events\"} 0\n"), page
	})
}

// TestReplay_EndToEnd: by id, by time and by type, after a dry run that sends nothing. The line in the file is the event's
// own, with its id, and says replayed; no other is sent.
func TestReplay_EndToEnd(t *testing.T) {
	t.Parallel()
	o, out, ids := fed(t)
	before := lines(t, out)
	received := make(map[string]string)
	for _, e := range o.objects(t, "events", "list") {
		received[e["id"].(string)] = e["receivedtime"].(string)
	}
	since, from := received[ids[4]], []string(nil)
	for _, id := range ids {
		if received[id] >= since {
			from = append(from, id)
		}
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{ids[2]}, ids[2:3]},
		{[]string{ids[7], ids[0]}, []string{ids[0], ids[7]}},
		{[]string{"--from", since}, from},
		{[]string{"--type", "sprinklr.case.*"}, ids[:6]},
		{[]string{"--source", "chat", "--provider", "salesiq", "--from", "1h", "--to", "0s"}, ids[6:]},
		{[]string{"--entitytype", "nothing"}, nil},
		{[]string{"--all", "--rate", "10000"}, ids},
	} {
		o.settled(t)
		have := len(lines(t, out))
		args := append([]string{"events", "replay", "-d", "events"}, c.args...)
		dry := o.command(t, append(args, "--dry-run")...)
		if dry.code != exitDone || !strings.Contains(dry.stdout, fmt.Sprintf("fit        %d\n", len(c.want))) || strings.Contains(dry.stdout, "sent on") {
			t.Errorf("%v, dry: %+v", c.args, dry)
		}
		for _, id := range c.want {
			if !strings.Contains(dry.stdout, id) {
				t.Errorf("%v, dry: %s is not shown:\n%s", c.args, id, dry.stdout)
			}
		}
		done := o.objects(t, args...)
		if len(done) != 1 || done[0]["state"] != "done" || done[0]["sent"] != float64(len(c.want)) {
			t.Errorf("%v: %v", c.args, done)
		}
		eventually(t, fmt.Sprint(c.args, " is written"), func() (bool, string) {
			n := len(lines(t, out))
			return n == have+len(c.want), fmt.Sprintf("%d, not %d", n-have, len(c.want))
		})
		var got []string
		for _, line := range lines(t, out)[have:] {
			got = append(got, idOf([]byte(line)))
			if !slices.Contains(before, strings.Replace(line, `,"replayed":true`, "", 1)) || !strings.Contains(line, `,"replayed":true`) {
				t.Errorf("%v wrote %.300s", c.args, line)
			}
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(c.want)); !slices.Equal(got, want) {
			t.Errorf("%v sent %v, want %v", c.args, got, want)
		}
	}
	got := o.command(t, "events", "replay", "-d", "chats", "--all")
	if got.code != exitDone || !strings.Contains(got.stdout, "left out   6, the match or when of chats leaves them out\n") || !strings.Contains(got.stdout, "sent on    2\n") {
		t.Errorf("to another destination: %+v", got)
	}
	eventually(t, "the other destination has its own again", func() (bool, string) { n := len(lines(t, out+"-chats")); return n == 4, fmt.Sprint(n) })
	if got := o.command(t, "events", "replay", "-d", "other", "--all"); got.code != exitFailed || !strings.Contains(got.stderr, "no destination of this name") {
		t.Errorf("to nobody: %+v", got)
	}
	if got := o.command(t, "events", "replay", "-d", "events", "--from", "soon"); got.code != exitUsage || !strings.Contains(got.stderr, `"soon" is no time`) {
		t.Errorf("since no time: %+v", got)
	}
}

// TestReplay_StoppedOnTheWay: what is asked to stop stops, over the API, and a second one is refused meanwhile.
func TestReplay_StoppedOnTheWay(t *testing.T) {
	t.Parallel()
	o, out, _ := fed(t)
	const order = `{"destination":"events","all":true,"rate":1}`
	status, begun := o.operate(t, "POST", "/v1/replays", adminToken, order)
	if status != http.StatusAccepted || begun["state"] != "running" {
		t.Fatalf("%d %v", status, begun)
	}
	if status, said := o.operate(t, "POST", "/v1/replays", adminToken, order); status != http.StatusConflict {
		t.Errorf("a second one: %d %v", status, said)
	}
	if got := o.command(t, "events", "replay", "-d", "events", "--all"); got.code != exitFailed || !strings.Contains(got.stderr, "under way") {
		t.Errorf("a second one: %+v", got)
	}
	path := fmt.Sprint("/v1/replays/", begun["id"])
	eventually(t, "the first one is sent", func() (bool, string) {
		_, said := o.operate(t, "GET", path, adminToken, "")
		return said["sent"] != 0.0, fmt.Sprint(said)
	})
	status, stopped := o.operate(t, "DELETE", path, adminToken, "")
	sent, _ := stopped["sent"].(float64)
	if status != http.StatusOK || stopped["state"] != "stopped" || sent < 1 || sent > 7 {
		t.Fatalf("%d %v", status, stopped)
	}
	eventually(t, "what was sent is written", func() (bool, string) {
		n := len(lines(t, out))
		return n == 8+int(sent), fmt.Sprint(n)
	})
	o.settled(t)
	if got := o.objects(t, "events", "replay", "-d", "events", "--all", "--rate", "10000"); got[0]["sent"] != 8.0 {
		t.Errorf("begun again: %v", got)
	}
	if code := o.stop(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	if n := len(lines(t, out)); n != 16+int(sent) {
		t.Errorf("%d lines at the end", n)
	}
}

func TestEventsCommands(t *testing.T) {
	t.Parallel()
	o, _, ids := fed(t)
	idsOf := func(objects []map[string]any) (all []string) {
		for _, e := range objects {
			all = append(all, e["id"].(string))
		}
		return all
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, newest},
		{[]string{"--limit", "3"}, newest[:3]},
		{[]string{"--source", "chat"}, newest[:2]},
		{[]string{"--type", "sprinklr.*.update", "--limit", "2"}, newest[2:4]},
		{[]string{"--id", ids[1] + "," + ids[6]}, []string{ids[6], ids[1]}},
		{[]string{"--provider", "bird"}, nil},
		{[]string{"--to", "1h"}, nil},
	} {
		if got := idsOf(o.objects(t, append([]string{"events", "list"}, c.args...)...)); !slices.Equal(got, c.want) {
			t.Errorf("list %v: %v, want %v", c.args, got, c.want)
		}
	}
	if e := o.objects(t, "events", "list", "--limit", "1", "--data")[0]; e["data"] == nil {
		t.Errorf("no data: %v", e)
	}
	if e := o.objects(t, "events", "list", "--limit", "1")[0]; e["data"] != nil {
		t.Errorf("data that nobody asked for: %v", e)
	}
	got := o.command(t, "events", "list")
	if rows := strings.Split(got.stdout, "\n"); len(rows) != 10 || strings.Join(strings.Fields(rows[0]), " ") != "received id source type subject" || !strings.Contains(rows[3], ids[5]+"  care    sprinklr.case.update") {
		t.Errorf("the table is\n%s", got.stdout)
	}

	// The same delivery again: the event has two copies.
	if a := newSender(t, o.Hooks).deliver(t.Context(), caseBody(5, 3)); a.outcome != "duplicate" {
		t.Fatal(a)
	}
	got = o.command(t, "events", "show", ids[5])
	for _, what := range []string{"\nsubject ", " case-2\n", "destination chats ", " unwanted, its match or when leaves it out\n", "destination events ", " delivered\n",
		"copies", "2, known as such until", "attempt 1, first\n", "attempt 1, replay\n", "POST /hooks/care from 127.0.0.1", "X-Hub-Signature: sha256=", "\n  \"type\": \"case.update\",\n"} {
		if !strings.Contains(got.stdout, what) {
			t.Errorf("show does not say %q:\n%s", what, got.stdout)
		}
	}
	for id, says := range map[string]string{strings.Repeat("0", 32): "no event of this id is in the journal", "latest": "is not an event's id"} {
		if got := o.command(t, "events", "show", id); got.code == exitDone || got.stdout != "" || !strings.Contains(got.stderr, says) {
			t.Errorf("show %s: %+v", id, got)
		}
	}
}

// TestDeadLetterCommands: refused events are listed with why, shown as dead, and sent again by number and by selection.
func TestDeadLetterCommands(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	var taken, marked atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		var e map[string]any
		_ = json.NewDecoder(r.Body).Decode(&e)
		if e["replayed"] == true {
			marked.Add(1)
		}
		taken.Add(1)
	}))
	defer target.Close()
	o := operate(t, "  - {name: events, type: http, url: \""+target.URL+"\", retry: {attempts: 1}}\n")
	s := newSender(t, o.Hooks)
	for n := range 5 {
		if a := s.deliver(t.Context(), caseBody(n, 5)); a.outcome != "accepted" {
			t.Fatal(a)
		}
	}
	count := func() int { return len(o.objects(t, "dead-letters", "list", "events")) }
	eventually(t, "five dead letters", func() (bool, string) { n := count(); return n == 5, fmt.Sprint(n) })
	all := o.objects(t, "dead-letters", "list", "events", "--limit", "2", "--after", "1")
	if len(all) != 2 || all[0]["seq"] != 2.0 || !strings.Contains(fmt.Sprint(all[0]["error"]), "422") {
		t.Errorf("%v", all)
	}
	id := all[0]["event"].(map[string]any)["id"].(string)
	if got := o.command(t, "dead-letters", "list", "events"); !strings.Contains(got.stdout, id) || !strings.Contains(got.stdout, "422") || strings.Count(got.stdout, "\n") != 6 {
		t.Errorf("%+v", got)
	}
	if got := o.command(t, "events", "show", id); !strings.Contains(got.stdout, "dead, attempts 1, ") {
		t.Errorf("%+v", got)
	}
	mended.Store(true)
	if got := o.command(t, "dead-letters", "replay", "events", "2", "99"); got.code != exitDone || got.stdout != "1 of 2 are sent again; the others are no dead letters of events\n" {
		t.Errorf("%+v", got)
	}
	gone := func(left int) {
		t.Helper()
		eventually(t, fmt.Sprint(left, " are left"), func() (bool, string) {
			n := count()
			return n == left && taken.Load() == int64(5-left), fmt.Sprint(n, taken.Load())
		})
	}
	gone(4)
	if got := o.command(t, "dead-letters", "replay", "events", "--all", "--dry-run"); got.code != exitDone || !strings.Contains(got.stdout, "fit        4\n") {
		t.Errorf("%+v", got)
	}
	third := all[1]["event"].(map[string]any)["id"].(string)
	if got := o.objects(t, "dead-letters", "replay", "events", "--id", third); got[0]["sent"] != 1.0 || got[0]["dead_letters"] != true {
		t.Errorf("%v", got)
	}
	gone(3)
	if status, said := o.operate(t, "POST", "/v1/dead-letters/events/replay", adminToken, `{"all":true}`); status != http.StatusAccepted {
		t.Errorf("%d %v", status, said)
	}
	gone(0)
	if marked.Load() < 4 {
		t.Errorf("only %d say that they were replayed", marked.Load())
	}
	if got := o.command(t, "dead-letters", "list", "events"); got.code != exitDone || got.stdout != "" || got.stderr != "no dead letters of events\n" {
		t.Errorf("%+v", got)
	}
	if got := o.command(t, "dead-letters", "list", "other"); got.code != exitFailed || !strings.Contains(got.stderr, "no destination of this name") {
		t.Errorf("%+v", got)
	}
}

func TestQuarantineCommands(t *testing.T) {
	t.Parallel()
	o := operate(t, "  - {name: events, type: file, path: "+filepath.Join(t.TempDir(), "e")+"}\n")
	if got := o.command(t, "quarantine", "list"); got.code != exitDone || got.stdout != "" || got.stderr != "nothing in quarantine\n" {
		t.Errorf("%+v", got)
	}
	s := newSender(t, o.Hooks)
	for _, body := range []string{"first\nof two \x1b[2J lines", "not json \xff"} {
		if a := s.deliver(t.Context(), body); a.outcome != "quarantined" {
			t.Fatal(a)
		}
	}
	if all := o.objects(t, "quarantine", "list"); len(all) != 2 || all[0]["seq"] != 2.0 || all[1]["source"] != "care" {
		t.Errorf("%v", all)
	}
	if all := o.objects(t, "quarantine", "list", "--before", "2"); len(all) != 1 || all[0]["seq"] != 1.0 {
		t.Errorf("%v", all)
	}
	if got := o.command(t, "quarantine", "list", "--limit", "1"); strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stdout, "hub-signature") {
		t.Errorf("%+v", got)
	}
	if got := o.command(t, "quarantine", "show", "1"); got.code != exitDone || !strings.HasSuffix(got.stdout, "\n\nfirst\nof two \ufffd[2J lines\n") {
		t.Errorf("%+v", got)
	}
	if got := o.command(t, "quarantine", "show", "2"); got.code != exitDone || !strings.Contains(got.stdout, "6e 6f 74 20 6a 73 6f 6e  20 ff") {
		t.Errorf("%+v", got)
	}
	if got := o.objects(t, "quarantine", "show", "2"); got[0]["part_base64"] != "bm90IGpzb24g/w==" {
		t.Errorf("%v", got)
	}
	if got := o.command(t, "quarantine", "show", "3"); got.code != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, "there is no 3 in quarantine") {
		t.Errorf("%+v", got)
	}
}

// TestL02_OperatorPagesHoldNoSecret: the request is shown as it was kept, its signature whole and its credentials not.
func TestL02_OperatorPagesHoldNoSecret(t *testing.T) {
	t.Parallel()
	o := operate(t, "  - {name: events, type: file, path: "+filepath.Join(t.TempDir(), "e")+"}\n")
	const cookie, password = "canary-cookie-8f7e6d5c", "canary-password-1a2b3c4d"
	body := caseBody(1, 1)
	o.send(t, post("/hooks/care", body, "X-Hub-Signature: "+sign(body), "Cookie: session="+cookie, "Authorization: Basic "+password))
	list := o.objects(t, "events", "list", "--data")
	if len(list) != 1 {
		t.Fatalf("%v", list)
	}
	id := list[0]["id"].(string)
	shown := o.command(t, "events", "show", id)
	for _, what := range []string{"Cookie: [secret]", "Authorization: [secret]", "X-Hub-Signature: " + sign(body)} {
		if !strings.Contains(shown.stdout, what) {
			t.Errorf("it does not say %q:\n%s", what, shown.stdout)
		}
	}
	all := shown.stdout + shown.stderr + o.stderr.String()
	for _, path := range []string{"/v1/events?data=true", "/v1/events/" + id, "/v1/replays"} {
		_, page := o.ask(t, path, adminToken)
		all += page
	}
	for _, secret := range []string{cookie, password, adminToken, scenarioSecret} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}
