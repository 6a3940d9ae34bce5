package forward_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// harness is a real target of one type: its settings, the envelopes that it holds in its own order, and a way to break and
// mend it. The suite runs over every type of the registry.
type harness struct {
	settings hookgate.DestinationSettings
	options  forward.Options
	held     func(t *testing.T) [][]byte
	down, up func()

	// What not every type knows, for conformance_faults_test.go. A harness without one of them says why in lacks, under its
	// name. Settings that they give need only what New takes: the suite adds name, type, time-out, window and retry.

	// proxied gives settings that reach the same target through a proxy, which the test then cuts and mutes.
	proxied func(t *testing.T) (hookgate.DestinationSettings, *proxy)
	// denied gives settings whose credentials the same target refuses; the secret in them contains wrongSecret.
	denied func(t *testing.T) hookgate.DestinationSettings
	// absent gives settings of a stream, queue, topic or path that is not there, and what the error has to name.
	absent func(t *testing.T) (hookgate.DestinationSettings, string)
	// oversized makes an event larger than the target takes, and poison one that it refuses for whatever reason while it
	// takes all others.
	oversized, poison func(e *hookgate.Event)
	lacks             map[string]string // by the name of the hook: proxied, denied, absent, oversized, poison
	// mends says that the type's own client sends again what a cut left open, so that no call fails for it.
	mends bool
}

// wrongSecret must be in no error.
const wrongSecret = "wrong-letmein"

var harnesses = map[string]func(t *testing.T) *harness{
	"redis-stream": func(t *testing.T) *harness {
		r := ownRedis(t)
		return &harness{
			settings: hookgate.DestinationSettings{URL: literal(r.url()), Stream: "webhooks"},
			held:     r.held,
			down:     r.kill, up: r.start,
			proxied: func(t *testing.T) (hookgate.DestinationSettings, *proxy) {
				p := newProxy(t, r.addr)
				return hookgate.DestinationSettings{URL: literal("redis://:opensesame@" + p.addr()), Stream: "webhooks"}, p
			},
			denied: func(*testing.T) hookgate.DestinationSettings {
				return hookgate.DestinationSettings{URL: literal("redis://:" + wrongSecret + "@" + r.addr), Stream: "webhooks"}
			},
			oversized: func(e *hookgate.Event) { e.Data = make([]byte, 64<<20+1) },
			poison:    func(e *hookgate.Event) { e.Data = make([]byte, 64<<20+1) }, // XADD takes all that can be sent
			lacks:     map[string]string{"absent": "the first XADD makes the stream"},
		}
	},
	"nats":     natsHarness,
	"rabbitmq": rabbitHarness,
	"kafka":    kafkaHarness,
	"http": func(t *testing.T) *harness {
		h := &httpTarget{}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return &harness{
			settings: hookgate.DestinationSettings{URL: literal(server.URL + "/secret-path")},
			held:     func(*testing.T) [][]byte { return h.bodies() },
			down:     func() { h.answer(http.StatusServiceUnavailable) }, up: func() { h.answer(http.StatusAccepted) },
			proxied: func(t *testing.T) (hookgate.DestinationSettings, *proxy) {
				p := newProxy(t, server.Listener.Addr().String())
				return hookgate.DestinationSettings{URL: literal("http://" + p.addr() + "/secret-path")}, p
			},
			denied: func(*testing.T) hookgate.DestinationSettings {
				return hookgate.DestinationSettings{URL: literal("http://user:" + wrongSecret + "@" + server.Listener.Addr().String() + "/secret-path")}
			},
			// The path may be a token, so that the error names the status instead.
			absent: func(*testing.T) (hookgate.DestinationSettings, string) {
				return hookgate.DestinationSettings{URL: literal(server.URL + "/absent")}, "404"
			},
			oversized: func(e *hookgate.Event) { e.Data = []byte(`"` + strings.Repeat("x", maxTargetBody) + `"`) },
			poison:    func(e *hookgate.Event) { e.Type = poisonType },
		}
	},
	"file": func(t *testing.T) *harness {
		dir := filepath.Join(t.TempDir(), "out")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "events.jsonl")
		return &harness{
			settings: hookgate.DestinationSettings{Path: path},
			held:     func(t *testing.T) [][]byte { return linesOf(readAll(t, path, path+".1")) },
			// A rotator moves the file away, and there is no place for a new one yet.
			down: func() { _ = os.Rename(path, path+".1"); _ = os.Mkdir(path, 0o700) },
			up:   func() { _ = os.Remove(path) },
			// The folder is looked for at once: a path that is wrong keeps the gateway from starting.
			absent: func(*testing.T) (hookgate.DestinationSettings, string) {
				lost := filepath.Join(dir, "absent", "events.jsonl")
				return hookgate.DestinationSettings{Path: lost}, lost
			},
			lacks: map[string]string{
				"proxied": "a file has no connection", "denied": "a file asks for no credentials",
				"oversized": "a line may have any length", "poison": "a file takes every line, or none when the disk is full",
			},
		}
	},
	"stdout": func(*testing.T) *harness {
		w := &writer{}
		return &harness{
			options: forward.Options{Stdout: w},
			held:    func(*testing.T) [][]byte { return linesOf(w.text()) },
			down:    func() { w.fail(errors.New("broken pipe")) }, up: func() { w.fail(nil) },
			lacks: map[string]string{
				"proxied": "the program's own output has no connection", "denied": "it asks for no credentials",
				"absent": "it is always there", "oversized": "a line may have any length", "poison": "it takes every line",
			},
		}
	},
}

