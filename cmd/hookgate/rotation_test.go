package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestS11_RotationUnderLoad exchanges a key while a provider delivers without pause: both are accepted, then the provider
// signs with the new one, then the old one ends. No delivery is refused, and each key proves the deliveries of its time.
func TestS11_RotationUnderLoad(t *testing.T) {
	t.Parallel()
	const oldKey, newKey = "old-key-0123456789abcdef", "new-key-0123456789abcdef"
	keys := map[string]string{"OLD": oldKey, "NEW": newKey}
	out := filepath.Join(t.TempDir(), "events")
	config := func(secrets string) string {
		return strings.Replace(scenario(filepath.Join(filepath.Dir(out), "journal.db"), "  - {name: file, type: file, path: "+out+"}\n"),
			"[env:SCENARIO_SECRET]", secrets, 1)
	}
	r := serve(t, config("[env:OLD]"), func(m *Main) {
		m.Env = func(name string) (string, bool) { v, ok := keys[name]; return v, ok }
	})
	var key atomic.Value
	key.Store(oldKey)
	var sent, refused atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			s := newSender(t, r.Hooks)
			for {
				select {
				case <-stop:
					return
				default:
				}
				body := caseBody(int(sent.Add(1)), 100)
				mac := hmac.New(sha256.New, []byte(key.Load().(string)))
				mac.Write([]byte(body))
				if a := s.post(t.Context(), "/hooks/care", body, "sha256="+hex.EncodeToString(mac.Sum(nil))); a.status != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	grows := func() {
		from := sent.Load()
		eventually(t, "deliveries go on", func() (bool, string) { return sent.Load() > from+100, fmt.Sprint(sent.Load()) })
	}
	reload := func(secrets string) { r.takeOver(t, config(secrets)) }
	grows()
	reload("[env:NEW, env:OLD]")
	grows()
	key.Store(newKey)
	grows()
	ended := time.Now().UTC().Format(time.RFC3339)
	reload(`[env:NEW, {ref: env:OLD, not_after: "` + ended + `"}]`)
	grows()
	close(stop)
	senders.Wait()
	if refused.Load() > 0 {
		t.Errorf("%d of %d deliveries were refused", refused.Load(), sent.Load())
	}
	s := newSender(t, r.Hooks)
	late := caseBody(1<<30, 100)
	mac := hmac.New(sha256.New, []byte(oldKey))
	mac.Write([]byte(late))
	if a := s.post(t.Context(), "/hooks/care", late, "sha256="+hex.EncodeToString(mac.Sum(nil))); a.status != http.StatusUnauthorized {
		t.Errorf("the key that has ended still proves: %d", a.status)
	}
	eventually(t, "the log says why", func() (bool, string) {
		log := r.stderr.String()
		return strings.Contains(log, `"reason":"key_retired"`) && strings.Contains(log, "made with env:OLD, which ended at "+ended) &&
			strings.Contains(log, `"keyid":"env:NEW","time"`) && !strings.Contains(log, oldKey), log[max(0, len(log)-2000):]
	})
}
