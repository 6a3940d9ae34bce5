package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestS01_NoProofIsNoDelivery: whatever the scheme, a header that is absent, empty or blank, and a signature made with the
// empty key, are 401, and nothing of them is stored.
func TestS01_NoProofIsNoDelivery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), fileAt(out)), "destinations:\n", `
  - {name: messages, provider: bird, auth: [{scheme: bird-signature, secrets: [env:SCENARIO_SECRET]}]}
  - {name: contact, provider: commbox, auth: [{scheme: access-token, secrets: [env:SCENARIO_SECRET]}]}
  - {name: plain, provider: commbox, auth: [{scheme: access-token, prefix: "", secrets: [env:SCENARIO_SECRET]}]}
  - {name: campaigns, provider: netcore, auth: [{scheme: basic, users: [env:USER]}]}
destinations:
`, 1)
	r := serve(t, strings.Replace(config, `admin: {listen: "127.0.0.1:0"}`, `admin: {listen: "127.0.0.1:0", token: env:ADMIN}`, 1), func(m *Main) {
		m.Env = func(name string) (string, bool) {
			switch name {
			case "ADMIN":
				return adminToken, true
			case "USER":
				return "smartech:password-0123456789", true
			}
			return scenarioEnv(name)
		}
	})
	empty := func(message string) []byte {
		mac := hmac.New(sha256.New, nil)
		mac.Write([]byte(message))
		return mac.Sum(nil)
	}
	const body = `{"id":"1","type":"case.update"}`
	digest := sha256.Sum256([]byte(body))
	birdEmpty := base64.StdEncoding.EncodeToString(empty("1719823264\nhttps://hooks.example.com/hooks/messages\n" + string(digest[:])))
	sent := 0
	for path, c := range map[string]struct {
		headers []string
		extra   [][]string
	}{
		"/hooks/care":      {[]string{"X-Hub-Signature"}, [][]string{{"X-Hub-Signature: sha256=" + hex.EncodeToString(empty(body))}, {"X-Hub-Signature: sha256="}}},
		"/hooks/messages":  {[]string{"MessageBird-Signature", "MessageBird-Request-Timestamp"}, [][]string{{"MessageBird-Signature: " + birdEmpty, "MessageBird-Request-Timestamp: 1719823264"}}},
		"/hooks/contact":   {[]string{"Authorization"}, [][]string{{"Authorization: Bearer"}, {"Authorization: Bearer "}}},
		"/hooks/plain":     {[]string{"Authorization"}, nil},
		"/hooks/campaigns": {[]string{"Authorization"}, [][]string{{"Authorization: Basic"}, {"Authorization: Basic Og=="}, {"Authorization: Basic c21hcnRlY2g6"}}},
	} {
		tries := append(c.extra, nil)
		for _, h := range c.headers {
			for _, value := range []string{"", " ", "\t", `""`, "null", "undefined"} {
				tries = append(tries, []string{h + ": " + value})
			}
		}
		for _, headers := range tries {
			sent++
			if resp := r.send(t, post(path, body, headers...)); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d", path, headers, resp.StatusCode)
			}
		}
	}
	if _, page := r.ask(t, "/v1/events", adminToken); !strings.Contains(page, `"events":[]`) {
		t.Errorf("after %d deliveries without proof the journal holds %s", sent, page)
	}
	if _, page := r.ask(t, "/v1/quarantine", adminToken); strings.Contains(page, `"seq"`) {
		t.Errorf("the quarantine holds %s", page)
	}
}

// TestS09_BodiesAreVerifiedAsTheyCame: what any parser would write otherwise is taken as it was signed, and forwarded so.
func TestS09_BodiesAreVerifiedAsTheyCame(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "events")
	o := operate(t, fileAt(out))
	for n, members := range []string{
		`"n":161.0,"m":1.50e+03`, `"p":"a\/b"`, `"p":"a\u002fb"`, "\"a\" :\t1 ,\r\n \"b\":2", `"u":"é\u00e9"`, `"e":"\u2028"`, "\"z\":\"\u2028\"",
	} {
		body := fmt.Sprintf(`{"id":"odd-%d","type":"case.update",%s,"subscriptionDetails":{"subscriptionId":"s"}}`, n, members)
		_, line := o.taken(t, out, "/hooks/care", body, "X-Hub-Signature: "+sign(body))
		if !strings.Contains(line, members) && !strings.Contains(members, "\r\n") { // a line has no line ends
			t.Errorf("%q was forwarded as %s", members, line)
		}
		for _, other := range []string{strings.Replace(body, `:`, `: `, 1), body + "\n", "\ufeff" + body, strings.TrimSuffix(body, "}") + " }"} {
			if resp := o.send(t, post("/hooks/care", other, "X-Hub-Signature: "+sign(body))); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%q under the signature of another: %d", other, resp.StatusCode)
			}
		}
	}
}

