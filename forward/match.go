package forward

import (
	"context"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// Matches reports whether the destination wants the event. Every list that is given must have a member that fits. A
// quarantined event is never forwarded, whatever is asked for.
func Matches(m hookgate.Match, e *hookgate.Event) bool {
	return e.Quarantine == "" &&
		contains(m.Provider, e.Provider) &&
		contains(m.Source, e.Source) && !slices.Contains(m.Except, e.Source) &&
		contains(m.EntityType, e.EntityType) &&
		(len(m.Type) == 0 || slices.ContainsFunc(m.Type, func(glob string) bool { return Glob(glob, e.Type) }))
}

// Wants gives what a destination's match and when together say of an event. One that when has no answer for is not wanted:
// it became a dead letter, and is sent again from there. The error is hookgate.Problems.
func Wants(s hookgate.DestinationSettings) (func(*hookgate.Event) bool, error) {
	if s.When == "" {
		return func(e *hookgate.Event) bool { return Matches(s.Match, e) }, nil
	}
	when, problems := newCondition(s.When)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return func(e *hookgate.Event) bool {
		if !Matches(s.Match, e) {
			return false
		}
		holds, _, err := when.holds(context.Background(), e)
		return err == nil && holds
	}, nil
}

func contains(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// Glob reports whether the whole text fits the pattern, in which * stands for any run of characters, none included, and
// everything else for itself. It takes time in proportion to both lengths multiplied at worst, whatever the pattern.
func Glob(pattern, text string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		// The leftmost place leaves the most for what follows, so no other one has to be tried.
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], after
	}
}
