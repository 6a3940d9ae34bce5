package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of what is sent at once, our defaults.
const (
	kafkaRound        = 900 << 10 // bytes of envelopes in one round: a record batch stays below what a topic takes by default
	kafkaRoundRecords = 256
	maxKafkaEvent     = 64 << 20 // bytes of one envelope: a request must stay below a broker's socket.request.max.bytes, 100 MiB
)

// kafka produces to one topic. A record's key is the partition key, its value the envelope, its timestamp when the event
// was received, from which a topic's retention by age counts. All in-sync replicas confirm it. What one client sends twice
// is stored once; what two clients send, the second after a restart or a time-out, is a repeat with the same ce_id.
type kafka struct {
	url     kafkaURL
	topic   string
	timeout time.Duration
	sign    Sign

	mu      sync.Mutex // guards the two below: Close may come from another goroutine
	current *producer
	closed  bool

	buf []byte // the envelopes of a batch, used again and again: one Publish runs at a time
}

func openKafka(s hookgate.DestinationSettings, o Options) (Destination, error) {
	u, err := parseKafkaURL(string(s.URL.Reveal()))
	if err != nil {
		return nil, err
	}
	return &kafka{url: u, topic: s.Topic, timeout: s.Timeout, sign: o.Sign}, nil
}

// Publish sends the batch in rounds, one after the other. A key is always in one partition, and a round's part of one
// partition is one record batch, which is stored as a whole or not at all. So no later entry of a key passes an earlier one.
// When ctx ends before all answers are there, the client is thrown away: a record that may be stored cannot be taken back.
func (k *kafka) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	p, err := k.producer()
	if err != nil {
		return allTrouble(len(batch), k.trouble(err))
	}
	if err := k.locate(ctx, p); err != nil {
		k.discard(p)
		return allTrouble(len(batch), k.trouble(err))
	}
	t := k.newTurn(batch)
	rounds := t.rounds(p.limit)
	for len(rounds) > 0 {
		next := t.free(rounds[0])
		rounds = rounds[1:]
		if len(next) == 0 {
			continue
		}
		refused, trouble := k.send(ctx, p, t, next)
		if trouble != nil {
			k.discard(p)
			k.buf = nil // the client may still be reading it
			for _, left := range append(rounds, refused) {
				t.fail(left, trouble)
			}
			break
		}
		if len(refused) > 0 { // one of them is the cause, or they are too large together
			half := len(refused) / 2
			rounds = slices.Insert(rounds, 0, refused[:half], refused[half:])
		}
	}
	if cap(k.buf) > 2*batchBytes {
		k.buf = nil // one huge event must not keep its memory
	}
	return t.errs
}

// send produces one round and notes its answers. It gives back the entries that were refused together and have to be sent
// in parts. After trouble, which is that of all entries that were not sent too, the client is of no use.
func (k *kafka) send(ctx context.Context, p *producer, t *turn, round []int) (refused []int, trouble *Trouble) {
	answers := k.produce(ctx, p, t, round)
	var reason error
	for n, i := range round {
		switch err := answers[n]; {
		case err == nil:
		case unfit(err):
			refused, reason = append(refused, i), err
		default:
			if trouble == nil {
				trouble = k.trouble(err)
			}
			// One that is so large that it goes alone may be why the broker hangs up.
			suspect := errors.Is(err, errNoAnswer) && len(round) == 1 && len(t.values[i]) > p.limit
			t.errs[i] = &Trouble{Err: trouble.Err, Suspect: suspect}
		}
	}
	if trouble != nil {
		return refused, trouble
	}
	size := t.size(refused)
	switch {
	case len(refused) == 1:
		t.refuse(refused[0], k.refusal(reason, size))
		return nil, nil
	case tooLarge(reason):
		p.limit = min(p.limit, size/2)
	}
	return refused, nil
}

// errNoAnswer is the error of a record whose fate is unknown.
var errNoAnswer = errors.New("no answer in time")

// produce sends one round and waits for all of its answers. Where ctx ends first, the client is ended and answers for those
// records that it never sent or never heard of.
func (k *kafka) produce(ctx context.Context, p *producer, t *turn, round []int) []error {
	p.spread.count.Store(0)
	records, contentType := make([]kgo.Record, len(round)), []byte(structuredType)
	a := &answers{errs: slices.Repeat([]error{errNoAnswer}, len(round))}
	for n, i := range round {
		e := t.batch[i].Event
		records[n] = kgo.Record{
			Topic: k.topic, Key: []byte(e.PartitionKey), Value: t.values[i], Timestamp: e.Received,
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: contentType}, {Key: "ce_id", Value: []byte(e.ID)}},
		}
		// The context of a record ends only what was not sent yet, and not even that at once. The client's end ends all.
		p.client.Produce(context.WithoutCancel(ctx), &records[n], func(_ *kgo.Record, err error) { a.set(n, err) })
	}
	late := p.client.Flush(ctx)
	why := p.faults.err()
	if late != nil {
		k.discard(p)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), kafkaClose)
		defer cancel()
		_ = p.client.Flush(last) // every record has its answer then
	}
	errs := a.all()
	for n, err := range errs {
		switch {
		case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, errNoAnswer):
			errs[n] = because(errNoAnswer, why)
		case errors.Is(err, kgo.ErrRecordRetries):
			errs[n] = because(err, why)
		}
	}
	return errs
}

// because adds the cause, where one is known.
func because(err, why error) error {
	if why == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}

// answers collects what the client says of each record of a round. After a client's end it may say so late.
type answers struct {
	mu   sync.Mutex
	errs []error
}

func (a *answers) set(n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.errs[n] = err
}

func (a *answers) all() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.errs)
}
