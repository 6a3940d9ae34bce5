package outbound

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// netcoreHouse is a running server and one receiver, which answers by script.
type netcoreHouse struct {
	t        *testing.T
	clock    *fakeClock
	server   *Server
	receiver *httptest.Server
	options  Options
	stop     context.CancelFunc
	done     chan struct{}

	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r *http.Request)
	requests []netcoreGot
}

type netcoreGot struct {
	header http.Header
	body   string
	at     time.Time
}

func newNetcoreHouse(t *testing.T, mailer Mailer) *netcoreHouse {
	t.Helper()
	h := &netcoreHouse{t: t, clock: &fakeClock{now: netcoreDay}}
	h.receiver = httptest.NewServer(http.HandlerFunc(h.receive))
	t.Cleanup(h.receiver.Close)
	h.options = Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), AllowPrivate: true, Clock: h.clock, Mailer: mailer,
		Signers: func(entry hookgate.AuthSettings, _ hookgate.Secret) (Signer, error) {
			if entry.Scheme != "basic" || len(entry.Users) != 1 {
				return nil, fmt.Errorf("the scheme %q with %d users", entry.Scheme, len(entry.Users))
			}
			return netcoreBasic(entry.Users[0].Reveal()), nil
		},
	}
	h.start()
	t.Cleanup(func() { h.close() })
	return h
}

type netcoreBasic []byte

func (b netcoreBasic) Sign(r *hookgate.Request, _ time.Time) error {
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(b))
	return nil
}

