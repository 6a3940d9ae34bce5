package outbound

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// maxSubscriptions is how many are kept at most: our bound, since all of them are in memory.
const maxSubscriptions = 10_000

// clone makes a copy that shares nothing.
func (s *Subscription) clone() *Subscription {
	c := *s
	c.Events = slices.Clone(s.Events)
	c.Headers = maps.Clone(s.Headers)
	c.Settings = slices.Clone(s.Settings)
	c.Retries = slices.Clone(s.Retries)
	c.Auth = slices.Clone(s.Auth)
	for i := range c.Auth {
		a := &c.Auth[i]
		a.Keys = slices.Clone(a.Keys)
		if a.OAuth != nil {
			o := *a.OAuth
			a.OAuth = &o
		}
	}
	return &c
}

// Create stores a new subscription; its Provider and ID are set, and Created and Updated are now where they are zero.
// ErrConflict if the id is taken, ErrFull beyond 10,000.
func (s *Server) Create(ctx context.Context, sub *Subscription) error {
	if _, known := s.providers[sub.Provider]; !known || sub.ID == "" {
		return fmt.Errorf("outbound: a subscription needs a known provider and an id; it has %q and %q", sub.Provider, sub.ID)
	}
	now := s.now()
	if sub.Created.IsZero() {
		sub.Created = now
	}
	if sub.Updated.IsZero() {
		sub.Updated = sub.Created
	}
	kept := sub.clone()
	return s.store.change(ctx, func(t *tx) error {
		key := t.key(word{kept.Provider, subscriptionWord, kept.ID})
		if t.sub(key) != nil {
			return ErrConflict
		}
		if t.subscriptions() >= maxSubscriptions {
			return fmt.Errorf("%w: it keeps %d subscriptions at most; delete some", ErrFull, maxSubscriptions)
		}
		t.st.lastPlace++
		t.job.setSub(&entry{key: key, place: t.st.lastPlace, sub: kept})
		return nil
	})
}

// Get is ErrNotFound when there is none.
func (s *Server) Get(_ context.Context, provider, id string) (*Subscription, error) {
	e := s.store.find(provider, id)
	if e == nil {
		return nil, ErrNotFound
	}
	return e.sub.clone(), nil
}

// List is in order of creation; next is "" on the last page. ErrNotFound when the subscription that p.After names is gone.
func (s *Server) List(_ context.Context, provider string, p Page) (subs []*Subscription, next string, err error) {
	limit := bounded(p.Limit)
	st := s.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	order := st.memory.order[provider]
	from := 0
	if p.After != "" {
		e := st.memory.subs[st.memory.words[word{provider, subscriptionWord, p.After}]]
		if e == nil {
			return nil, "", fmt.Errorf("%w: the subscription %q, after which the page begins", ErrNotFound, p.After)
		}
		from = position(order, e.place) + 1
	}
	page := order[from:min(len(order), from+limit)]
	for _, e := range page {
		subs = append(subs, e.sub.clone())
	}
	if from+len(page) < len(order) {
		next = page[len(page)-1].sub.ID
	}
	return subs, next, nil
}

// all gives every subscription of a provider, in order of creation and as of one moment; there are 10,000 at most.
func (s *Server) all(provider string) []*Subscription {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	order := s.store.memory.order[provider]
	subs := make([]*Subscription, len(order))
	for i, e := range order {
		subs[i] = e.sub.clone()
	}
	return subs
}

// bounded is a page's limit.
func bounded(limit int) int {
	if limit <= 0 {
		return 100
	}
	return min(limit, 1000)
}

// Update changes a subscription atomically; an error of change leaves it as it was and is returned. change must be quick,
// must not keep the subscription and may look at the others but change none; provider, id and time of creation stay as they are.
// ErrNotFound when there is none.
func (s *Server) Update(ctx context.Context, provider, id string, change func(*Subscription) error) (*Subscription, error) {
	now := s.now()
	var changed *Subscription
	err := s.store.change(ctx, func(t *tx) error {
		key, ok := t.lookup(word{provider, subscriptionWord, id})
		if !ok || t.sub(key) == nil {
			return ErrNotFound
		}
		old := t.sub(key)
		sub := old.sub.clone()
		if err := change(sub); err != nil {
			return err
		}
		sub.Provider, sub.ID, sub.Created, sub.Updated = old.sub.Provider, old.sub.ID, old.sub.Created, now
		t.job.setSub(&entry{key: key, place: old.place, sub: sub})
		changed = sub
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changed.clone(), nil
}

// Delete removes a subscription and its deliveries that still wait; a request under way is not called back, and leaves no
// trace. What has ended stays in the log. ErrNotFound when there is none.
func (s *Server) Delete(ctx context.Context, provider, id string) error {
	for {
		rest := false
		err := s.store.change(ctx, func(t *tx) error {
			key, ok := t.lookup(word{provider, subscriptionWord, id})
			if !ok || t.sub(key) == nil {
				return ErrNotFound
			}
			removed := 0
			for _, state := range openStates() {
				n, err := t.remove("SELECT seq, subscription, event, state FROM deliveries INDEXED BY by_subscription WHERE subscription = ? AND state = ? LIMIT ?",
					key, stateNumber(state), chunk-removed)
				if err != nil {
					return err
				}
				removed += n
			}
			e := t.sub(key)
			if rest = removed == chunk; rest { // the others in the next transaction, and no new ones meanwhile
				sub := e.sub.clone()
				sub.Active = false
				t.job.setSub(&entry{key: key, place: e.place, sub: sub})
				return nil
			}
			t.job.setSub(&entry{key: key, place: e.place})
			return nil
		})
		if err != nil || !rest {
			return err
		}
	}
}