// TestB03_WhatCanBeReadTwoWaysIsNotRead: authentic bodies of which two parsers would make two things are kept in quarantine,
// answered 200, and never forwarded. B5: truncated, or with something behind it. B6: too deep.
func TestB03_WhatCanBeReadTwoWaysIsNotRead(t *testing.T) {
	t.Parallel()
	o, out := open(t, "")
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	bodies := map[string]string{
		"B03 a name twice":               `{"id":"a","id":"b","type":"case.update"}`,
		"B03 twice, far below":           `{"id":"a","type":"case.update","x":[{"y":{"k":1,"k":2}}]}`,
		"B03 twice, one escaped":         `{"id":"a","\u0069d":"b","type":"case.update"}`,
		"B03 twice, empty names":         `{"":1,"":2,"id":"a","type":"case.update"}`,
		"B05 truncated":                  `{"id":"a","type":"case.update"`,
		"B05 truncated in a text":        `{"id":"a","type":"case.upd`,
		"B05 bytes behind":               `{"id":"a","type":"case.update"}x`,
		"B05 two values":                 `{"id":"a","type":"case.update"}{"id":"b","type":"case.update"}`,
		"B05 two lines":                  "{\"id\":\"a\",\"type\":\"case.update\"}\n{\"id\":\"b\",\"type\":\"case.update\"}",
		"B05 nothing":                    "",
		"B05 a comma too many":           `{"id":"a","type":"case.update",}`,
		"B05 a comment":                  `{"id":"a",/* */"type":"case.update"}`,
		"B05 a byte order mark":          "\ufeff" + `{"id":"a","type":"case.update"}`,
		"B05 single quotes":              `{'id':'a','type':'case.update'}`,
		"B05 NaN":                        `{"id":NaN,"type":"case.update"}`,
		"B05 a zero in front":            `{"id":01,"type":"case.update"}`,
		"B05 a control in a text":        "{\"id\":\"a\x01\",\"type\":\"case.update\"}",
		"B06 65 levels":                  deep(65),
		"B06 a hundred thousand levels":  deep(100_000),
		"B06 open brackets and no end":   strings.Repeat("[", 200_000),
		"B06 deep where nobody looks":    `{"id":"a","type":"case.update","x":` + deep(64) + `}`,
		"B13 XML where JSON is expected": `<Event/>`,
	}
	for name, body := range bodies {
		resp := o.send(t, post("/hooks/care-open", body, "Content-Type: application/json"))
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "quarantined" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, resp.Header.Get("Hookgate-Outcome"))
		}
	}
	_, page := o.ask(t, "/v1/quarantine?limit=500", adminToken)
	var kept struct{ Quarantined []struct{ Reason string } }
	if err := json.Unmarshal([]byte(page), &kept); err != nil || len(kept.Quarantined) != len(bodies) {
		t.Errorf("%d of %d are kept: %v", len(kept.Quarantined), len(bodies), err)
	}
	// The last one, at the edge of what is taken, is the only one that goes on.
	id, _ := o.taken(t, out, "/hooks/care-open", `{"id":"edge","type":"case.update","x":`+deep(62)+`}`)
	if all := lines(t, out); len(all) != 1 || idOf([]byte(all[0])) != id {
		t.Errorf("forwarded: %d lines", len(all))
	}
}

// TestB08_BrokenUTF8MakesNoTwoIDsOne: encoding/json would write one mark for both.
func TestB08_BrokenUTF8MakesNoTwoIDsOne(t *testing.T) {
	t.Parallel()
	o, out := open(t, "")
	const path = "/hooks/care-open"
	id := func(s string) string { return sprinklrBodyOf(`"id":"` + s + `"`) }
	o.compare(t, []alike{
		{"other bytes", path, id("a\xffb"), id("a\xfeb"), false},
		{"a mark and a byte", path, id("c\xffb"), id("c\ufffdb"), false},
		{"the same byte", path, id("d\xffb"), id("d\xffb"), true},
		{"lone surrogates", path, id(`e\ud800b`), id(`e\ud801b`), false},
		{"a surrogate and a mark", path, id(`f\udc00`), id(`f\ufffd`), false},
		{"one too long", path, id("g\xc0\xaf"), id("g/"), false},
	})
	body := id("whole\xff")
	_, line := o.taken(t, out, path, body)
	if !strings.Contains(line, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(body))+`"`) {
		t.Errorf("forwarded as %s", line)
	}
}

