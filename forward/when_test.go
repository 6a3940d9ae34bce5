package forward_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

func TestCheckWhen(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expression string
		want       []string // parts of the first problem; none means that all is well
	}{
		"none":              {``, nil},
		"attributes":        {`type.startsWith("salesiq.") && attempt == 1 && time < receivedtime + duration("1h") && !replayed`, nil},
		"payload":           {`has(data.x) && data.x > 3 && data.list.exists(i, i.name == "a")`, nil},
		"unknown name":      {`type == "a" && priority == "high"`, []string{"when: line 1, column 16: undeclared reference to 'priority'", "data, action, attempt"}},
		"second line":       {"type == \"a\" &&\n  foo", []string{"line 2, column 3:"}},
		"syntax":            {`data.a ==`, []string{"line 1, column 10: Syntax error", "CEL expression such as"}},
		"no bool":           {`size(type)`, []string{"when: must be true or false", "int", "data.vip == true"}},
		"perhaps a bool":    {`data.vip`, []string{"when: must be true or false", "dyn"}},
		"wrong types":       {`type > 3`, []string{"line 1, column 6: found no matching overload"}},
		"pattern":           {`type.matches("(")`, []string{"line 1, column 14: invalid matches"}},
		"timestamp":         {`time > timestamp("yesterday")`, []string{"line 1, column 18: invalid timestamp"}},
		"constant":          {`int("x") == attempt`, []string{"when: ", "type conversion"}},
		"too long":          {`type == "` + strings.Repeat("a", 4096) + `"`, []string{"when: ", "size", "at most 4096 characters and 50 levels"}},
		"too deep":          {strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), []string{"when: ", "recursion", "50 levels"}},
		"too large pattern": {`type.matches("(a{1,30}){1,30}")`, []string{"when: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hookgate.DestinationSettings{
				Type: "stdout", Timeout: time.Second, Window: 1, When: test.expression,
				Retry: hookgate.RetrySettings{Attempts: 1, Backoff: 1, MaxBackoff: 1},
			}
			err := forward.Check(s)
			if test.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var ps hookgate.Problems
			if !errors.As(err, &ps) || ps[0].Field != "when" || len(ps) > 5 {
				t.Fatalf("%T %v", err, err)
			}
			for _, want := range test.want {
				if !strings.Contains(ps[0].Error(), want) {
					t.Errorf("%v, want %q", ps[0], want)
				}
			}
		})
	}
}

// fates runs one forwarder over the events in a bubble, and gives the journal and the destination afterwards.
func fates(t *testing.T, change func(*hookgate.DestinationSettings), all ...*hookgate.Event) (*journal, *fake, forward.Stats) {
	t.Helper()
	j, d := newJournal(), newFake()
	s := settings("d")
	change(&s)
	f := forward.NewForwarder(s, d, j, j)
	stop := start(t, f)
	defer stop()
	j.append(all...)
	pass(time.Minute)
	if j.cursor("d") != int64(len(all)) {
		t.Errorf("cursor %d", j.cursor("d"))
	}
	return j, d, f.Stats()
}

// Every attribute of the envelope has its own name in an expression, and the value that it has there.
func TestWhenSeesTheEnvelope(t *testing.T) {
	t.Parallel()
	e := event(1, "k1")
	e.Tenant, e.NativeID, e.KeyID, e.Attempt = "acme", "n-1", "key2", 3
	e.Received = e.Received.Add(1500 * time.Millisecond)
	var parts []string
	e.Attributes(func(name, value string) {
		switch name {
		case "attempt":
			parts = append(parts, name+" == "+value)
		case "time", "receivedtime":
			parts = append(parts, fmt.Sprintf("%s == timestamp(%q)", name, value))
		default:
			parts = append(parts, fmt.Sprintf("%s == %q", name, value))
		}
	})
	parts = append(parts, "!replayed")
	bare := &hookgate.Event{Data: []byte("{}"), ContentType: hookgate.JSON}
	for _, test := range []struct {
		expression string
		event      *hookgate.Event
	}{
		{strings.Join(parts, " && "), e},
		{`tenant == "" && nativeid == "" && keyid == "" && subject == "" && attempt == 0`, bare},
	} {
		synctest.Test(t, func(t *testing.T) {
			j, d, _ := fates(t, func(s *hookgate.DestinationSettings) { s.When = test.expression }, test.event)
			if len(d.entries()) != 1 {
				t.Errorf("%s: %+v", test.expression, j.of("d").dead)
			}
		})
	}
}

