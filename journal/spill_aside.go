package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// asideEvery is how often requests that were set aside are offered again.
const asideEvery = 10 * time.Minute

// aside are requests that the primary refuses for so long, although it takes others, that all that comes after them would
// wait for ever. They stay in the local file as parked deliveries, which retention spares, and lose their place in the order
// of their keys. Only the drain of the events uses it.
type aside struct {
	s    *Spill
	seqs []int64 // all their rows; under s.mu
	next time.Time
}

func newAside(s *Spill, parked []hookgate.Parked) *aside {
	a := &aside{s: s}
	for _, p := range parked {
		a.seqs = append(a.seqs, p.Seq)
	}
	return a
}

// hopeless reports whether something that is refused since then should stand aside: others have got in since, and nothing
// else is wrong with the primary.
func (s *Spill) hopeless(since time.Time) bool {
	s.mu.Lock()
	taken := s.takenAt
	s.mu.Unlock()
	return time.Since(since) >= s.t.aside && taken.After(since) && (*s.prime.Load()).Ready() == nil
}

// put sets a request aside; false where the local file cannot remember that.
func (a *aside) put(ctx context.Context, d *delivery, cause error) bool {
	var step hookgate.Step
	for i, e := range d.events {
		step.Park = append(step.Park, hookgate.Parked{Seq: d.first + int64(i), Key: e.PartitionKey, Attempts: 1, Error: cause.Error()})
	}
	if a.s.local.Record(ctx, spillEvents, step) != nil {
		return false
	}
	a.s.mu.Lock()
	for _, p := range step.Park {
		a.seqs = append(a.seqs, p.Seq)
	}
	a.s.mu.Unlock()
	a.s.o.Warn(fmt.Sprintf("the journal refuses request %q, though it takes others; it stays in the spill and is offered again every %s: %v", d.req.ID, asideEvery, cause))
	return true
}

// retry offers all of them again when it is time. It ends with the first that finds the primary away: each would take its
// time, and everything else would wait.
func (a *aside) retry(ctx context.Context) {
	a.s.mu.Lock()
	slices.Sort(a.seqs)
	seqs := a.seqs
	a.s.mu.Unlock()
	if len(seqs) == 0 || time.Now().Before(a.next) || a.s.unready() != nil {
		return
	}
	a.next = time.Now().Add(asideEvery)
	var left []int64
	for len(seqs) > 0 && a.s.unready() == nil {
		last, ok := a.offer(ctx, seqs[0])
		n := 1
		for n < len(seqs) && seqs[n] <= last {
			n++
		}
		if !ok {
			left = append(left, seqs[:n]...)
		}
		seqs = seqs[n:]
	}
	a.s.mu.Lock()
	a.seqs = append(left, seqs...)
	a.s.mu.Unlock()
}

// offer gives the request that begins at seq to the primary. It tells the request's last row.
func (a *aside) offer(ctx context.Context, seq int64) (last int64, ok bool) {
	list, err := a.s.local.deliveries(ctx, "events", seq-1, 1)
	if err != nil {
		return seq, false
	}
	var step hookgate.Step
	last = seq
	if len(list) == 1 && list[0].first == seq {
		last = list[0].last
		if a.s.give(ctx, &list[0]) != nil {
			return last, false
		}
	}
	for ; seq <= last; seq++ {
		step.Done = append(step.Done, seq)
	}
	return last, a.s.local.Record(ctx, spillEvents, step) == nil
}
