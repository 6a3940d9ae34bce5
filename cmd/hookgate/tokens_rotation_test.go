package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestT09_KeysRotateUnderLoad: senders fetch tokens and deliver while a new key comes in front, the old one goes, and again;
// the client's secret is changed the same way. Nothing is refused.
func TestT09_KeysRotateUnderLoad(t *testing.T) {
	t.Parallel()
	const senders, deliveries = 8, 5 // a token is used so often
	h := newTokenHouse(t, "sources: [care, desk]}", "sources: [care, desk], rate: 1000000/s}")
	var secret atomic.Value
	secret.Store(houseSecret)
	var events, fetched atomic.Int64
	var rounds [senders]atomic.Int64 // tokens that each has fetched
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, body := h.ask(clientCredentials(), "sprinklr", secret.Load().(string))
				token := accessToken(body)
				if resp.StatusCode != 200 || token == "" {
					t.Errorf("a token request is answered %d %s", resp.StatusCode, body)
					return
				}
				fetched.Add(1)
				rounds[s].Add(1)
				for range deliveries {
					n := int(events.Add(1))
					if got := h.deliver("desk", caseBody(n, 50), token, ""); got != 200 {
						t.Errorf("delivery %d is answered %d", n, got)
						return
					}
				}
			}
		})
	}
	// allAnew waits until nobody has a token from before any more.
	allAnew := func() {
		t.Helper()
		var from [senders]int64
		for s := range rounds {
			from[s] = rounds[s].Load()
		}
		eventually(t, "every sender has a new token", func() (bool, string) {
			for s := range rounds {
				if rounds[s].Load() < from[s]+2 { // the next one may have been made before now
					return false, fmt.Sprint(fetched.Load(), " tokens, failed: ", t.Failed())
				}
			}
			return true, ""
		})
	}
	allAnew()
	h.reload("[file:a.pem]", "[file:b.pem, file:a.pem]")
	allAnew()
	h.reload("[file:b.pem, file:a.pem]", "[file:b.pem]")
	h.reload("secrets: [env:HOUSE]", "secrets: [env:NEXT, env:HOUSE]")
	secret.Store(houseNext)
	allAnew()
	h.reload("[env:NEXT, env:HOUSE]", "[env:NEXT]", "[file:b.pem]", "[file:c.pem, file:b.pem]")
	allAnew()
	h.reload("[file:c.pem, file:b.pem]", "[file:c.pem]")
	allAnew()
	close(stop)
	wg.Wait()
	t.Logf("%d tokens and %d deliveries, none refused", fetched.Load(), events.Load())
}
