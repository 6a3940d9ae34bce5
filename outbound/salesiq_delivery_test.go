package outbound

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSalesiqAttempts: a receiver that always fails gets four requests a minute apart, each with its own number in the
// signed body, and a fifth when it is ordered by hand. openssl judges the signatures by the key that the API gave.
func TestSalesiqAttempts(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.receiver.answers(200, 500)
	webhook := p.create(`,"secured":true`)
	key := webhook.data.Keys[0].Key
	begun := p.clock.Now()
	id := p.trigger("conversation.created", "8000000000047")[0]
	for attempt := 1; attempt <= 4; attempt++ {
		d, made := p.attempted(id, attempt)
		if len(made) != attempt || !made[attempt-1].At.Equal(begun.Add(time.Duration(attempt-1)*time.Minute)) || made[attempt-1].Status != 500 {
			t.Fatalf("attempt %d: %+v", attempt, made)
		}
		if attempt == 4 {
			if d.State != Failed {
				t.Errorf("state %s after four attempts", d.State)
			}
			break
		}
		if d.State != Waiting || !d.NextAt.Equal(p.clock.Now().Add(time.Minute)) {
			t.Fatalf("after attempt %d: %s, next at %s, now %s", attempt, d.State, d.NextAt, p.clock.Now())
		}
		p.clock.Advance(time.Minute)
	}
	p.clock.Advance(time.Hour)
	path := "/harbour/webhooks/" + webhook.data.ID + "/executions/" + id
	if r := p.ok("POST", path, ""); len(r.data.Skipped) != 0 {
		t.Errorf("skipped %v", r.data.Skipped)
	}
	if d, made := p.attempted(id, 5); d.Manual != 1 || !made[4].Manual {
		t.Errorf("the fifth attempt was ordered by hand: %+v", d)
	}
	_, posts := p.receiver.got()
	if len(posts) != 5 {
		t.Fatalf("%d requests, want 5", len(posts))
	}
	for i, post := range posts {
		want := fmt.Sprintf(`{"entity_type":"conversation","org_id":"20011223","event":"conversation.created","entity_id":"8000000000004009","attempt":%d,"version":"1","app_id":8000000000047,"entity":{"id":"8000000000004009"},"event_time":"%s"}`, i+1, salesiqNow)
		if string(post.body) != want || post.path != "POST /siq" {
			t.Errorf("%s %s\nwant %s", post.path, post.body, want)
		}
		if !opensslVerifies(t, key, post.signature(t), post.body) {
			t.Errorf("openssl refuses the signature of attempt %d", i+1)
		}
		if i > 0 && opensslVerifies(t, key, post.signature(t), posts[i-1].body) {
			t.Errorf("the signature of attempt %d fits another attempt", i+1)
		}
	}
	if r := p.ok("GET", "/harbour/webhooks/"+webhook.data.ID, ""); r.data.Failures == "0" || r.data.Last != "1772600947891" {
		t.Errorf("failures %q, last triggered %q", r.data.Failures, r.data.Last)
	}
}

// TestSalesiqSuccess: everything below 300 ends it, and a redirect is a failure that is not followed.
func TestSalesiqSuccess(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.create("")
	for status, want := range map[int]State{200: Delivered, 201: Delivered, 204: Delivered, 300: Waiting, 301: Waiting, 400: Waiting, 410: Waiting, 500: Waiting} {
		p.receiver.answers(200, status)
		if d, _ := p.attempted(p.trigger("conversation.created", "")[0], 1); d.State != want {
			t.Errorf("%d: %s, want %s", status, d.State, want)
		}
	}
	p.clock.Advance(time.Minute)
	p.receiver.answers(200, 200)
}

// TestSalesiqSecured: a webhook signs when it is secured and has a key, and keeps its keys while it is not.
func TestSalesiqSecured(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	r := p.create("")
	path := "/harbour/webhooks/" + r.data.ID
	// signed triggers an event and tells by the position which of the keys signed it; -1 is none.
	signed := func(keys ...string) int {
		t.Helper()
		p.attempted(p.trigger("conversation.created", "")[0], 1)
		_, posts := p.receiver.got()
		last := posts[len(posts)-1]
		if len(last.header.Values("X-Siqsignature")) == 0 {
			return -1
		}
		for i, key := range keys {
			if opensslVerifies(t, key, last.signature(t), last.body) {
				return i
			}
		}
		t.Fatal("signed by no key of the webhook")
		return 0
	}
	if r.data.Secured || len(r.data.Keys) != 0 || signed() != -1 {
		t.Fatalf("an unsecured webhook: %s", r.body)
	}
	// A key alone does not secure it.
	r = p.ok("POST", path+"/keys", "")
	if r.data.Secured || len(r.data.Keys) != 1 || signed(r.data.Keys[0].Key) != -1 {
		t.Fatalf("a key, but not secured: %s", r.body)
	}
	first := r.data.Keys[0]
	r = p.ok("PUT", path, `{"secured":true}`)
	if !r.data.Secured || len(r.data.Keys) != 1 || r.data.Keys[0] != first || signed(first.Key) != 0 {
		t.Fatalf("secured: %s", r.body)
	}
	p.clock.Advance(time.Second)
	r = p.ok("POST", path+"/keys", "")
	second := r.data.Keys[1]
	if signed(second.Key, first.Key) != 1 {
		t.Error("the oldest key signs while there are two")
	}
	p.ok("DELETE", path+"/keys/"+first.ID, "")
	if signed(second.Key) != 0 {
		t.Error("the second key takes over")
	}
	r = p.ok("PUT", path, `{"secured":false}`)
	if r.data.Secured || len(r.data.Keys) != 1 || signed(second.Key) != -1 {
		t.Errorf("no longer secured: %s", r.body)
	}
	p.ok("PUT", path, `{"secured":true}`)
	r = p.ok("DELETE", path+"/keys/"+second.ID, "")
	if !r.data.Secured || len(r.data.Keys) != 0 || signed() != -1 {
		t.Errorf("the last key is gone: %s", r.body)
	}
	r = p.ok("POST", path+"/keys", "")
	if !r.data.Secured || signed(r.data.Keys[0].Key) != 0 {
		t.Errorf("a new key signs: %s", r.body)
	}
}

