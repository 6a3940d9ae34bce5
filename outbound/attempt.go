package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

var (
	// errGone ends an attempt whose delivery has changed since it was picked: deleted, or done already.
	errGone = errors.New("outbound: the delivery waits no longer")
	// errHeld ends an attempt whose subscription has become inactive.
	errHeld = errors.New("outbound: the subscription is inactive")
	// errInterrupted is the error of an attempt whose end nobody saw.
	errInterrupted = errors.New("interrupted by a stop")
)

// attempt makes the next attempt of a delivery: prepare, record that it begins, send, record what came of it. Between the
// two records a crash leaves an attempt that counts as made. release is called when the request is no longer under way.
func (s *Server) attempt(ctx, requests context.Context, it item, release func()) error {
	r, err := s.store.load(ctx, it.seq)
	if err != nil {
		return err
	}
	e := s.store.entry(it.sub)
	switch {
	case r == nil || e == nil || millis(r.NextAt) != it.at || !r.running.IsZero():
		return errGone
	case !e.sub.Active:
		return errHeld
	case r.State == Gathering:
		return s.closeBatch(ctx, r)
	case r.State != Waiting:
		return errGone
	}
	p, sub, now := s.providers[r.Provider], e.sub.clone(), s.now()
	a := &Attempt{Number: r.Attempts + 1, At: now, Manual: r.ordered}
	call, failure := s.prepare(p, sub, r, a.Number, now)
	if err := s.begin(ctx, r, a, call); err != nil {
		return err
	}
	if failure != nil {
		a.Error = cutText("the request could not be made: " + failure.Error())
	} else {
		s.exchange(requests, p, sub, call, a)
	}
	release()
	for { // the request has been made: what came of it must not be lost
		err := s.settle(context.WithoutCancel(ctx), r, a, s.now())
		if err == nil || errors.Is(err, errGone) || errors.Is(err, errClosed) {
			return nil
		}
		s.note("an attempt's outcome is held up by the store", map[string]string{"delivery": r.ID, "error": err.Error()})
		select {
		case <-s.clock.After(troubled):
		case <-ctx.Done(): // it stays an attempt without an outcome, for the next start
			return nil
		}
	}
}

// closeBatch ends the gathering of a batch whose time has come.
func (s *Server) closeBatch(ctx context.Context, r *tracked) error {
	now := s.now()
	return s.store.change(ctx, func(t *tx) error {
		current, err := t.delivery(r.Seq)
		if err != nil {
			return err
		}
		if current == nil || current.State != Gathering {
			return errGone
		}
		return t.setState(current, Waiting, now, now, false)
	})
}

// begin records that an attempt begins, which it then does.
func (s *Server) begin(ctx context.Context, r *tracked, a *Attempt, call *call) error {
	return s.store.change(ctx, func(t *tx) error {
		current, err := t.delivery(r.Seq)
		if err != nil {
			return err
		}
		e := t.sub(r.sub)
		switch {
		case current == nil || e == nil || current.State != Waiting || !current.running.IsZero() || current.Attempts != r.Attempts:
			return errGone
		case !e.sub.Active:
			return errHeld
		}
		if r.FirstAttempt.IsZero() {
			r.FirstAttempt = a.At
		}
		var freeze http.Header
		if call != nil {
			freeze = call.freeze
		}
		r.Frozen = freeze
		_, err = t.exec("UPDATE deliveries SET attempts = ?, manual = manual + ?, running = ?, first = ?, frozen = coalesce(?, frozen) WHERE seq = ?",
			a.Number, a.Manual, millis(a.At), millis(r.FirstAttempt), frozenText(freeze), r.Seq)
		return err
	})
}

