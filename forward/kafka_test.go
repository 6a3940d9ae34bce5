package forward_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// cluster is a fake Kafka in this process: it speaks the protocol, checks sequences and keeps records, but replicates
// nothing. Its brokers can be switched off and on, and be told to announce another address than their own.
type cluster struct {
	*kfake.Cluster
	t     testing.TB
	gates []*gate
}

// newCluster starts one with the topic webhooks. Every connection has to log in as gate with opensesame.
func newCluster(t testing.TB, brokers int, partitions int32, opts ...kfake.Opt) *cluster {
	t.Helper()
	c := &cluster{t: t}
	opts = append([]kfake.Opt{
		kfake.NumBrokers(brokers), kfake.SeedTopics(partitions, "webhooks"), kfake.AllowAutoTopicCreation(), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-512", "gate", "opensesame"),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			if err != nil {
				return nil, err
			}
			g := &gate{open: l, shown: l.Addr(), at: l.Addr().String(), conns: map[net.Conn]struct{}{}}
			g.turned = sync.NewCond(&g.mu)
			c.gates = append(c.gates, g)
			return g, nil
		}),
	}, opts...)
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	c.Cluster = fake
	t.Cleanup(func() {
		fake.Close()
		for _, g := range c.gates {
			_ = g.Close()
		}
	})
	return c
}

func (c *cluster) url() string { return "kafka://gate:opensesame@" + c.gates[0].at }

func (c *cluster) settings() hookgate.DestinationSettings {
	return hookgate.DestinationSettings{Name: "kafka", Type: "kafka", URL: literal(c.url()), Topic: "webhooks", Timeout: 20 * time.Second}
}

func (c *cluster) open() forward.Destination {
	c.t.Helper()
	return openWith(c.t, c.settings(), forward.Options{})
}

func (c *cluster) down() {
	for _, g := range c.gates {
		g.shut()
	}
}

func (c *cluster) up() {
	for _, g := range c.gates {
		if err := g.reopen(); err != nil {
			c.t.Error(err)
		}
	}
}

// stored is how many records the topic has.
func (c *cluster) stored() int {
	n := 0
	for _, p := range c.PartitionInfos("webhooks") {
		n += int(p.HighWatermark)
	}
	return n
}

// records reads the topic back, partition by partition.
func (c *cluster) records() []*kgo.Record {
	c.t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(c.gates[0].at), kgo.ConsumeTopics("webhooks"), kgo.FetchMaxWait(10*time.Millisecond),
		kgo.SASL(scram.Auth{User: "gate", Pass: "opensesame"}.AsSha512Mechanism()),
		// Past a proxy: the announced address of a broker is not always its own.
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			for _, g := range c.gates {
				if g.Addr().String() == address {
					address = g.at
				}
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}))
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all []*kgo.Record
	for want := c.stored(); len(all) < want && ctx.Err() == nil; {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { all = append(all, r) })
	}
	if ctx.Err() != nil {
		c.t.Fatal("the topic could not be read")
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return all
}

func (c *cluster) values() [][]byte {
	var out [][]byte
	for _, r := range c.records() {
		out = append(out, r.Value)
	}
	return out
}

// fault lets so many requests fail with err; below zero all of them.
func (c *cluster) fault(key kmsg.Key, err *kerr.Error, count int) *kfake.FaultHandle {
	return c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: count})
}

// refusing fails what has a record with the text in it, as a broker that validates records does.
func (c *cluster) refusing(text string, err *kerr.Error) {
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1, When: func(r kmsg.Request) bool {
		return strings.Contains(string(sent(r)), text)
	}})
}

// sent is everything that a produce request carries, decompressed.
func sent(r kmsg.Request) []byte {
	var out []byte
	req, ok := r.(*kmsg.ProduceRequest)
	if !ok {
		return nil
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			var b kmsg.RecordBatch
			if b.ReadFrom(p.Records) != nil {
				continue
			}
			plain, err := kgo.DefaultDecompressor().Decompress(b.Records, kgo.CompressionCodecType(b.Attributes&7))
			if err == nil {
				out = append(out, plain...)
			}
		}
	}
	return out
}