func (h *netcoreHouse) start() {
	h.t.Helper()
	var err error
	if h.server, err = New(h.options); err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.done = stop, make(chan struct{})
	go func() {
		defer close(h.done)
		if err := h.server.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
}

func (h *netcoreHouse) close() {
	h.t.Helper()
	h.stop()
	<-h.done
	if err := h.server.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *netcoreHouse) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	h.requests = append(h.requests, netcoreGot{header: r.Header.Clone(), body: string(body), at: h.clock.Now()})
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (h *netcoreHouse) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func netcoreStatus(status int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func (h *netcoreHouse) got() []netcoreGot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// pass lets time pass in steps until something has come about.
func (h *netcoreHouse) pass(step time.Duration, what string, reached func() bool) {
	h.t.Helper()
	eventually(h.t, what, func() bool {
		if reached() {
			return true
		}
		h.clock.Advance(step)
		return false
	})
}

// failed waits until so many deliveries have failed and the webhook tells so.
func (h *netcoreHouse) failed(n int) {
	h.t.Helper()
	eventually(h.t, "the failure", func() bool { return len(h.deliveries(Failed)) == n && h.sub().Failures == int64(n) })
}

func (h *netcoreHouse) create(settings netcoreSettings, change func(*Subscription)) {
	h.t.Helper()
	sub := &Subscription{
		Provider: "netcore", ID: "wh1", URL: h.receiver.URL + "/netcore?key=canary",
		Auth: []Auth{{Scheme: "basic", User: "hookuser", Password: "hookpass"}},
	}
	sub.encode(settings)
	if change != nil {
		change(sub)
	}
	if err := h.server.Create(h.t.Context(), sub); err != nil {
		h.t.Fatal(err)
	}
}

func (h *netcoreHouse) sub() *Subscription {
	h.t.Helper()
	sub, err := h.server.Get(h.t.Context(), "netcore", "wh1")
	if err != nil {
		h.t.Fatal(err)
	}
	return sub
}

// change does what the plain API does: it changes a subscription, and refuses one that does not check.
func (h *netcoreHouse) change(change func(*Subscription)) error {
	_, err := h.server.Update(h.t.Context(), "netcore", "wh1", func(sub *Subscription) error {
		change(sub)
		var ps hookgate.Problems
		netcoreCheck(sub, &ps)
		return ps.Err()
	})
	return err
}

func (h *netcoreHouse) publish(panel string, n int) (ids []string) {
	h.t.Helper()
	e := Event{Account: panel, Payload: json.RawMessage(fmt.Sprintf(`{"channel":"sms","event":"delivered","msgid":"%d","id":9007199254740993}`, n))}
	ids, err := h.server.Publish(h.t.Context(), "netcore", e)
	if err != nil {
		h.t.Fatal(err)
	}
	return ids
}

func (h *netcoreHouse) deliveries(states ...State) []*Delivery {
	h.t.Helper()
	all, err := h.server.Deliveries(h.t.Context(), LogQuery{Provider: "netcore", States: states, Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func TestNetcoreTestCall(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	h.create(netcoreSettings{}, nil)
	activate := func(s *Subscription) { s.Active = true }
	if err := h.change(activate); err == nil {
		t.Error("a webhook that was not tested was activated")
	}
	for _, status := range []int{201, 204, 301, 400, 401, 404, 500, 503} {
		h.answers(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", h.receiver.URL)
			w.WriteHeader(status)
		})
		before := len(h.got())
		err := netcoreTest(t.Context(), h.server, "wh1")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "canary") {
			t.Errorf("answered %d, the test says %v", status, err)
		}
		if n := len(h.got()) - before; n != 1 {
			t.Errorf("answered %d, it made %d calls", status, n)
		}
	}
	h.answers(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	if err := netcoreTest(t.Context(), h.server, "wh1"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("without an answer the test says %v", err)
	}
	if err := h.change(activate); err == nil {
		t.Error("a webhook that has not passed was activated")
	}
	h.answers(netcoreStatus(200))
	if err := netcoreTest(t.Context(), h.server, "wh1"); err != nil {
		t.Error(err)
	}
	if err := h.change(activate); err != nil {
		t.Error(err)
	}
	calls := h.got()
	last := calls[len(calls)-1]
	if last.body != "data=%7B%22hookgate_demo%22%3A%5B%5D%7D" {
		t.Errorf("the body is %s", last.body)
	}
	h.proves(last.header, len(last.body))
	if err := h.change(func(s *Subscription) { s.URL += "2" }); err == nil {
		t.Error("another URL was taken without a test")
	}
	if err := h.change(func(s *Subscription) { s.URL, s.Active = s.URL+"2", false }); err != nil {
		t.Error(err)
	}
	if err := h.change(activate); err == nil {
		t.Error("another URL was activated without a test")
	}
	if n := len(h.deliveries()); n != 0 {
		t.Errorf("the log has %d deliveries, and a test is none", n)
	}
	if err := netcoreTest(t.Context(), h.server, "wh2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a webhook that is not there: %v", err)
	}
}

func TestNetcoreTestCallNamesThePanel(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	h.create(netcoreSettings{Panel: "Läden"}, nil)
	if err := netcoreTest(t.Context(), h.server, "wh1"); err != nil {
		t.Fatal(err)
	}
	if body := h.got()[0].body; body != "data=%7B%22L%C3%A4den%22%3A%5B%5D%7D" {
		t.Errorf("the body is %s", body)
	}
}

// What was tested is the URL that the call went to.
func TestNetcoreURLChangesDuringTheTest(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	h.create(netcoreSettings{}, nil)
	h.answers(func(http.ResponseWriter, *http.Request) {
		if err := h.change(func(s *Subscription) { s.URL += "2" }); err != nil {
			t.Error(err)
		}
	})
	if err := netcoreTest(t.Context(), h.server, "wh1"); err == nil || !strings.Contains(err.Error(), "test again") {
		t.Errorf("the test says %v", err)
	}
	if err := h.change(func(s *Subscription) { s.Active = true }); err == nil {
		t.Error("the new URL was activated without a test")
	}
}

// proves checks the headers of a request, which are all that the page documents; its own example of Basic among them.
func (h *netcoreHouse) proves(header http.Header, length int) {
	h.t.Helper()
	want := http.Header{
		"Authorization":  {"Basic aG9va3VzZXI6aG9va3Bhc3M="},
		"Content-Type":   {"application/x-www-form-urlencoded"},
		"Content-Length": {fmt.Sprint(length)},
	}
	if fmt.Sprint(header) != fmt.Sprint(want) {
		h.t.Errorf("the headers are %v, want %v", header, want)
	}
}

func TestNetcoreDelivers(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	h.create(netcoreSettings{}, func(s *Subscription) { s.Active = true })
	h.answers(netcoreStatus(202))
	h.publish("one", 1)
	h.clock.Advance(999 * time.Millisecond)
	h.publish("two", 2)
	h.publish("one", 3)
	if all := h.deliveries(); len(all) != 1 || all[0].State != Gathering || len(all[0].Events) != 3 {
		t.Fatalf("%d deliveries; the first is %+v", len(all), all[0])
	}
	h.clock.Advance(time.Millisecond) // a second after the first event
	eventually(h.t, "the delivery", func() bool { return len(h.deliveries(Delivered)) == 1 })
	requests := h.got()
	if len(requests) != 1 {
		t.Fatalf("%d requests came", len(requests))
	}
	event := func(n int) string {
		return fmt.Sprintf(`{"channel":"sms","event":"delivered","msgid":"%d","id":9007199254740993}`, n)
	}
	want := `{"one":[` + event(1) + "," + event(3) + `],"two":[` + event(2) + `]}`
	if form, err := url.ParseQuery(requests[0].body); err != nil || len(form) != 1 || form.Get("data") != want {
		t.Errorf("the form is %v, %v; want data %s", form, err, want)
	}
	h.proves(requests[0].header, len(requests[0].body))
	eventually(t, "the webhook's last success", func() bool { return h.sub().Active && !h.sub().LastSuccess.IsZero() })
}

// A batch ends with its hundredth event, or a second after its first.
func TestNetcoreBatches(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	h.create(netcoreSettings{}, func(s *Subscription) { s.Active = true })
	for n := range 250 {
		h.publish("shop", n)
	}
	eventually(h.t, "two full batches, without any time passing", func() bool { return len(h.got()) == 2 })
	h.clock.Advance(time.Second)
	eventually(h.t, "the rest", func() bool { return len(h.deliveries(Delivered)) == 3 })
	var sizes []int
	seen := make(map[string]bool)
	for _, r := range h.got() {
		text, err := url.QueryUnescape(strings.TrimPrefix(r.body, "data="))
		if err != nil {
			t.Fatal(err)
		}
		var panels map[string][]struct{ Msgid string }
		if err := json.Unmarshal([]byte(text), &panels); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(panels["shop"]))
		last := -1
		for _, e := range panels["shop"] {
			n := 0
			if _, err := fmt.Sscan(e.Msgid, &n); err != nil || n <= last || seen[e.Msgid] {
				t.Errorf("event %s comes after %d, or twice", e.Msgid, last)
			}
			last, seen[e.Msgid] = n, true
		}
	}
	slices.Sort(sizes)
	if !slices.Equal(sizes, []int{50, 100, 100}) || len(seen) != 250 {
		t.Errorf("the batches have %v, %d events in all", sizes, len(seen))
	}
}

func TestNetcoreBusyReceiverIsDisabled(t *testing.T) {
	t.Parallel()
	box := newInbox(t, true)
	h := newNetcoreHouse(t, box.mailer(t, nil))
	h.create(netcoreSettings{Label: "CRM", Alert: netcoreAlert{On: true, Emails: []string{"one@example.com", "two@example.com"}}},
		func(s *Subscription) { s.Active = true })
	h.answers(netcoreStatus(500))
	h.publish("shop", 1)
	h.clock.Advance(time.Second)
	h.failed(1)
	if h.sub().Active {
		t.Error("it is still active after a 500")
	}
	if ids := h.publish("shop", 2); len(ids) != 0 {
		t.Errorf("a disabled webhook was given %q", ids)
	}
	if n := len(h.got()); n != 1 {
		t.Errorf("%d requests came, and there are no retries", n)
	}
	began := h.clock.Now()
	h.close() // the alert is due in an hour; a restart in between
	h.clock.Advance(30 * time.Minute)
	h.start()
	h.pass(time.Minute, "the mails", func() bool { return len(box.letters()) == 2 })
	if waited := h.clock.Now().Sub(began); waited < time.Hour {
		t.Errorf("the digest came after %v", waited)
	}
	eventually(h.t, "the note of both mails", func() bool { return len(decode[netcoreSettings](h.sub()).State.Failures) == 0 })
	h.close()
	h.start()
	chores := h.clock.Now().Add(10 * time.Second)
	h.pass(time.Second, "ten more seconds", func() bool { return h.clock.Now().After(chores) })
	letters := box.letters()
	if len(letters) != 2 {
		t.Fatalf("%d mails came, want one for each address", len(letters))
	}
	_, subject, text := letters[0].read(t)
	if subject != "Webhook CRM: 1 failed delivery, disabled" || !strings.Contains(text, "1 x sms.delivered, the answer was 500") || strings.Contains(text, "canary") {
		t.Errorf("the mail says %q, %q", subject, text)
	}

	h.answers(netcoreStatus(200))
	if err := netcoreTest(t.Context(), h.server, "wh1"); err != nil {
		t.Error(err)
	}
	if err := h.change(func(s *Subscription) { s.Active = true }); err != nil {
		t.Error(err)
	}
	h.publish("shop", 3)
	h.pass(time.Second, "a delivery after it was activated again", func() bool { return len(h.deliveries(Delivered)) == 1 })
}

func TestNetcoreOtherFailuresDoNotDisable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"404":   netcoreStatus(404),
		"302":   netcoreStatus(302),
		"reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newNetcoreHouse(t, nil)
			h.create(netcoreSettings{DisableOnTimeout: true}, func(s *Subscription) { s.Active = true })
			h.answers(answer)
			h.publish("shop", 1)
			h.clock.Advance(time.Second)
			h.failed(1)
			if !h.sub().Active || len(h.got()) != 1 {
				t.Errorf("active %v after %d requests", h.sub().Active, len(h.got()))
			}
		})
	}
}

func TestNetcoreTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts bool
		begun  bool // the answer begins in time, and does not end
	}{"ignored": {false, false}, "counted": {true, false}, "begun": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newNetcoreHouse(t, nil)
			h.create(netcoreSettings{DisableOnTimeout: c.counts}, func(s *Subscription) { s.Active = true })
			reached := make(chan struct{})
			h.answers(func(w http.ResponseWriter, r *http.Request) {
				if c.begun {
					w.Header().Set("Content-Length", "10")
					w.WriteHeader(200)
					w.(http.Flusher).Flush()
				}
				close(reached)
				<-r.Context().Done()
			})
			h.publish("shop", 1)
			h.clock.Advance(time.Second)
			<-reached
			h.clock.Advance(10*time.Second - time.Millisecond)
			if n := len(h.deliveries(Failed)); n != 0 {
				t.Error("it was given up before 10 s")
			}
			h.clock.Advance(time.Millisecond)
			h.failed(1)
			if h.sub().Active == c.counts {
				t.Errorf("active is %v", h.sub().Active)
			}
		})
	}
}

// Retries are an option, and repeat the same bytes.
func TestNetcoreRetriesWhereTheyAreSet(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	never := 0
	h.create(netcoreSettings{DisableAfter: &never}, func(s *Subscription) {
		s.Active, s.Retries = true, []time.Duration{5 * time.Second, 5 * time.Second}
	})
	h.answers(netcoreStatus(503))
	id := h.publish("shop", 1)[0]
	h.clock.Advance(time.Second)
	for n := range 2 {
		settled(t, h.server, id, n+1)
		h.clock.Advance(5 * time.Second)
	}
	h.failed(1)
	requests := h.got()
	if len(requests) != 3 {
		t.Fatalf("%d requests came", len(requests))
	}
	for i := 1; i < 3; i++ {
		if d := requests[i].at.Sub(requests[i-1].at); d != 5*time.Second || requests[i].body != requests[0].body {
			t.Errorf("request %d came %v later with %s", i+1, d, requests[i].body)
		}
	}
}

