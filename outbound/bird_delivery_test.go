package outbound

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// birdDeliverTo makes a subscription of the API's kind that may call a receiver of these tests.
func (h *birdHost) birdDeliverTo(t *testing.T, target, key string, filters ...birdFilter) *Subscription {
	t.Helper()
	s := birdSub("channels.sms.inbound", birdSettings{Organization: birdOrg, Workspace: birdWS, AnyURL: true, Filters: filters})
	s.URL = target
	if key != "" {
		s.Auth = []Auth{{Scheme: "bird-signature", Secret: key}}
	}
	if text := birdProblems(s); text != "" {
		t.Fatal(text)
	}
	if err := h.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

const birdPayload = `{"id":"m1","channelId":"c1","body":{"type":"text","text":{"text":"Olá <☃> & \"more\""}},"n":9007199254740993}`

// trigger publishes one event that a single subscription wants.
func (h *birdHost) trigger(t *testing.T) string {
	t.Helper()
	ids, err := h.Publish(t.Context(), "bird", Event{Type: "channels.sms.inbound", Payload: json.RawMessage(birdPayload)})
	if err != nil || len(ids) != 1 {
		t.Fatalf("deliveries %v: %v", ids, err)
	}
	return ids[0]
}

// ends waits for a state of a delivery.
func (h *birdHost) ends(t *testing.T, id string, state State) *Delivery {
	t.Helper()
	var d *Delivery
	birdEventually(t, "the delivery is "+string(state), func() bool {
		var err error
		if d, _, err = h.Delivery(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return d.State == state
	})
	return d
}

// attempted waits until the outcome of the nth attempt is in the log.
func (h *birdHost) attempted(t *testing.T, id string, n int) {
	t.Helper()
	birdEventually(t, "the attempt is recorded", func() bool {
		_, attempts, err := h.Delivery(t.Context(), id)
		return err == nil && len(attempts) == n
	})
}

// TestBirdDelivery sends one signed delivery through the engine and lets Python verify the bytes that arrived.
func TestBirdDelivery(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"path": "/webhook", "query": "/hooks/care?team=a%20b&x=%C3%A1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newBirdHost(t)
			r := newBirdReceiver(t, h.clock, 204)
			h.birdDeliverTo(t, r.URL+path, birdTestKey)
			id := h.trigger(t)
			h.ends(t, id, Delivered)
			raw, _ := r.got()
			if len(raw) != 1 {
				t.Fatalf("%d requests", len(raw))
			}
			names := birdPython(t, birdTestKey, r.URL+path, raw[0])
			for _, want := range []string{"content-type", "messagebird-request-id", "messagebird-request-timestamp", "messagebird-signature"} {
				if strings.Count(" "+names+" ", " "+want+" ") != 1 {
					t.Errorf("%s is not there once and in lower case: %s", want, names)
				}
			}
			head, body, _ := bytes.Cut(raw[0], []byte("\r\n\r\n"))
			if want := `{"service":"channels","event":"sms.inbound","payload":` + birdPayload + `}`; string(body) != want {
				t.Errorf("body %s\nwant %s", body, want)
			}
			if !bytes.HasPrefix(head, []byte("POST "+path+" HTTP/1.1\r\n")) {
				t.Errorf("request line of %s", head)
			}
			for _, want := range []string{"content-type: application/json", "messagebird-request-id: " + id, "messagebird-request-timestamp: 1769853600"} {
				if !bytes.Contains(append(head, "\r\n"...), []byte("\r\n"+want+"\r\n")) {
					t.Errorf("no %q in %s", want, head)
				}
			}
			if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 || id != strings.ToLower(id) {
				t.Errorf("request id %q", id)
			}
		})
	}
}