// TestB12_FormsAreBounded: many fields, a huge name, a field twice, parts of a multipart body and names of files are kept in
// quarantine, and what is left to be read is read.
func TestB12_FormsAreBounded(t *testing.T) {
	t.Parallel()
	o, _ := open(t, "")
	const panel = `{"p":[{"channel":"email","event":"open","event_params":{"identity":"1"}}]}`
	part := func(head string) string {
		return "--b\r\nContent-Disposition: " + head + "\r\n\r\n" + panel + "\r\n--b--\r\n"
	}
	for name, c := range map[string]struct{ body, outcome string }{
		"one field":                   {"data=" + panel, "accepted"},
		"256 fields":                  {strings.Repeat("a=1&", 255) + "data=" + strings.Replace(panel, `"1"`, `"2"`, 1), "accepted"},
		"257 fields":                  {strings.Repeat("a=1&", 256) + "data=" + panel, "quarantined"},
		"a hundred thousand fields":   {strings.Repeat("&", 100_000) + "data=" + panel, "quarantined"},
		"a huge name":                 {strings.Repeat("k", 500_000) + "=1&data=" + strings.Replace(panel, `"1"`, `"3"`, 1), "accepted"},
		"data twice":                  {"data=" + panel + "&data=" + panel, "quarantined"},
		"data twice, escaped":         {"data=" + panel + "&d%61ta=" + panel, "quarantined"},
		"a semicolon":                 {"x=1;data=" + panel, "quarantined"},
		"a bad escape":                {"data=%zz", "quarantined"},
		"multipart":                   {part(`form-data; name="data"`), "quarantined"},
		"multipart with a file":       {part(`form-data; name="data"; filename="../../etc/passwd"`), "quarantined"},
		"multipart, ten thousand":     {strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 10_000) + "--b--\r\n", "quarantined"},
		"multipart, a huge head":      {part(`form-data; name="data"` + strings.Repeat("\r\nX: y", 10_000)), "quarantined"},
		"multipart that never begins": {strings.Repeat("-", 500_000), "quarantined"},
	} {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=b"} {
			resp := o.send(t, post("/hooks/mail", c.body, "Content-Type: "+contentType))
			got := resp.Header.Get("Hookgate-Outcome")
			if got == "duplicate" { // the same body under the other type
				got = "accepted"
			}
			if resp.StatusCode != http.StatusOK || got != c.outcome {
				t.Errorf("%s as %s: %d %s, want %s", name, contentType, resp.StatusCode, got, c.outcome)
			}
		}
	}
}

// TestA02_ScriptsStayText: an event full of script is shown as JSON, which no browser runs, and is not guessed to be a page.
func TestA02_ScriptsStayText(t *testing.T) {
	t.Parallel()
	o, out := open(t, "")
	const script = `</script><script>alert(1)</script><img src=x onerror=alert(1)>`
	body := `{"id":"` + script + `","type":"` + script + `","payload":{"id":"` + script + `"}}`
	id, _ := o.taken(t, out, "/hooks/care-open", body)
	o.send(t, post("/hooks/care-open", "<html>"+script))
	shown := []string{"/v1/events?data=true", "/v1/events/" + id} // the quarantine has base64
	for _, path := range append(slices.Clone(shown), "/v1/quarantine", "/v1/failed", "/v1/events?type="+"%3Cscript%3E", "/v1/dead-letters/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/%3Cscript%3E", "/v1/events?before=%3Cscript%3E") {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+o.Admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		req.Header.Set("Accept", "text/html")
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		kind := resp.Header.Get("Content-Type")
		if kind != "application/json" && !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s is of the type %q", path, kind)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", path, resp.Header)
		}
		if strings.Contains(string(page), "<script") {
			t.Errorf("%s holds a script as it came: %s", path, page)
		}
		if shows := resp.StatusCode == http.StatusOK && strings.Contains(string(page), "alert(1)"); shows != slices.Contains(shown, path) {
			t.Errorf("%s: %d, and it shows a script: %v", path, resp.StatusCode, shows)
		}
	}
}

// TestA03_TwoReplaysOneID: who asks for an event twice makes the destination see it twice under one id; a dry run sends
// nothing; all three are in the log with who and what.
func TestA03_TwoReplaysOneID(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, idOf(body))
	}))
	t.Cleanup(target.Close)
	o := operate(t, "  - {name: events, type: http, url: \""+target.URL+"\"}\n")
	body := caseBody(1, 1)
	id := o.send(t, post("/hooks/care", body, "X-Hub-Signature: "+sign(body))).Header.Get("Hookgate-Event-Id")
	arrived := func(n int) {
		eventually(t, fmt.Sprint(n, " deliveries"), func() (bool, string) {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == n, fmt.Sprint(seen)
		})
	}
	arrived(1)
	order := `{"destination":"events","id":["` + id + `"]`
	dry := 0
	eventually(t, "a dry run finds it delivered, and sends nothing", func() (bool, string) {
		dry++
		status, got := o.operate(t, "POST", "/v1/replays", adminToken, order+`,"dry_run":true}`)
		return status == http.StatusOK && got["matched"] == 1.0 && got["sent"] == 0.0, fmt.Sprint(status, got)
	})
	for n := range 2 {
		status, got := o.operate(t, "POST", "/v1/replays", adminToken, order+`}`)
		if status != http.StatusAccepted {
			t.Fatalf("replay %d: %d %v", n, status, got)
		}
		arrived(2 + n)
		eventually(t, "it is done", func() (bool, string) {
			_, now := o.operate(t, "GET", "/v1/replays/"+got["id"].(string), adminToken, "")
			return now["state"] == "done" && now["sent"] == 1.0, fmt.Sprint(now)
		})
	}
	mu.Lock()
	defer mu.Unlock()
	for _, one := range seen {
		if one != id {
			t.Errorf("%q, want the id %s each time", seen, id)
		}
	}
	eventually(t, "every order is in the log", func() (bool, string) {
		log := o.stderr.String()
		return strings.Count(log, `"path":"/v1/replays","order":"{\"destination\":\"events\",\"id\":[\"`+id) == 2+dry, log
	})
}
