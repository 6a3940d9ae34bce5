package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/middleware"
)

// logged is the one line that an answer leaves.
func logged(t *testing.T, a middleware.Answer) (string, map[string]any) {
	t.Helper()
	var out bytes.Buffer
	middleware.AccessLog(zerolog.New(&out))(a)
	line := out.String()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("not one line: %q", line)
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	if repeated, err := repeatedKey(decoder); err != nil || repeated != "" {
		t.Fatalf("key %q is repeated, error %v, in %s", repeated, err, line)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(line), &members); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return line, members
}

// repeatedKey reads one JSON value and names a key that one of its objects has twice.
func repeatedKey(d *json.Decoder) (string, error) {
	var open []map[string]bool // nil for an array
	isKey := false
	for {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				open, isKey = append(open, make(map[string]bool)), true
				continue
			case '[':
				open, isKey = append(open, nil), false
				continue
			default:
				open = open[:len(open)-1]
			}
		case string:
			if isKey {
				keys := open[len(open)-1]
				if keys[v] {
					return v, nil
				}
				keys[v], isKey = true, false
				continue
			}
		}
		if len(open) == 0 {
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return "", errors.New("something follows the value")
			}
			return "", nil
		}
		isKey = open[len(open)-1] != nil
	}
}

func answerTo(status int, report hookgate.Report) middleware.Answer {
	r := httptest.NewRequest("POST", "/hooks/care?token=canary", nil)
	r.RemoteAddr = "192.0.2.1:4711"
	return middleware.Answer{Request: r, Report: &report, Status: status, Duration: 1500 * time.Microsecond}
}

func TestAccessLog_Fields(t *testing.T) {
	t.Parallel()
	verdict := hookgate.Verdict{{Scheme: "hub-signature", KeyID: "env:PSK"}, {Scheme: "basic", KeyID: "env:USER"}}
	base := map[string]any{
		"request": "r-1", "method": "POST", "path": "/hooks/care", "remote": "192.0.2.1:4711", "bytes": 42.0, "took_us": 1500.0,
		"message": "request", "source": "care", "provider": "sprinklr",
	}
	for name, c := range map[string]struct {
		status  int
		outcome hookgate.Outcome
		err     *hookgate.Error
		unknown bool
		want    map[string]any
	}{
		"accepted": {
			status: 200,
			outcome: hookgate.Outcome{Kind: hookgate.Accepted, Verdict: verdict,
				Events: []*hookgate.Event{{ID: "e1", Type: "sprinklr.case.update"}}, Results: []hookgate.Result{{Class: hookgate.First}}},
			want: map[string]any{"level": "info", "status": 200.0, "outcome": "accepted", "verifiedby": "hub-signature,basic",
				"keyid": "env:PSK,env:USER", "event": "e1", "type": "sprinklr.case.update", "class": "first"},
		},
		"duplicate": {
			status: 200,
			outcome: hookgate.Outcome{Kind: hookgate.Duplicate, Verdict: verdict[:1],
				Events: []*hookgate.Event{{ID: "e1", Type: "sprinklr.case.update"}}, Results: []hookgate.Result{{Class: hookgate.Retry}}},
			want: map[string]any{"level": "info", "status": 200.0, "outcome": "duplicate", "verifiedby": "hub-signature",
				"keyid": "env:PSK", "event": "e1", "type": "sprinklr.case.update", "class": "retry"},
		},
		"quarantined": {
			status: 200,
			outcome: hookgate.Outcome{Kind: hookgate.Quarantine, Verdict: verdict[:1],
				Events: []*hookgate.Event{{ID: "e1", Quarantine: "the body is not JSON"}}, Results: []hookgate.Result{{Class: hookgate.First}}},
			want: map[string]any{"level": "warn", "status": 200.0, "outcome": "quarantined", "verifiedby": "hub-signature",
				"keyid": "env:PSK", "event": "e1", "quarantine": "the body is not JSON"},
		},
		"batch": {
			status: 200,
			outcome: hookgate.Outcome{Kind: hookgate.Accepted, Verdict: verdict[:1],
				Events:  []*hookgate.Event{{ID: "e1", Type: "a.b"}, {ID: "e2", Quarantine: "no"}, {ID: "e3", Type: "a.c"}},
				Results: []hookgate.Result{{Class: hookgate.First}, {}, {Class: hookgate.Replay}}},
			want: map[string]any{"level": "info", "status": 200.0, "outcome": "accepted", "verifiedby": "hub-signature", "keyid": "env:PSK",
				"events": 3.0, "first": []any{
					map[string]any{"event": "e1", "type": "a.b", "class": "first"},
					map[string]any{"event": "e2", "quarantine": "no"},
					map[string]any{"event": "e3", "type": "a.c", "class": "replay"},
				}},
		},
		"probe": {
			status: 200, outcome: hookgate.Outcome{Kind: hookgate.Probe},
			want: map[string]any{"level": "info", "status": 200.0, "outcome": "probe"},
		},
		"refused": {
			status: 401, err: &hookgate.Error{Code: hookgate.Unauthenticated, Reason: hookgate.Mismatch, Detail: "made by none of the 2 secrets", Hint: "rotate"},
			want: map[string]any{"level": "warn", "status": 401.0, "code": "unauthenticated", "reason": "mismatch", "detail": "made by none of the 2 secrets", "hint": "rotate"},
		},
		"a fault of ours": {
			status: 503, err: hookgate.Errorf(hookgate.Unavailable, "the disk is full"), outcome: hookgate.Outcome{Verdict: verdict[:1]},
			want: map[string]any{"level": "error", "status": 503.0, "code": "unavailable", "reason": "", "detail": "the disk is full", "hint": "", "verifiedby": "hub-signature", "keyid": "env:PSK"},
		},
		"unknown source": {
			status: 404, unknown: true, err: hookgate.Errorf(hookgate.UnknownSource, "no source"),
			want: map[string]any{"level": "warn", "status": 404.0, "code": "unknown_source", "reason": "", "detail": "no source", "hint": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := hookgate.Report{RequestID: "r-1", Source: "care", Provider: "sprinklr", Bytes: 42, Outcome: c.outcome, Err: c.err}
			want := make(map[string]any)
			for k, v := range base {
				want[k] = v
			}
			if c.unknown {
				report.Source, report.Provider = "", ""
				delete(want, "source")
				delete(want, "provider")
			}
			for k, v := range c.want {
				want[k] = v
			}
			line, got := logged(t, answerTo(c.status, report))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("logged %v\nwant   %v", got, want)
			}
			if strings.Contains(line, "canary") {
				t.Error("the query, where some keep a token, is in the log")
			}
		})
	}
}

