package forward_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsServer is a server of the test's own that can be stopped and started again on its port.
type natsServer struct {
	t       testing.TB
	options *server.Options
	mu      sync.Mutex
	running *server.Server
}

// The limits of the tests' stream: what the server takes at all is its own default, 1 MiB.
const natsMaxMsgSize = 64 << 10

// ownNATS starts one with a stream WEBHOOKS on webhooks.>. The user hookgate may do everything.
func ownNATS(t testing.TB, change ...func(*server.Options)) *natsServer {
	t.Helper()
	n := &natsServer{t: t, options: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		Users: []*server.User{{Username: "hookgate", Password: "opensesame"}},
	}}
	for _, c := range change {
		c(n.options)
	}
	n.start()
	t.Cleanup(n.stop)
	if n.options.JetStream {
		n.stream(jetstream.StreamConfig{Name: "WEBHOOKS", Subjects: []string{"webhooks.>"}, MaxMsgSize: natsMaxMsgSize})
	}
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
	s, err := server.NewServer(n.options)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		n.t.Fatal("the NATS server did not start")
	}
	n.options.Port = s.Addr().(*net.TCPAddr).Port // the same one after a restart
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = s
}

func (n *natsServer) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running != nil {
		n.running.Shutdown()
		n.running.WaitForShutdown()
		n.running = nil
	}
}

func (n *natsServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.options.Port) }

func (n *natsServer) url() string { return "nats://hookgate:opensesame@" + n.addr() }

func (n *natsServer) client() (*nats.Conn, jetstream.JetStream) {
	n.t.Helper()
	nc, err := nats.Connect(n.url())
	if err != nil {
		n.t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		n.t.Fatal(err)
	}
	return nc, js
}

// stream makes one.
func (n *natsServer) stream(c jetstream.StreamConfig) {
	n.t.Helper()
	nc, js := n.client()
	defer nc.Close()
	if _, err := js.CreateStream(context.Background(), c); err != nil {
		n.t.Fatal(err)
	}
}

// messages reads a stream.
func (n *natsServer) messages(stream string) []*jetstream.RawStreamMsg {
	n.t.Helper()
	nc, js := n.client()
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		n.t.Fatal(err)
	}
	var out []*jetstream.RawStreamMsg
	for seq := max(1, s.CachedInfo().State.FirstSeq); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			n.t.Fatal(err)
		}
		if err == nil {
			out = append(out, m)
		}
	}
	return out
}

// held are the envelopes in the stream WEBHOOKS.
func (n *natsServer) held(*testing.T) [][]byte {
	var out [][]byte
	for _, m := range n.messages("WEBHOOKS") {
		out = append(out, m.Data)
	}
	return out
}

func natsHarness(t *testing.T) *harness {
	n := ownNATS(t)
	settings := func(credentials, addr, subject string) hookgate.DestinationSettings {
		return hookgate.DestinationSettings{URL: literal("nats://" + credentials + "@" + addr), Subject: subject}
	}
	const subject = "webhooks.{provider}.{type}"
	return &harness{
		settings: settings("hookgate:opensesame", n.addr(), subject),
		held:     n.held,
		down:     n.stop, up: n.start,
		proxied: func(t *testing.T) (hookgate.DestinationSettings, *proxy) {
			p := newProxy(t, n.addr())
			return settings("hookgate:opensesame", p.addr(), subject), p
		},
		denied: func(*testing.T) hookgate.DestinationSettings {
			return settings("hookgate:"+wrongSecret, n.addr(), subject)
		},
		absent: func(*testing.T) (hookgate.DestinationSettings, string) {
			return settings("hookgate:opensesame", n.addr(), "nobody.listens"), "nobody.listens"
		},
		oversized: func(e *hookgate.Event) { e.Data = []byte(`"` + strings.Repeat("x", 1<<20) + `"`) },
		poison:    func(e *hookgate.Event) { e.Data = []byte(`"` + strings.Repeat("x", natsMaxMsgSize) + `"`) },
	}
}

// openNATS gives a time-out that never ends a call of a test: only its context does.
func openNATS(t *testing.T, url, subject string) forward.Destination {
	t.Helper()
	return openWith(t, hookgate.DestinationSettings{Type: "nats", URL: literal(url), Subject: subject, Timeout: time.Hour}, forward.Options{})
}

func mustPublish(t *testing.T, d forward.Destination, events ...*hookgate.Event) {
	t.Helper()
	allConfirmed(t, d.Publish(t.Context(), batchOf(events...)))
}

