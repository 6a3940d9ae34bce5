package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// open runs the program with a source of each provider that needs no proof, and one destination, which is a file.
func open(t *testing.T, more string) (o operated, out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "events")
	config := strings.Replace(scenario(journalBeside(out), fileAt(out)+more), "destinations:\n", `
  - {name: care-open, provider: sprinklr, auth: [{scheme: none}]}
  - {name: mail, provider: netcore, auth: [{scheme: none}]}
  - {name: box, provider: commbox, auth: [{scheme: none}]}
destinations:
`, 1)
	return operating(t, config), out
}

func journalBeside(out string) string { return filepath.Join(filepath.Dir(out), "j.db") }

// taken posts a body and gives the event's id and what was forwarded as its data, once it was.
func (o operated) taken(t *testing.T, out, path, body string, headers ...string) (id, line string) {
	t.Helper()
	resp := o.send(t, post(path, body, headers...))
	id = resp.Header.Get("Hookgate-Event-Id")
	if resp.StatusCode != http.StatusOK || id == "" {
		t.Fatalf("%s of %q: %d %v", path, body, resp.StatusCode, resp.Header)
	}
	eventually(t, "it is forwarded", func() (bool, string) {
		for _, l := range lines(t, out) {
			if idOf([]byte(l)) == id {
				line = l
				return true, ""
			}
		}
		return false, ""
	})
	return id, line
}

// alike posts pairs of bodies, and tells whether the second is the first one again.
type alike struct {
	name, path, a, b string
	same             bool
}

func (o operated) compare(t *testing.T, rows []alike) {
	t.Helper()
	for _, c := range rows {
		first, second := o.send(t, post(c.path, c.a)), o.send(t, post(c.path, c.b))
		want := "accepted"
		if c.same {
			want = "duplicate"
		}
		if first.Header.Get("Hookgate-Outcome") != "accepted" || second.Header.Get("Hookgate-Outcome") != want {
			t.Errorf("%s: %s, then %s; want accepted, then %s", c.name, first.Header.Get("Hookgate-Outcome"), second.Header.Get("Hookgate-Outcome"), want)
		}
	}
}

// sprinklrBodyOf is an event of the source care-open with members of one's own.
func sprinklrBodyOf(members string) string {
	return `{` + members + `,"type":"case.update","subscriptionDetails":{"subscriptionId":"s"}}`
}

// TestB04_NamesOfAnotherCaseAreOtherNames: neither do they identify an event, nor are they where its members are looked for.
func TestB04_NamesOfAnotherCaseAreOtherNames(t *testing.T) {
	t.Parallel()
	o, out := open(t, "")
	const path, chat = "/hooks/care-open", "/hooks/chat"
	o.compare(t, []alike{
		{"ID beside id", path, sprinklrBodyOf(`"id":"1","ID":"2"`), sprinklrBodyOf(`"id":"1","ID":"3"`), true},
		{"ID before id", path, sprinklrBodyOf(`"ID":"2","id":"2"`), sprinklrBodyOf(`"ID":"9","id":"2"`), true},
		{"a dotless i", path, sprinklrBodyOf(`"id":"3","ıd":"1"`), sprinklrBodyOf(`"id":"3","ıd":"2"`), true},
		{"a dotless i, escaped", path, sprinklrBodyOf(`"id":"4","\u0131d":"1"`), sprinklrBodyOf(`"id":"4","\u0131d":"2"`), true},
		{"id, escaped, is id", path, sprinklrBodyOf(`"id":"5"`), sprinklrBodyOf(`"\u0069d":"5"`), true},
		{"ID alone is no id", path, sprinklrBodyOf(`"ID":"6","n":1`), sprinklrBodyOf(`"ID":"6","n":2`), false},
		{"a long s and a Kelvin sign", chat, `{"event":"a.b","entity_id":"1","event_time":"2","app_id":"1","a\u017fset":1}`, `{"event":"a.b","entity_id":"1","event_time":"2","app_id":"1","a\u017fset":2}`, true},
		{"Event_Time is no event_time", chat, `{"event":"a.b","entity_id":"2","event_time":"2","Event_Time":"3"}`, `{"event":"a.b","entity_id":"2","event_time":"2","Event_Time":"4"}`, true},
	})
	_, line := o.taken(t, out, path, `{"id":"7","type":"case.update","payload":{"ID":"upper","Id":"title"},"Type":"case.create","subscriptionDetails":{"subscriptionId":"s"}}`)
	if !strings.Contains(line, `"type":"sprinklr.case.update"`) || strings.Contains(line, `"subject"`) {
		t.Errorf("members of another case were read: %s", line)
	}
	// CommBox documents both Id and id: both at once are two answers to one question.
	for name, body := range map[string]string{"XML": `<Event Subscription="Chat" Name="OnUserExit" Brand="b"><Chat><Object id="1" Id="2"/></Chat></Event>`, "JSON": `{"Event":{"Subscription":"Object","Name":"OnNew","Object":{"Id":"1","id":"2"}}}`} {
		if resp := o.send(t, post("/hooks/box", body)); resp.Header.Get("Hookgate-Outcome") != "quarantined" {
			t.Errorf("%s with both: %v", name, resp.Header)
		}
	}
}

