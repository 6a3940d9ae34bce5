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
	client  *kgo.Client
	faults  *dialFaults
	spread  *spread
	located bool // the topic's partitions are known
	limit   int  // bytes of envelopes in one round
}

func (k *kafka) newProducer() (*producer, error) {
	p := &producer{faults: &dialFaults{}, spread: newSpread(k.topic), limit: kafkaRound}
	// The end of a call ends the client; these only must not be shorter, and the client has bounds of its own for them.
	answer := min(max(k.timeout, time.Second), 10*time.Minute)
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.url.brokers...), kgo.ClientID("hookgate"), kgo.WithHooks(p.faults), kgo.DisableClientMetrics(),
		kgo.DialTimeout(min(k.timeout/2, kafkaDial)), kgo.RequestTimeoutOverhead(answer), kgo.ProduceRequestTimeout(answer),
		kgo.RetryTimeout(answer), kgo.RequestRetries(1), kgo.RetryBackoffFn(kafkaPause), kgo.MetadataMinAge(kafkaRefresh),

		// Idempotent by default, and it must stay so. RecordDeliveryTimeout is left out: it counts from the record's
		// timestamp, and with the time of receipt there every event of a backlog would be too late before it was sent.
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.StopProducerOnDataLossDetected(),
		kgo.RecordRetries(kafkaRetries), kgo.UnknownTopicRetries(1), kgo.RecordPartitioner(p.spread),
		// Nothing goes before a whole round is buffered, so that one partition's part of it is one record batch, which a
		// broker takes or refuses as a whole.
		kgo.ManualFlushing(), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(kafkaRoundRecords + 1), kgo.ProducerBatchMaxBytes(maxKafkaEvent + 1<<20),
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

// locate finds the topic's partitions out. Records that come before that the client keeps aside and lets go one by one,
// some of them perhaps before the others fail. So it is asked with one that never goes: spread refuses it.
func (k *kafka) locate(ctx context.Context, p *producer) error {
	if err := ctx.Err(); err != nil || p.located {
		return err
	}
	answered := make(chan error, 1)
	p.spread.count.Store(0)
	p.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: k.topic}, func(_ *kgo.Record, err error) { answered <- err })
	select {
	case err := <-answered:
		if p.located = p.spread.count.Load() > 0; p.located {
			return nil
		}
		return err
	case <-ctx.Done():
		return because(errNoAnswer, p.faults.err())
	}
}

// dialFaults remembers why no broker could be connected to, for the message of a call that ran out of time over it.
type dialFaults struct {
	mu   sync.Mutex
	last error
}

// OnBrokerConnect is called after every attempt to connect and log in.
func (f *dialFaults) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = err
}

func (f *dialFaults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
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

// Partition gives -1, with which the client fails the record, once the number has changed, and where there is no key.
func (s *spread) Partition(r *kgo.Record, n int) int {
	if !s.count.CompareAndSwap(0, int64(n)) && s.count.Load() != int64(n) || r.Key == nil {
		return -1
	}
	return s.TopicPartitioner.Partition(r, n)
}