// gate is a broker's listener that can be switched off and on again at its address.
type gate struct {
	mu     sync.Mutex
	turned *sync.Cond
	open   net.Listener // nil while switched off
	at     string
	shown  net.Addr
	conns  map[net.Conn]struct{}
	closed bool
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		for g.open == nil && !g.closed {
			g.turned.Wait()
		}
		l := g.open
		g.mu.Unlock()
		if l == nil {
			return nil, net.ErrClosed
		}
		conn, err := l.Accept()
		if err != nil {
			continue // switched off, or closed
		}
		g.mu.Lock()
		if g.open == l {
			g.conns[conn] = struct{}{}
			g.mu.Unlock()
			return conn, nil
		}
		g.mu.Unlock()
		_ = conn.Close()
	}
}

func (g *gate) Addr() net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown
}

// announce makes the broker name another address as its own.
func (g *gate) announce(a net.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shown = a
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		_ = g.open.Close()
		g.open = nil
	}
	for c := range g.conns {
		_ = c.Close()
	}
	clear(g.conns)
}

func (g *gate) reopen() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil || g.closed {
		return nil
	}
	l, err := net.Listen("tcp", g.at)
	if err == nil {
		g.open = l
		g.turned.Broadcast()
	}
	return err
}

func (g *gate) Close() error {
	g.shut()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.turned.Broadcast()
	return nil
}

// kafkaHarness is the conformance suite's target. One partition, because the suite compares the order across keys.
func kafkaHarness(t *testing.T) *harness {
	c := newCluster(t, 1, 1)
	c.refusing(poisonType, kerr.InvalidRecord)
	return &harness{
		// A batch that is under way when the target goes is waited for until the time-out: its answer may still come.
		settings: hookgate.DestinationSettings{URL: literal(c.url()), Topic: "webhooks", Timeout: 3 * time.Second},
		held:     func(*testing.T) [][]byte { return c.values() },
		down:     c.down, up: c.up,
		proxied: func(t *testing.T) (hookgate.DestinationSettings, *proxy) {
			p := newProxy(t, c.gates[0].at)
			c.gates[0].announce(p.l.Addr())
			return hookgate.DestinationSettings{URL: literal("kafka://gate:opensesame@" + p.addr()), Topic: "webhooks"}, p
		},
		denied: func(*testing.T) hookgate.DestinationSettings {
			return hookgate.DestinationSettings{URL: literal("kafka://gate:" + wrongSecret + "@" + c.gates[0].at), Topic: "webhooks"}
		},
		absent: func(*testing.T) (hookgate.DestinationSettings, string) {
			return hookgate.DestinationSettings{URL: literal(c.url()), Topic: "absent"}, "absent"
		},
		mends:     true,
		oversized: func(e *hookgate.Event) { e.Data = noise(2 << 20) },
		poison:    func(e *hookgate.Event) { e.Type = poisonType },
	}
}

// noise is a JSON text that no compression makes smaller than its n bytes by much.
func noise(n int) []byte {
	raw := make([]byte, n*3/4)
	_, _ = rand.Read(raw)
	return []byte(`"` + base64.RawStdEncoding.EncodeToString(raw) + `"`)
}

func isTrouble(err error) bool {
	var trouble *forward.Trouble
	return errors.As(err, &trouble)
}

func isRefusal(err error) bool {
	var refusal *forward.Refusal
	return errors.As(err, &refusal)
}

// checkGapless fails where a later entry of a key was confirmed and an earlier one was not.
func checkGapless(t *testing.T, batch []hookgate.Entry, errs []error) {
	t.Helper()
	failed := map[string]int{}
	for i, e := range batch {
		key := e.Event.PartitionKey
		at, before := failed[key]
		switch {
		case errs[i] != nil && !before:
			failed[key] = i
		case errs[i] == nil && before:
			t.Errorf("%d of %s is confirmed, and %d before it is not: %v", i, key, at, errs[at])
		}
	}
}