// The console's form is in the plain API: created inactive, tested, activated; and a change of settings keeps the test.
func TestNetcoreOverThePlainAPI(t *testing.T) {
	t.Parallel()
	h := newNetcoreHouse(t, nil)
	api := h.server.Handler()
	call := func(method, path, body string) (status int, answer string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/v1/subscriptions/netcore"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		api.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	form := func(active bool) string {
		return fmt.Sprintf(`{"url":"%s/n","active":%v,"auth":[{"scheme":"basic","user":"hookuser","password":"hookpass"}],`+
			`"settings":{"label":"CRM","channels":["sms"]}}`, h.receiver.URL, active)
	}
	if status, answer := call("POST", "", form(true)); status != 422 || !strings.Contains(answer, `"active"`) {
		t.Errorf("an untested webhook is answered %d %s", status, answer)
	}
	status, answer := call("POST", "", form(false))
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 201 {
		t.Fatalf("create is answered %d %s", status, answer)
	}
	path := "/" + made.ID
	h.answers(netcoreStatus(204))
	if status, answer := call("POST", path+"/test", ""); status != 200 || !strings.Contains(answer, `"passed":false`) || !strings.Contains(answer, "204") {
		t.Errorf("a test that fails is answered %d %s", status, answer)
	}
	h.answers(netcoreStatus(200))
	if status, answer := call("POST", path+"/test", ""); status != 200 || answer != `{"passed":true}` {
		t.Errorf("a test that passes is answered %d %s", status, answer)
	}
	if status, answer := call("PATCH", path, `{"active":true}`); status != 200 {
		t.Errorf("activation is answered %d %s", status, answer)
	}
	if status, answer := call("PATCH", path, `{"settings":{"alert":{"on":true,"emails":["one@example.com"]}}}`); status != 200 {
		t.Errorf("a change of settings is answered %d %s", status, answer)
	}
	if status, answer := call("PATCH", path, `{"settings":{"alert":{"on":true}}}`); status != 422 || !strings.Contains(answer, "settings.alert.emails") {
		t.Errorf("an alert to nobody is answered %d %s", status, answer)
	}
	if status, answer := call("PATCH", path, fmt.Sprintf(`{"url":"%s/other"}`, h.receiver.URL)); status != 422 || !strings.Contains(answer, `"active"`) {
		t.Errorf("another URL is answered %d %s", status, answer)
	}
}
