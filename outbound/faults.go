package outbound

import (
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Faults are what an emulation does wrong on purpose. A share is between 0 and 1, of the deliveries; each is decided by
// itself, so that one delivery can have several faults, and giving one share leaves the choices of the others as they were.
type Faults struct {
	Duplicate    float64 // sent once more, the same bytes, soon after
	Reorder      float64 // held back behind up to eight later ones
	BadSignature float64 // with a proof that one character was changed in; a retry is as bad
	Truncate     float64 // the first attempt announces all and breaks off in the middle of the body
	Slow         float64 // the body of the first attempt trickles
	Oversized    float64 // white space fills the body up to Oversize; the proof covers it

	Skew     time.Duration // added to the signing time; negative is the past
	RotateAt int           // from this event on, counted from 1, Next signs; 0 is never
	Oversize int           // bytes; 0 is 2 MiB
	Trickle  time.Duration // of a slow body; 0 is 3 s. Never more than half of the time-out
}

const (
	defaultOversize = 2 << 20
	defaultTrickle  = 3 * time.Second
	trickleParts    = 10
)

// fate is what happens to one delivery.
type fate struct {
	duplicate, reorder, bad, truncate, slow, oversized bool
	// behind is how many later deliveries a reordered one waits for, and copyBehind how many stand before the copy.
	behind, copyBehind int
}

// draw decides for one delivery. It takes the same number of values whatever the shares are.
func (f Faults) draw(rng *rand.Rand) fate {
	hit := func(share float64) bool { return rng.Float64() < share }
	made := fate{
		duplicate: hit(f.Duplicate), reorder: hit(f.Reorder), bad: hit(f.BadSignature),
		truncate: hit(f.Truncate), slow: hit(f.Slow), oversized: hit(f.Oversized),
	}
	made.behind = 1 + int(rng.Uint64()%8)
	made.copyBehind = int(rng.Uint64() % 4)
	made.slow = made.slow && !made.truncate
	return made
}

// shares are the faults that have one, by the name of their flag.
func (f Faults) shares() map[string]float64 {
	return map[string]float64{
		"duplicate": f.Duplicate, "reorder": f.Reorder, "bad-signature": f.BadSignature,
		"truncate": f.Truncate, "slow": f.Slow, "oversized": f.Oversized,
	}
}

// spoil changes one character of a header's value that proves something, so that it keeps its form and is wrong: a digit
// stays a digit, which base64 and hex both need. Of a user and password it changes the password.
func spoil(value string) string {
	word, rest, _ := strings.Cut(value, " ")
	if pair, err := base64.StdEncoding.DecodeString(rest); word == "Basic" && err == nil && len(pair) > 0 {
		pair[len(pair)-1] ^= 1
		return word + " " + base64.StdEncoding.EncodeToString(pair)
	}
	// The last characters of base64 are padding, or hold bits that do not count.
	first := strings.LastIndexByte(value, ' ') + 1
	for i := max(first, len(value)-8); i >= first; i-- {
		if c, ok := otherCharacter(value[i]); ok {
			return value[:i] + string(c) + value[i+1:]
		}
	}
	return value + "x"
}

// otherCharacter is another character of the same kind.
func otherCharacter(c byte) (byte, bool) {
	switch {
	case c == '0' || c == 'a' || c == 'A':
		return c + 1, true
	case c > '0' && c <= '9', c > 'a' && c <= 'z', c > 'A' && c <= 'Z':
		return c - 1, true
	}
	return c, false
}

// errBrokenOff ends a truncated body. The transport closes the connection on it.
var errBrokenOff = errors.New("the body was broken off on purpose")

// brokenBody is a body that ends in the middle.
type brokenBody struct{ rest []byte }

func newBrokenBody(body []byte) io.ReadCloser { return &brokenBody{body[:len(body)/2]} }

func (b *brokenBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, errBrokenOff
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *brokenBody) Close() error { return nil }

// trickleBody is a body that comes in parts with a pause before each.
type trickleBody struct {
	rest   []byte
	part   int
	pause  time.Duration
	clock  Clock
	closed chan struct{}
	close  sync.Once
}

func newTrickleBody(body []byte, over time.Duration, clock Clock) *trickleBody {
	return &trickleBody{
		rest: body, part: max(1, (len(body)+trickleParts-1)/trickleParts), pause: over / trickleParts,
		clock: clock, closed: make(chan struct{}),
	}
}

func (t *trickleBody) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		return 0, io.EOF
	}
	select {
	case <-t.clock.After(t.pause):
	case <-t.closed:
		return 0, io.ErrClosedPipe
	}
	n := copy(p, t.rest[:min(t.part, len(t.rest))])
	t.rest = t.rest[n:]
	return n, nil
}

// Close is called by the transport when the receiver answers before the end.
func (t *trickleBody) Close() error {
	t.close.Do(func() { close(t.closed) })
	return nil
}
