package outbound

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hookgate/hookgate"
)

// parcel is a delivery with its fate. Its copies share it, so that they are the same bytes.
type parcel struct {
	fate
	delivery Delivery
	number   int // of the delivery, from 0
	first    int // of its first event, from 1
	happened time.Time

	made   sync.Once
	header http.Header
	body   []byte
	err    error
}

// shot is one place in the order of sending.
type shot struct {
	*parcel
	slot      int  // in the schedule
	copied    bool // a duplicate of what was sent before
	reordered bool // a later one went before it
}

// heldShot is a shot that waits until the delivery of a number has gone.
type heldShot struct {
	shot
	until int
}

// produce makes the deliveries one after the other, which is what makes a run repeatable, and puts them in the order in
// which they are sent.
func (r *emulator) produce(ctx context.Context) {
	defer close(r.ready)
	// Streams of their own: faults do not change the events.
	events, ids, faults := rand.New(rand.NewPCG(r.Seed, 1)), rand.New(rand.NewPCG(r.Seed, 2)), rand.New(rand.NewPCG(r.Seed, 3))
	var waiting []heldShot
	slot, furthest := 0, -1
	emit := func(s shot, now int) bool {
		s.slot = slot
		slot++
		if !s.copied {
			s.reordered = s.number < furthest
			furthest = max(furthest, s.number)
			if s.duplicate {
				waiting = append(waiting, heldShot{shot{parcel: s.parcel, copied: true}, now + s.copyBehind})
			}
		}
		select {
		case r.ready <- s:
			return true
		case <-ctx.Done():
			return false
		case <-r.Enough:
			return false
		}
	}
	// release sends what has waited long enough, copies that this brings forth included.
	release := func(now int) bool {
		for {
			i := slices.IndexFunc(waiting, func(h heldShot) bool { return h.until <= now })
			if i < 0 {
				return true
			}
			h := waiting[i]
			waiting = slices.Delete(waiting, i, i+1)
			if !emit(h.shot, now) {
				return false
			}
		}
	}
	number := 0
	for made := 0; made < r.Events; number++ {
		p, err := r.make(number, made, events, ids)
		if err != nil {
			r.fail(err)
			return
		}
		made += len(p.delivery.Events)
		p.fate = r.Faults.draw(faults)
		if p.reorder {
			waiting = append(waiting, heldShot{shot{parcel: p}, number + p.behind})
		} else if !emit(shot{parcel: p}, number) {
			return
		}
		if !release(number) {
			return
		}
	}
	for ; len(waiting) > 0; number++ {
		if !release(number) {
			return
		}
	}
}

// make is the delivery of a number, whose events follow those that were made before.
func (r *emulator) make(number, before int, events, ids *rand.Rand) (*parcel, error) {
	at := r.happens(number)
	p := &parcel{number: number, first: before + 1, happened: at}
	n := min(r.Batch, r.Events-before)
	for i := range n {
		native := r.Types[(before+i)%len(r.Types)]
		e := r.provider.sample(events, native, at)
		if r.Entities > 0 && r.provider.entities {
			entity := uint64((before + i) / len(r.Types) % r.Entities)
			id := e.ID
			e = r.provider.sample(rand.New(rand.NewPCG(r.Seed, 4+entity)), native, at)
			e.ID = id
		}
		if r.provider.complete != nil {
			if err := r.provider.complete(&e, at); err != nil {
				return nil, fmt.Errorf("event %d, %s: %w", before+i+1, native, err)
			}
		}
		p.delivery.Events = append(p.delivery.Events, e)
	}
	p.delivery.Seq = int64(number) + 1
	p.delivery.ID = madeUpUUID(ids)
	p.delivery.Provider, p.delivery.Subscription = r.Provider, r.sub.ID
	p.delivery.Event, p.delivery.State = p.delivery.Events[0].Type, Waiting
	p.delivery.Created, p.delivery.Updated = at, at
	return p, nil
}

func madeUpUUID(rng *rand.Rand) string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(rng.Uint64())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, the variant of RFC 9562
	return id.String()
}

// request is that of the first attempt, made once for all copies. It is sent no sooner than due.
func (r *emulator) request(p *parcel, due time.Time) (http.Header, []byte, error) {
	p.made.Do(func() {
		p.delivery.FirstAttempt = r.signingTime(p, 1, due) // Bird writes it even where nothing signs it
		p.header, p.body, p.err = r.write(p, 1, p.delivery.FirstAttempt)
	})
	return p.header, p.body, p.err
}

// write is the request of an attempt, signed at a time.
func (r *emulator) write(p *parcel, attempt int, at time.Time) (http.Header, []byte, error) {
	header, body, err := r.provider.write(r.sub, &p.delivery, attempt)
	if err != nil {
		return nil, nil, fmt.Errorf("delivery %d, %s: %w", p.number+1, p.delivery.Event, err)
	}
	if p.oversized && len(body) < r.Faults.Oversize {
		body = append(slices.Clip(body), bytes.Repeat([]byte(" "), r.Faults.Oversize-len(body))...)
	}
	signers := r.signers
	if at := r.Faults.RotateAt; at > 0 && p.first >= at {
		signers = r.next
	}
	signed, err := r.sign(signers, body, at, p.bad)
	if err != nil {
		return nil, nil, fmt.Errorf("delivery %d, %s: %w", p.number+1, p.delivery.Event, err)
	}
	all := http.Header{}
	maps.Copy(all, header)
	maps.Copy(all, signed)
	all = wire(all, r.provider.lowerHeaders)
	all["User-Agent"] = []string{""} // or there would be Go's
	return all, body, nil
}

func (r *emulator) sign(signers []Signer, body []byte, at time.Time, bad bool) (http.Header, error) {
	all := make(http.Header)
	for _, s := range signers {
		req := &hookgate.Request{Method: http.MethodPost, Target: r.target, Header: make(http.Header), Body: body}
		if err := s.Sign(req, at); err != nil {
			return nil, err
		}
		if bad {
			name := proofHeader(req.Header)
			req.Header.Set(name, spoil(req.Header.Get(name)))
		}
		maps.Copy(all, req.Header)
	}
	return all, nil
}

// proofHeader is the header in which a scheme's proof stands: of those that it sets the longest, since the others are times.
func proofHeader(h http.Header) (longest string) {
	for name, values := range h {
		if n := len(values[0]) - len(h.Get(longest)); longest == "" || n > 0 || (n == 0 && name < longest) {
			longest = name
		}
	}
	return longest
}

// signingTime is when an attempt is signed: as it is sent, or where the run says when it began, by its place in the run.
func (r *emulator) signingTime(p *parcel, attempt int, due time.Time) time.Time {
	at := r.clock.Now()
	if due.After(at) {
		at = due
	}
	if r.fixed {
		at = p.happened.Add(time.Duration(attempt-1) * r.RetryWait)
	}
	return at.Add(r.Faults.Skew)
}