func eachType(t *testing.T, test func(t *testing.T, h *harness)) {
	for _, name := range forward.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			build, ok := harnesses[name]
			if !ok {
				t.Fatalf("%s: no harness", name)
			}
			h := build(t)
			h.settings = completed(t, name, h.settings)
			test(t, h)
		})
	}
}

// completed adds what is the same for all types.
func completed(t *testing.T, name string, s hookgate.DestinationSettings) hookgate.DestinationSettings {
	t.Helper()
	s.Name, s.Type = name, name
	s.Window = 64
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	s.Retry = hookgate.RetrySettings{Attempts: 5, Backoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}
	if err := forward.Check(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, h *harness) forward.Destination {
	t.Helper()
	return openWith(t, h.settings, h.options)
}

func openWith(t testing.TB, s hookgate.DestinationSettings, o forward.Options) forward.Destination {
	t.Helper()
	d, err := forward.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func idsOf(t *testing.T, envelopes [][]byte) []string {
	t.Helper()
	var ids []string
	for _, b := range envelopes {
		var e struct{ ID string }
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// Every envelope arrives as it is made, and where a signature is wanted it is of exactly the rest.
func TestConformanceEnvelopesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		odd := event(2, "b")
		odd.Data = []byte{'"', 0xff, '"'}
		xml := event(3, "c")
		xml.ContentType, xml.Data = hookgate.XML, []byte("<Event>\n<a/></Event>")
		wide, signed := event(4, "d"), event(5, "e")
		wide.Data = []byte("{\n \"a\": \"\\\\ \\\" x\"\n}")
		signed.Data = wide.Data
		limits := forward.LimitsOf(h.settings.Type)
		allConfirmed(t, publish(t.Context(), open(t, h), limits, batchOf(event(1, "a"), odd, xml, wide)))
		h.options.Sign = func(envelope []byte) string { return fmt.Sprintf("%x", sha256.Sum256(envelope)) }
		allConfirmed(t, publish(t.Context(), open(t, h), limits, batchOf(signed)))
		held := h.held(t)
		if len(held) != 5 {
			t.Fatalf("%d arrived", len(held))
		}
		head, rest, _ := bytes.Cut(held[4], []byte(`,"signature":"`))
		signature, tail, _ := bytes.Cut(rest, []byte{'"'})
		held[4] = slices.Concat(head, tail)
		if want := h.options.Sign(held[4]); string(signature) != want {
			t.Errorf("the signature is %q, want %q", signature, want)
		}
		for i, e := range []*hookgate.Event{event(1, "a"), odd, xml, wide, signed} {
			var want bytes.Buffer
			if err := json.Compact(&want, e.AppendEnvelope(nil)); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Compact(&got, held[i]); err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Errorf("%d: %s\nwant %s", i, got.String(), want.String())
			}
		}
	})
}

