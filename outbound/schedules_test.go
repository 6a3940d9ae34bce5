package outbound

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// stamper signs with nothing but the time, so that a test sees whether an attempt was signed anew.
type stamper struct{}

func (stamper) Sign(req *hookgate.Request, now time.Time) error {
	req.Header.Set("X-Signed", now.Format(time.RFC3339))
	return nil
}

// attemptNumber is the one part of SalesIQ's body that tells attempts apart.
var attemptNumber = regexp.MustCompile(`"attempt":([0-9]+)`)

// TestEveryProvidersSchedule lets a receiver fail in six ways and counts what each provider sends: how often, when, which
// bytes, which attempt number, and with which proof.
func TestEveryProvidersSchedule(t *testing.T) {
	t.Parallel()
	minutes := func(list ...int) (waits []time.Duration) {
		for _, m := range list {
			waits = append(waits, time.Duration(m)*time.Minute)
		}
		return waits
	}
	birdWaits := append([]time.Duration{10 * time.Second, 30 * time.Second}, minutes(1, 2, 5, 10, 15)...)
	for total := sum(birdWaits); total+15*time.Minute <= 8*time.Hour; total += 15 * time.Minute {
		birdWaits = append(birdWaits, 15*time.Minute)
	}
	for name, want := range map[string]struct {
		event     string
		timeout   time.Duration
		waits     []time.Duration
		numbered  bool // the body counts attempts
		frozen    bool // the proof is that of the first attempt
		configure func(*Subscription)
	}{
		"sprinklr": {event: "case.create", timeout: 10 * time.Second, waits: minutes(1, 5, 15), configure: func(s *Subscription) {
			s.Auth = []Auth{{Scheme: "hub-signature", Secret: "0123456789abcdef"}}
			s.encode(map[string]any{"verified": true})
		}},
		"salesiq": {event: "conversation.created", timeout: 5 * time.Second, waits: minutes(1, 1, 1), numbered: true, configure: func(s *Subscription) {
			s.encode(map[string]any{"type": "data"})
		}},
		"commbox": {event: "Object.OnNew", timeout: 30 * time.Second, waits: minutes(5, 5, 5), configure: func(s *Subscription) {
			s.Events = nil
			s.encode(map[string]any{"entity": "Object", "triggers": []string{"OnNew"}, "allow_http": true})
		}},
		"netcore": {event: "email.open", timeout: 10 * time.Second, configure: func(s *Subscription) {
			s.Events = nil
			s.encode(map[string]any{"skip_test": true})
		}},
		"bird": {event: "channels.sms.inbound", timeout: 10 * time.Second, waits: birdWaits, frozen: true, configure: func(s *Subscription) {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: "0123456789abcdef"}}
			s.encode(map[string]any{"any_url": true})
		}},
	} {
		for failure, script := range failures() {
			t.Run(name+"/"+failure, func(t *testing.T) {
				t.Parallel()
				clock := newFakeClock()
				rc := newReceiver(t, clock, script)
				o := Options{Path: storePath(t), AllowPrivate: true, Clock: clock,
					Signers: func(hookgate.AuthSettings, hookgate.Secret) (Signer, error) { return stamper{}, nil }}
				s, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				start(t, s)
				sub := &Subscription{Provider: name, ID: "1", URL: rc.URL + "/hook", Events: []string{want.event}, Active: true}
				want.configure(sub)
				if err := s.Create(t.Context(), sub); err != nil {
					t.Fatal(err)
				}
				ids, err := s.Publish(t.Context(), name, s.providers[name].sample(rand.New(rand.NewPCG(1, 2)), want.event, clock.Now()))
				if err != nil || len(ids) != 1 {
					t.Fatal(ids, err)
				}
				hangs := failure == "time-out" || failure == "slow body"
				at := clock.Now()
				for n, wait := range append([]time.Duration{s.providers[name].flush}, want.waits...) {
					if wait > 0 {
						eventually(t, "the engine waits for the next attempt", func() bool { return clock.waitsFor(at.Add(wait)) })
						clock.Advance(wait)
						at = at.Add(wait)
					}
					eventually(t, fmt.Sprintf("request %d", n+1), func() bool { return rc.count() > n })
					if hangs {
						eventually(t, "the time-out", func() bool { return clock.waitsFor(at.Add(want.timeout)) })
						clock.Advance(want.timeout)
						at = at.Add(want.timeout)
					}
					settled(t, s, ids[0], n+1)
				}
				if d, _ := delivery(t, s, ids[0]); d.State != Failed {
					t.Errorf("after the last attempt it is %s", d.State)
				}
				clock.Advance(24 * time.Hour)
				requests := rc.requests()
				if len(requests) != 1+len(want.waits) {
					t.Fatalf("%d requests, want %d", len(requests), 1+len(want.waits))
				}
				for n, r := range requests {
					number := 1
					if m := attemptNumber.FindStringSubmatch(r.Body); want.numbered && m != nil {
						_, _ = fmt.Sscan(m[1], &number)
						if number != n+1 {
							t.Errorf("request %d says attempt %d", n+1, number)
						}
						r.Body = strings.Replace(r.Body, m[0], `"attempt":1`, 1)
					} else if want.numbered {
						t.Errorf("request %d has no attempt number: %s", n+1, r.Body)
					}
					if r.Body != requests[0].Body {
						t.Errorf("request %d differs:\n%s\n%s", n+1, r.Body, requests[0].Body)
					}
					again := r.Header.Get("X-Signed") != requests[0].Header.Get("X-Signed")
					if len(sub.Auth) > 0 && n > 0 && again == want.frozen {
						t.Errorf("request %d is signed at %s, the first at %s", n+1, r.Header.Get("X-Signed"), requests[0].Header.Get("X-Signed"))
					}
					if names := slices.Sorted(maps.Keys(r.Header)); slices.Contains(names, "User-Agent") || slices.Contains(names, "Accept-Encoding") {
						t.Errorf("headers %v", names)
					}
				}
				if after, err := s.Get(t.Context(), name, "1"); err != nil || after.Active == (name == "netcore" && failure == "500") {
					t.Errorf("afterwards: %+v, %v", after, err)
				}
			})
		}
	}
}

func sum(list []time.Duration) (total time.Duration) {
	for _, d := range list {
		total += d
	}
	return total
}

// failures are the scripts of receivers that never succeed.
func failures() map[string]func(int, http.ResponseWriter, *http.Request) {
	hang := func(_ int, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	return map[string]func(int, http.ResponseWriter, *http.Request){
		"500":      status(500),
		"410":      status(410),
		"reset":    func(_ int, w http.ResponseWriter, _ *http.Request) { reset(w) },
		"time-out": hang,
		"301": func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
		},
		"slow body": func(n int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("so far"))
			w.(http.Flusher).Flush()
			hang(n, w, r)
		},
	}
}
