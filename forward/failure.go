package forward

import (
	"errors"
	"strings"
	"time"
)

// Trouble is a failure of the whole destination: it cannot be reached, is overloaded, or takes nothing from anybody.
// The same entries are tried again under the same ids after a pause; none of them is ever a dead letter for it.
type Trouble struct {
	Err        error
	RetryAfter time.Duration // the pause that the target asked for; zero where it asked for none
	Pause      bool          // the target says that it is gone: an operator has to look, and attempts are rare
	// Suspect says that the entry itself may be the cause: the target hung up or never answered, or answered what a filter
	// in front of it would. When others are confirmed meanwhile and it goes on, the entry is refused after all.
	Suspect bool

	paced   bool // RetryAfter is the whole pause: it comes from the breaker, which sees the calls of all
	untried bool // no attempt to count: the breaker let no call through, or the caller left
}

func (t *Trouble) Error() string { return t.Err.Error() }

// Unwrap gives the cause.
func (t *Trouble) Unwrap() error { return t.Err }

// Refusal is a failure of this one entry: the target took others and would not take this. The entry is parked and tried
// again on its own schedule, while other keys pass it.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ErrHeld says that the entry was not tried, because an earlier one of its batch failed and must come first.
var ErrHeld = errors.New("held back behind an earlier event")

// asTrouble is what an error says of the destination. One that is of none of our types is trouble as well.
func asTrouble(err error) *Trouble {
	var t *Trouble
	if !errors.As(err, &t) {
		t = &Trouble{Err: err}
	}
	return t
}

// worse is the one of two troubles that asks for more patience; a may be nil.
func worse(a, b *Trouble) *Trouble {
	if a == nil || b.Pause || b.RetryAfter > a.RetryAfter {
		return b
	}
	return a
}

// allTrouble answers a batch of n with the same trouble.
func allTrouble(n int, t *Trouble) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = t
	}
	return errs
}

// without is a text from outside without the secret, should somebody repeat it there.
func without(secret, text string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, "[secret]")
}