func allConfirmed(t *testing.T, errs []error) {
	t.Helper()
	if len(errs) == 0 {
		t.Fatal("no answer")
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

func TestKafkaRecord(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 5)
	all := events(50, 10)
	// The age of an event is no reason to give it up: a backlog may be days old.
	for _, e := range all {
		e.Received = time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)
	}
	allConfirmed(t, c.open().Publish(t.Context(), batchOf(all...)))
	partition := map[string]int32{}
	byID := map[string]*hookgate.Event{}
	for _, e := range all {
		byID[e.ID] = e
	}
	got := c.records()
	for _, r := range got {
		header := map[string]string{}
		for _, h := range r.Headers {
			header[h.Key] = string(h.Value)
		}
		e := byID[header["ce_id"]]
		if e == nil {
			t.Fatalf("ce_id %q", header["ce_id"])
		}
		if string(r.Value) != string(e.AppendEnvelope(nil)) || string(r.Key) != e.PartitionKey || !r.Timestamp.Equal(e.Received) ||
			header["content-type"] != "application/cloudevents+json" || len(header) != 2 {
			t.Errorf("%+v", r)
		}
		if p, known := partition[e.PartitionKey]; known && p != r.Partition {
			t.Errorf("%s is in %d and %d", e.PartitionKey, p, r.Partition)
		}
		partition[e.PartitionKey] = r.Partition
	}
	if len(got) != 50 {
		t.Errorf("%d records", len(got))
	}
}

// One record in the middle is refused, and with it its partition's whole part of the round. Only that one is the entry's
// fault: the others are sent again in parts, and only what comes behind it in its own key waits.
func TestKafkaRefusedInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]*kerr.Error{"validation": kerr.InvalidRecord, "timestamp": kerr.InvalidTimestamp, "size": kerr.MessageTooLarge} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, 3)
			c.refusing(poisonType, err)
			all := events(60, 6)
			all[25].Type = poisonType // key 1, before 31, 37, 43, 49 and 55
			batch := batchOf(all...)
			errs := c.open().Publish(t.Context(), batch)
			for i, err := range errs {
				switch {
				case i == 25 && !isRefusal(err), i > 25 && i%6 == 1 && !errors.Is(err, forward.ErrHeld),
					(i < 25 || i%6 != 1) && err != nil:
					t.Errorf("%d: %v", i, err)
				}
			}
			checkGapless(t, batch, errs)
			if n := c.stored(); n != 54 || len(idsOf(t, c.values())) != 54 {
				t.Errorf("%d arrived", n)
			}
		})
	}
}

// A topic may take less in one batch than is usual. Everything that fits alone arrives all the same, once.
func TestKafkaSmallTopic(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 2)
	if err := c.CreateTopic("small", 2, map[string]string{"max.message.bytes": "8000"}); err != nil {
		t.Fatal(err)
	}
	s := c.settings()
	s.Topic = "small"
	d := openWith(t, s, forward.Options{})
	for round := range 2 {
		all := events(100, 10)
		for _, e := range all {
			e.Data = noise(2000)
		}
		all[50].Data = noise(10_000) // key 0, before 60, 70, 80 and 90
		for i, err := range d.Publish(t.Context(), batchOf(all...)) {
			switch {
			case i == 50:
				if !isRefusal(err) || hookgate.AsError(errors.Unwrap(err)).Code != hookgate.TooLarge {
					t.Errorf("round %d: %v", round, err)
				}
			case i > 50 && i%10 == 0:
				if !errors.Is(err, forward.ErrHeld) {
					t.Errorf("round %d, %d: %v", round, i, err)
				}
			case err != nil:
				t.Errorf("round %d, %d: %v", round, i, err)
			}
		}
	}
	n := 0
	for _, p := range c.PartitionInfos("small") {
		n += int(p.HighWatermark)
	}
	if n != 2*95 {
		t.Errorf("%d arrived", n)
	}
}