func TestWhenOverData(t *testing.T) {
	t.Parallel()
	const doc = `{"n":3, "f":2.5, "neg":-7, "big":9007199254740993, "huge":1e400, "exact":-9007199254740991, "vip":true, "none":null,
		"text":"hé\"llo", "list":[1,{"name":"a"}], "o":{"p":{"q":"deep"}}}`
	const yes, no = "yes", "no"
	tests := []struct{ expression, data, want string }{ // want is yes, no, or part of the reason of the dead letter
		{`data.n == 3 && data.n > 2.5 && data.n in [1, 3] && data.neg < 0`, doc, yes},
		{`data.f == 2.5 && int(data.n) % 2 == 1`, doc, yes},
		{`data.big == "9007199254740993" && data.exact == -9007199254740991 && data.huge == "1e400"`, doc, yes},
		{`data.vip == true && data.none == null && data.text == "hé\"llo"`, doc, yes},
		{`data.list.exists(i, type(i) == map && i.name == "a") && size(data.list) == 2`, doc, yes},
		{`data.o.p.q == "deep" && has(data.o.p) && !has(data.o.x)`, doc, yes},
		{`data["n"] == 4`, doc, no},
		{`has(data.priority) && data.priority == "high"`, doc, no},
		{`data.priority == "high"`, doc, "when: no such key: priority"},
		{`data.priority == "high" || type != ""`, doc, yes}, // CEL: one side that holds is enough
		{`{"a": true}[data.text]`, doc, "when: no such key"},
		{`timestamp(data.text) < time`, doc, "when: invalid RFC 3339 timestamp"},
		{`int(data.text) == 1`, doc, "when: type conversion error"},
		{`data.text > 3`, doc, "when: no such overload"},
		{`data.n.x == 1`, doc, "when: "},
		{`data[0] == 1 && size(data) == 2`, `[1,2]`, yes},
		{`data == "x"`, `"x"`, yes},
		{`data.a == 1`, `{"a":`, "when: data is no JSON"},
		{`data.a == 1`, `{"a":1} 2`, "when: data is no JSON"},
		{`data.a == 1 || type != ""`, `{"a":`, yes},
		{`type.matches(data.p)`, `{"p":"(hé"}`, "when: error parsing regexp"},
		{`time.getHours(data.tz) == 1`, `{"tz":"hé"}`, "when: unknown time zone"},
		{`type != ""`, `{"a":`, yes}, // not parsed, since it is not asked for
		{`type == "" && data.a == 1`, `{"a":`, no},
		{`data.contains("<a>") && datacontenttype == "application/xml"`, "<a>\xff</a>", yes},
		{`data.a == 1`, "<a/>", "when: "},
		{`data.l.all(x, data.l.all(y, data.l.all(z, x + y + z >= 0.0)))`, `{"l":[` + strings.Repeat("1,", 299) + `1]}`, "when: operation cancelled: actual cost limit exceeded"},
	}
	for _, test := range tests {
		t.Run(test.expression, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := event(1, "k")
				e.Data = []byte(test.data)
				if strings.HasPrefix(test.data, "<") {
					e.ContentType = hookgate.XML
				}
				j, d, stats := fates(t, func(s *hookgate.DestinationSettings) { s.When = test.expression }, e)
				got := no
				if len(d.entries()) == 1 {
					got = yes
				} else if dead := j.of("d").dead; len(dead) == 1 {
					got = dead[1].Error
					if dead[1].Attempts != 0 || dead[1].Key != e.PartitionKey || stats.Dead != 1 || stats.Failed != 0 || stats.LastError != got {
						t.Errorf("%+v, %+v", dead[1], stats)
					}
				}
				if !strings.HasPrefix(got, test.want) {
					t.Errorf("%q, want %q", got, test.want)
				}
				if strings.Contains(got, "h\u00e9") {
					t.Errorf("the reason quotes the payload: %q", got)
				}
			})
		})
	}
}