// TestB07_NumbersStayAsTheyAreWritten: an id is compared as text, and what is forwarded are the bytes that came.
func TestB07_NumbersStayAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	o, out := open(t, "")
	const path = "/hooks/care-open"
	id := func(n string) string { return sprinklrBodyOf(`"id":` + n) }
	o.compare(t, []alike{
		{"2^53 and one more", path, id("9007199254740992"), id("9007199254740993"), false},
		{"2^53-1 and 2^53", path, id("9007199254740991"), id("9007199254740990"), false},
		{"20 digits", path, id("12345678901234567890"), id("12345678901234567891"), false},
		{"40 digits", path, id("1234567890123456789012345678901234567890"), id("1234567890123456789012345678901234567891"), false},
		{"1 and 1.0", path, id("1"), id("1.0"), false},
		{"1 and 1e0", path, id("21"), id("21e0"), false},
		{"0 and -0", path, id("0"), id("-0"), false},
		{"1e400 and 1e401", path, id("1e400"), id("1e401"), false},
		{"number and text", path, id("31"), id(`"31"`), true},
		{"the same", path, id("9007199254740995"), id("9007199254740995"), true},
	})
	const payload = `"payload":{"id":9007199254740993,"a":1e400,"b":-0,"c":1.0,"d":0.1000,"e":12345678901234567890123,"f":1E+2}`
	body := sprinklrBodyOf(`"id":"whole",` + payload)
	_, line := o.taken(t, out, path, body)
	if !strings.Contains(line, `"data":`+body) || !strings.Contains(line, `"subject":"9007199254740993"`) {
		t.Errorf("%s", line)
	}
}