// settle records what came of an attempt, changes the subscription by it and plans the next one, counted from now. The
// provider does not observe an attempt that was interrupted, which tells nothing of the receiver.
func (s *Server) settle(ctx context.Context, r *tracked, a *Attempt, now time.Time) error {
	p := s.providers[r.Provider]
	disabled, mistake := false, error(nil)
	err := s.store.change(ctx, func(t *tx) error {
		disabled = false
		current, err := t.delivery(r.Seq)
		if err != nil {
			return err
		}
		e := t.sub(r.sub)
		if current == nil || e == nil || current.running.IsZero() || current.Attempts != a.Number {
			return errGone
		}
		d := r.Delivery // with its events and names
		d.Attempts, d.Manual, d.Frozen = current.Attempts, current.Manual, current.Frozen
		d.LastStatus, d.LastError, d.Updated, d.NextAt = a.Status, a.Error, s.now(), time.Time{}
		sub := e.sub.clone()
		ended := true
		seen := a.Error != errInterrupted.Error()
		switch wait, again := nextWait(p, sub, a); {
		case a.Error == "":
			d.State = Delivered
			sub.LastSuccess = now
		case again:
			d.State, d.NextAt, ended = Waiting, now.Add(wait), false
		default:
			d.State = Failed
			sub.Failures++
		}
		if a.Error != "" && (seen || ended) {
			sub.LastFailure = now
		}
		var keep time.Duration
		mistake = guardedError(func() error { // which must not cost the record of the attempt
			if p.observe != nil && seen {
				observed, delivery, attempt := sub.clone(), d, *a
				p.observe(observed, &delivery, &attempt, ended)
				observed.Provider, observed.ID = sub.Provider, sub.ID
				sub = observed
			}
			if p.keep != nil && ended {
				keep = max(0, p.keep(sub, d.State))
			}
			return nil
		})
		disabled = e.sub.Active && !sub.Active
		t.job.setSub(&entry{key: e.key, place: e.place, sub: sub})
		return t.finish(current, &d, a, ended, keep)
	})
	about := map[string]string{"provider": r.Provider, "subscription": r.Subscription}
	if err == nil && mistake != nil {
		about["error"] = mistake.Error()
		s.note("an attempt could not be observed", about)
	}
	if err == nil && disabled {
		about["error"] = a.Error
		s.note("a subscription was disabled", about)
	}
	return err
}

// finish writes an attempt's outcome.
func (t *tx) finish(r *tracked, d *Delivery, a *Attempt, ended bool, keep time.Duration) error {
	if _, err := t.exec("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)",
		part(r.Seq, a.Number), millis(a.At), a.Took.Microseconds(), a.Status, a.Manual, a.Error, a.Response); err != nil {
		return err
	}
	if !ended {
		t.job.items = append(t.job.items, item{seq: r.Seq, at: millis(d.NextAt), sub: r.sub})
		_, err := t.exec("UPDATE deliveries SET running = 0, ordered = 0, status = ?, error = ?, updated = ?, next_at = ? WHERE seq = ?",
			a.Status, a.Error, millis(d.Updated), millis(d.NextAt), r.Seq)
		return err
	}
	t.moved(r, d.State)
	_, err := t.exec("UPDATE deliveries SET state = ?, running = 0, ordered = 0, status = ?, error = ?, updated = ?, next_at = 0, ended = ?, keep = ? WHERE seq = ?",
		stateNumber(d.State), a.Status, a.Error, millis(d.Updated), millis(d.Updated), keep.Milliseconds(), r.Seq)
	return err
}

// nextWait is the wait before the attempt after a; again is false when there is none. An attempt that was ordered by hand
// never starts the schedule again.
func nextWait(p provider, sub *Subscription, a *Attempt) (wait time.Duration, again bool) {
	waits := p.retries
	if sub.Retries != nil {
		waits = sub.Retries
	}
	if a.Manual || a.Number > len(waits) || a.Number >= maxAttempts {
		return 0, false
	}
	return waits[a.Number-1], true
}

// succeeds is the success rule of a subscription.
func succeeds(p provider, sub *Subscription, status int) bool {
	switch sub.Success {
	case "200":
		return status == http.StatusOK
	case "2xx":
		return status >= 200 && status < 300
	case "<300":
		return status < 300
	}
	if p.success != nil {
		return p.success(status)
	}
	return status >= 200 && status < 300
}

// cutText bounds an error's text, and leaves whole characters.
func cutText(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xc0 == 0x80 {
		cut--
	}
	return text[:cut] + "…"
}

// guardedError turns a panic of a provider's function into an error.
func guardedError(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal mistake: %v", r)
		}
	}()
	return do()
}
