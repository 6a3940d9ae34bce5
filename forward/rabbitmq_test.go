package forward_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
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
	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitHarness has a quorum queue behind a topic exchange, bound for what event makes. The gateway reaches the node, which
// all tests share, through a proxy that can refuse it.
func rabbitHarness(t *testing.T) *harness {
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	exchange := topicExchange(t, ch)
	if err := ch.QueueBind(queue, "salesiq.conversation.*", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, n.addr())
	var held [][]byte
	to := func(url string) hookgate.DestinationSettings {
		return hookgate.DestinationSettings{URL: literal(url), Exchange: exchange, RoutingKey: "{type}"}
	}
	return &harness{
		settings: to(rabbitURL(p.addr())),
		held: func(t *testing.T) [][]byte {
			for _, d := range taken(t, ch, queue) {
				held = append(held, d.Body)
			}
			return held
		},
		down: func() { p.refuse(true) }, up: func() { p.refuse(false) },
		proxied: func(t *testing.T) (hookgate.DestinationSettings, *proxy) {
			p := newProxy(t, n.addr())
			return to(rabbitURL(p.addr())), p
		},
		denied: func(*testing.T) hookgate.DestinationSettings {
			return to("amqp://hookgate:" + wrongSecret + "@" + n.addr())
		},
		absent: func(t *testing.T) (hookgate.DestinationSettings, string) {
			lost := "absent from " + t.Name()
			return hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: lost}, lost
		},
		oversized: func(e *hookgate.Event) { e.Data = []byte(`"` + strings.Repeat("x", 2<<20) + `"`) },
		poison:    func(e *hookgate.Event) { e.Type = poisonType },
	}
}

func topicExchange(t testing.TB, ch *amqp.Channel) string {
	t.Helper()
	if err := ch.ExchangeDeclare(t.Name(), amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.ExchangeDelete(t.Name(), false, false) })
	return t.Name()
}

func openRabbit(t testing.TB, s hookgate.DestinationSettings) forward.Destination {
	t.Helper()
	s.Name, s.Type = "rabbit", "rabbitmq"
	return openWith(t, s, forward.Options{})
}

func TestRabbitMQMessage(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	all := events(2, 2)
	all[1].Type = strings.Repeat("x", 256)
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: queue})
	allConfirmed(t, d.Publish(t.Context(), batchOf(all...)))
	got := taken(t, ch, queue)
	if len(got) != 2 {
		t.Fatalf("%d arrived", len(got))
	}
	for i, m := range got {
		e := all[i]
		if m.ContentType != "application/cloudevents+json" || m.MessageId != e.ID || m.DeliveryMode != amqp.Persistent ||
			m.AppId != "hookgate" || !m.Timestamp.Equal(e.Time) || !bytes.Equal(m.Body, e.AppendEnvelope(nil)) {
			t.Errorf("%+v", m)
		}
	}
	if got[0].Type != all[0].Type || got[1].Type != "" {
		t.Errorf("types %q and %q", got[0].Type, got[1].Type)
	}
}

// What no event is at fault for is trouble, and names what is missing or forbidden.
func TestRabbitMQTrouble(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	exchange, queue := topicExchange(t, ch), quorumQueue(t, ch)
	if err := ch.ExchangeDeclare(t.Name()+"/inner", amqp.ExchangeTopic, true, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		settings hookgate.DestinationSettings
		want     []string
	}{
		"no queue":         {hookgate.DestinationSettings{RoutingKey: "nobody"}, []string{`no queue "nobody"`, "declare"}},
		"no binding":       {hookgate.DestinationSettings{Exchange: exchange, RoutingKey: "a.b"}, []string{`"a.b"`, exchange, "bind"}},
		"no exchange":      {hookgate.DestinationSettings{Exchange: "nowhere", RoutingKey: "{type}"}, []string{"404", "'nowhere'", "declare"}},
		"internal":         {hookgate.DestinationSettings{Exchange: exchange + "/inner"}, []string{"403", exchange + "/inner"}},
		"may not write":    {hookgate.DestinationSettings{URL: literal("amqp://reader:opensesame@" + n.addr()), RoutingKey: queue}, []string{"403", "permission"}},
		"wrong password":   {hookgate.DestinationSettings{URL: literal("amqp://hookgate:wrong@" + n.addr()), RoutingKey: queue}, []string{"credentials", "check user and password"}},
		"forbidden vhost":  {hookgate.DestinationSettings{URL: literal(n.url() + "private"), RoutingKey: queue}, []string{"530", "private", "check the vhost"}},
		"no vhost":         {hookgate.DestinationSettings{URL: literal(n.url() + "absent"), RoutingKey: queue}, []string{"530", "absent", "check the vhost"}},
		"no TLS there":     {hookgate.DestinationSettings{URL: literal("amqps://hookgate:opensesame@" + n.addr()), RoutingKey: queue}, []string{"tls"}},
		"nobody listening": {hookgate.DestinationSettings{URL: literal(rabbitURL(closedAddr(t))), RoutingKey: queue}, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(test.settings.URL.Reveal()) == 0 {
				test.settings.URL = literal(n.url())
			}
			d := openRabbit(t, test.settings)
			for range 2 {
				for _, err := range d.Publish(t.Context(), batchOf(events(3, 3)...)) {
					if !isTrouble(err) {
						t.Fatalf("%v", err)
					}
					for _, want := range test.want {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%v, want %q", err, want)
						}
					}
					if strings.Contains(err.Error(), "opensesame") {
						t.Errorf("tells a secret: %v", err)
					}
				}
			}
		})
	}
	t.Cleanup(func() { _ = ch.ExchangeDelete(t.Name()+"/inner", false, false) })
	if got := taken(t, ch, queue); len(got) != 0 {
		t.Errorf("%d arrived", len(got))
	}
}

func closedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// After trouble one message tries whether it is over; the rest of the batch stays here.
func TestRabbitMQTriesWithOne(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, n.addr())
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(rabbitURL(p.addr())), RoutingKey: queue})
	all := events(10, 10)
	for _, e := range all {
		e.Data = fmt.Appendf(nil, "%q", strings.Repeat("x", 64<<10))
	}
	for range 3 {
		before := p.passed()
		wantTroubleWith(t, d.Publish(t.Context(), batchOf(all...)), queue)
		if sent := p.passed() - before; sent > 128<<10 {
			t.Errorf("%d bytes sent", sent)
		}
	}
	quorumQueue(t, ch)
	allConfirmed(t, d.Publish(t.Context(), batchOf(all...)))
	if got := taken(t, ch, queue); len(got) != len(all) {
		t.Errorf("%d arrived", len(got))
	}
}

// What is one event's own fault is a refusal, wherever it stands in the batch, and its neighbours arrive.
func TestRabbitMQRefusesOne(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	filled := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n) + `"`) }
	for name, spoil := range map[string]func(e *hookgate.Event){
		"no binding":        func(e *hookgate.Event) { e.Type = "salesiq.visitor.created" },
		"long routing key":  func(e *hookgate.Event) { e.Type = "salesiq.conversation." + strings.Repeat("x", 255) },
		"too large":         func(e *hookgate.Event) { e.Data = filled(rabbitLimit) },
		"too large by much": func(e *hookgate.Event) { e.Data = filled(1 << 20) },
		"too large in base64, beside a larger payload": func(e *hookgate.Event) { e.Data = bytes.Repeat([]byte{0xff}, rabbitLimit-100<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := rabbitChannel(t, n)
			queue, exchange := quorumQueue(t, ch), topicExchange(t, ch)
			if err := ch.QueueBind(queue, "salesiq.conversation.*", exchange, false, nil); err != nil {
				t.Fatal(err)
			}
			d := openRabbit(t, hookgate.DestinationSettings{URL: literal(n.url()), Exchange: exchange, RoutingKey: "{type}"})
			batch := batchOf(events(9, 9)...)
			batch[3].Event.Data = filled(rabbitLimit - 50<<10)
			bad := []int{0, 4, 5, 8}
			for _, i := range bad {
				spoil(batch[i].Event)
			}
			refused := publishAll(t, d, batch)
			if !slices.Equal(refused, []int64{1, 5, 6, 9}) {
				t.Errorf("refused %v", refused)
			}
			seen := map[string]bool{}
			for _, m := range taken(t, ch, queue) {
				seen[m.MessageId] = true
			}
			if len(seen) != len(batch)-len(bad) {
				t.Errorf("%d arrived", len(seen))
			}
		})
	}
}

// publishAll sends what is held back again, until each entry is confirmed or refused, and gives the refused ones.
func publishAll(t *testing.T, d forward.Destination, batch []hookgate.Entry) []int64 {
	t.Helper()
	var refused []int64
	for len(batch) > 0 {
		var held []hookgate.Entry
		for i, err := range d.Publish(t.Context(), batch) {
			switch {
			case isRefusal(err):
				refused = append(refused, batch[i].Seq)
			case errors.Is(err, forward.ErrHeld):
				held = append(held, batch[i])
			case err != nil:
				t.Fatal(err)
			}
		}
		if len(held) == len(batch) {
			t.Fatal("all held back, behind nothing")
		}
		batch = held
	}
	slices.Sort(refused)
	return refused
}

