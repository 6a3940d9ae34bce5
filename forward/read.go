package forward

import (
	"context"
	"errors"
	"time"

	"github.com/hookgate/hookgate"
)

// judgedBytes is how much payload is parsed for `when` before the engine gets what has been judged so far: our default.
const judgedBytes = 1 << 20

// errUnwanted is the verdict on an entry for which `when` does not hold.
var errUnwanted = errors.New("when does not hold")

// readRequest asks for entries of the journal.
type readRequest struct {
	after int64
	limit int
}

// chunk is the answer. verdicts says of each entry what `when` makes of it: nil takes it, errUnwanted passes it, any other
// error is why it becomes a dead letter. It is nil where there is no `when`.
type chunk struct {
	entries  []hookgate.Entry
	verdicts []error
}

// read fetches what the engine asks for. It answers every request, unless ctx ends. Expressions are evaluated here, so that
// the engine never waits for the parsing of a large payload.
func (f *Forwarder) read(ctx context.Context, when *condition, wanted <-chan readRequest, chunks chan<- chunk) {
	var rest []hookgate.Entry // read, but not judged with those before
	for r := range wanted {
		for ctx.Err() == nil {
			entries, err := rest, error(nil)
			if len(rest) == 0 {
				entries, err = f.log.Read(ctx, r.after, r.limit)
			}
			if err == nil && len(entries) > 0 {
				c := chunk{entries: entries}
				if when != nil {
					c, rest = f.judge(ctx, when, entries, r.limit)
				}
				if ctx.Err() == nil {
					chunks <- c
				}
				break
			}
			if err != nil && ctx.Err() == nil {
				f.noteError(err)
			}
			wait(ctx, time.Second) // the journal's trouble; a Read that gives nothing must not become a busy loop either
		}
	}
}

// judge evaluates the expression for some of the entries, at most limit, and gives what is left. What it says when ctx has
// ended means nothing.
func (f *Forwarder) judge(ctx context.Context, when *condition, entries []hookgate.Entry, limit int) (chunk, []hookgate.Entry) {
	limit = min(limit, len(entries))
	c := chunk{verdicts: make([]error, 0, limit)}
	for parsed := 0; len(c.verdicts) < limit && parsed < judgedBytes && ctx.Err() == nil; {
		e := entries[len(c.verdicts)].Event
		var verdict error
		if Matches(f.settings.Match, e) { // else it is passed anyway
			holds, n, err := when.holds(ctx, e)
			parsed += n
			if verdict = err; err == nil && !holds {
				verdict = errUnwanted
			}
		}
		c.verdicts = append(c.verdicts, verdict)
	}
	c.entries = entries[:len(c.verdicts)]
	return c, entries[len(c.verdicts):]
}