// TestL01_WhateverASenderWrites stays text within one line of bounded length.
func TestL01_WhateverASenderWrites(t *testing.T) {
	t.Parallel()
	for name, hostile := range map[string]string{
		"newline":     "a\nb\r\nc",
		"fake line":   "\n" + `{"level":"info","message":"request","status":200}` + "\n",
		"fake field":  `","status":200,"outcome":"accepted`,
		"raw JSON":    `{"status":200}`,
		"backslash":   `\`,
		"ANSI":        "\x1b[2J\x1b[31mred",
		"C1 control":  "\u009b31m",
		"separators":  "a\u2028b\u2029c\u0085d",
		"bad UTF-8":   "a\xffb\xc3",
		"surrogate":   "a\xed\xa0\x80b",
		"NUL and DEL": "a\x00b\x7f",
		"direction":   "a\u202eb",
		"long":        strings.Repeat("x", 1<<20),
		"long quotes": strings.Repeat(`"`, 1<<20),
		"long bytes":  strings.Repeat("\xff", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events []*hookgate.Event
			var results []hookgate.Result
			for n := range 1000 {
				e := &hookgate.Event{ID: "0123456789abcdef0123456789abcdef", Type: hostile, Subject: hostile, NativeID: hostile, Tenant: hostile}
				if n%2 == 1 {
					e.Quarantine = hostile
				}
				events, results = append(events, e), append(results, hookgate.Result{Class: hookgate.First})
			}
			for _, count := range []int{0, 1, 2, 1000} {
				a := answerTo(400, hookgate.Report{
					RequestID: "r-1", Source: "care", Provider: "sprinklr",
					Outcome: hookgate.Outcome{Kind: hookgate.Accepted, Events: events[:count], Results: results[:count]},
					Err:     hookgate.Refuse(hookgate.HeaderGrammar, "the header is %s", hostile),
				})
				a.Request.Method = hostile
				a.Request.URL = &url.URL{Path: "/" + hostile}
				a.Request.Header = http.Header{"X-Request-Id": {hostile}, "User-Agent": {hostile}}
				line, members := logged(t, a)
				if len(line) > 24<<10 {
					t.Errorf("%d events: a line of %d bytes", count, len(line))
				}
				if members["status"] != 400.0 || members["level"] != "warn" || members["message"] != "request" {
					t.Errorf("%d events: the line lies: %s", count, line)
				}
				if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%d events: a control character is in the line: %q", count, line[max(0, i-20):min(len(line), i+20)])
				}
			}
		})
	}
}

// TestAccessLog_LevelsFollowTheAnswer: what an operator must look at stands out.
func TestAccessLog_LevelsFollowTheAnswer(t *testing.T) {
	t.Parallel()
	var got []string
	for _, status := range []int{200, 301, 399, 400, 401, 404, 429, 499, 500, 503} {
		_, members := logged(t, answerTo(status, hookgate.Report{}))
		got = append(got, fmt.Sprint(status, " ", members["level"]))
	}
	want := []string{"200 info", "301 info", "399 info", "400 warn", "401 warn", "404 warn", "429 warn", "499 warn", "500 error", "503 error"}
	if !slices.Equal(got, want) {
		t.Errorf("levels %v, want %v", got, want)
	}
}

func TestAccessLog_TokenRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		report hookgate.Report
		want   string
	}{
		"issued": {200, hookgate.Report{Token: hookgate.TokenRequest{Client: "sprinklr", Outcome: hookgate.TokenIssued}},
			`"token_client":"sprinklr","token_outcome":"issued","message":"request"}`},
		"refused": {401, hookgate.Report{Token: hookgate.TokenRequest{Client: hookgate.UnknownClient, Outcome: hookgate.TokenInvalidClient}, Err: hookgate.Refuse(hookgate.Mismatch, "no such client")},
			`"token_client":"unknown","token_outcome":"invalid_client","code":"unauthenticated","reason":"mismatch","detail":"no such client","hint":"","message":"request"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if line, _ := logged(t, answerTo(c.status, c.report)); !strings.HasSuffix(strings.TrimSpace(line), c.want) {
				t.Errorf("logged %s", line)
			}
		})
	}
}
