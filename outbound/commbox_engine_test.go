package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// commboxClock stands still until it is told to go on.
type commboxClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []commboxTimer
}

type commboxTimer struct {
	at   time.Time
	fire chan time.Time
}

func (c *commboxClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *commboxClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := commboxTimer{c.now.Add(d), make(chan time.Time, 1)}
	if d <= 0 {
		timer.fire <- c.now
	} else {
		c.timers = append(c.timers, timer)
	}
	return timer.fire
}

func (c *commboxClock) moveTo(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
	c.timers = slices.DeleteFunc(c.timers, func(timer commboxTimer) bool {
		if timer.at.After(at) {
			return false
		}
		timer.fire <- at
		return true
	})
}

// commboxProof stands in for the verifiers' signer: it writes the header that the entry is about.
type commboxProof struct{ header string }

func (p commboxProof) Sign(req *hookgate.Request, _ time.Time) error {
	if p.header != "" {
		req.Header.Set("Authorization", p.header)
	}
	return nil
}

func commboxProofs(entry hookgate.AuthSettings, _ hookgate.Secret) (Signer, error) {
	switch entry.Scheme {
	case "basic":
		return commboxProof{"Basic " + base64.StdEncoding.EncodeToString(entry.Users[0].Reveal())}, nil
	case "access-token":
		token := string(entry.Secrets[0].Reveal())
		if entry.Prefix != nil && *entry.Prefix != "" {
			token = *entry.Prefix + " " + token
		}
		return commboxProof{token}, nil
	case "none":
		return commboxProof{}, nil
	}
	return nil, errors.New("no such scheme here: " + entry.Scheme)
}

// commboxGot is a request as a receiver saw it.
type commboxGot struct {
	at                 time.Time
	method, path, body string
	header             http.Header
	certificate        string // the common name of the client's
}

// commboxReceiver is a TLS server that answers by script; the last answer stands for all that follow.
type commboxReceiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []commboxGot
}

func newCommboxReceiver(t *testing.T, clock Clock, answers ...http.HandlerFunc) *commboxReceiver {
	t.Helper()
	r := &commboxReceiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		g := commboxGot{at: clock.Now(), method: req.Method, path: req.URL.RequestURI(), body: string(body), header: req.Header}
		if certificates := req.TLS.PeerCertificates; len(certificates) > 0 {
			g.certificate = certificates[0].Subject.CommonName
		}
		r.mu.Lock()
		r.got = append(r.got, g)
		answer := answers[min(len(r.got), len(answers))-1]
		r.mu.Unlock()
		answer(w, req)
	}))
	r.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *commboxReceiver) requests() []commboxGot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func commboxAnswer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// commboxServer runs a server that trusts the receivers.