// Our own bound comes before a broker's, which would hang up.
func TestKafkaHugeEvent(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	all := events(3, 3)
	all[1].Data = make([]byte, 64<<20+1)
	if errs := c.open().Publish(t.Context(), batchOf(all...)); errs[0] != nil || errs[2] != nil || !isRefusal(errs[1]) {
		t.Errorf("%v", errs)
	}
}

// Whatever a partition answers, and whichever request it is that fails: in no answer of the destination a later entry of a
// key passes an earlier one, every event arrives in the end, and the first copies are in order.
func TestKafkaNeverPasses(t *testing.T) {
	t.Parallel()
	losses := []*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownProducerID, kerr.InvalidProducerIDMapping}
	for _, err := range append([]*kerr.Error{
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.LeaderNotAvailable,
		kerr.MessageTooLarge, kerr.UnknownServerError, kerr.KafkaStorageError, kerr.CorruptMessage,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.TopicAuthorizationFailed,
	}, losses...) {
		t.Run(err.Message, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, 3)
			d := c.open()
			var left []hookgate.Entry
			turn := 0
			all := batchOf(events(160, 7)...)
			for attempts := 0; len(all) > 0 || len(left) > 0; attempts++ {
				if attempts > 200 {
					t.Fatalf("%d are left", len(left))
				}
				n := min(40, len(all))
				left, all = append(left, all[:n]...), all[n:]
				// Each time another partition fails, and every second time the client's own repeat of it too.
				f := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "webhooks", Partitions: []int32{int32(turn % 3)}, Err: err, Count: 1 + turn%2})
				if turn++; len(all) == 0 {
					f.Remove()
				}
				errs := d.Publish(t.Context(), left)
				f.Remove()
				checkGapless(t, left, errs)
				var still []hookgate.Entry
				for i, e := range left {
					if errs[i] != nil {
						still = append(still, e)
					}
				}
				left = still
			}
			seen := map[string]bool{}
			last := map[string]string{}
			for _, r := range c.records() {
				id := idsOf(t, [][]byte{r.Value})[0]
				if seen[id] {
					continue
				}
				seen[id] = true
				if key := string(r.Key); id < last[key] {
					t.Errorf("%s after %s in %s", id, last[key], key)
				} else {
					last[key] = id
				}
			}
			if len(seen) != 160 {
				t.Errorf("%d arrived", len(seen))
			}
			// The broker knows what the client repeats. Only after a loss the client gives up what it has in hand too.
			if n := c.stored(); n != 160 && !slices.Contains(losses, err) {
				t.Errorf("%d stored", n)
			}
		})
	}
}

// A round's part of one partition is one record batch, so that it is stored as a whole or not at all, the
// very first round included.
func TestKafkaOneBatchARound(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	var mu sync.Mutex
	var batches []int32
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				var b kmsg.RecordBatch
				if err := b.ReadFrom(p.Records); err != nil {
					t.Error(err)
				}
				batches = append(batches, b.NumRecords)
			}
		}
		return nil, nil, false
	})
	d := c.open()
	for range 3 {
		allConfirmed(t, d.Publish(t.Context(), batchOf(events(256, 9)...)))
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(batches, []int32{256, 256, 256}) {
		t.Errorf("record batches of %d", batches)
	}
}

