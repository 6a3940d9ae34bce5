package forward

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"

	"github.com/hookgate/hookgate"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	rabbitBatch = 256 // messages at once without a confirm: our default

	// rabbitLarge is the payload size in bytes from which an event travels alone, our own bound. The broker's limit is not
	// told to clients (max_message_size, 16 MiB in RabbitMQ 4 and 128 MiB in 3): what is larger ends the channel, and what is
	// unconfirmed beside it then has to be sent again.
	rabbitLarge = 1 << 20

	rabbitShort = 255 // bytes in a name, a routing key or a property: AMQP's own limit
)

// rabbitMQ publishes the envelope as a persistent, mandatory message and takes the broker's confirm, which a quorum queue
// gives once most of its members have it. A message that reached no queue is confirmed all the same; the broker sends it back
// first, and that counts.
//
// A batch holds one entry of a key. What is sent back or refused in the middle of a batch does not stop the broker from
// taking what follows, so that a later one of the same key could stand in the queue before an earlier one. The price is that
// one key alone gets no more than one event for each round of confirms.
//
// The broker knows no ids. What was sent and not confirmed before the connection ended is sent again, and may be a double.
type rabbitMQ struct {
	target   rabbitTarget
	exchange string
	key      *template
	sign     Sign

	mu     sync.Mutex // one Publish at a time; Close waits for it
	link   *rabbitLink
	closed bool
	buf    []byte
	sent   []rabbitSent // by place in the part of a batch that is under way
}

// rabbitSent is what is known of an entry that was tried.
type rabbitSent struct {
	confirm *amqp.DeferredConfirmation // nil where nothing was sent, or nothing was heard of it
	size    int                        // of the message, in bytes
}

func checkRabbitMQ(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if len(s.URL.Reveal()) == 0 {
		missing(ps, "url", "such as amqp://127.0.0.1:5672/")
	} else if _, err := rabbitURL(s); err != nil {
		ps.Add("url", "write amqp://[user:password@]host:port/vhost, or amqps:// for TLS", "%s", err)
	}
	if len(s.Exchange) > rabbitShort {
		ps.Add("exchange", "", "must not be longer than %d bytes", rabbitShort)
	}
	key, err := parseTemplate(s.RoutingKey)
	switch {
	case s.RoutingKey == "" && s.Exchange == "":
		missing(ps, "routing_key", "at the default exchange it is the name of a queue")
	case err != nil:
		ps.Add("routing_key", "the placeholders are {provider}, {source}, {type}, {entitytype} and {action}", "%s", err)
	case len(key.literals()) > rabbitShort:
		ps.Add("routing_key", "", "must not be longer than %d bytes", rabbitShort)
	}
}

// rabbitURL reads the URL. What is wrong with it is told without its text, which may hold a password.
func rabbitURL(s hookgate.DestinationSettings) (*url.URL, error) {
	text := string(s.URL.Reveal())
	if !strings.HasPrefix(text, "amqp://") && !strings.HasPrefix(text, "amqps://") {
		return nil, errors.New("is not an amqp:// or amqps:// URL")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is not a URL; in a user or password every sign but letters and digits is percent-encoded")
	}
	if u.Hostname() == "" {
		return nil, errors.New("names no host")
	}
	if _, err := amqp.ParseURI(text); err != nil {
		return nil, errors.New("is not a URL that the RabbitMQ client understands")
	}
	return u, nil
}

func openRabbitMQ(s hookgate.DestinationSettings, o Options) (Destination, error) {
	u, err := rabbitURL(s)
	if err != nil {
		return nil, err
	}
	key, err := parseTemplate(s.RoutingKey)
	if err != nil {
		return nil, err
	}
	password, _ := u.User.Password()
	return &rabbitMQ{
		target:   rabbitTarget{url: string(s.URL.Reveal()), password: password, name: s.Name},
		exchange: s.Exchange, key: key, sign: o.Sign, sent: make([]rabbitSent, rabbitBatch),
	}, nil
}