func commboxServer(t *testing.T, clock Clock, receivers ...*commboxReceiver) *Server {
	t.Helper()
	roots := x509.NewCertPool()
	for _, r := range receivers {
		roots.AddCert(r.Certificate())
	}
	s, err := New(Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), AllowPrivate: true, Signers: commboxProofs, Clock: clock,
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// commboxCreate checks a subscription as the plain API does, and stores it.
func commboxCreate(t *testing.T, s *Server, sub Subscription) *Subscription {
	t.Helper()
	if sub.ID == "" {
		sub.ID = "sub-1"
	}
	if sub.Name == "" {
		sub.Name = sub.ID
	}
	sub.Provider, sub.Active = "commbox", true
	if ps := commboxChecked(&sub); ps != nil {
		t.Fatal(ps)
	}
	if err := s.Create(t.Context(), &sub); err != nil {
		t.Fatal(err)
	}
	return &sub
}

// commboxPublish triggers an event and gives the id of its one delivery.
func commboxPublish(t *testing.T, s *Server, e Event) string {
	t.Helper()
	ids, err := s.Publish(t.Context(), "commbox", e)
	if err != nil || len(ids) != 1 {
		t.Fatalf("deliveries %v, %v", ids, err)
	}
	return ids[0]
}

// commboxUntil polls a delivery.
func commboxUntil(t *testing.T, s *Server, id string, done func(*Delivery, []Attempt) bool) (*Delivery, []Attempt) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		d, attempts, err := s.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if done(d, attempts) {
			return d, attempts
		}
		if time.Now().After(deadline) {
			t.Fatalf("the delivery is still %s after %d attempts: %s", d.State, d.Attempts, d.LastError)
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// commboxRun moves the clock from attempt to attempt until the delivery has ended.
func commboxRun(t *testing.T, s *Server, clock *commboxClock, id string) (*Delivery, []Attempt) {
	t.Helper()
	for made := 1; ; made++ {
		d, attempts := commboxUntil(t, s, id, func(d *Delivery, attempts []Attempt) bool { return commboxEnded(d, nil) || len(attempts) == made })
		if commboxEnded(d, nil) {
			return d, attempts
		}
		last := attempts[len(attempts)-1]
		if got := d.NextAt.Sub(last.At.Add(last.Took)); got != 5*time.Minute {
			t.Fatalf("attempt %d waits for %v", made+1, got)
		}
		clock.moveTo(d.NextAt.Add(-time.Millisecond))
		clock.moveTo(d.NextAt)
	}
}

func commboxTagEvent() Event {
	return Event{Type: "Tag.OnAdd", Account: "acme", Payload: json.RawMessage(`{"eventName":"OnAdd","tagId":40,"name":"VIP","isObject":true}`)}
}

func commboxEnded(d *Delivery, _ []Attempt) bool { return d.State == Delivered || d.State == Failed }

func TestCommboxRetriesFiveMinutesApart(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]int{
		`{}`: 4, `{"retries":0}`: 1, `{"retries":1}`: 2, `{"retries":2}`: 3, `{"retries":3}`: 4, `{"retries":4}`: 5, `{"retries":5}`: 6,
	} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			start := commboxAt(t).Truncate(time.Second)
			clock := &commboxClock{now: start}
			r := newCommboxReceiver(t, clock, commboxAnswer(503))
			s := commboxServer(t, clock, r)
			commboxCreate(t, s, Subscription{URL: r.URL + "/hooks/care", Settings: json.RawMessage(settings)})
			d, attempts := commboxRun(t, s, clock, commboxPublish(t, s, commboxTagEvent()))
			got := r.requests()
			if d.State != Failed || d.Attempts != want || len(got) != want || len(attempts) != want {
				t.Fatalf("%s after %d attempts, %d requests", d.State, d.Attempts, len(got))
			}
			for i, g := range got {
				if due := start.Add(time.Duration(i) * 5 * time.Minute); !g.at.Equal(due) || !attempts[i].At.Equal(due) {
					t.Errorf("request %d came at %v, not at %v", i+1, g.at, due)
				}
				if g.body != got[0].body || g.method != http.MethodPost || fmt.Sprint(g.header) != fmt.Sprint(got[0].header) {
					t.Errorf("request %d differs: %+v", i+1, g)
				}
			}
		})
	}
}

