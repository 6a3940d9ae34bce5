package outbound

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// ids of a list's elements.
func (r salesiqReplied) ids() (ids []string) {
	for _, x := range r.list {
		id, _ := x["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func TestSalesiqExecutions(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.receiver.answers(200, 503)
	id := p.create("").data.ID
	path := "/harbour/webhooks/" + id + "/executions"
	var failed []string // the newest first, as they are listed
	for i := range 12 {
		event, app := "conversation.created", "8000000000047"
		if i%3 == 0 {
			event, app = "conversation.missed", "8000000000048"
		}
		failed = append(p.trigger(event, app), failed...)
		p.clock.Advance(10 * time.Millisecond)
	}
	p.fail(failed...)
	p.receiver.answers(200, 200)
	delivered := p.trigger("conversation.created", "8000000000047")[0]
	p.attempted(delivered, 1)

	t.Run("pages", func(t *testing.T) {
		for _, c := range []struct {
			query string
			want  []string
		}{
			{"", failed},
			{"?pageno=1&limit=5", failed[:5]},
			{"?pageno=2&limit=5", failed[5:10]},
			{"?pageno=3&limit=5", failed[10:]},
			{"?pageno=4&limit=5", nil},
			{"?limit=50", failed},
			{"?events=conversation.missed", []string{failed[2], failed[5], failed[8], failed[11]}},
			{"?events=conversation.missed,conversation.created", failed},
			{"?events=conversation.rated", nil},
			{"?from_time=1772597167991", failed[:2]},
			{"?to_time=1772597167900", failed[11:]},
			{"?from_time=1772597167891&to_time=1772597167891", failed[11:]},
			{"?from_time=1772597167895&to_time=1772597167915", failed[9:11]},
		} {
			if got := p.ok("GET", path+c.query, "").ids(); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.query, got, c.want)
			}
		}
		for _, query := range []string{"limit=4", "limit=51", "limit=x", "pageno=0", "pageno=-1", "pageno=99999999999", "from_time=yesterday", "to_time=1e3", "mode=all"} {
			p.refused(400, "invalid", "GET", path+"?"+query, "")
		}
	})
	t.Run("an element", func(t *testing.T) {
		x := p.ok("GET", path+"?events=conversation.created", "").list[0]
		for name, want := range map[string]string{
			"id": failed[0], "event": "conversation.created", "entity_type": "conversation", "entity_id": "8000000000004009", "app_id": "8000000000047",
			"status": "failed", "attempt": "4", "auto_retry_count": "3", "manual_retry_count": "0", "response_code": "503", "event_time": "1772597168001", "created_time": "1772597168001",
		} {
			if x[name] != want {
				t.Errorf("%s: %v, want %s", name, x[name], want)
			}
		}
	})
	t.Run("counts", func(t *testing.T) {
		if r := p.ok("GET", path+"?mode=meta", ""); r.body != `{"object":"summary","data":{"all":"12","app_based":{"8000000000047":"8","8000000000048":"4"}}}` {
			t.Errorf("%s", r.body)
		}
		if r := p.ok("GET", "/harbour/webhooks/"+id, ""); r.data.Failures != "12" {
			t.Errorf("failures_count %q", r.data.Failures)
		}
	})
	t.Run("retry", func(t *testing.T) {
		none := "00000000-0000-4000-8000-000000000000"
		r := p.ok("POST", path, `{"ids":["`+strings.Join([]string{failed[0], none, failed[1], failed[0], delivered}, `","`)+`"]}`)
		if !slices.Equal(r.data.Skipped, []string{none, delivered}) {
			t.Errorf("skipped %v", r.data.Skipped)
		}
		for _, id := range failed[:2] {
			if d, _ := p.attempted(id, 5); d.State != Delivered || d.Manual != 1 || d.Attempts != 5 {
				t.Errorf("%+v", d)
			}
		}
		if got := p.ok("GET", path, "").ids(); !slices.Equal(got, failed[2:]) {
			t.Errorf("what was delivered by hand is still listed: %v", got)
		}
		p.refused(404, "not_found", "POST", path+"/"+none, "")
		p.refused(404, "not_found", "POST", path+"/"+failed[0], "")
		p.refused(400, "invalid", "POST", path, `{"ids":[]}`)
		p.refused(400, "invalid", "POST", path, `{`)
		p.refused(501, "not_built", "POST", path, `{"ids":["`+failed[2]+`"]}`, "Accept: application/vnd.sealed.xlsx")
		if d, _, err := p.Delivery(t.Context(), failed[2]); err != nil || d.Attempts != 4 {
			t.Errorf("an export sent it again: %+v, %v", d, err)
		}
	})
	t.Run("another webhook's", func(t *testing.T) {
		other := p.create(`,"events":["conversation.rated"]`).data.ID
		theirs := "/harbour/webhooks/" + other + "/executions"
		p.refused(404, "not_found", "POST", theirs+"/"+failed[2], "")
		if r := p.ok("DELETE", theirs+"?ids="+failed[2], ""); !slices.Equal(r.data.Skipped, failed[2:3]) {
			t.Errorf("skipped %v", r.data.Skipped)
		}
		if r := p.ok("GET", theirs, ""); len(r.list) != 0 {
			t.Errorf("%s", r.body)
		}
	})
	t.Run("delete", func(t *testing.T) {
		if r := p.ok("DELETE", path+"?ids="+strings.Join(failed[2:5], ","), ""); len(r.data.Skipped) != 0 {
			t.Errorf("skipped %v", r.data.Skipped)
		}
		if got := p.ok("GET", path, "").ids(); !slices.Equal(got, failed[5:]) {
			t.Errorf("%v, want %v", got, failed[5:])
		}
		many := make([]string, 301)
		for i := range many {
			many[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		}
		p.refused(400, "invalid", "DELETE", path+"?ids="+strings.Join(many, ","), "")
		p.ok("DELETE", path+"?ids="+strings.Join(many[:300], ","), "")
		p.refused(400, "invalid", "DELETE", path, "")
	})
}

// TestSalesiqNinetyNineManualRetries: the hundredth is skipped.
func TestSalesiqNinetyNineManualRetries(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.receiver.answers(200, 500)
	id := p.create("").data.ID
	failed := p.trigger("conversation.created", "")[0]
	p.fail(failed)
	path := "/harbour/webhooks/" + id + "/executions"
	for i := range 99 {
		if skipped, err := p.Retry(t.Context(), []string{failed}, salesiqMostManual); err != nil || len(skipped) > 0 {
			t.Fatalf("retry %d: skipped %v, %v", i+1, skipped, err)
		}
		p.attempted(failed, 5+i)
	}
	for _, r := range []salesiqReplied{p.ok("POST", path, `{"ids":["`+failed+`"]}`), p.ok("POST", path+"/"+failed, "")} {
		if !slices.Equal(r.data.Skipped, []string{failed}) {
			t.Errorf("%s", r.body)
		}
	}
	_, posts := p.receiver.got()
	if len(posts) != 103 || !strings.Contains(string(posts[102].body), `"attempt":103,`) {
		t.Errorf("%d requests, the last %s", len(posts), posts[len(posts)-1].body)
	}
	if x := p.ok("GET", path, "").list; len(x) != 1 || x[0]["manual_retry_count"] != "99" || x[0]["auto_retry_count"] != "3" || x[0]["attempt"] != "103" {
		t.Errorf("%v", x)
	}
}

// TestSalesiqRetention: failed executions stay for the webhook's time, delivered ones for the server's.
func TestSalesiqRetention(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.receiver.answers(200, 500)
	id := p.create(`,"expiry_time_for_executions_data":"604800000"`).data.ID
	failed := p.trigger("conversation.created", "")[0]
	p.fail(failed)
	path := "/harbour/webhooks/" + id + "/executions"
	p.receiver.answers(200, 200)
	delivered := p.trigger("conversation.created", "")[0]
	p.attempted(delivered, 1)
	// The server's own retention of an hour takes the delivered one, and an hour before the week is over the other is there.
	for range 7*24 - 1 {
		p.clock.Advance(time.Hour)
	}
	eventually(t, "the delivered one has gone", func() bool {
		p.clock.Advance(time.Second)
		_, _, err := p.Delivery(t.Context(), delivered)
		return err != nil
	})
	if got := p.ok("GET", path, "").ids(); !slices.Equal(got, []string{failed}) {
		t.Errorf("%v before the week is over", got)
	}
	p.clock.Advance(2 * time.Hour)
	eventually(t, "the failed one has gone", func() bool {
		p.clock.Advance(time.Second)
		return len(p.ok("GET", path, "").list) == 0
	})
}