// Publish sends the batch in parts that can share the channel. Trouble ends the batch: nothing that follows is sent.
func (r *rabbitMQ) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := make([]error, len(batch))
	for done := 0; done < len(batch); {
		n, err := 0, r.connect(ctx)
		if err == nil {
			n = r.together(batch[done:])
			err = r.send(ctx, batch[done:done+n], errs[done:done+n])
		}
		done += n
		if err != nil {
			for ; done < len(batch); done++ {
				errs[done] = err
			}
		}
	}
	return errs
}

// connect makes sure of a connection. One that ended while nothing was under way is nobody's trouble.
func (r *rabbitMQ) connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return rabbitTrouble("", "%w", err)
	}
	if r.closed {
		return rabbitTrouble("", "the destination is closed")
	}
	if r.link != nil && r.link.channel.IsClosed() {
		r.drop()
	}
	if r.link != nil {
		return nil
	}
	link, err := r.target.dial(ctx)
	if err != nil {
		return err
	}
	r.link = link
	return nil
}

// drop throws the connection away, so that a confirm which comes late cannot be taken for that of another message.
func (r *rabbitMQ) drop() {
	r.link.end()
	r.link = nil
}

// together is how many of the first entries are sent before waiting. A connection has to prove itself with one message:
// under an alarm the broker stops reading, and all that has gone into a connection that is given up then becomes a double
// when the alarm ends.
func (r *rabbitMQ) together(batch []hookgate.Entry) int {
	small := func(e hookgate.Entry) bool { return len(e.Event.Data) < rabbitLarge }
	if !r.link.proven || !small(batch[0]) {
		return 1
	}
	n := 1
	for n < len(batch) && n < rabbitBatch && small(batch[n]) {
		n++
	}
	return n
}

// send publishes the entries and waits for what the broker says to each of them. The error is that of the entries behind,
// when the batch ends here.
func (r *rabbitMQ) send(ctx context.Context, batch []hookgate.Entry, errs []error) error {
	link := r.link
	stop := context.AfterFunc(ctx, link.cut) // a broker that does not read would hold a write for ever
	clear(r.sent)
	for i, e := range batch {
		key := r.key.expand(e.Event)
		if len(key) > rabbitShort {
			errs[i] = &Refusal{Err: hookgate.Errorf(hookgate.TooLarge, "rabbitmq: a routing key of %d bytes, at most %d are possible", len(key), rabbitShort)}
			continue
		}
		m := r.message(e.Event)
		confirm, err := link.channel.PublishWithDeferredConfirmWithContext(ctx, r.exchange, key, true, false, m)
		if err != nil {
			break // the channel or the connection has ended, and link knows why
		}
		r.sent[i] = rabbitSent{confirm, len(m.Body)}
	}
	if cap(r.buf) > 2*batchBytes {
		r.buf = nil // one huge event must not keep its memory
	}
	r.wait(ctx)
	halt := r.judge(ctx, batch, errs)
	if !stop() && r.link != nil {
		r.drop() // it was cut, though everything was answered just in time
	}
	return halt
}

// wait ends when all that was sent is decided, which the end of the channel also does, or when ctx ends. What is open then
// stays open: its confirm could come at any moment, and what the broker sent back before it would be overlooked.
func (r *rabbitMQ) wait(ctx context.Context) {
	for i, s := range r.sent {
		if s.confirm == nil {
			continue
		}
		if _, err := s.confirm.WaitContext(ctx); err == nil {
			continue
		}
		select {
		case <-s.confirm.Done():
		default:
			r.sent[i].confirm = nil
		}
	}
}

// message is the event as a message. It stands in the buffer until the next one; by then the client has written it out.
func (r *rabbitMQ) message(e *hookgate.Event) amqp.Publishing {
	r.buf = e.AppendSigned(r.buf[:0], false, r.sign)
	m := amqp.Publishing{
		ContentType: structuredType, DeliveryMode: amqp.Persistent, MessageId: e.ID, Timestamp: e.Time, AppId: "hookgate", Body: r.buf,
	}
	if len(e.Type) <= rabbitShort { // a longer one stands in the envelope only
		m.Type = e.Type
	}
	return m
}

// Close ends the connection. It waits for a Publish that is under way, which the end of its context ends.
func (r *rabbitMQ) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.link != nil {
		r.link.close()
		r.link = nil
	}
	return nil
}
