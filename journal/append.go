package journal

import (
	"database/sql/driver"
	"slices"

	"github.com/hookgate/hookgate"
)

// store appends what is new of a request. Its raw form goes with the first new event and the first quarantined part.
func (w *writer) store(in *intake) error {
	var raw, rawQuarantine int64
	for i := range in.records {
		r, e := &in.records[i], in.events[i]
		place := w.last + 1
		if e.Quarantine != "" {
			place = 0
		}
		res, fresh, err := w.markers.take(r, place)
		if err != nil {
			return err
		}
		switch {
		case !fresh:
			res, err = w.whereNow(res)
		case e.Quarantine != "":
			rawQuarantine, err = w.setAside(in, r, e.Quarantine, rawQuarantine)
		default:
			raw, err = w.add(in, i, raw)
		}
		if err != nil {
			return err
		}
		in.results[i] = res
	}
	w.unfolded += in.bytes + in.bytes/4
	return nil
}

// add appends a new event; raw is where the request's raw form stands already, or 0.
func (w *writer) add(in *intake, i int, raw int64) (int64, error) {
	r := &in.records[i]
	w.last++
	size := entryOverhead
	if raw == 0 {
		raw = w.last
		size += len(in.req.Body)
		w.rows = append(w.rows, w.last, r.received, nil, r.off, r.len, r.head, blob(r.data), in.rawHead, in.req.Body)
	} else {
		w.rows = append(w.rows, w.last, r.received, raw, r.off, r.len, r.head, blob(r.data), nil, nil)
	}
	w.fresh = append(w.fresh, hookgate.Entry{Seq: w.last, Event: in.events[i]})
	w.sizes = append(w.sizes, size+len(r.data))
	return raw, w.insert(eventRows)
}

// An insert takes several events at once, because starting a statement costs a third of what inserting an event does.
const (
	insertEvents = `INSERT INTO events (seq, received, raw_seq, off, len, head, data, raw_head, raw_body) VALUES `
	eventRow     = `(?,?,?,?,?,?,?,?,?)`
	eventColumns = 9
	eventRows    = 8
)

// insert writes the rows that wait, when there are so many.
func (w *writer) insert(atLeast int) error {
	n := len(w.rows) / eventColumns
	if n < atLeast {
		return nil
	}
	defer func() {
		clear(w.rows)
		w.rows = w.rows[:0]
	}()
	if n == eventRows {
		_, err := w.events.run(w.rows...)
		return err
	}
	for row := range slices.Chunk(w.rows, eventColumns) {
		if _, err := w.event.run(row...); err != nil {
			return err
		}
	}
	return nil
}

// setAside keeps a part that could not be read.
func (w *writer) setAside(in *intake, r *record, reason string, raw int64) (int64, error) {
	w.quarantine++
	if raw == 0 {
		_, err := w.quarantined.run(w.quarantine, r.received, r.off, r.len, r.head, blob(r.data), in.rawHead, in.req.Body, reason)
		return w.quarantine, err
	}
	_, err := w.quarantinedNext.run(w.quarantine, r.received, r.off, r.len, r.head, blob(r.data), raw, reason)
	return raw, err
}

// whereNow clears the place of an event that retention has taken; only its marker is left.
func (w *writer) whereNow(res hookgate.Result) (hookgate.Result, error) {
	if res.Seq == 0 || res.Seq > w.last-int64(len(w.rows)/eventColumns) {
		return res, nil
	}
	found, err := w.present.first(make([]driver.Value, 1), res.Seq)
	if !found {
		res.Seq = 0
	}
	return res, err
}
