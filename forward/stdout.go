package forward

import (
	"bytes"
	"context"
	"io"

	"github.com/hookgate/hookgate"
)

// stdout writes one JSON line an event. A line counts as confirmed when the writer has taken all of it.
type stdout struct {
	w    io.Writer
	sign Sign
	buf  []byte
	torn bool // the last write ended inside a line
}

func openStdout(_ hookgate.DestinationSettings, o Options) (Destination, error) {
	if o.Stdout == nil {
		return nil, hookgate.Errorf(hookgate.InternalMistake, "stdout: no writer was handed over")
	}
	return &stdout{w: o.Stdout, sign: o.Sign}, nil
}

// Publish writes the batch with one Write. A writer cannot be interrupted: one that blocks holds this destination, and
// the end of its forwarder, for as long as it blocks.
func (s *stdout) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	if err := ctx.Err(); err != nil {
		return allTrouble(len(batch), &Trouble{Err: err})
	}
	s.buf = s.buf[:0]
	if s.torn {
		s.buf = append(s.buf, '\n') // what was torn stays a line of its own
	}
	skip := len(s.buf)
	s.buf = appendLines(s.buf, batch, s.sign)
	n, err := s.w.Write(s.buf)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		s.torn = false
		return make([]error, len(batch))
	}
	written := s.buf[:max(0, min(n, len(s.buf)))]
	if len(written) > 0 {
		s.torn = written[len(written)-1] != '\n'
	}
	whole := 0
	if len(written) > skip {
		whole = bytes.Count(written[skip:], []byte{'\n'})
	}
	errs := allTrouble(len(batch), &Trouble{Err: hookgate.Errorf(hookgate.Unavailable, "stdout: %w", err)})
	clear(errs[:min(whole, len(errs))])
	return errs
}

// Close leaves the writer open: it belongs to the program.
func (s *stdout) Close() error { return nil }

// appendLines writes a line for each entry.
func appendLines(dst []byte, batch []hookgate.Entry, sign Sign) []byte {
	for _, e := range batch {
		dst = append(e.Event.AppendSigned(dst, true, sign), '\n')
	}
	return dst
}