// The broker stores the batch and the connection is cut before its answer. The client sends the same sequence once more,
// which the broker knows: nothing is doubled, and nothing is reported as failed.
func TestKafkaLostAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	p := newProxy(t, c.gates[0].at)
	c.gates[0].announce(p.l.Addr())
	s := c.settings()
	s.URL = literal("kafka://gate:opensesame@" + p.addr())
	d := openWith(t, s, forward.Options{})
	allConfirmed(t, d.Publish(t.Context(), batchOf(events(3, 3)...)))
	p.mute()
	done := make(chan []error, 1)
	go func() { done <- d.Publish(t.Context(), batchOf(events(50, 5)[3:]...)) }()
	eventually(t, "the batch is stored", func() bool { return c.stored() == 50 })
	p.unmute()
	allConfirmed(t, <-done)
	if n := c.stored(); n != 50 {
		t.Errorf("%d stored", n)
	}
}

// A broker that takes everything and never answers. A cancelled context ends the wait; what was sent may be stored, so the
// same entries come again under the same ids, and in order.
func TestKafkaBlackHole(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	p := newProxy(t, c.gates[0].at)
	c.gates[0].announce(p.l.Addr())
	s := c.settings()
	s.URL, s.Timeout = literal("kafka://gate:opensesame@"+p.addr()), time.Hour
	d := openWith(t, s, forward.Options{})
	batch := batchOf(events(20, 4)...)
	allConfirmed(t, d.Publish(t.Context(), batch[:10]))
	p.mute()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []error, 1)
	go func() { done <- d.Publish(ctx, batch[10:]) }()
	eventually(t, "the batch is stored", func() bool { return c.stored() == 20 })
	cancel()
	wantTrouble(t, <-done)
	p.unmute()
	allConfirmed(t, d.Publish(t.Context(), batch[10:]))
	want := idsOf(t, c.values())
	if !slices.Equal(want[10:20], want[20:]) || len(want) != 30 {
		t.Errorf("%v", want)
	}
}

// The time-out of the settings bounds a call whose context has no end.
func TestKafkaTimeout(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // connects, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := openWith(t, hookgate.DestinationSettings{Type: "kafka", URL: literal("kafka://" + l.Addr().String()), Topic: "x", Timeout: 200 * time.Millisecond}, forward.Options{})
	wantTrouble(t, d.Publish(context.Background(), batchOf(events(3, 3)...)))
}

// What says that the producer's sequence is no longer what the broker has is answered with a new producer.
func TestKafkaNewProducerAfterLoss(t *testing.T) {
	t.Parallel()
	for _, loss := range []*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping} {
		t.Run(loss.Message, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, 1)
			d := c.open()
			made := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Observe: true, Count: -1})
			batch := batchOf(events(20, 2)...)
			allConfirmed(t, d.Publish(t.Context(), batch[:10]))
			c.fault(kmsg.Produce, loss, 1)
			wantTroubleWith(t, d.Publish(t.Context(), batch[10:]), loss.Message)
			allConfirmed(t, d.Publish(t.Context(), batch[10:]))
			if made.Hits() != 2 || c.stored() != 20 {
				t.Errorf("%d producers, %d stored", made.Hits(), c.stored())
			}
		})
	}
}

// A partition that moves to another broker, and one whose broker is gone for a moment, cost no event and no second copy.
func TestKafkaLeaderMoves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, 6)
	d := c.open()
	all := events(200, 20)
	for i := range 10 {
		allConfirmed(t, d.Publish(t.Context(), batchOf(all[20*i:20*i+20]...)))
		if err := c.MoveTopicPartition("webhooks", int32(i%6), int32(i%3)); err != nil {
			t.Fatal(err)
		}
		c.ShufflePartitionLeaders()
	}
	if n := c.stored(); n != 200 {
		t.Errorf("%d stored", n)
	}
}

