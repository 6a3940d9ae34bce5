package forward

import (
	"context"
	"errors"
	"strings"

	"github.com/hookgate/hookgate"
	amqp "github.com/rabbitmq/amqp091-go"
)

// judge sorts the answers: confirmed, sent back, refused by the queue, or none.
func (r *rabbitMQ) judge(ctx context.Context, batch []hookgate.Entry, errs []error) error {
	var halt error
	lost := make([]int, 0, len(batch))
	returned := r.link.returned()
	for i, e := range batch {
		confirm := r.sent[i].confirm
		switch {
		case errs[i] != nil:
		case confirm == nil:
			lost = append(lost, i)
		case confirm.Acked() && !returned[e.Event.ID]: // two of one id are both taken for sent back
		case confirm.Acked():
			errs[i] = r.unroutable(e.Event)
		case r.link.channel.IsClosed(): // the client decides against all that is open then
			lost = append(lost, i)
		default:
			errs[i] = r.refused(e.Event)
		}
		var trouble *Trouble
		if errors.As(errs[i], &trouble) {
			halt = trouble
		}
	}
	if len(lost) > 0 {
		halt = r.explain(ctx, errs, lost)
		r.drop()
		return halt
	}
	r.link.proven = halt == nil
	return halt
}

// explain says why there was no answer to the lost ones. A message that is too large ends the channel, and which one it
// was the broker does not say; as size is all that counts there, the largest is refused and the others are sent again.
func (r *rabbitMQ) explain(ctx context.Context, errs []error, lost []int) (halt error) {
	cause := r.link.cause(ctx)
	var closed *amqp.Error
	if errors.As(cause, &closed) && closed.Code == amqp.PreconditionFailed && strings.Contains(closed.Reason, "size") {
		largest := lost[0]
		for _, i := range lost {
			if r.sent[i].size > r.sent[largest].size {
				largest = i
			}
		}
		e := hookgate.Errorf(hookgate.TooLarge, "rabbitmq: %s", r.target.quoted(closed.Reason))
		e.Hint = "the broker's max_message_size is the limit"
		errs[largest] = &Refusal{Err: e}
		if len(lost) == 1 {
			return nil // the batch goes on, through a new connection
		}
		halt = ErrHeld
	} else {
		halt = r.target.trouble(cause, rabbitPublishHints)
	}
	for _, i := range lost {
		if errs[i] == nil {
			errs[i] = halt
		}
	}
	return halt
}

// unroutable is the error of a message that reached no queue. Under a fixed routing key no other would fare better; where
// the key has placeholders, it is this event's own.
func (r *rabbitMQ) unroutable(e *hookgate.Event) error {
	key := r.key.expand(e)
	if r.exchange == "" {
		return r.ofRoute("declare it, or correct routing_key", "there is no queue %q", key)
	}
	return r.ofRoute("bind a queue to the exchange for it", "no queue takes the routing key %q at the exchange %q", key, r.exchange)
}

// refused is the error of a nack: a queue could not take the message, above all because it is full and set to refuse.
func (r *rabbitMQ) refused(e *hookgate.Event) error {
	return r.ofRoute("is it full?", "a queue refused the message with the routing key %q", r.key.expand(e))
}

func (r *rabbitMQ) ofRoute(hint, format string, args ...any) error {
	t := rabbitTrouble(hint, format, args...)
	if r.key.fixed() {
		return t
	}
	return &Refusal{Err: t.Err}
}

// What an operator can do about the reply codes of the broker, while connecting and while publishing.
var (
	rabbitDialHints = map[int]string{
		amqp.AccessRefused: "check user and password in url",
		amqp.NotAllowed:    "check the vhost at the end of url, and the user's permissions there",
	}
	rabbitPublishHints = map[int]string{
		amqp.AccessRefused: "the user in url needs the permission to write there",
		amqp.NotFound:      "declare it, or correct exchange",
	}
)

// trouble is what a cause means for the whole destination.
func (t rabbitTarget) trouble(cause error, hints map[int]string) *Trouble {
	var closed *amqp.Error
	switch {
	case errors.Is(cause, errRabbitBlocked):
		return rabbitTrouble("free memory or disk space there", "%s", cause)
	case errors.Is(cause, amqp.ErrCredentials): // the client's guess: the broker does not say why it hangs up there
		return rabbitTrouble(hints[amqp.AccessRefused], "the broker hung up on the credentials")
	case errors.As(cause, &closed) && closed.Server:
		return rabbitTrouble(hints[closed.Code], "%d %s", closed.Code, t.quoted(closed.Reason))
	case errors.As(cause, &closed): // the client's own words for a socket that failed
		return rabbitTrouble("", "%s: %s", errRabbitGone, t.quoted(closed.Reason))
	}
	return rabbitTrouble("", "%s", t.quoted(cause.Error()))
}

// quoted is a text without the password of the URL.
func (t rabbitTarget) quoted(text string) string { return without(t.password, text) }

// rabbitTrouble is a failure of the whole destination.
func rabbitTrouble(hint, format string, args ...any) *Trouble {
	e := hookgate.Errorf(hookgate.Unavailable, "rabbitmq: "+format, args...)
	e.Hint = hint
	return &Trouble{Err: e}
}
