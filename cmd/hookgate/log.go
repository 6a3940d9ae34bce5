package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate/configs"
)

// newLogger logs JSON lines to w through a lineBuffer; the caller closes that at the end.
func newLogger(w io.Writer, c configs.Log, now func() time.Time) (zerolog.Logger, *lineBuffer) {
	buffer := newLineBuffer(w)
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // the loader has refused anything else
	}
	stamp := zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) { e.Time("time", now()) })
	return zerolog.New(buffer).Level(level).Hook(stamp), buffer
}

// maxBuffered bounds the lines that wait for a slow reader.
const maxBuffered = 4 << 20

// lineBuffer keeps an answer from ever waiting for the log: a line is copied, and a goroutine writes many at once. When
// the reader is too slow, lines are dropped and counted.
type lineBuffer struct {
	out  io.Writer
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []byte
	spare   []byte
	dropped uint64
	closed  bool
}

func newLineBuffer(out io.Writer) *lineBuffer {
	b := &lineBuffer{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.flush()
	return b
}

func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.waiting)+len(line) > maxBuffered {
		b.dropped++
		return len(line), nil
	}
	b.waiting = append(b.waiting, line...)
	select {
	case b.wake <- struct{}{}:
	default: // the writer knows already
	}
	return len(line), nil
}

// flush writes what waits, at most every few milliseconds, so that a busy gateway makes few and large writes.
func (b *lineBuffer) flush() {
	defer close(b.done)
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for range b.wake {
		<-pause.C
		b.write()
	}
	b.write()
}

func (b *lineBuffer) write() {
	b.mu.Lock()
	lines := b.waiting
	b.waiting = b.spare[:0]
	b.mu.Unlock()
	_, _ = b.out.Write(plainLines(lines)) // there is nowhere left to report a log that cannot be written
	b.mu.Lock()
	b.spare = lines
	b.mu.Unlock()
}

// plainLines replaces what JSON leaves as it is and a reader may take for the end of a line or for a command: the line ends
// and controls beyond ASCII, and the marks that turn the direction of writing. What others wrote, such as the answer of a
// destination or the order of an operator, is shown and cannot pass for a line of ours.
func plainLines(lines []byte) []byte {
	if ascii(lines) { // nearly always; runes cost thirty times as much
		return lines
	}
	odd := func(r rune) bool { return r >= utf8.RuneSelf && !unicode.IsPrint(r) && r != utf8.RuneError }
	if !bytes.ContainsFunc(lines, odd) {
		return lines
	}
	return bytes.Map(func(r rune) rune {
		if odd(r) {
			return utf8.RuneError
		}
		return r
	}, lines)
}

// ascii reports whether no byte is beyond ASCII, eight at a time.
func ascii(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Dropped counts the lines that nobody read in time.
func (b *lineBuffer) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Close writes the rest and ends.
func (b *lineBuffer) Close() {
	b.mu.Lock()
	b.closed = true
	close(b.wake)
	b.mu.Unlock()
	<-b.done
}