// An event for which the expression has no answer is a dead letter at once, and holds up nothing of its key. A replay sends
// it without asking again.
func TestWhenWithoutAnswerIsADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, l forward.Limits) {
		j, d := newJournal(), newFake()
		s := settings("d")
		s.When = `data.n != -1 || data.missing == 1`
		f := forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop := start(t, f)
		all := events(300, 10)
		for i, e := range all {
			if i%3 == 1 {
				e.Data = []byte(`{"n":-1}`)
			}
		}
		j.append(all...)
		pass(10 * time.Second)
		stop()
		if dead := j.of("d").dead; len(d.entries()) != 200 || len(dead) != 100 || !j.settled("d", 300) || f.Stats().Dead != 100 {
			t.Fatalf("%d entries, %d dead, %+v", len(d.entries()), len(dead), f.Stats())
		}
		checkOrder(t, d.entries())
		f = forward.NewForwarder(s, d, j, j, forward.WithLimits(l))
		stop = start(t, f)
		defer stop()
		if err := f.Replay(t.Context(), []hookgate.Parked{j.of("d").dead[2]}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		got := d.entries()
		if last := got[len(got)-1]; len(got) != 201 || last.Seq != 2 || !last.Event.Replayed || len(j.of("d").dead) != 99 {
			t.Errorf("%d entries, %d dead", len(got), len(j.of("d").dead))
		}
	})
}

// What match leaves out is not asked about, and a quarantined event is not either.
func TestWhenIsAskedAfterMatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := events(4, 4)
		all[1].Type, all[2].Quarantine = "other.thing", "unreadable"
		j, d, _ := fates(t, func(s *hookgate.DestinationSettings) {
			s.When, s.Match.Type = `data.missing == 1 || subject == "k0"`, []string{"salesiq.*"}
		}, all...)
		if dead := j.of("d").dead; len(d.entries()) != 1 || len(dead) != 1 || dead[4].Seq != 4 {
			t.Errorf("%d entries, dead %+v", len(d.entries()), dead)
		}
	})
}

// Large payloads are judged a few at a time, and stopping in the midst of it makes no dead letters.
func TestWhenOverLargePayloads(t *testing.T) {
	t.Parallel()
	const n = 24
	j, d := newJournal(), newFake()
	s := settings("d")
	s.When = `data.n >= 0 && data.list[1] == "x"`
	all := events(n, 3)
	for i, e := range all {
		list, _ := json.Marshal(strings.Split(strings.Repeat("x,", 75_000), ","))
		e.Data = fmt.Appendf(nil, `{"n":%d,"list":%s}`, i, list)
	}
	j.append(all...)
	for stops := 0; !j.settled("d", n); stops++ {
		before := j.cursor("d")
		stop := start(t, forward.NewForwarder(s, d, j, j))
		if stops > 3 {
			eventually(t, "more is settled", func() bool { return j.cursor("d") > before })
		}
		stop()
	}
	if len(d.entries()) != n || len(j.of("d").dead) != 0 {
		t.Errorf("%d entries, dead %+v", len(d.entries()), j.of("d").dead)
	}
	checkOrder(t, d.entries())
}

// countingLog notes how far it was read.
type countingLog struct {
	forward.Log
	furthest atomic.Int64
}

func (l *countingLog) Read(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	l.furthest.Store(after)
	return l.Log.Read(ctx, after, limit)
}

// While nothing can be recorded, the dead letters in memory have a bound.
func TestDeadLettersWaitingForTheirRecordAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, d := newJournal(), newFake()
		j.failing = errors.New("disk")
		l := &countingLog{Log: j}
		s := settings("d")
		s.When = `data.missing == 1`
		stop := start(t, forward.NewForwarder(s, d, l, j, forward.WithMaxParked(100)))
		defer stop()
		j.append(events(5000, 10)...)
		pass(time.Minute)
		if n := l.furthest.Load(); n > 100+2*int64(s.Window) {
			t.Errorf("read up to %d", n)
		}
		j.set(func(j *journal) { j.failing = nil })
		pass(time.Minute)
		if !j.settled("d", 5000) || len(j.of("d").dead) != 5000 {
			t.Errorf("cursor %d, %d dead", j.cursor("d"), len(j.of("d").dead))
		}
	})
}

func TestRunRefusesAnExpressionThatWasNotChecked(t *testing.T) {
	t.Parallel()
	s := settings("d")
	s.When = `foo == 1`
	j := newJournal()
	err := forward.NewForwarder(s, newFake(), j, j).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "undeclared reference to 'foo'") {
		t.Errorf("Run: %v", err)
	}
}