// What is wrong with the whole destination is told as such, with the way out, and no event is blamed for it.
func TestKafkaWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	denied := kerr.SaslAuthenticationFailed
	for name, test := range map[string]struct {
		change func(c *cluster, s *hookgate.DestinationSettings)
		want   []string
	}{
		"no topic":  {func(_ *cluster, s *hookgate.DestinationSettings) { s.Topic = "absent" }, []string{"there is no topic absent", "create the topic absent"}},
		"no broker": {func(c *cluster, _ *hookgate.DestinationSettings) { c.down() }, []string{"connection refused"}},
		"wrong password": {func(c *cluster, s *hookgate.DestinationSettings) {
			s.URL = literal("kafka://gate:hidden@" + c.gates[0].at)
		}, []string{"EOF", "look at user, password"}},
		"password refused": {func(c *cluster, s *hookgate.DestinationSettings) {
			s.URL = literal("kafka://gate:hidden@" + c.gates[0].at)
			c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				said := "no entry for gate with hidden"
				res.ErrorCode, res.ErrorMessage = denied.Code, &said
				return res, nil, true
			})
		}, []string{denied.Message, "[secret]", "look at user, password"}},
		"other mechanism": {func(c *cluster, s *hookgate.DestinationSettings) {
			s.URL = literal("kafka://gate:hidden@" + c.gates[0].at + "?sasl=plain")
		}, []string{"EOF", "look at user, password"}},
		"no login": {func(c *cluster, s *hookgate.DestinationSettings) { s.URL = literal("kafka://" + c.gates[0].at) }, []string{"is SASL missing"}},
		"no TLS": {func(c *cluster, s *hookgate.DestinationSettings) {
			s.URL, s.Timeout = literal("kafkas://a:hidden@"+c.gates[0].at), time.Second
		}, []string{"no answer in time", "unable to dial"}},
		"not allowed to write": {func(c *cluster, _ *hookgate.DestinationSettings) {
			c.fault(kmsg.Produce, kerr.TopicAuthorizationFailed, -1)
		}, []string{"TOPIC_AUTHORIZATION_FAILED", "needs Write and Describe on the topic webhooks"}},
		"not allowed to see": {func(c *cluster, _ *hookgate.DestinationSettings) {
			c.fault(kmsg.Metadata, kerr.TopicAuthorizationFailed, -1)
		}, []string{"TOPIC_AUTHORIZATION_FAILED", "needs Write"}},
		"not leader": {func(c *cluster, _ *hookgate.DestinationSettings) {
			c.fault(kmsg.Produce, kerr.NotLeaderForPartition, -1)
		}, []string{"NOT_LEADER"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, 2)
			s := c.settings()
			test.change(c, &s)
			batch := batchOf(events(6, 3)...)
			errs := openWith(t, s, forward.Options{}).Publish(t.Context(), batch)
			if !isTrouble(errs[0]) {
				t.Fatalf("%v", errs[0])
			}
			for _, want := range test.want {
				if !strings.Contains(errs[0].Error(), want) {
					t.Errorf("%v\nwant %q", errs[0], want)
				}
			}
			for _, err := range errs {
				if !isTrouble(err) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "opensesame") {
					t.Errorf("%v", err)
				}
			}
			if n := c.stored(); n != 0 {
				t.Errorf("%d stored", n)
			}
		})
	}
}

// One partition that nobody leads keeps its own events back, not those that can be stored.
func TestKafkaPartitionDown(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 3)
	d := c.open()
	partition := map[string]int32{} // of each key
	allConfirmed(t, d.Publish(t.Context(), batchOf(events(30, 30)...)))
	for _, r := range c.records() {
		partition[string(r.Key)] = r.Partition
	}
	batch := batchOf(events(60, 30)[30:]...)
	down := partition[batch[0].Event.PartitionKey]
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "webhooks", Partitions: []int32{down}, Err: kerr.NotLeaderForPartition, Count: -1})
	for _, d := range []forward.Destination{d, c.open()} { // one that knows the cluster, and one that has to ask first
		for i, err := range d.Publish(t.Context(), batch) {
			if in := partition[batch[i].Event.PartitionKey] == down; in != isTrouble(err) || !in && err != nil {
				t.Errorf("%d in partition %d: %v", i, partition[batch[i].Event.PartitionKey], err)
			}
		}
	}
}