// TestBirdSchedule37 plays a receiver that always fails: 37 requests at exact times, all the same in every byte.
func TestBirdSchedule37(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"signed": birdTestKey, "unsigned": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newBirdHost(t)
			r := newBirdReceiver(t, h.clock, 500, 301, 410, 503)
			h.birdDeliverTo(t, r.URL+"/webhook", key)
			began := h.clock.Now()
			id := h.trigger(t)
			want := began
			for n, wait := range append(birdRetries(), 0) {
				h.attempted(t, id, n+1)
				if n == len(birdRetries()) {
					break
				}
				d, _, err := h.Delivery(t.Context(), id)
				if err != nil || d.State != Waiting || !d.NextAt.Equal(want.Add(wait)) {
					t.Fatalf("after attempt %d it is %s until %s, not %s: %v", n+1, d.State, d.NextAt, want.Add(wait), err)
				}
				want = want.Add(wait)
				h.clock.set(want.Add(-time.Millisecond))
				h.clock.set(want)
			}
			h.ends(t, id, Failed)
			h.clock.set(want.Add(24 * time.Hour))
			raw, at := r.got()
			if len(raw) != 37 {
				t.Fatalf("%d requests", len(raw))
			}
			due := began
			for n := range raw {
				if !at[n].Equal(due) {
					t.Errorf("request %d came at %s, not %s", n+1, at[n], due)
				}
				if n < 36 {
					due = due.Add(birdRetries()[n])
				}
				if !bytes.Equal(raw[n], raw[0]) {
					t.Errorf("request %d differs:\n%s\n%s", n+1, raw[n], raw[0])
				}
			}
			if span := at[36].Sub(at[0]); span != 28120*time.Second {
				t.Errorf("the last one came after %s", span)
			}
			head, _, _ := bytes.Cut(raw[0], []byte("\r\n\r\n"))
			if key != "" {
				birdPython(t, key, r.URL+"/webhook", raw[36])
			} else if bytes.Contains(head, []byte("messagebird-signature")) || !bytes.Contains(head, []byte("\r\nmessagebird-request-timestamp: 1769853600")) {
				t.Errorf("an unsigned delivery has the headers %s", head)
			}
		})
	}
}