// A queue that is full and refuses is trouble under a fixed routing key. Under one of the event's own it is a refusal, or
// events for other queues would wait too. Whatever the broker takes and refuses in turn, each key arrives in order.
func TestRabbitMQFullQueue(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	q, err := ch.QueueDeclare(t.Name(), true, false, false, false, amqp.Table{
		amqp.QueueMaxLenArg: 3, amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ch.QueueDelete(q.Name, false, false, false) })
	exchange := topicExchange(t, ch)
	if err := ch.QueueBind(q.Name, "#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	fixed := hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: q.Name}
	ofEvent := hookgate.DestinationSettings{URL: literal(n.url()), Exchange: exchange, RoutingKey: "{type}"}
	batch := batchOf(events(20, 20)...)
	if errs := openRabbit(t, fixed).Publish(t.Context(), batch); errs[0] != nil || !isTrouble(errs[19]) || !strings.Contains(errs[19].Error(), "full") {
		t.Errorf("fixed: %v", errs)
	}
	if errs := openRabbit(t, ofEvent).Publish(t.Context(), batch); !isRefusal(errs[0]) || !isRefusal(errs[19]) {
		t.Errorf("of the event: %v", errs)
	}
	taken(t, ch, q.Name)

	j := newJournal()
	fixed.Name, fixed.Type = "rabbit", "rabbitmq"
	fixed = completed(t, "rabbitmq", fixed)
	f := forward.NewForwarder(fixed, openRabbit(t, fixed), j, j)
	stop := start(t, f)
	defer stop()
	const total, keys = 200, 10
	all := events(total, keys)
	j.append(all...)
	last, seen := map[int]int{}, map[string]bool{}
	eventually(t, "all arrived", func() bool {
		for _, m := range taken(t, ch, q.Name) {
			i := slices.IndexFunc(all, func(e *hookgate.Event) bool { return e.ID == m.MessageId })
			if !seen[m.MessageId] && i < last[i%keys] {
				t.Errorf("%d after %d", i, last[i%keys])
			}
			seen[m.MessageId] = true
			last[i%keys] = max(last[i%keys], i)
		}
		return len(seen) == total
	})
	eventually(t, "all settled", func() bool { return j.settled(fixed.Name, total) })
	if s := f.Stats(); s.Dead != 0 {
		t.Errorf("stats %+v", s)
	}
}

// R8: a broker that takes connections and never answers, at every step of the handshake and after it.
func TestR08_RabbitMQBlackHole(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	queue := quorumQueue(t, rabbitChannel(t, n))
	t.Run("handshake", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Read(make([]byte, 1)) // the client waits for an answer now
			cancel()
			_, _ = io.Copy(io.Discard, c)
		})
		d := openRabbit(t, hookgate.DestinationSettings{URL: literal(rabbitURL(l.Addr().String())), RoutingKey: queue})
		wantTroubleWith(t, d.Publish(ctx, batchOf(events(3, 3)...)), "no connection")
	})
	t.Run("confirm", func(t *testing.T) {
		t.Parallel()
		p := newProxy(t, n.addr())
		d := openRabbit(t, hookgate.DestinationSettings{URL: literal(rabbitURL(p.addr())), RoutingKey: queue})
		first := batchOf(events(3, 3)...)
		allConfirmed(t, d.Publish(t.Context(), first))
		p.mute()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		before := p.passed()
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() {
			eventually(t, "sent", func() bool { return p.passed() > before })
			cancel()
		})
		wantTroubleWith(t, d.Publish(ctx, first), "no confirm")
		// What was answered then is not taken for an answer to what is sent now.
		p.unmute()
		allConfirmed(t, d.Publish(t.Context(), first))
	})
}

func wantTroubleWith(t *testing.T, errs []error, words string) {
	t.Helper()
	if len(errs) == 0 {
		t.Error("no answer")
	}
	for _, err := range errs {
		if !isTrouble(err) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want trouble with %q", err, words)
		}
	}
}

func TestRabbitMQClosed(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: queue})
	mustPublish(t, d, event(1, "a"))
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	wantTroubleWith(t, d.Publish(t.Context(), batchOf(event(2, "a"))), "closed")
	if got := taken(t, ch, queue); len(got) != 1 {
		t.Errorf("%d arrived", len(got))
	}
}

