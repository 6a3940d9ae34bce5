package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How the client tries again by itself, our defaults. It repeats what a broker may have already under the same sequence
// number, which the broker recognises; a few times are enough, because the engine comes back anyway.
const (
	kafkaRetries    = 3
	kafkaBackoff    = 100 * time.Millisecond
	kafkaMaxBackoff = time.Second
	kafkaRefresh    = 250 * time.Millisecond // between two looks at who leads which partition
	kafkaDial       = 3 * time.Second        // so that a broker that is gone leaves time to ask the next
)

// kafkaClose bounds the wait for a client's end, which only closes connections: our default.
const kafkaClose = 2 * time.Second

// producer is one client with what it has learned. It is thrown away after every failure that is not about an event: then
// its sequence numbers, its connections and what it knows of the cluster may be worth nothing.
type producer struct {
	client *kgo.Client
	watch  *watch
	spread *spread
	limit  int // bytes of envelopes in one round
}

func (k *kafka) newProducer() (*producer, error) {
	p := &producer{watch: &watch{found: make(chan struct{})}, spread: newSpread(k.topic), limit: kafkaRound}
	// The end of a call ends the client; these only must not be shorter, and the client has bounds of its own for them.
	answer := min(max(k.timeout, time.Second), 10*time.Minute)
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.url.brokers...), kgo.ClientID("hookgate"), kgo.WithHooks(p.watch), kgo.DisableClientMetrics(),
		kgo.DialTimeout(min(k.timeout/2, kafkaDial)), kgo.RequestTimeoutOverhead(answer), kgo.ProduceRequestTimeout(answer),
		kgo.RetryTimeout(answer), kgo.RequestRetries(1), kgo.RetryBackoffFn(kafkaPause), kgo.MetadataMinAge(kafkaRefresh),

		// Idempotent by default, and it must stay so. RecordDeliveryTimeout is left out: it counts from the record's
		// timestamp, and with the time of receipt there every event of a backlog would be too late before it was sent.
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.StopProducerOnDataLossDetected(),
		kgo.RecordRetries(kafkaRetries), kgo.UnknownTopicRetries(1), kgo.RecordPartitioner(p.spread),
		// Nothing goes before a whole round is buffered, so that one partition's part of it is one record batch, which a
		// broker takes or refuses as a whole.
		kgo.ManualFlushing(), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(kafkaRoundRecords), kgo.ProducerBatchMaxBytes(maxKafkaEvent + 1<<20),
	}
	if k.url.tls {
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	if login := k.url.login(); login != nil {
		opts = append(opts, kgo.SASL(login))
	}
	var err error
	p.client, err = kgo.NewClient(opts...)
	return p, err
}

func kafkaPause(tries int) time.Duration {
	return min(kafkaBackoff<<min(max(tries-1, 0), 10), kafkaMaxBackoff)
}

// producer gives the client in use, or a new one. It connects with its first record.
func (k *kafka) producer() (*producer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errors.New("closed")
	}
	if k.current == nil {
		p, err := k.newProducer()
		if err != nil {
			return nil, err
		}
		k.current = p
	}
	return k.current, nil
}

// discard ends the client, if it is still the one in use. All that it holds is answered with an error then.
func (k *kafka) discard(p *producer) {
	k.mu.Lock()
	used := k.current == p
	if used {
		k.current = nil
	}
	k.mu.Unlock()
	if used {
		p.end()
	}
}

func (p *producer) end() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.client.Close()
	}()
	late := time.NewTimer(kafkaClose)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
}

// Close ends the client. A call of Publish that is under way ends too.
func (k *kafka) Close() error {
	k.mu.Lock()
	k.closed = true
	p := k.current
	k.mu.Unlock()
	if p != nil {
		k.discard(p)
	}
	return nil
}

// watch sees what the client does by itself.
type watch struct {
	once  sync.Once
	found chan struct{} // closed once the topic's partitions are known

	mu   sync.Mutex
	last error
}

// OnProduceRecordPartitioned is called when a record has got its partition, before it is sent.
func (w *watch) OnProduceRecordPartitioned(*kgo.Record, int32) {
	w.once.Do(func() { close(w.found) })
}

// located waits until the partitions are known, or the record that asks for them has failed.
func (w *watch) located(ctx context.Context, failed <-chan struct{}) bool {
	select {
	case <-w.found:
		return true
	default:
	}
	select {
	case <-w.found:
		return true
	case <-failed:
		return false
	case <-ctx.Done():
		return false
	}
}

// OnBrokerConnect is called after every attempt to connect and log in.
func (w *watch) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
}

// err is why the last attempt to connect failed, for the message of a call that ran out of time over it.
func (w *watch) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// spread chooses the partition from the key's hash, as Kafka's own client does. Within one round it holds on to the number
// of partitions: if that changed half-way, one key would be in two partitions, and the later part might arrive alone.
type spread struct {
	kgo.TopicPartitioner
	count atomic.Int64 // 0 before the first record of a round
}

func newSpread(topic string) *spread {
	return &spread{TopicPartitioner: kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

// ForTopic gives itself: there is one topic.
func (s *spread) ForTopic(string) kgo.TopicPartitioner { return s }

// Partition gives -1, with which the client fails the record, once the number has changed.
func (s *spread) Partition(r *kgo.Record, n int) int {
	if !s.count.CompareAndSwap(0, int64(n)) && s.count.Load() != int64(n) {
		return -1
	}
	return s.TopicPartitioner.Partition(r, n)
}