func TestSalesiqSecuredWithoutAKey(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	r := p.create(`,"secured":true,"hookgate":{"key_on_secured":false}`)
	if !r.data.Secured || len(r.data.Keys) != 0 {
		t.Fatalf("%s", r.body)
	}
	r = p.ok("POST", "/harbour/webhooks/"+r.data.ID+"/keys", "")
	p.attempted(p.trigger("conversation.created", "")[0], 1)
	if _, posts := p.receiver.got(); len(posts) != 1 || !opensslVerifies(t, r.data.Keys[0].Key, posts[0].signature(t), posts[0].body) {
		t.Error("the key that was made later signs")
	}
}

// TestSalesiqSlowReceiver: an answer that takes five seconds comes too late.
func TestSalesiqSlowReceiver(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	p.create("")
	calls := p.receiver.calls.Load()
	p.receiver.mu.Lock() // the receiver waits for it
	id := p.trigger("conversation.created", "")[0]
	eventually(t, "the request has arrived", func() bool { return p.receiver.calls.Load() == calls+1 })
	late := p.clock.Now().Add(5 * time.Second)
	if !p.clock.waitsFor(late) {
		t.Error("nobody looks at the time in five seconds")
	}
	p.clock.Advance(5 * time.Second)
	d, made := p.attempted(id, 1)
	p.receiver.mu.Unlock()
	if d.State != Waiting || made[0].Status != 0 || made[0].Error == "" || !d.NextAt.Equal(late.Add(time.Minute)) {
		t.Errorf("%+v %+v", d, made)
	}
}

func TestSalesiqEachWebhookGetsItsEvents(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	url := p.receiver.URL
	p.ok("POST", "/harbour/webhooks", `{"type":"data","url":"`+url+`/created","events":["conversation.created"],"app_ids":["19367000000002043"]}`)
	p.ok("POST", "/harbour/webhooks", `{"type":"data","url":"`+url+`/all"}`)
	p.ok("POST", "/harbour/webhooks", `{"type":"administration","url":"`+url+`/administration"}`)
	for _, c := range []struct{ event, app, want string }{
		{"conversation.created", "19367000000002043", "/all /created"},
		{"conversation.created", "19367000000002044", "/all"},
		{"conversation.missed", "19367000000002043", "/all"},
		{"operator.created", "", "/administration"},
	} {
		_, before := p.receiver.got()
		for _, id := range p.trigger(c.event, c.app) {
			p.attempted(id, 1)
		}
		_, posts := p.receiver.got()
		got := make(map[string]bool)
		for _, post := range posts[len(before):] {
			got[strings.TrimPrefix(post.path, "POST ")] = true
		}
		if len(got) != len(strings.Fields(c.want)) {
			t.Errorf("%s: %v, want %s", c.event, got, c.want)
		}
		for _, path := range strings.Fields(c.want) {
			if !got[path] {
				t.Errorf("%s did not reach %s", c.event, path)
			}
		}
	}
}

// TestSalesiqGivenKey: a webhook that was not made through the documented API signs with the key that it was given, and the
// API shows it as secured, with its keys or without.
func TestSalesiqGivenKey(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	key, err := newSalesiqKey()
	if err != nil {
		t.Fatal(err)
	}
	sub := &Subscription{
		Provider: "salesiq", ID: salesiq().newID(), URL: p.receiver.URL, Active: true, Settings: json.RawMessage(`{"portal":"harbour"}`),
		Auth: []Auth{{Scheme: "siq-signature", Keys: []Key{{Private: key.Private, Created: p.clock.Now()}}}},
	}
	if err := p.Create(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	r := p.ok("GET", "/harbour/webhooks/"+sub.ID, "")
	if !r.data.Secured || len(r.data.Keys) != 1 || r.data.Keys[0].ID != salesiqNow {
		t.Fatalf("%s", r.body)
	}
	p.attempted(p.trigger("conversation.created", "")[0], 1)
	if _, posts := p.receiver.got(); len(posts) != 1 || !opensslVerifies(t, r.data.Keys[0].Key, posts[0].signature(t), posts[0].body) {
		t.Error("the given key signs")
	}
	if r = p.ok("DELETE", "/harbour/webhooks/"+sub.ID+"/keys/"+salesiqNow, ""); !r.data.Secured || len(r.data.Keys) != 0 {
		t.Errorf("secured outlives its last key: %s", r.body)
	}
}