// The list of failed events: error, status, time and payload of every attempt; a success in between ends the schedule.
func TestCommboxFailedList(t *testing.T) {
	t.Parallel()
	clock := &commboxClock{now: commboxAt(t).Truncate(time.Second)}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
	}
	other := newCommboxReceiver(t, clock, commboxAnswer(200))
	moved := func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, other.URL, http.StatusMovedPermanently)
	}
	hang := func(_ http.ResponseWriter, req *http.Request) { // for longer than CommBox waits
		clock.moveTo(clock.Now().Add(30 * time.Second))
		select {
		case <-req.Context().Done():
		case <-t.Context().Done():
		}
		panic(http.ErrAbortHandler) // returning would answer 200
	}
	r := newCommboxReceiver(t, clock, commboxAnswer(500), cut, moved, hang, commboxAnswer(410), commboxAnswer(404), commboxAnswer(204))
	s := commboxServer(t, clock, r, other)
	commboxCreate(t, s, Subscription{URL: r.URL, Settings: json.RawMessage(`{"retries":5}`)})
	id := commboxPublish(t, s, commboxTagEvent())
	d, attempts := commboxRun(t, s, clock, id)
	if d.State != Failed || len(attempts) != 6 {
		t.Fatalf("%s after %+v", d.State, attempts)
	}
	for i, want := range []int{500, 0, 301, 0, 410, 404} {
		if a := attempts[i]; a.Status != want || a.Error == "" || a.Number != i+1 || a.At.IsZero() {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	if a := attempts[3]; a.Took != 30*time.Second {
		t.Errorf("the slow answer was waited for %v", a.Took)
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
	failed, err := s.Deliveries(t.Context(), LogQuery{Provider: "commbox", States: []State{Failed}})
	if err != nil || len(failed) != 1 || failed[0].ID != id || failed[0].LastStatus != 404 || failed[0].LastError == "" {
		t.Fatalf("the failed list is %+v, %v", failed, err)
	}
	if len(d.Events) != 1 || string(d.Events[0].Payload) != string(commboxTagEvent().Payload) || d.Events[0].ID == "" {
		t.Errorf("the events are %+v", d.Events)
	}
	if skipped, err := s.Retry(t.Context(), []string{id}, 0); err != nil || len(skipped) != 0 { // the seventh answer is 204
		t.Fatal(skipped, err)
	}
	d, attempts = commboxUntil(t, s, id, commboxEnded)
	if d.State != Delivered || len(attempts) != 7 || attempts[6].Status != 204 {
		t.Errorf("%s after %d attempts", d.State, len(attempts))
	}
}

// What arrives at a TLS receiver, with each way to prove it.
func TestCommboxDeliveryArrivesAsDocumented(t *testing.T) {
	t.Parallel()
	certificate, key := commboxCertificate(t)
	out, err := exec.CommandContext(t.Context(), "python3", "-c", `import base64; print(base64.b64encode("hookuser:hé:pass".encode()).decode())`).Output()
	if err != nil {
		t.Fatal(err)
	}
	witness := "Basic " + strings.TrimSpace(string(out))
	client := Auth{Scheme: "client-certificate", Certificate: certificate, CertificateKey: key}
	for name, c := range map[string]struct {
		auth          []Auth
		settings      string
		authorization []string
		certificate   string
	}{
		"nothing":                 {nil, `{}`, nil, ""},
		"none":                    {[]Auth{{Scheme: "none"}}, `{"format":"xml"}`, nil, ""},
		"basic":                   {[]Auth{{Scheme: "basic", User: "hookuser", Password: "hé:pass"}}, `{"protocol":"soap"}`, []string{witness}, ""},
		"token with prefix":       {[]Auth{{Scheme: "access-token", Prefix: "Bearer", Secret: "s3cr3t-token"}}, `{}`, []string{"Bearer s3cr3t-token"}, ""},
		"token with another":      {[]Auth{{Scheme: "access-token", Prefix: "Token", Secret: "s3cr3t-token"}}, `{}`, []string{"Token s3cr3t-token"}, ""},
		"token without":           {[]Auth{{Scheme: "access-token", Secret: "s3cr3t-token"}}, `{}`, []string{"s3cr3t-token"}, ""},
		"certificate":             {[]Auth{client}, `{}`, nil, "commbox.example.com"},
		"certificate and a token": {[]Auth{{Scheme: "access-token", Secret: "t"}, client}, `{}`, []string{"t"}, "commbox.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &commboxClock{now: commboxAt(t)}
			r := newCommboxReceiver(t, clock, commboxAnswer(202))
			s := commboxServer(t, clock, r)
			sub := commboxCreate(t, s, Subscription{URL: r.URL + "/hooks/care?a=1", Auth: c.auth, Settings: json.RawMessage(c.settings)})
			e := commbox().sample(rand.New(rand.NewPCG(1, 1)), commboxNewActivity, clock.Now())
			id := commboxPublish(t, s, e)
			if d, _ := commboxUntil(t, s, id, commboxEnded); d.State != Delivered {
				t.Fatalf("%s: %d %s", d.State, d.LastStatus, d.LastError)
			}
			header, body, err := commbox().write(sub, &Delivery{Events: []Event{e}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			got := r.requests()
			if len(got) != 1 || got[0].method != http.MethodPost || got[0].path != "/hooks/care?a=1" || got[0].body != string(body) {
				t.Fatalf("the receiver got %+v", got)
			}
			g := got[0]
			if !slices.Equal(g.header["Authorization"], c.authorization) || g.certificate != c.certificate {
				t.Errorf("authorization %q, certificate %q", g.header["Authorization"], g.certificate)
			}
			for name, values := range header {
				if !slices.Equal(g.header.Values(name), values) {
					t.Errorf("%s is %q, want %q", name, g.header.Values(name), values)
				}
			}
		})
	}
}

// commboxTokenRequests is section 2 of what is known: the form of a token request, and the client's credentials in the
// body unless they go by Basic.
func TestCommboxFetchesTokens(t *testing.T) {
	t.Parallel()
	common := url.Values{"scope": {"hooks.write all"}}
	for name, c := range map[string]struct {
		grant, place string
		want         url.Values
		basic        bool
	}{
		"client credentials":           {"client_credentials", "", url.Values{"client_id": {"id-1"}, "client_secret": {"s e&c"}}, false},
		"client credentials by header": {"client_credentials", "header", url.Values{}, true},
		"password":                     {"password", "body", url.Values{"client_id": {"id-1"}, "client_secret": {"s e&c"}, "username": {"robin"}, "password": {"p=w"}}, false},
		"password by header":           {"password", "header", url.Values{"username": {"robin"}, "password": {"p=w"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &commboxClock{now: commboxAt(t)}
			issued := 0
			tokens := newCommboxReceiver(t, clock, func(w http.ResponseWriter, _ *http.Request) {
				issued++
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"access_token":"issued-%d","token_type":"Bearer","expires_in":3600}`, issued)
			})
			r := newCommboxReceiver(t, clock, commboxAnswer(200), commboxAnswer(200), commboxAnswer(401), commboxAnswer(200))
			s := commboxServer(t, clock, r, tokens)
			commboxCreate(t, s, Subscription{URL: r.URL, Auth: []Auth{{Scheme: "bearer", OAuth: &OAuth{
				Grant: c.grant, TokenURL: tokens.URL + "/token", ClientID: "id-1", ClientSecret: "s e&c", ClientAuth: c.place,
				Scope: "hooks.write all", Username: "robin", Password: "p=w",
			}}}})
			for range 3 {
				if d, _ := commboxUntil(t, s, commboxPublish(t, s, commboxTagEvent()), commboxEnded); d.State != Delivered {
					t.Fatalf("%s: %d %s", d.State, d.LastStatus, d.LastError)
				}
			}
			var sent []string
			for _, g := range r.requests() {
				sent = append(sent, g.header.Get("Authorization"))
			}
			if want := []string{"Bearer issued-1", "Bearer issued-1", "Bearer issued-1", "Bearer issued-2"}; !slices.Equal(sent, want) {
				t.Errorf("sent %q, want %q", sent, want)
			}
			asked := tokens.requests()
			if len(asked) != 2 {
				t.Fatalf("%d token requests", len(asked))
			}
			g := asked[0]
			form, err := url.ParseQuery(g.body)
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"grant_type": {c.grant}, "scope": common["scope"]}
			for name, values := range c.want {
				want[name] = values
			}
			if g.method != http.MethodPost || g.path != "/token" || form.Encode() != want.Encode() {
				t.Errorf("%s %s %s, want %s", g.method, g.path, form.Encode(), want.Encode())
			}
			if got := g.header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
				t.Errorf("content type %q", got)
			}
			if got := g.header.Get("Authorization"); strings.HasPrefix(got, "Basic ") != c.basic {
				t.Errorf("authorization %q", got)
			}
		})
	}
}

// One event goes to every subscription that wants it, in each one's shape.
func TestCommboxMatchesInTheEngine(t *testing.T) {
	t.Parallel()
	clock := &commboxClock{now: commboxAt(t)}
	r := newCommboxReceiver(t, clock, commboxAnswer(200))
	s := commboxServer(t, clock, r)
	for id, settings := range map[string]string{
		"all":    `{"entity":"Object","triggers":["OnNewActivity"]}`,
		"status": `{"entity":"Object","triggers":["OnNew","OnNewActivity"],"activity_types":["StatusChange"],"format":"xml"}`,
		"remark": `{"entity":"Object","triggers":["OnNewActivity"],"activity_types":[1]}`,
		"user":   `{"entity":"User","triggers":["OnNew"]}`,
	} {
		commboxCreate(t, s, Subscription{ID: id, URL: r.URL + "/" + id, Settings: json.RawMessage(settings)})
	}
	e := Event{Type: commboxNewActivity, Account: "acme", Payload: json.RawMessage(commboxActivityPayload)}
	ids, err := s.Publish(t.Context(), "commbox", e)
	if err != nil || len(ids) != 2 {
		t.Fatalf("deliveries %v, %v", ids, err)
	}
	for _, id := range ids {
		commboxUntil(t, s, id, commboxEnded)
	}
	var got []string
	for _, g := range r.requests() {
		got = append(got, g.path+" "+g.body[:2])
	}
	slices.Sort(got)
	if want := []string{`/all {"`, `/status <E`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if _, err := s.Publish(t.Context(), "commbox", Event{Type: "Object.OnGone", Payload: e.Payload}); err == nil {
		t.Error("an unknown event was taken")
	}
}

func TestCommboxNamesAreUnique(t *testing.T) {
	t.Parallel()
	clock := &commboxClock{now: commboxAt(t)}
	s := commboxServer(t, clock)
	for _, id := range []string{"a", "b"} {
		commboxCreate(t, s, Subscription{ID: id, Name: "name of " + id, URL: "https://hooks.example.com/"})
	}
	for name, c := range map[string]struct {
		before, after Subscription
		taken         bool
	}{
		"a new one":          {Subscription{}, Subscription{ID: "c", Name: "name of c"}, false},
		"a used name":        {Subscription{}, Subscription{ID: "c", Name: "name of b"}, true},
		"its own":            {Subscription{ID: "b", Name: "name of b"}, Subscription{ID: "b", Name: "name of b"}, false},
		"changed to another": {Subscription{ID: "b", Name: "name of b"}, Subscription{ID: "b", Name: "name of a"}, true},
		"changed back":       {Subscription{ID: "b", Name: "x"}, Subscription{ID: "b", Name: "name of b"}, false},
	} {
		c.after.Provider = "commbox"
		err := commbox().admit(t.Context(), s, &c.before, &c.after)
		var ps hookgate.Problems
		if errors.As(err, &ps) != c.taken || (err != nil) != c.taken {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The console's form, through the plain API: names stay unique, and a changed number of retries reaches the engine.
func TestCommboxThroughThePlainAPI(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(commboxServer(t, &commboxClock{now: commboxAt(t)}).Handler())
	t.Cleanup(api.Close)
	call := func(method, path, body string, want int) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, api.URL+"/v1/subscriptions/commbox"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := api.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%s %s: %d %s", method, body, res.StatusCode, answer)
		}
		return string(answer)
	}
	const form = `{"name":"care","url":"https://hooks.example.com/care","active":true,"settings":{"entity":"Object","triggers":["OnNew"],"retries":2}}`
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(call(http.MethodPost, "", form, http.StatusCreated)), &made); err != nil {
		t.Fatal(err)
	}
	if answer := call(http.MethodPost, "", form, http.StatusUnprocessableEntity); !strings.Contains(answer, `"field":"name"`) {
		t.Error(answer)
	}
	if answer := call(http.MethodPost, "", strings.Replace(form, "OnNew", "OnGone", 1), http.StatusUnprocessableEntity); !strings.Contains(answer, "settings.triggers") {
		t.Error(answer)
	}
	for retries, want := range map[string]string{"4": `"retries":["5m0s","5m0s","5m0s","5m0s"]`, "0": `"retries":[]`, "1": `"retries":["5m0s"]`} {
		if answer := call(http.MethodPatch, "/"+made.ID, `{"settings":{"retries":`+retries+`}}`, http.StatusOK); !strings.Contains(answer, want) {
			t.Errorf("%s retries: %s", retries, answer)
		}
	}
	call(http.MethodPatch, "/"+made.ID, `{"name":"care"}`, http.StatusOK)
}
