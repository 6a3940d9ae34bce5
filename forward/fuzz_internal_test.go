package forward

import (
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// FuzzRetryAfter: whatever a receiver writes, the wait is neither negative nor endless.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "120", "-5", "1.5", "99999999999999999999", "2147483647", "Sun, 01 Mar 2026 10:05:00 GMT", "Sunday, 01-Mar-26 10:05:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "\x00", "+1", " 1"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait := retryAfter(value, now)
		if wait < 0 {
			t.Errorf("%q is %v", value, wait)
		}
		if pause := troublePause(hookgate.RetrySettings{Backoff: time.Second, MaxBackoff: time.Minute}, 1, &Trouble{RetryAfter: wait}); pause > maxRetryAfter {
			t.Errorf("after %q a pause of %v", value, pause)
		}
	})
}

// FuzzKafkaURL: no text of a URL that is refused stands in the reason, for it may hold a password.
func FuzzKafkaURL(f *testing.F) {
	for _, seed := range []string{"kafka://a", "kafkas://u:p@a:9092,b:1?sasl=plain", "kafka://u:canary@a:x", "kafka://u:can/ary@a", "kafka://[::1]:9092", "kafka://u@a", "kafka://,", "kafka://a?sasl=%zz", "kafkas://%zz:canary@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseKafkaURL(text)
		if err == nil {
			if len(u.brokers) == 0 || (u.password != "" && u.user == "") {
				t.Errorf("%q is %d brokers", text, len(u.brokers))
			}
			return
		}
		if _, password, ok := strings.Cut(text, ":canary"); ok && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q (%q) is told in %q", text, password, err)
		}
	})
}

// FuzzWhen: whatever an operator writes is a condition or a problem, and a condition has an answer or an error for any payload
// within its bounds, whose reason quotes nothing of the payload.
func FuzzWhen(f *testing.F) {
	for _, expression := range []string{
		`data.priority == "high"`, `type.startsWith("a.") && has(data.b)`, `data.list.exists(x, x.y == 1)`, `data.matches("(a+)+$")`, `size(data) > 3`,
		`timestamp(data.at) > time`, `int(data.n) == 9007199254740993`, `data[0].x || attempt > 1`, `data in ["a"]`, `!replayed`, `((((((1==1))))))`, `data.all(x, data.all(y, data.all(z, x != y)))`,
	} {
		for _, payload := range []string{`{"priority":"high"}`, `[{"x":true}]`, `{"list":[{"y":1},{"y":1e400}]}`, `"canary` + strings.Repeat("a", 40) + `!"`, `{"n":9007199254740993,"at":"canary"}`, "{", "\xff", "null"} {
			f.Add(expression, payload, true)
		}
	}
	f.Fuzz(func(t *testing.T, expression, payload string, json bool) {
		if len(payload) > 4096 {
			return
		}
		c, problems := newCondition(expression)
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("%q: a condition %v and problems %v", expression, c != nil, problems)
		}
		if c == nil {
			return
		}
		e := &hookgate.Event{ID: "0123456789abcdef0123456789abcdef", Type: "a.b", Data: []byte(payload), Time: time.Unix(1, 0), Received: time.Unix(2, 0)}
		if json {
			e.ContentType = hookgate.JSON
		}
		holds, _, err := c.holds(t.Context(), e)
		if err != nil && (holds || (strings.Contains(err.Error(), "canary") && !strings.Contains(expression, "canary"))) {
			t.Errorf("%q over %q: %v, %v", expression, payload, holds, err)
		}
	})
}
