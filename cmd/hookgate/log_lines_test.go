package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// objectOf reads one line as one JSON object without a repeated key at any level, and complains about anything else.
func objectOf(line string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(line))
	if err := onlyKeys(d); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows: %v", err)
	}
	var members map[string]any
	return members, json.Unmarshal([]byte(line), &members)
}

// onlyKeys reads one value.
func onlyKeys(d *json.Decoder) error {
	first, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := first.(json.Delim)
	if !ok {
		return nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if seen[key.(string)] {
				return fmt.Errorf("%q is there twice", key)
			}
			seen[key.(string)] = true
		}
		if err := onlyKeys(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// TestL01_EveryLineIsOneObject sends what could forge a line wherever somebody can write something that is logged: paths,
// headers, ids and types of authentic events, failed proofs, answers of destinations, orders of operators. Every line is one
// object, with each key once, and nothing in it steers a terminal or turns the text around.
func TestL01_EveryLineIsOneObject(t *testing.T) {
	t.Parallel()
	const (
		escape = "\x1b[2J\x1b[31m"
		ends   = "\u2028\u2029\u0085\u202e\u2066\ufeff"
		forged = `","level":"error","message":"request","status":200,"x":"`
	)
	odd := escape + ends + forged
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, odd+"\r\n{\"level\":\"error\"}\n")
	}))
	t.Cleanup(evil.Close)
	dir := t.TempDir()
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), fmt.Sprintf("  - {name: evil, type: http, url: %q, retry: {attempts: 1}}\n", evil.URL)),
		"auth: [{scheme: hub", "quarantine_failed: 100/h\n    auth: [{scheme: hub", 1) + "log: {level: debug}\n"
	r := operating(t, config)
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	body := caseBody(1, 1)
	for _, b := range []string{
		strings.Replace(body, `"case-0"`, quoted("case-0\r\n"+odd), 1),
		strings.Replace(body, `"s-1"`, quoted("s-1\n"+odd), 1),
		strings.Replace(body, `"type"`, quoted("type\n"+odd), 1),
		"{\"" + ends + "\":" + escape,
		strings.Repeat(quoted(odd), 200),
		"\xff\xfe" + odd,
	} {
		r.send(t, post("/hooks/care", b, signature(scenarioSecret, b)))
		r.send(t, post("/hooks/care", b, "X-Hub-Signature: sha256=00"))
	}
	for _, target := range []string{
		"/hooks/%0a%0d%1b[31m%22,%22level%22:%22error", "/hooks/\u2028\u202e", "/hooks/\u0085x", "/hooks/care?x=\u2028", "/" + strings.Repeat("%0a", 2000), "/hooks/\"level\":1",
	} {
		r.send(t, post(target, body))
	}
	for _, header := range []string{
		"User-Agent: " + ends + forged, "X-Request-Id: " + forged, "X-Hub-Signature: " + ends, "X-Hub-Signature: " + forged, "X-Hub-Signature: sha256=\xff\x85",
		"Content-Type: " + ends, "X-Forwarded-For: 1.1.1.1" + ends, "Authorization: " + ends, "Forwarded: for=\"" + ends + "\"",
	} {
		r.send(t, post("/hooks/care", body, header))
	}
	for _, order := range []string{odd, `{"destination":` + quoted(odd) + `,"all":true}`, "{\"id\":[\"\n\r\x00\xff\"]}", quoted(ends)} {
		for _, path := range []string{"/v1/replays", "/v1/failed/verify", "/v1/dead-letters/evil/replay", "/v1/dead-letters/%0a%e2%80%a8%22/replay"} {
			r.request(t, http.MethodPost, path, adminToken, order)
		}
	}
	eventually(t, "all has been logged", func() (bool, string) {
		log := r.stderr.String()
		return strings.Contains(log, `"message":"operator"`) && strings.Contains(log, "dead") && strings.Contains(log, `"message":"authentication failed"`), log
	})
	r.stop()
	messages := make(map[any]int)
	for line := range strings.Lines(r.stderr.String()) {
		members, err := objectOf(line)
		if err != nil {
			t.Errorf("%v: %q", err, line)
			continue
		}
		if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("a control is in the line: %q", line[max(0, i-60):min(len(line), i+20)])
		}
		if members["level"] == nil || members["message"] == nil || members["time"] == nil {
			t.Errorf("no level, message or time: %s", line)
		}
		messages[members["message"]]++
	}
	if messages["request"] < 25 || messages["operator"] < 10 || messages["authentication failed"] == 0 {
		t.Errorf("logged %v", messages)
	}
}