// What a message looks like, and when the stream's duplicate window drops one: a repeat is stored once, a replay is a
// message of its own.
func TestNATSMessages(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	first := openWith(t, hookgate.DestinationSettings{Type: "nats", URL: literal(n.url()), Subject: "webhooks.{source}.{entitytype}.{action}", Stream: "WEBHOOKS"}, forward.Options{})
	e, replayed := event(1, "a"), event(1, "a")
	replayed.Replayed = true
	mustPublish(t, first, e)
	mustPublish(t, first, e)
	mustPublish(t, first, replayed)
	mustPublish(t, first, replayed)
	got := n.messages("WEBHOOKS")
	subjects := make([]string, len(got))
	for i, m := range got {
		subjects[i] = m.Subject
		if m.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("%v", m.Header)
		}
	}
	const own = "webhooks.chat.conversation.created"
	if want := []string{own, own, own}; !slices.Equal(subjects, want) {
		t.Fatalf("%v, want %v", subjects, want)
	}
	if id := got[0].Header.Get("Nats-Msg-Id"); id != e.ID {
		t.Errorf("message id %s", id)
	}
	if s := got[0].Header.Get("Nats-Expected-Stream"); s != "WEBHOOKS" {
		t.Errorf("expected stream %s", s)
	}
	if string(got[0].Data) != string(e.AppendEnvelope(nil)) || !strings.Contains(string(got[1].Data), `"replayed":true`) {
		t.Errorf("%s\n%s", got[0].Data, got[1].Data)
	}
}

// An answer that is lost is no confirmation; the repeat is a duplicate to the stream, and that is a confirmation.
func TestNATSLostAnswer(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	p := newProxy(t, n.addr())
	d := openNATS(t, "nats://hookgate:opensesame@"+p.addr(), "webhooks.x")
	mustPublish(t, d, event(1, "k1"))
	all := events(30, 30)
	p.mute()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends the call once the stream holds everything
		defer cancel()
		for len(n.messages("WEBHOOKS")) < 30 && ctx.Err() == nil {
			continue
		}
	}()
	wantTrouble(t, d.Publish(ctx, batchOf(all...)))
	p.unmute()
	mustPublish(t, d, all...)
	if got := len(n.messages("WEBHOOKS")); got != 30 {
		t.Errorf("%d messages", got)
	}
}

// Whose fault an error is, and what it says.
func TestNATSWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	n := ownNATS(t, func(o *server.Options) {
		allow := func(subjects ...string) *server.SubjectPermission {
			return &server.SubjectPermission{Allow: subjects}
		}
		o.Users = append(o.Users,
			&server.User{Username: "narrow", Password: "opensesame", Permissions: &server.Permissions{Publish: allow("webhooks.mine")}},
			&server.User{Username: "deaf", Password: "opensesame", Permissions: &server.Permissions{Publish: allow(">"), Subscribe: allow("nothing")}})
	})
	n.stream(jetstream.StreamConfig{Name: "FULL", Subjects: []string{"full"}, MaxMsgs: 1, Discard: jetstream.DiscardNew})
	n.stream(jetstream.StreamConfig{Name: "SEALED", Subjects: []string{"each.*"}, MaxMsgs: 9, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true})
	as := func(user string) string { return strings.Replace(n.url(), "hookgate", user, 1) }
	mustPublish(t, openNATS(t, n.url(), "full"), event(99, "k"))
	mustPublish(t, openNATS(t, n.url(), "each.{action}"), event(99, "k"))
	for name, test := range map[string]struct {
		url, subject, stream string
		suspect              bool
		want                 []string // words of the error
	}{
		"no stream":              {n.url(), "lost.x", "", false, []string{`"lost.x"`, "make a stream"}},
		"no stream for this one": {n.url(), "lost.{type}", "", true, []string{`"lost.salesiq.conversation.created"`, "make a stream"}},
		"wrong stream":           {n.url(), "webhooks.x", "OTHER", false, []string{"expected stream does not match", "OTHER"}},
		"full":                   {n.url(), "full", "", false, []string{"maximum messages exceeded", "full"}},
		"full for this one":      {n.url(), "each.{action}", "", true, []string{"maximum messages per subject exceeded"}},
		"may not publish":        {as("narrow"), "webhooks.x", "", false, []string{`Permissions Violation for Publish to "webhooks.x"`, "permission"}},
		"may not hear":           {as("deaf"), "webhooks.x", "", false, []string{"Permissions Violation for Subscription", "_INBOX.>"}},
		"no credentials":         {"nats://" + n.addr(), "webhooks.x", "", false, []string{n.addr(), "credentials"}},
		"a wrong token":          {"nats://" + wrongSecret + "@" + n.addr(), "webhooks.x", "", false, []string{n.addr(), "credentials"}},
		"no TLS":                 {strings.Replace(n.url(), "nats:", "tls:", 1), "webhooks.x", "", false, []string{"TLS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hookgate.DestinationSettings{Type: "nats", URL: literal(test.url), Subject: test.subject, Stream: test.stream, Timeout: 30 * time.Second}
			d := openWith(t, s, forward.Options{})
			for _, count := range []int{1, 3} {
				for _, err := range d.Publish(t.Context(), batchOf(events(count, count)...)) {
					var trouble *forward.Trouble
					if !errors.As(err, &trouble) || trouble.Suspect != test.suspect {
						t.Fatalf("%+v", err)
					}
					for _, want := range test.want {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%v, want %s", err, want)
						}
					}
					if strings.Contains(err.Error(), "opensesame") || strings.Contains(err.Error(), wrongSecret) {
						t.Errorf("tells a secret: %v", err)
					}
				}
			}
		})
	}
}

