package journal

import "time"

// straggleDelay is how long a commit waits at most for company, where there has been company of late.
const straggleDelay = time.Millisecond

// gather takes everything that waits, up to the bounds of a transaction. Senders that got their answers together come back
// one by one: where batches have been large, committing for the first of them alone would keep all others waiting for a
// sync. So it waits, for a moment at most, until three quarters as many are there as of late.
func (w *writer) gather(in *intake) {
	bytes := in.bytes
	w.batch = append(w.batch, in)
	full := func() bool { return len(w.batch) >= maxBatch || bytes >= maxBatchBytes }
	enough := w.usual * 3 / 4
	w.straggle.Reset(straggleDelay)
	for !full() {
		select {
		case in := <-w.j.intakes:
			w.batch = append(w.batch, in)
			bytes += in.bytes
			continue
		default:
		}
		if len(w.batch) >= enough {
			break
		}
		select {
		case in := <-w.j.intakes:
			w.batch = append(w.batch, in)
			bytes += in.bytes
		case <-w.straggle.C:
			enough = 0
		}
	}
	w.usual = max(len(w.batch), w.usual*7/8)
	for len(w.steps) < maxSteps {
		select {
		case c := <-w.j.changes:
			w.steps = append(w.steps, c)
			continue
		default:
		}
		break
	}
}

// drain commits what was queued before the close; nothing can be queued any more.
func (w *writer) drain() {
	for {
		w.batch = w.batch[:0]
		select {
		case in := <-w.j.intakes:
			w.gather(in)
		case c := <-w.j.changes:
			w.steps = append(w.steps, c)
		default:
			w.write()
			return
		}
		w.write()
	}
}
