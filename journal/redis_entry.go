package journal

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// fields are what an entry of a stream holds; accept.lua writes them. r is the time of receipt in Unix ms and h the
// head. A request with one event keeps itself here: q and b are its head and body, and o and l say where the payload lies.
// A payload that lies elsewhere, or one of several of a request, is d, and w names the key of the request.
type fields map[string]any

func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

func (f fields) has(name string) bool {
	_, ok := f[name]
	return ok
}

func (f fields) number(name string) (int64, error) {
	n, err := strconv.ParseInt(f.text(name), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("field %s is not a number", name)
	}
	return n, nil
}

// data copies the payload, so that the request around it can go.
func (f fields) data() ([]byte, error) {
	if !f.has("o") {
		return []byte(f.text("d")), nil
	}
	body := f.text("b")
	offset, err := f.number("o")
	if err != nil {
		return nil, err
	}
	length, err := f.number("l")
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 || offset > int64(len(body)) || length > int64(len(body))-offset {
		return nil, fmt.Errorf("the payload lies outside the body")
	}
	return []byte(body[offset : offset+length]), nil
}

// size is about what the entry costs on the way.
func (f fields) size() int {
	n := 0
	for _, v := range f {
		s, _ := v.(string)
		n += len(s)
	}
	return n
}

// markText tells an entry from another one with the same number; scripts make the same text.
func (f fields) markText() string {
	head := f.text("h")
	return f.text("r") + head[:min(len(head), 64)]
}

// entryID is how a shard's number is written in its stream.
func entryID(n int64) string { return "0-" + strconv.FormatInt(n, 10) }

// entryNumber reads it back.
func entryNumber(id string) (int64, error) {
	text, ok := strings.CutPrefix(id, "0-")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return 0, hookgate.Errorf(hookgate.Unavailable, "journal entry %s was not written by Hookgate", id)
	}
	return n, nil
}

// parseEntry reads an entry of a log or a quarantine.
func parseEntry(m redis.XMessage) (hookgate.Entry, error) {
	n, err := entryNumber(m.ID)
	if err != nil {
		return hookgate.Entry{}, err
	}
	f := fields(m.Values)
	bad := func(err error) (hookgate.Entry, error) {
		return hookgate.Entry{}, hookgate.Errorf(hookgate.Unavailable, "journal entry %s: %w", m.ID, err)
	}
	received, err := f.number("r")
	if err != nil {
		return bad(err)
	}
	data, err := f.data()
	if err != nil {
		return bad(err)
	}
	e, err := hookgate.ParseStored([]byte(f.text("h")), fromMilli(received), data)
	if err != nil {
		return bad(err)
	}
	return hookgate.Entry{Seq: n, Event: e}, nil
}

// readBytes is about how much one conversation with Redis may bring: it has to fit into the client's time-out.
const readBytes = 1 << 20

// sizer guesses how many entries make that much, because Redis counts entries and not bytes. Zero begins low.
type sizer struct{ mean atomic.Int64 }

// count is how many entries to ask for at once.
func (z *sizer) count(limit int) int {
	mean := z.mean.Load()
	if mean == 0 {
		mean = readBytes / 64
	}
	return max(1, min(limit, int(readBytes/mean)))
}

// saw takes in what was read.
func (z *sizer) saw(messages []redis.XMessage) {
	if len(messages) == 0 {
		return
	}
	total := 0
	for _, m := range messages {
		total += fields(m.Values).size() + 64
	}
	now, before := int64(total/len(messages)), z.mean.Load()
	if before > now {
		now = (3*before + now) / 4 // large ones may come again
	}
	z.mean.Store(now)
}

// failed asks for less, in case it was too much: a read that never fits would be tried for ever.
func (z *sizer) failed() { z.mean.Store(min(4*max(z.mean.Load(), readBytes/64), readBytes)) }