// One event without a stream does not hold up the others: after its attempts it is a dead letter.
func TestNATSOneSubjectWithoutAStream(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	s := completed(t, "nats", hookgate.DestinationSettings{URL: literal(n.url()), Subject: "{provider}"})
	n.stream(jetstream.StreamConfig{Name: "SALESIQ", Subjects: []string{"salesiq"}})
	j := newJournal()
	f := forward.NewForwarder(s, openWith(t, s, forward.Options{}), j, j)
	stop := start(t, f)
	defer stop()
	all := events(40, 40)
	all[3].Provider = "bird"
	j.append(all[:20]...)
	eventually(t, "the others", func() bool { return f.Stats().Delivered == 19 })
	for i := range 20 { // each confirmation of another one speaks against it
		j.append(all[20+i])
		eventually(t, "one more", func() bool { return f.Stats().Delivered == uint64(20+i) })
	}
	eventually(t, "the dead letter", func() bool { return f.Stats().Dead == 1 })
	if text := f.Stats().LastError; !strings.Contains(text, `"bird"`) {
		t.Error(text)
	}
}

// A subject that has a plain subscriber and no stream: whatever that one does, nothing is confirmed.
func TestNATSPlainSubscriber(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		want   string
	}{"silent": {"", "a plain subscriber acknowledges nothing"}, "answers": {"hello", "no JetStream stream"}, "answers JSON": {"{}", "no JetStream stream"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := ownNATS(t)
			nc, _ := n.client()
			defer nc.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if _, err := nc.Subscribe("plain", func(m *nats.Msg) {
				if test.answer == "" {
					cancel()
				} else if err := m.Respond([]byte(test.answer)); err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			wantTroubleWith(t, openNATS(t, n.url(), "plain").Publish(ctx, batchOf(event(1, "a"))), test.want)
		})
	}
}

// More than may be on its way at once is sent in parts.
func TestNATSLargeBatch(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	size := 3*forward.LimitsOf("nats").Batch + 1
	mustPublish(t, openNATS(t, n.url(), "webhooks.x"), events(size, size)...)
	if got := len(n.messages("WEBHOOKS")); got != size {
		t.Errorf("%d messages", got)
	}
}

// What the stream alone finds too large is refused by its answer, while the neighbours are confirmed by theirs.
func TestNATSStreamRefusesOne(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	all := events(3, 3)
	all[1].Data = []byte(`"` + strings.Repeat("x", natsMaxMsgSize) + `"`)
	errs := openNATS(t, n.url(), "webhooks.x").Publish(t.Context(), batchOf(all...))
	if errs[0] != nil || errs[2] != nil || !isRefusal(errs[1]) {
		t.Errorf("%v", errs)
	}
}

// A subject that the user may not publish to is never answered. Any number of such events leaves the others their turn.
func TestNATSDeniedSubjectLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	n := ownNATS(t, func(o *server.Options) {
		only := &server.SubjectPermission{Allow: []string{"webhooks.mine"}}
		o.Users = append(o.Users, &server.User{Username: "narrow", Password: "opensesame", Permissions: &server.Permissions{Publish: only}})
	})
	d := openNATS(t, strings.Replace(n.url(), "hookgate", "narrow", 1), "webhooks.{action}")
	limits := forward.LimitsOf("nats")
	all := events(limits.Batch+10, limits.Batch+10)
	for _, e := range all[1:] {
		e.Action = "others"
	}
	all[0].Action = "mine"
	for _, part := range [][]*hookgate.Event{all[1:limits.Batch], all[limits.Batch:]} {
		wantTrouble(t, d.Publish(t.Context(), batchOf(part...)))
	}
	mustPublish(t, d, all[0])
}