// TestBirdLogs reads what came of deliveries by the documented calls.
func TestBirdLogs(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	r := newBirdReceiver(t, h.clock, 500, 200, 200, 200, 410)
	sub := h.birdDeliverTo(t, r.URL+"/webhook", birdTestKey)
	if _, err := h.Update(t.Context(), "bird", sub.ID, func(s *Subscription) error {
		s.Headers = map[string]string{"X-Api-Key": "a credential of the receiver's"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	first := h.trigger(t)
	h.attempted(t, first, 1)
	h.clock.set(h.clock.Now().Add(10 * time.Second))
	h.ends(t, first, Delivered)
	ids := []string{first}
	for range 2 {
		id := h.trigger(t)
		h.ends(t, id, Delivered)
		ids = append([]string{id}, ids...)
	}
	waiting := h.trigger(t)
	h.attempted(t, waiting, 1)
	ids = append([]string{waiting}, ids...)

	logs := birdTwo + "/" + sub.ID + "/logs"
	page := func(query string) birdList[birdLog] {
		t.Helper()
		var list birdList[birdLog]
		h.want(t, 200, http.MethodGet, logs+query, "", &list)
		return list
	}
	all := page("")
	if len(all.Results) != 4 || all.NextPageToken != "" {
		t.Fatalf("logs %v", all)
	}
	for i, entry := range all.Results {
		if entry.RequestID != ids[i] {
			t.Errorf("entry %d is %s, not %s", i, entry.RequestID, ids[i])
		}
	}
	want := birdLog{first, 2, 200, "succeeded", "2026-01-31T10:00:00.000Z"}
	if all.Results[3] != want {
		t.Errorf("entry %v, not %v", all.Results[3], want)
	}
	if got := all.Results[0]; got.ExecutionStatus != "pending" || got.HTTPStatusCode != 410 || got.AttemptCount != 1 {
		t.Errorf("the one that waits is %v", got)
	}
	if status, text := h.call(t, http.MethodGet, logs+"?limit=1&executionStatus=pending", ""); status != 200 ||
		strings.TrimSpace(text) != `{"results":[{"requestId":"`+waiting+`","attemptCount":1,"httpStatusCode":410,"executionStatus":"pending","createdAt":"2026-01-31T10:00:10.000Z"}],"nextPageToken":""}` {
		t.Errorf("%d %s", status, text)
	}
	if got := page("?executionStatus=succeeded").Results; len(got) != 3 || got[0].RequestID != ids[1] {
		t.Errorf("succeeded: %v", got)
	}
	if got := page("?executionStatus=failed").Results; len(got) != 0 {
		t.Errorf("failed: %v", got)
	}
	var paged []string
	for token := ""; ; {
		list := page("?limit=1&pageToken=" + token)
		for _, entry := range list.Results {
			paged = append(paged, entry.RequestID)
		}
		if token = list.NextPageToken; token == "" {
			break
		}
	}
	if strings.Join(paged, " ") != strings.Join(ids, " ") {
		t.Errorf("by pages of one: %v, not %v", paged, ids)
	}

	var details struct {
		birdLog
		Attempts []birdAttempt `json:"attempts"`
	}
	h.want(t, 200, http.MethodGet, logs+"/details?requestId="+first, "", &details)
	if details.birdLog != want || len(details.Attempts) != 2 {
		t.Fatalf("details %v", details)
	}
	raw, _ := r.got()
	for i, attempt := range details.Attempts {
		_, body, _ := bytes.Cut(raw[i], []byte("\r\n\r\n"))
		status, execution, at := 500, "failed", "2026-01-31T10:00:00.000Z"
		if i == 1 {
			status, execution, at = 200, "succeeded", "2026-01-31T10:00:10.000Z"
		}
		if attempt.Attempt != i+1 || attempt.HTTPStatusCode != status || attempt.ExecutionStatus != execution || attempt.CreatedAt != at {
			t.Errorf("attempt %v", attempt)
		}
		if attempt.Request.Body != string(body) || attempt.Request.URL != sub.URL || attempt.Request.Method != http.MethodPost {
			t.Errorf("request %v", attempt.Request)
		}
		for name, value := range attempt.Request.Headers {
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name+": "+value) + `\r$`).Match(raw[i]) {
				t.Errorf("%s: %s was not sent", name, value)
			}
		}
		if len(attempt.Request.Headers) != 4 {
			t.Errorf("headers %v", attempt.Request.Headers)
		}
		if want := "answer 500"; i == 0 && attempt.Response.Body != want {
			t.Errorf("response %q", attempt.Response.Body)
		}
	}
	// A delivery of another subscription is not shown here.
	other := h.birdDeliverTo(t, r.URL+"/webhook", "")
	h.want(t, 404, http.MethodGet, birdTwo+"/"+other.ID+"/logs/details?requestId="+first, "", nil)
}

// TestBirdInactive sends nothing to a subscription that was stopped, and again once it is started.
func TestBirdInactive(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	r := newBirdReceiver(t, h.clock, 200)
	sub := h.birdDeliverTo(t, r.URL+"/webhook", "", birdFilter{"channelId", "c1"})
	h.want(t, 200, http.MethodPatch, birdTwo+"/"+sub.ID, `{"status":"inactive"}`, nil)
	e := Event{Type: "channels.sms.inbound", Payload: json.RawMessage(birdPayload)}
	if ids, err := h.Publish(t.Context(), "bird", e); err != nil || len(ids) != 0 {
		t.Errorf("stopped: %v, %v", ids, err)
	}
	h.want(t, 200, http.MethodPatch, birdTwo+"/"+sub.ID, `{"status":"active"}`, nil)
	h.ends(t, h.trigger(t), Delivered)
	e.Payload = json.RawMessage(`{"id":"m2","channelId":"c2"}`)
	if ids, err := h.Publish(t.Context(), "bird", e); err != nil || len(ids) != 0 {
		t.Errorf("filtered out: %v, %v", ids, err)
	}
}

// TestBirdKeepsFailures looks at the logs just before and after the seven days of a failure; a success stays.
func TestBirdKeepsFailures(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	r := newBirdReceiver(t, h.clock, 500, 200)
	sub := h.birdDeliverTo(t, r.URL+"/webhook", birdTestKey)
	if _, err := h.Update(t.Context(), "bird", sub.ID, func(s *Subscription) error { s.Retries = []time.Duration{}; return nil }); err != nil {
		t.Fatal(err)
	}
	failed := h.trigger(t)
	h.ends(t, failed, Failed)
	delivered := h.trigger(t)
	h.ends(t, delivered, Delivered)
	logs := func(query string) int {
		t.Helper()
		var list birdList[birdLog]
		h.want(t, 200, http.MethodGet, birdTwo+"/"+sub.ID+"/logs"+query, "", &list)
		return len(list.Results)
	}
	began := h.clock.Now()
	h.clock.set(began.Add(birdFailures - time.Minute))
	if n := logs("?executionStatus=failed"); n != 1 {
		t.Errorf("a minute before, %d failures are in the logs", n)
	}
	h.want(t, 200, http.MethodGet, birdTwo+"/"+sub.ID+"/logs/details?requestId="+failed, "", nil)
	birdEventually(t, "the failure has gone", func() bool {
		h.clock.set(h.clock.Now().Add(time.Minute))
		return logs("?executionStatus=failed") == 0
	})
	if past := h.clock.Now().Sub(began); past < birdFailures || past > birdFailures+24*time.Hour {
		t.Errorf("it went after %s", past)
	}
	h.want(t, 404, http.MethodGet, birdTwo+"/"+sub.ID+"/logs/details?requestId="+failed, "", nil)
	if n := logs(""); n != 1 {
		t.Errorf("%d deliveries are left", n)
	}
}
