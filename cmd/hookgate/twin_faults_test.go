package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crossing stands between the providers and the gateway. Of the first delivery to every source it loses the request, so
// that the gateway never sees it, or the answer, so that the provider sends again what is there.
type crossing struct {
	proxy *httputil.ReverseProxy
	loses string
	armed atomic.Bool // once the subscriptions have been set up

	mu   sync.Mutex
	seen map[string]bool
}

func (c *crossing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	first := c.armed.Load() && !c.seen[r.URL.Path]
	if first {
		c.seen[r.URL.Path] = true
	}
	c.mu.Unlock()
	switch {
	case !first:
		c.proxy.ServeHTTP(w, r)
	case c.loses == "request":
		w.WriteHeader(http.StatusNotFound) // which disables nothing
	default:
		c.proxy.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestTwinFaults loses requests and answers between the two halves: each event still comes out once, and the gateway says
// of every copy what it is. SalesIQ counts its attempts in the signed body; the others send the same bytes again.
func TestTwinFaults(t *testing.T) {
	t.Parallel()
	for loses, classes := range map[string]map[string]string{ // by source: the classes of what the gateway got
		"answer": {
			"sprinklr-hub-signature": "first 1 replay 1", "salesiq-siq-signature": "first 1 retry 1", "commbox-basic": "first 1 replay 1",
			"netcore-none": "first 1 replay 1", "bird-bird-signature": "first 1 replay 1",
		},
		"request": {
			"sprinklr-hub-signature": "first 1", "salesiq-siq-signature": "recovered 1", "commbox-basic": "first 1",
			"netcore-none": "first 1", "bird-bird-signature": "first 1",
		},
	} {
		t.Run(loses, func(t *testing.T) {
			t.Parallel()
			c := &crossing{seen: make(map[string]bool), loses: loses}
			between := httptest.NewServer(c)
			t.Cleanup(between.Close)
			tw := startTwin(t, between.URL)
			to, err := url.Parse("http://" + tw.Hooks)
			if err != nil {
				t.Fatal(err)
			}
			c.proxy = httputil.NewSingleHostReverseProxy(to)
			events := map[string][]string{
				"sprinklr": {"case.create"}, "salesiq": {"conversation.created", "department.created"}, "commbox": {"Object.OnNew"},
				"netcore": {"sms.delivered"}, "bird": {"channels.sms.inbound"},
			}
			for _, sub := range tw.subscribe(events) {
				change := object{"retries": []string{"10ms", "10ms"}}
				if classes[sub.source] == "" {
					change["active"] = false
				}
				tw.plain("PATCH", "/subscriptions/"+sub.provider+"/"+sub.id, change, http.StatusOK, nil)
			}
			eventually(t, "the keys are taken over", func() (bool, string) {
				said := tw.stderr.String()
				return strings.Contains(said, "configuration taken over"), said
			})
			c.armed.Store(true)
			for provider, names := range events {
				tw.plain("POST", "/events", object{"provider": provider, "type": names[0], "sample": true, "seed": 1}, http.StatusAccepted, nil)
			}
			eventually(t, "everything is delivered", func() (bool, string) { n := tw.open(); return n == 0, fmt.Sprint(n, " deliveries open") })
			eventually(t, "all envelopes are out", func() (bool, string) { n := len(lines(t, tw.out)); return n >= len(classes), fmt.Sprint(n) })
			if n := len(lines(t, tw.out)); n != len(classes) {
				t.Errorf("%d envelopes for %d events", n, len(classes))
			}
			metrics := tw.get(t, "/metrics")
			if !strings.Contains(metrics, "hookgate_outbound_waiting{provider=\"bird\"} 0\n") {
				t.Error("the metrics do not tell what waits on the outbound side")
			}
			for source, want := range classes {
				var got []string
				for _, class := range []string{"first", "recovered", "retry", "replay", "late"} {
					n := ""
					for line := range strings.Lines(metrics) {
						if rest, ok := strings.CutPrefix(line, fmt.Sprintf("hookgate_events_total{class=%q,source=%q} ", class, source)); ok {
							n = strings.TrimSpace(rest)
						}
					}
					if n != "0" {
						got = append(got, class, n)
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%s: the gateway got %v, want %s", source, got, want)
				}
			}
		})
	}
}
