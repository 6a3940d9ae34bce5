package outbound

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

type sprinklrReplayed struct {
	Data struct {
		Results []string
		Cursor  string
	}
	Errors []any
}

func (a *sprinklrAPITest) replay(method, path, body string) (r sprinklrReplayed) {
	a.Helper()
	status, answer := a.call(method, path, body)
	if err := json.Unmarshal([]byte(answer), &r); err != nil || status != 200 || r.Data.Results == nil || r.Errors == nil {
		a.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return r
}

// newSprinklrLog has n events of one subscription in the log, a second apart from begin on, and as many of another.
func newSprinklrLog(t *testing.T, n int) (a *sprinklrAPITest, id string, begin time.Time, bodies []string) {
	t.Helper()
	clock := newFakeClock()
	begin = clock.Now()
	a = newSprinklrAPITest(t, clock)
	id = a.create("https://hooks.example.com/a", "CASE_CREATED")
	other := a.create("https://hooks.example.com/b", "CASE_CREATED")
	for _, one := range []string{id, other} {
		if _, err := a.s.Update(t.Context(), "sprinklr", one, func(s *Subscription) error {
			s.Active = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		event := Event{Type: "case.create", ID: fmt.Sprintf("%024x", i), Time: clock.Now(), Payload: json.RawMessage(fmt.Sprintf(`{"id":"%d", "n": 1.0, "t":"\"<é>"}`, i))}
		if ids, err := a.s.Publish(t.Context(), "sprinklr", event); err != nil || len(ids) != 2 {
			t.Fatal(ids, err)
		}
		body, err := sprinklrBody(id, &event)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
		clock.Advance(time.Second)
	}
	slices.Reverse(bodies) // the newest comes first
	return a, id, begin, bodies
}

func TestSprinklrReplay_Pages(t *testing.T) {
	t.Parallel()
	a, id, begin, bodies := newSprinklrLog(t, 23)
	ask := func(size, more string) string {
		return fmt.Sprintf(`{"subscriptionId":"%s","startTime":"%d","endTime":"%d"%s%s}`, id, begin.UnixMilli(), begin.UnixMilli()+60_000, size, more)
	}
	for _, tc := range []struct {
		name, body string
		pages      []int
	}{
		{"as the page has it", ask(`,"size":10`, `,"statuses":["ACTIVE","INACTIVE"]`), []int{10, 10, 3}},
		{"without a size", ask("", ""), []int{10, 10, 3}},
		{"one by one", ask(`,"size":1`, ""), slices.Repeat([]int{1}, 23)},
		{"just all", ask(`,"size":23`, ""), []int{23}},
		{"all but one", ask(`,"size":22`, ""), []int{22, 1}},
		{"more than all", ask(`,"size":1000`, ""), []int{23}},
		{"numbers for times", fmt.Sprintf(`{"subscriptionId":"%s","startTime":%d,"endTime":%d,"size":20}`, id, begin.UnixMilli(), begin.UnixMilli()+60_000), []int{20, 3}},
	} {
		r := a.replay("POST", "/webhook-replay", tc.body)
		var all []string
		var sizes []int
		for {
			all = append(all, r.Data.Results...)
			sizes = append(sizes, len(r.Data.Results))
			if r.Data.Cursor == "" {
				break
			}
			if len(sizes) > len(bodies) {
				t.Fatalf("%s: the pages do not end", tc.name)
			}
			if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(r.Data.Cursor) {
				t.Fatalf("%s: cursor %q", tc.name, r.Data.Cursor)
			}
			next := a.replay("GET", "/webhook-replay?cursor="+r.Data.Cursor, "")
			if again := a.replay("GET", "/webhook-replay?cursor="+r.Data.Cursor, ""); len(sizes) == 1 && !slices.Equal(again.Data.Results, next.Data.Results) {
				t.Errorf("%s: a page read twice is another", tc.name)
			}
			r = next
		}
		if !slices.Equal(sizes, tc.pages) || !slices.Equal(all, bodies) {
			t.Errorf("%s: pages of %v with %s", tc.name, sizes, strings.Join(all, "\n"))
		}
	}
}

// Both ends belong to the range.
func TestSprinklrReplay_Range(t *testing.T) {
	t.Parallel()
	a, id, begin, bodies := newSprinklrLog(t, 5)
	slices.Reverse(bodies)
	for _, tc := range []struct {
		from, to    int64 // milliseconds after begin
		first, last int
	}{
		{0, 4000, 0, 5},
		{1000, 3000, 1, 4},
		{2000, 2000, 2, 3},
		{1001, 1999, 0, 0},
		{4001, 90000, 0, 0},
		{-5000, -1, 0, 0},
	} {
		r := a.replay("POST", "/webhook-replay", fmt.Sprintf(`{"subscriptionId":"%s","startTime":"%d","endTime":"%d","size":10}`, id, begin.UnixMilli()+tc.from, begin.UnixMilli()+tc.to))
		slices.Reverse(r.Data.Results)
		if !slices.Equal(r.Data.Results, bodies[tc.first:tc.last]) || r.Data.Cursor != "" {
			t.Errorf("%d to %d: %v", tc.from, tc.to, r)
		}
	}
}

func TestSprinklrReplay_Refuses(t *testing.T) {
	t.Parallel()
	a, id, _, _ := newSprinklrLog(t, 0)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
	}{
		"unknown subscription": {"POST", "/webhook-replay", `{"subscriptionId":"66aa","startTime":"1","endTime":"2","size":1}`, 404},
		"no times":             {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `"}`, 400},
		"times as words":       {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"now","endTime":"2"}`, 400},
		"backwards":            {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"3","endTime":"2"}`, 400},
		"a year of five":       {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"3","endTime":"9253402300800000"}`, 400},
		"size 0":               {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"1","endTime":"2","size":0}`, 400},
		"size 1001":            {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"1","endTime":"2","size":1001}`, 400},
		"another status":       {"POST", "/webhook-replay", `{"subscriptionId":"` + id + `","startTime":"1","endTime":"2","statuses":["GONE"]}`, 400},
		"no JSON":              {"POST", "/webhook-replay", `[]`, 400},
		"no cursor":            {"GET", "/webhook-replay", "", 404},
		"another cursor":       {"GET", "/webhook-replay?cursor=66aa00000000000000000009", "", 404},
	} {
		status, answer := a.call(tc.method, tc.path, tc.body)
		if status != tc.status || !strings.HasPrefix(answer, `{"errors":[{"message":"`) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestSprinklrReplay_CursorsAreBounded(t *testing.T) {
	t.Parallel()
	c := newSprinklrCursors()
	first := c.put(sprinklrWanted{subscription: "first"})
	var last string
	for range sprinklrCursorsIn {
		last = c.put(sprinklrWanted{subscription: "last"})
	}
	if _, ok := c.get(first); ok {
		t.Error("the oldest is still there")
	}
	if w, ok := c.get(last); !ok || w.subscription != "last" || len(c.wanted) != sprinklrCursorsIn || len(c.order) != sprinklrCursorsIn {
		t.Errorf("%v %v, %d kept", w, ok, len(c.wanted))
	}
}