// Behind TLS, whose certificate is checked.
func TestRabbitMQOverTLS(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificate.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer l.Close()
	group.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", n.addr())
			if err != nil {
				t.Error(err)
				_ = in.Close()
				return
			}
			group.Go(func() { defer out.Close(); _, _ = io.Copy(out, in) })
			group.Go(func() { defer in.Close(); _, _ = io.Copy(in, out) })
		}
	})
	url := "amqps://hookgate:opensesame@" + l.Addr().String() + "/"
	strict := openRabbit(t, hookgate.DestinationSettings{URL: literal(url), RoutingKey: queue})
	wantTroubleWith(t, strict.Publish(t.Context(), batchOf(event(1, "a"))), "certificate")
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(url + "?cacertfile=" + ca), RoutingKey: queue})
	mustPublish(t, d, event(2, "a"))
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if got := taken(t, ch, queue); len(got) != 1 || got[0].MessageId != event(2, "a").ID {
		t.Errorf("%d arrived", len(got))
	}
}

// A connection that ended between two batches is made again, and nobody notices.
func TestRabbitMQIdleConnectionCut(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	p := newProxy(t, n.addr())
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(rabbitURL(p.addr())), RoutingKey: queue})
	for i := range 3 {
		// The client may not have noticed the cut before the first attempt after it.
		eventually(t, "published", func() bool { return errors.Join(d.Publish(t.Context(), batchOf(event(i, "a")))...) == nil })
		p.cut()
	}
	if got := taken(t, ch, queue); len(got) < 3 {
		t.Errorf("%d arrived", len(got))
	}
}

// An alarm blocks everybody who publishes, and the socket with them. Not parallel: the node is everybody's.
func TestR12_RabbitMQBlocked(t *testing.T) {
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue := quorumQueue(t, ch)
	s := completed(t, "rabbitmq", hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: queue})
	s.Timeout = time.Second
	const total = 100
	all := events(total, 50)
	for _, e := range all {
		e.Data = fmt.Appendf(nil, "%q", strings.Repeat("x", 300<<10)) // more than the buffers of a socket take
	}
	j := newJournal()
	f := forward.NewForwarder(s, openRabbit(t, s), j, j)
	stop := start(t, f)
	defer stop()
	j.append(all[:10]...)
	eventually(t, "the first events", func() bool { return j.settled(s.Name, 10) })

	n.eval(t, "vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)")
	defer n.eval(t, "vm_memory_monitor:set_vm_memory_high_watermark(0.4)")
	j.append(all[10:]...)
	eventually(t, "the alarm in the last error", func() bool {
		s := f.Stats()
		return s.State == forward.BackingOff && strings.Contains(s.LastError, "blocks") && strings.Contains(s.LastError, "memory")
	})
	n.eval(t, "vm_memory_monitor:set_vm_memory_high_watermark(0.4)")
	eventually(t, "all settled", func() bool { return j.settled(s.Name, total) })
	if s := f.Stats(); s.Dead != 0 || s.Delivered != total {
		t.Errorf("stats %+v", s)
	}
	seen := map[string]bool{}
	for _, m := range taken(t, ch, queue) {
		seen[m.MessageId] = true
	}
	if len(seen) != total {
		t.Errorf("%d different ones arrived", len(seen))
	}
}

// The node is killed under load and comes back: what was confirmed is there, and all else follows in order. Not parallel:
// the node is everybody's.
func TestR12_RabbitMQKilled(t *testing.T) {
	n := sharedRabbit.started(t)
	queue := quorumQueue(t, rabbitChannel(t, n))
	// The list of quorum queues goes to disk every three minutes only: a queue that is younger does not survive a kill.
	n.eval(t, "[dets:sync(T) || T <- dets:all()]")
	s := completed(t, "rabbitmq", hookgate.DestinationSettings{URL: literal(n.url()), RoutingKey: queue})
	const total, keys = 4000, 20
	j := newJournal()
	f := forward.NewForwarder(s, openRabbit(t, s), j, j)
	stop := start(t, f)
	defer stop()
	all := events(total, keys)
	j.append(all[:total/2]...)
	eventually(t, "the first events", func() bool { return f.Stats().Delivered > total/10 })
	n.kill()
	j.append(all[total/2:]...)
	eventually(t, "backing off", func() bool { return f.Stats().State == forward.BackingOff })
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all settled", func() bool { return j.settled(s.Name, total) })
	if s := f.Stats(); s.Dead != 0 || s.Delivered != total {
		t.Errorf("stats %+v", s)
	}
	var ids []string
	for _, m := range taken(t, rabbitChannel(t, n), queue) {
		ids = append(ids, m.MessageId)
	}
	if repeated := arrivedInOrder(t, all, ids); len(ids)-repeated != total || repeated > s.Window {
		t.Errorf("%d of %d arrived, %d repeated", len(ids)-repeated, total, repeated)
	}
}
