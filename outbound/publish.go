package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hookgate/hookgate"
)

// Bounds, all ours.
const (
	maxWaiting  = 100_000 // deliveries that have not ended
	maxType     = 256     // bytes of an event's type, which the store never forgets while it is in use
	maxPayload  = 1 << 20 // bytes of an event
	maxSize     = 4 << 20 // bytes of a batch's events
	maxAttempts = 1000    // of a delivery, ordered by hand ones among them
	maxBatch    = 1 << 16
)

// Publish completes the event, matches it with the active subscriptions and stores a delivery for each (or adds to its
// open batch). On return they are durable; ids are the deliveries', in the order in which the subscriptions were created.
// The error is a hookgate.Problems when something is wrong with the event, and ErrFull when too many deliveries wait; then
// nothing is stored.
func (s *Server) Publish(ctx context.Context, provider string, e Event) (ids []string, err error) {
	p, known := s.providers[provider]
	if !known {
		return nil, hookgate.Problems{{Field: "provider", Message: fmt.Sprintf("unknown provider %q", provider)}}
	}
	switch {
	case len(e.Payload) > maxPayload:
		return nil, hookgate.Problems{{Field: "payload", Message: fmt.Sprintf("it has %d bytes, and the limit is %d", len(e.Payload), maxPayload)}}
	case len(e.Payload) > 0 && !json.Valid(e.Payload):
		return nil, hookgate.Problems{{Field: "payload", Message: "it is not JSON"}}
	}
	now := s.now()
	if e.Time.IsZero() {
		e.Time = now
	}
	if p.complete != nil {
		if err := p.complete(&e, now); err != nil {
			return nil, err
		}
	}
	if len(e.Type) > maxType {
		return nil, hookgate.Problems{{Field: "type", Message: fmt.Sprintf("it has %d bytes, and the limit is %d", len(e.Type), maxType)}}
	}
	matched := s.matches(provider, p, &e)
	if len(matched) == 0 {
		return nil, nil
	}
	fresh := make([]uuid.UUID, len(matched))
	for i := range fresh {
		if fresh[i], err = uuid.NewRandom(); err != nil {
			return nil, err
		}
	}
	err = s.store.change(ctx, func(t *tx) error {
		ids = ids[:0]
		for i, key := range matched {
			sub := t.sub(key)
			if sub == nil || !sub.sub.Active { // changed since it was looked at
				continue
			}
			id, err := t.publish(key, fresh[i], provider, p, &e, now)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if n := t.waiting(); n > maxWaiting {
			return fmt.Errorf("%w: %d deliveries wait at most; make the receivers answer, or delete subscriptions that nobody needs", ErrFull, maxWaiting)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// matches lists the active subscriptions that want an event.
func (s *Server) matches(provider string, p provider, e *Event) (keys []int64) {
	s.store.mu.RLock()
	candidates := make([]*entry, 0, len(s.store.memory.order[provider]))
	for _, c := range s.store.memory.order[provider] {
		if c.sub.Active {
			candidates = append(candidates, c)
		}
	}
	s.store.mu.RUnlock()
	candidates = slices.DeleteFunc(candidates, func(c *entry) bool { return p.match != nil && !p.match(c.sub, e) })
	if p.among != nil {
		matched := make([]*Subscription, len(candidates))
		for i, c := range candidates {
			matched[i] = c.sub
		}
		kept := p.among(matched)
		candidates = slices.DeleteFunc(candidates, func(c *entry) bool { return !slices.Contains(kept, c.sub) })
	}
	for _, c := range candidates {
		keys = append(keys, c.key)
	}
	return keys
}

// publish stores an event for one subscription: as a delivery of its own, or in the open batch.
func (t *tx) publish(sub int64, fresh uuid.UUID, provider string, p provider, e *Event, now time.Time) (id string, err error) {
	if p.batch <= 1 {
		return fresh.String(), t.insert(sub, fresh, provider, e, Waiting, now, now)
	}
	r, err := t.gathering(sub)
	if err != nil {
		return "", err
	}
	if r != nil && r.size+len(e.Payload) > maxSize {
		if err := t.setState(r, Waiting, now, now, false); err != nil {
			return "", err
		}
		r = nil
	}
	if r == nil {
		return fresh.String(), t.insert(sub, fresh, provider, e, Gathering, now, now.Add(p.flush))
	}
	if err := t.addEvent(r.Seq, r.total, e); err != nil {
		return "", err
	}
	if _, err := t.exec("UPDATE deliveries SET total = total + 1, size = size + ?, updated = ? WHERE seq = ?", len(e.Payload), millis(now), r.Seq); err != nil {
		return "", err
	}
	if r.total+1 >= min(p.batch, maxBatch) {
		return r.ID, t.setState(r, Waiting, now, now, false)
	}
	return r.ID, nil
}

// Retry orders one more attempt of failed deliveries, now. Those that are not there, not failed, whose subscription is
// gone, or that have had most manual attempts already are skipped; most below 1 is no limit but that of 1000 attempts in
// all. While a subscription is inactive, its deliveries wait. ErrFull when too many deliveries wait; then none is ordered.
func (s *Server) Retry(ctx context.Context, ids []string, most int) (skipped []string, err error) {
	now := s.now()
	err = s.store.change(ctx, func(t *tx) error {
		skipped = nil
		for _, id := range ids {
			r, err := t.byID(id)
			if err != nil {
				return err
			}
			if r == nil || r.State != Failed || t.sub(r.sub) == nil || (most > 0 && r.Manual >= most) || r.Attempts >= maxAttempts {
				skipped = append(skipped, id)
				continue
			}
			if err := t.setState(r, Waiting, now, now, true); err != nil {
				return err
			}
		}
		if t.waiting() > maxWaiting {
			return fmt.Errorf("%w: %d deliveries wait at most; order fewer at once", ErrFull, maxWaiting)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return skipped, nil
}

func (t *tx) byID(id string) (*tracked, error) {
	raw := rawID(id)
	if raw == nil {
		return nil, nil
	}
	return t.one(`SELECT `+columns+` FROM deliveries WHERE id = ?`, raw)
}
