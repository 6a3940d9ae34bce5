package outbound

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func sprinklrCaseEvent() Event {
	return Event{
		Type: "CASE_CREATED", ID: "6650a2b0c3d4e5f607182931", Time: time.UnixMilli(1716560560020),
		Payload: json.RawMessage(`{"id": "1", "n": 20.0, "t": "<é>"}`),
	}
}

func TestSprinklrDelivery(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	receiver := newReceiver(t, nil, nil)
	id := a.create(receiver.URL, "CASE_CREATED")
	a.want("POST", "/webhook-subscriptions/"+id+"/verify", "", 200, `{"data":true,"errors":[]}`)
	if ids, err := a.s.Publish(t.Context(), "sprinklr", sprinklrCaseEvent()); err != nil || len(ids) != 0 {
		t.Fatalf("an inactive subscription is sent to: %v %v", ids, err)
	}
	a.want("POST", "/webhook-subscriptions/"+id+"/activate", "", 200, `{"data":true,"errors":[]}`)
	if _, err := a.s.Update(t.Context(), "sprinklr", id, func(s *Subscription) error {
		s.Headers = map[string]string{"X-Tenant": "acme"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	start(t, a.s)
	ids, err := a.s.Publish(t.Context(), "sprinklr", sprinklrCaseEvent())
	if err != nil || len(ids) != 1 {
		t.Fatalf("published: %v %v", ids, err)
	}
	settled(t, a.s, ids[0], 1)
	got := receiver.requests()[1]
	want := `{"id":"6650a2b0c3d4e5f607182931","type":"case.create","payload":{"id":"1","n":20.0,"t":"<é>"},"eventTime":1716560560020,"subscriptionDetails":{"subscriptionId":"` + id + `"}}`
	if got.Body != want || got.Header.Get("X-Hub-Signature") != opensslHub(t.Context(), t, sprinklrKey, []byte(want)) {
		t.Errorf("delivered %s with %v", got.Body, got.Header)
	}
	delete(got.Header, "Content-Length") // of the transport
	if names := slices.Sorted(maps.Keys(got.Header)); !slices.Equal(names, []string{"Content-Type", "X-Hub-Signature", "X-Tenant"}) {
		t.Errorf("headers %v", got.Header)
	}
	if _, answer := a.call("GET", "/webhook-subscriptions/"+id, ""); !strings.Contains(answer, `"lastSuccessTimestamp":1`) || !strings.Contains(answer, `"lastFailedTimestamp":0`) {
		t.Errorf("the success is not shown: %s", answer)
	}
}

// A receiver that never answers 200 gets four requests, with the waits of the three queues between them and the same bytes.
func TestSprinklrDelivery_Queues(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	begin := clock.Now()
	a := newSprinklrAPITest(t, clock)
	receiver := newReceiver(t, clock, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{200, 500, 204, 301, 404}[n-1])
	})
	id := a.create(receiver.URL, "CASE_CREATED")
	a.want("POST", "/webhook-subscriptions/"+id+"/verify", "", 200, `{"data":true,"errors":[]}`)
	a.want("POST", "/webhook-subscriptions/"+id+"/activate", "", 200, `{"data":true,"errors":[]}`)
	start(t, a.s)
	ids, err := a.s.Publish(t.Context(), "sprinklr", sprinklrCaseEvent())
	if err != nil || len(ids) != 1 {
		t.Fatalf("published: %v %v", ids, err)
	}
	for i, wait := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		d := settled(t, a.s, ids[0], i+1)
		if d.State != Waiting || !d.NextAt.Equal(clock.Now().Add(wait)) {
			t.Fatalf("after attempt %d it is %s until %v", i+1, d.State, d.NextAt)
		}
		eventually(t, "the next attempt is waited for", func() bool { return clock.waitsFor(d.NextAt) })
		clock.Advance(wait)
	}
	if d := settled(t, a.s, ids[0], 4); d.State != Failed {
		t.Errorf("after four attempts it is %s", d.State)
	}
	got := receiver.requests()[1:]
	if len(got) != 4 {
		t.Fatalf("%d requests", len(got))
	}
	for i, at := range []time.Duration{0, time.Minute, 6 * time.Minute, 21 * time.Minute} {
		if !got[i].At.Equal(begin.Add(at)) || got[i].Body != got[0].Body || got[i].Header.Get("X-Hub-Signature") != got[0].Header.Get("X-Hub-Signature") {
			t.Errorf("request %d: %+v", i+1, got[i])
		}
	}
	sub, err := a.s.Get(t.Context(), "sprinklr", id)
	if err != nil || !sub.Active || !sub.LastSuccess.IsZero() || !sub.LastFailure.Equal(begin.Add(21*time.Minute)) {
		t.Errorf("%+v %v", sub, err)
	}
	// It is still there for those who ask.
	r := a.replay("POST", "/webhook-replay", `{"subscriptionId":"`+id+`","startTime":"0","endTime":"4000000000000","size":10}`)
	if len(r.Data.Results) != 1 || r.Data.Results[0] != got[0].Body {
		t.Errorf("replayed %v", r)
	}
}

// The plain API is the way to what the console alone offers; a URL must be verified there, too.
func TestSprinklrDelivery_PlainAPI(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	receiver := newReceiver(t, nil, status(204))
	a.base = strings.TrimSuffix(a.base, "/prod2/api/v2") + "/v1"
	body := `{"url":"` + receiver.URL + `","events":["user.created"],"auth":[{"scheme":"basic","user":"u","password":"p"}],"headers":{"X-Tenant":"acme"}`
	code, answer := a.call("POST", "/subscriptions/sprinklr", body+`,"active":true}`)
	if code != 422 || !strings.Contains(answer, `"field":"active"`) {
		t.Errorf("active at once: %d %s", code, answer)
	}
	code, answer = a.call("POST", "/subscriptions/sprinklr", body+`,"active":true,"settings":{"verified":true}}`)
	if code != 201 {
		t.Errorf("verified by order: %d %s", code, answer)
	}
	code, answer = a.call("POST", "/subscriptions/sprinklr", body+"}")
	var out struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &out); err != nil || code != 201 || len(out.ID) != 24 {
		t.Fatalf("%d %s", code, answer)
	}
	if code, answer = a.call("POST", "/subscriptions/sprinklr/"+out.ID+"/test", ""); code != 200 || !strings.Contains(answer, `"passed":true`) {
		t.Errorf("the verification call: %d %s", code, answer)
	}
	if got := receiver.requests(); len(got) != 1 || got[0].Body != "{}" || got[0].Header.Get("Authorization") != "Basic dTpw" || got[0].Header.Get("X-Tenant") != "acme" {
		t.Errorf("called with %+v", got)
	}
	if code, answer = a.call("PATCH", "/subscriptions/sprinklr/"+out.ID, `{"active":true}`); code != 200 {
		t.Errorf("activated: %d %s", code, answer)
	}
	if code, answer = a.call("PATCH", "/subscriptions/sprinklr/"+out.ID, `{"url":"`+receiver.URL+`/moved"}`); code != 422 {
		t.Errorf("moved while active: %d %s", code, answer)
	}
}