// The topic that was missing is created: the same destination goes on.
func TestKafkaTopicComes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	s := c.settings()
	s.Topic = "later"
	d := openWith(t, s, forward.Options{})
	batch := batchOf(events(6, 3)...)
	if errs := d.Publish(t.Context(), batch); !isTrouble(errs[0]) {
		t.Fatalf("%v", errs)
	}
	if err := c.CreateTopic("later", 3, nil); err != nil {
		t.Fatal(err)
	}
	allConfirmed(t, d.Publish(t.Context(), batch))
	// It may be deleted and made again under way.
	if err := c.DeleteTopic("later"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTopic("later", 2, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new topic is found", func() bool {
		errs := d.Publish(t.Context(), batch)
		checkGapless(t, batch, errs)
		return !slices.ContainsFunc(errs, func(err error) bool { return err != nil })
	})
}

// Every mechanism gets in, with a password full of what stands for something in a URL.
func TestKafkaMechanisms(t *testing.T) {
	t.Parallel()
	for option, mechanism := range map[string]string{
		"": "SCRAM-SHA-512", "?sasl=scram-sha-512": "SCRAM-SHA-512", "?sasl=scram-sha-256": "SCRAM-SHA-256", "?sasl=plain": "PLAIN",
	} {
		t.Run(mechanism+option, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, 1, kfake.Superuser(mechanism, "u,=", "p/@,:?%=#"))
			s := c.settings()
			s.URL = literal("kafka://u,=:p%2F@,:%3F%25=%23@" + c.gates[0].at + option)
			allConfirmed(t, openWith(t, s, forward.Options{}).Publish(t.Context(), batchOf(events(3, 1)...)))
		})
	}
}

// kafkas:// speaks TLS and believes in no certificate that the system does not.
func TestKafkaTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	c := newCluster(t, 1, 1, kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	s := c.settings()
	s.URL = literal("kafkas://gate:opensesame@" + c.gates[0].at)
	wantTroubleWith(t, openWith(t, s, forward.Options{}).Publish(t.Context(), batchOf(event(1, "a"))), "x509")
}

// A broker hangs up over one large event. The others have passed by then, and the event is under suspicion, so that the
// engine can tell it from a destination that is down.
func TestKafkaHangsUpOverLargeEvent(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if len(sent(r)) < 1<<20 {
			return nil, nil, false
		}
		if tries++; tries == 2 { // the client would go on for as long as the call lasts
			cancel()
		}
		return nil, errors.New("too much"), true
	})
	s := c.settings()
	s.Timeout = time.Hour
	all := events(6, 3)
	all[1].Data = noise(2 << 20)
	errs := openWith(t, s, forward.Options{}).Publish(ctx, batchOf(all...))
	var trouble *forward.Trouble
	if !errors.As(errs[1], &trouble) || !trouble.Suspect || !errors.Is(errs[4], forward.ErrHeld) {
		t.Errorf("%v, %v", errs[1], errs[4])
	}
	for _, i := range []int{0, 2, 3, 5} {
		if errs[i] != nil {
			t.Errorf("%d: %v", i, errs[i])
		}
	}
}

// Close ends a call that is under way, and none begins after it.
func TestKafkaClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, 1)
	asked := make(chan struct{}, 1)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		asked <- struct{}{}
		return nil, nil, true // no answer
	})
	s := c.settings()
	s.Timeout = time.Hour
	d := openWith(t, s, forward.Options{})
	done := make(chan []error, 1)
	go func() { done <- d.Publish(t.Context(), batchOf(events(2, 1)...)) }()
	<-asked
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if errs := <-done; !isTrouble(errs[0]) || errs[1] == nil {
		t.Errorf("%v", errs)
	}
	if errs := d.Publish(t.Context(), batchOf(event(1, "a"))); !isTrouble(errs[0]) {
		t.Errorf("%v", errs)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