// quarantinedFiles posts the files of normalize's corpus whose names begin with the row. Whatever the file holds, it is
// kept and not forwarded, and nothing outside is asked for.
func quarantinedFiles(t *testing.T, row string, least int) {
	t.Helper()
	asked := make(chan string, 16)
	canary := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer canary.Close()
	o, out := open(t, "")
	total := 0
	for provider, path := range map[string]string{"commbox": "/hooks/box", "netcore": "/hooks/mail"} {
		files, err := filepath.Glob(filepath.Join(repository, "normalize", "testdata", provider, "quarantine", row+"-*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			total++
			resp := o.send(t, post(path, string(body), "Content-Type: application/xml"))
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "quarantined" {
				t.Errorf("%s: %d %v", filepath.Base(file), resp.StatusCode, resp.Header)
			}
		}
	}
	if total < least {
		t.Errorf("only %d files", total)
	}
	if row == "B09" {
		for name, body := range map[string]string{
			"an external entity":   `<!DOCTYPE a [<!ENTITY x SYSTEM "` + canary.URL + `/entity">]><Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="&x;"/></Event>`,
			"an external DTD":      `<!DOCTYPE Event SYSTEM "` + canary.URL + `/dtd"><Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="1"/></Event>`,
			"a parameter entity":   `<!DOCTYPE a [<!ENTITY % x SYSTEM "` + canary.URL + `/parameter"> %x;]><Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="1"/></Event>`,
			"a file":               `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="&x;"/></Event>`,
			"an inclusion":         `<Event xmlns:xi="http://www.w3.org/2001/XInclude" Subscription="Object" Name="OnNew" Brand="b"><xi:include href="` + canary.URL + `/include"/>&x;</Event>`,
			"a schema and a style": `<?xml-stylesheet href="` + canary.URL + `/style"?><Event xsi:schemaLocation="a ` + canary.URL + `/schema" Subscription="Object" Name="OnNew"><Object Id="1"></Event>`,
		} {
			if resp := o.send(t, post("/hooks/box", body)); resp.Header.Get("Hookgate-Outcome") != "quarantined" {
				t.Errorf("%s: %v", name, resp.Header)
			}
		}
	}
	select {
	case path := <-asked:
		t.Errorf("%s was asked for", path)
	default:
	}
	// What was kept must not hold up what comes after it, and none of it is forwarded.
	o.taken(t, out, "/hooks/chat", chatBody(1))
	if n := len(lines(t, out)); n != 1 {
		t.Errorf("%d events were forwarded, want the last one alone", n)
	}
}

func TestB09_NoEntityIsFollowed(t *testing.T) { t.Parallel(); quarantinedFiles(t, "B09", 12) }

func TestB10_OneRootAndOneAnswer(t *testing.T) { t.Parallel(); quarantinedFiles(t, "B10", 30) }

// TestD03_WithoutAnIDTheContentIsTheIdentity: what names no id of its own is not taken for another one without.
func TestD03_WithoutAnIDTheContentIsTheIdentity(t *testing.T) {
	t.Parallel()
	o, _ := open(t, "")
	const box = `<Event Subscription="Object" Name="OnNew" Brand="b"><Object Text="%s"/></Event>`
	o.compare(t, []alike{
		{"sprinklr", "/hooks/care-open", `{"type":"a.b","payload":{"n":1}}`, `{"type":"a.b","payload":{"n":2}}`, false},
		{"sprinklr, the same", "/hooks/care-open", `{"type":"a.b","payload":{"n":3}}`, `{"type":"a.b","payload":{"n":3}}`, true},
		{"sprinklr, empty ids", "/hooks/care-open", sprinklrBodyOf(`"id":"","n":1`), sprinklrBodyOf(`"id":"","n":2`), false},
		{"sprinklr, no ids at all", "/hooks/care-open", sprinklrBodyOf(`"id":null,"n":1`), sprinklrBodyOf(`"id":null,"n":2`), false},
		{"sprinklr, an object for an id", "/hooks/care-open", sprinklrBodyOf(`"id":{},"n":1`), sprinklrBodyOf(`"id":{},"n":2`), false},
		{"salesiq", "/hooks/chat", `{"event":"a.b","n":1}`, `{"event":"a.b","n":2}`, false},
		{"salesiq, the same", "/hooks/chat", `{"event":"a.b","n":3}`, `{"event":"a.b","n":3}`, true},
		{"commbox", "/hooks/box", fmt.Sprintf(box, "1"), fmt.Sprintf(box, "2"), false},
		{"commbox, the same", "/hooks/box", fmt.Sprintf(box, "3"), fmt.Sprintf(box, "3"), true},
	})
}

// TestD06_WhatWasNotKeptIsNotRemembered: a delivery that the journal could not keep is answered 503, and its retry is taken
// for what it is, the first to be kept; it is forwarded once.
func TestD06_WhatWasNotKeptIsNotRemembered(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	out := filepath.Join(t.TempDir(), "events")
	r := serve(t, onRedis(server.url, "", fileAt(out)), func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	server.kill()
	refused := 0
	for n := range 5 {
		if a := s.deliver(t.Context(), caseBody(n, 5)); a.status == http.StatusServiceUnavailable && a.outcome == "" {
			refused++
		} else {
			t.Errorf("with the journal away: %v", a)
		}
	}
	server.start(t)
	for n := range refused {
		eventually(t, "the retry is taken", func() (bool, string) {
			a := s.deliver(t.Context(), caseBody(n, 5))
			if a.outcome == "duplicate" {
				t.Fatalf("event %d is taken for one that was kept", n)
			}
			return a.outcome == "accepted", fmt.Sprint(a)
		})
		if a := s.deliver(t.Context(), caseBody(n, 5)); a.outcome != "duplicate" {
			t.Errorf("once it is kept: %v", a)
		}
	}
	eventually(t, "all are forwarded", func() (bool, string) { n := len(inFiles(t, out)); return n == refused, fmt.Sprint(n) })
	if n := doubled(inFiles(t, out)); n > 0 {
		t.Errorf("%d were forwarded twice", n)
	}
}

// TestH02_EncodedPathsReachNoSource: a source listens at its path in plain letters only, and what stands in the log is
// escaped.
func TestH02_EncodedPathsReachNoSource(t *testing.T) {
	t.Parallel()
	o, _ := open(t, "")
	var n bodies
	good := n.next()
	for _, path := range []string{
		"/hooks%2fcare", "/hooks%2Fcare", "/hooks/care%2f", "/hooks/care%2f..%2fchat", "/hooks/chat%2f..%2fcare", "/hooks/..%2fadmin", "/hooks%5ccare", "/hooks\\care",
		"/hooks/care%00", "/hooks/care%00.json", "/%00hooks/care", "/hooks/care%0a", "/hooks/care%0d%0aX-A:%20b", "/hooks/care%20", "/hooks/care%09", "/hooks/care+",
		"/hooks/c%61re", "/%68ooks/care", "/hooks/car%65", "/hooks/c%2561re", "/hooks/%63%61%72%65", "/hooks/CARE", "/Hooks/care", "/hooks/care;a=b", "/hooks/care,", "/hooks/care.",
		"/hooks/care%e2%80%a8", "/hooks/care\u2028", "/hooks/\xff", "/hooks/care%ff", "/hooks/%E3%81%82", "/hooks/\u0441are", "/hooks/care%c0%af", "/hooks/care%u002f",
		"/hooks/<script>", "/hooks/%1b[2J", "/hooks/care%23", "/hooks/" + strings.Repeat("a", 65), "/hooks/" + strings.Repeat("%61", 64), "//hooks/care", "/./hooks/care", "hooks/care", "*",
	} {
		w := dial(t, o.Hooks)
		w.write(t, post(path, good, signed(good)))
		resp, _ := w.read(t, "POST")
		_ = w.Close()
		// The server itself refuses what is no target at all.
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", path, resp.StatusCode)
		}
		if resp.Header.Get("Location") != "" || resp.Header.Get("Hookgate-Outcome") != "" {
			t.Errorf("%q: %v", path, resp.Header)
		}
	}
	if resp := o.send(t, post("/hooks/care?x=%2f%00%0a", good, signed(good))); resp.Header.Get("Hookgate-Outcome") != "accepted" {
		t.Errorf("with an odd query: %d %v", resp.StatusCode, resp.Header)
	}
	if code := o.stop(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	logged := 0
	for line := range strings.Lines(o.stderr.String()) {
		var fields struct{ Path, Message string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if fields.Message != "request" {
			continue
		}
		logged++
		if i := strings.IndexFunc(fields.Path, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
			t.Errorf("the path is logged as %q", fields.Path)
		}
	}
	if logged < 30 {
		t.Errorf("only %d requests are in the log", logged)
	}
}

// odd are header values that the server lets pass.
var odd = map[string]string{
	"a line separator":   "a\u2028b",
	"next line":          "a\u0085b",
	"bytes of no text":   "a\xff\xfe\xc3b",
	"a direction":        "a\u202eb",
	"C1 controls":        "a\u009b31mb",
	"bare high bytes":    "\x80\x85\x9b",
	"tabs":               "a\tb\tc",
	"quotes and slashes": `"\","a":"b`,
	"markup":             "<script>alert(1)</script>",
	"what looks like it": "sha256=\u0430\u0431",
}

// TestH07_OddBytesInHeaders: where a header proves something they refuse the request; elsewhere they are kept as they came,
// and reach neither the log nor a destination's headers.
func TestH07_OddBytesInHeaders(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []http.Header
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Clone())
	}))
	defer target.Close()
	o, out := open(t, "  - {name: binary, type: http, mode: binary, url: \""+target.URL+"\"}\n")
	var n bodies
	for name, value := range odd {
		good := n.next()
		for what, headers := range map[string][]string{
			"as the signature":       {"X-Hub-Signature: " + value},
			"behind the signature":   {signed(good) + value},
			"in front of it":         {strings.Replace(signed(good), ": ", ": "+value, 1)},
			"within the signature":   {strings.Replace(signed(good), "sha256=", "sha256="+value, 1)},
			"beside it, as a second": {signed(good), "X-Hub-Signature: " + value},
		} {
			if resp := o.send(t, post("/hooks/care", good, headers...)); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s %s: %d", name, what, resp.StatusCode)
			}
		}
		id, _ := o.taken(t, out, "/hooks/care", good, signed(good), "X-Odd: "+value, "User-Agent: "+value, "X-Request-Id: "+value, "Traceparent: "+value, "Content-Type: "+value)
		// The page shows text, and so what is no text is replaced there.
		head, _ := o.objects(t, "events", "show", id)[0]["request"].(map[string]any)
		header, _ := head["header"].(map[string]any)
		if got, _ := header["X-Odd"].([]any); len(got) != 1 || got[0] != asText(t, value) {
			t.Errorf("%s: shown as %q", name, got)
		}
	}
	eventually(t, "all have reached the target", func() (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		return len(got) >= len(odd), fmt.Sprint(len(got))
	})
	mu.Lock()
	defer mu.Unlock()
	for _, header := range got {
		for name, values := range header {
			for _, v := range values {
				for i := range len(v) {
					if v[i] < 0x20 || v[i] > 0x7e {
						t.Fatalf("the target got %s: %q", name, v)
					}
				}
			}
			if strings.Contains(strings.ToLower(name), "odd") {
				t.Errorf("the target got %s", name)
			}
		}
	}
	if code := o.stop(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	kept, err := os.ReadFile(journalBeside(out))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range odd {
		if !bytes.Contains(kept, []byte("X-Odd: "+strings.ReplaceAll(value, `\`, `\\`)+"\n")) {
			t.Errorf("%s: not kept as it came", name)
		}
	}
	for line := range strings.Lines(o.stderr.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "script") {
			t.Errorf("logged %q", line)
		}
		for i := range len(line) - 1 {
			if line[i] < 0x20 || line[i] > 0x7e {
				t.Fatalf("logged %q", line)
			}
		}
	}
}

// asText is what becomes of bytes in JSON.
func asText(t *testing.T, value string) (text string) {
	t.Helper()
	b, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(b, &text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestH12_UnknownPathsMintNothing: 20,000 of them grow no series, and whoever asks first is not asked for the body.
func TestH12_UnknownPathsMintNothing(t *testing.T) {
	t.Parallel()
	o, _ := open(t, "")
	series := func() int {
		_, page := o.ask(t, "/metrics", adminToken)
		return strings.Count(page, "\nhookgate_")
	}
	w := dial(t, o.Hooks)
	w.write(t, post("/hooks/first", "x"))
	w.read(t, "POST")
	_ = w.Close()
	before := series()
	const each = 2_500
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for worker := range 8 {
		w := dial(t, o.Hooks)
		_ = w.SetDeadline(time.Now().Add(2 * time.Minute)) // the machine may be busy with other tests
		wg.Go(func() { failed <- w.unknown(worker, each) })
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	if after := series(); after != before {
		t.Errorf("%d series before, %d after", before, after)
	}
	_, page := o.ask(t, "/metrics", adminToken)
	if want := fmt.Sprintf("hookgate_requests_total{outcome=\"unknown_source\",source=\"none\"} %d\n", 8*each+1); !strings.Contains(page, want) {
		t.Errorf("not all are counted under one name")
	}
	if strings.Contains(page, "random-") {
		t.Error("a path is in the metrics")
	}
	w = dial(t, o.Hooks)
	w.write(t, message("POST", "/hooks/unknown", []string{"Expect: 100-continue", "Content-Length: 10"}, ""))
	if resp, _ := w.read(t, "POST"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("asked first: %d", resp.StatusCode)
	}
}

// unknown asks for paths that there are none of, some of them odd, on one connection.
func (w *wire) unknown(worker, count int) error {
	forms := []string{"/hooks/random-%d-%d", "/random-%d-%d", "/hooks/care/random-%d-%d", "/hooks/care%%2frandom-%d-%d", "/hooks/ra%%6edom-%d-%d?a=b", "/%%00random-%d-%d"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	written := make(chan error, 1)
	go func() {
		var b bytes.Buffer
		for n := range count {
			b.WriteString(post(fmt.Sprintf(forms[n%len(forms)], worker, n), "x"))
			if b.Len() > 16<<10 || n == count-1 {
				if _, err := b.WriteTo(w.Conn); err != nil || ctx.Err() != nil {
					written <- err
					return
				}
			}
		}
		written <- nil
	}()
	for range count {
		resp, err := http.ReadResponse(w.in, &http.Request{Method: "POST"})
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
	}
	return errors.Join(<-written)
}