// The target goes away half-way and comes back: everything arrives, in order per key, and nothing is a dead letter.
func TestR12_TargetGoneAndBack(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		const n = 2000
		j := newJournal()
		f := forward.NewForwarder(h.settings, open(t, h), j, j)
		stop := start(t, f)
		defer stop()
		all := events(n, 20)
		j.append(all[:n/2]...)
		eventually(t, "the first events", func() bool { return f.Stats().Delivered > n/4 })
		h.down()
		j.append(all[n/2:]...)
		eventually(t, "backing off", func() bool { return f.Stats().State == forward.BackingOff })
		h.up()
		eventually(t, "all settled", func() bool { return j.settled(h.settings.Name, n) })
		stop()
		if s := f.Stats(); s.Dead != 0 || s.Delivered != n || s.State != forward.Stopped {
			t.Errorf("stats %+v", s)
		}
		ids := idsOf(t, h.held(t))
		if repeated := arrivedInOrder(t, all, ids); len(ids)-repeated != n || repeated > h.settings.Window {
			t.Errorf("%d of %d arrived, %d repeated", len(ids)-repeated, n, repeated)
		}
	})
}

func TestConformanceEndedContext(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		errs := open(t, h).Publish(ctx, batchOf(event(1, "a")))
		if len(errs) != 1 || !isTrouble(errs[0]) {
			t.Errorf("%v", errs)
		}
		if held := h.held(t); len(held) != 0 {
			t.Errorf("%d arrived", len(held))
		}
	})
}

// No error repeats what may be secret in the settings.
func TestConformanceErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	eachType(t, func(t *testing.T, h *harness) {
		d := open(t, h)
		h.down()
		defer h.up()
		for _, err := range d.Publish(t.Context(), batchOf(event(1, "a"))) {
			if err == nil {
				t.Fatal("published to what is down")
			}
			for _, canary := range []string{"opensesame", "secret-path"} {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%v", err)
				}
			}
		}
	})
}

// What an httpTarget refuses: a body that is too long, and a type that nobody else sends.
const (
	maxTargetBody = 64 << 10
	poisonType    = "salesiq.poison"
)

// httpTarget keeps what it answers 2xx to.
type httpTarget struct {
	mu     sync.Mutex
	status int
	held   [][]byte
}

func (h *httpTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		return
	}
	if status := h.judge(r, body); status != 0 {
		w.WriteHeader(status)
		return
	}
	h.held = append(h.held, body)
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
}

// judge gives the status of a refusal.
func (h *httpTarget) judge(r *http.Request, body []byte) int {
	_, _, credentials := r.BasicAuth()
	switch {
	case h.status >= 300:
		return h.status
	case credentials:
		return http.StatusUnauthorized
	case r.URL.Path == "/absent":
		return http.StatusNotFound
	case len(body) > maxTargetBody:
		return http.StatusRequestEntityTooLarge
	case bytes.Contains(body, []byte(poisonType)):
		return http.StatusUnprocessableEntity
	}
	return 0
}

func (h *httpTarget) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

func (h *httpTarget) bodies() [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// writer can fail, after taking part of what it is given.
type writer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	err error
	cut int // how much of a failing write it takes
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		n := min(w.cut, len(p))
		w.buf.Write(p[:n])
		return n, w.err
	}
	return w.buf.Write(p)
}

func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *writer) text() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.buf.Bytes())
}

func linesOf(text []byte) [][]byte {
	if len(text) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// readAll joins the older file and the newer one.
func readAll(t *testing.T, path, older string) []byte {
	t.Helper()
	var all []byte
	for _, p := range []string{older, path} {
		b, err := os.ReadFile(p)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}