// A payload may have a type of any length; a subject of that length would make the server hang up.
func TestNATSLongSubject(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	all := events(3, 3)
	all[1].Type = strings.Repeat("x", 2048)
	errs := openNATS(t, n.url(), "webhooks.{type}.{type}.{type}").Publish(t.Context(), batchOf(all...))
	if errs[0] != nil || errs[2] != nil || !isRefusal(errs[1]) {
		t.Errorf("%v", errs)
	}
	if got := len(n.messages("WEBHOOKS")); got != 2 {
		t.Errorf("%d messages", got)
	}
}

// A server whose certificate nobody has signed is not talked to, also where only the server asks for TLS.
func TestNATSCertificate(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(http.NotFoundHandler())
	defer web.Close()
	n := ownNATS(t, func(o *server.Options) { o.TLSConfig, o.JetStream = web.TLS.Clone(), false })
	for _, url := range []string{n.url(), strings.Replace(n.url(), "nats:", "tls:", 1)} {
		errs := openNATS(t, url, "webhooks.x").Publish(t.Context(), batchOf(event(1, "a")))
		wantTrouble(t, errs)
		if text := errs[0].Error(); !strings.Contains(text, "certificate") || strings.Contains(text, "opensesame") {
			t.Error(text)
		}
	}
}

// Of several servers one that runs is enough.
func TestNATSSeveralServers(t *testing.T) {
	t.Parallel()
	n := ownNATS(t)
	nobody := closedAddr(t)
	for i := range 8 { // the first to be tried is a random one
		mustPublish(t, openNATS(t, "nats://hookgate:opensesame@"+nobody+", "+n.url(), "webhooks.x"), event(i, "k"))
	}
	d := openNATS(t, "nats://hookgate:opensesame@"+nobody+",nats://hookgate:"+wrongSecret+"@"+n.addr(), "webhooks.x")
	text := d.Publish(t.Context(), batchOf(event(1, "a")))[0].Error()
	for _, want := range []string{nobody, "refused", n.addr(), "credentials"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s, want %s", text, want)
		}
	}
	if strings.Contains(text, "opensesame") || strings.Contains(text, wrongSecret) {
		t.Errorf("tells a secret: %s", text)
	}
}

// A server that hangs at any point of the talk: a cancelled context ends the call, also one that waits in a write.
func TestNATSBlackHole(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]int{"before it says who it is": 0, "after CONNECT": 1, "while it should read": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			addr := hangingNATS(t, lines, cancel)
			d := openNATS(t, "nats://"+addr, "webhooks.x")
			all := events(64, 64)
			for _, e := range all {
				e.Data = make([]byte, 256<<10) // more than the sockets take
			}
			wantTrouble(t, d.Publish(ctx, batchOf(all...)))
		})
	}
}

// hangingNATS answers like a server so many times, then calls hung and never reads again.
func hangingNATS(t *testing.T, lines int, hung func()) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); close(ended) })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if lines > 0 {
			_, _ = fmt.Fprintf(c, "INFO {\"server_id\":\"x\",\"version\":\"2.15.0\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n")
		}
		if lines > 1 {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = fmt.Fprint(c, "PONG\r\n")
		}
		if lines > 0 {
			_, _ = c.Read(make([]byte, 1)) // the client has written something and waits for the answer, or writes on
		}
		hung()
		<-ended
	}()
	return l.Addr().String()
}

func BenchmarkNATS(b *testing.B) {
	for name, keys := range map[string]int{"1000 keys": 1000, "one key": 1} {
		for durable, always := range map[string]bool{"default sync": false, "sync always": true} {
			b.Run(name+" "+durable, func(b *testing.B) {
				n := ownNATS(b, func(o *server.Options) { o.SyncAlways = always })
				s := hookgate.DestinationSettings{Name: "n", Type: "nats", URL: literal(n.url()), Subject: "webhooks.{provider}"}
				d := openWith(b, s, forward.Options{})
				benchmarkKeys(b, s, d, forward.LimitsOf(s.Type), 0, keys)
			})
		}
	}
}
