package forward

import (
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// maxWindow bounds the memory of one destination: our default.
const maxWindow = 65536

// Check finds everything that is missing, contradicting or unknown in the settings, without connecting to anything. It
// expects the configuration's defaults to be filled in. The error is hookgate.Problems and holds no secret.
func Check(s hookgate.DestinationSettings) error {
	k, ok := kinds[s.Type]
	if !ok {
		return unknownType(s.Type)
	}
	var ps hookgate.Problems
	checkOwn(s, k, &ps)
	checkEngine(s, &ps)
	checkMatch(s.Match, &ps)
	checkWhen(s.When, &ps)
	return ps.Err()
}

func unknownType(name string) error {
	var ps hookgate.Problems
	known := "the types are " + strings.Join(Names(), ", ")
	if name == "" {
		ps.Add("type", known, "missing")
	} else {
		ps.Add("type", known, "unknown type %q", name)
	}
	return ps
}

// checkOwn finds what the type itself cannot work with.
func checkOwn(s hookgate.DestinationSettings, k kind, ps *hookgate.Problems) {
	given := []struct {
		name string
		set  bool
	}{
		{"url", len(s.URL.Reveal()) > 0},
		{"stream", s.Stream != ""},
		{"max_len", s.MaxLen != 0},
		{"subject", s.Subject != ""},
		{"exchange", s.Exchange != ""},
		{"routing_key", s.RoutingKey != ""},
		{"topic", s.Topic != ""},
		{"path", s.Path != ""},
		{"mode", s.Mode != "" && s.Mode != modeStructured}, // the loader fills the default in for every type
		{"secrets", len(s.Secrets) > 0},
		{"allow_private", s.AllowPrivate},
	}
	for _, g := range given {
		if g.set && !slices.Contains(k.own, g.name) {
			ps.Add(g.name, "leave it out", "a destination of type %s has no such option", s.Type)
		}
	}
	k.check(s, ps)
}

// checkEngine finds what no forwarder can work with.
func checkEngine(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if s.Timeout <= 0 {
		ps.Add("timeout", "write a duration such as 15s", "must be above zero")
	}
	if s.Window < 1 || s.Window > maxWindow {
		ps.Add("window", "1024 is the default", "must be from 1 to %d", maxWindow)
	}
	if s.Retry.Attempts < 1 {
		ps.Add("retry.attempts", "1 makes a dead letter of the first refusal", "must be at least 1")
	}
	if s.Retry.Backoff <= 0 {
		ps.Add("retry.backoff", "write a duration such as 1s", "must be above zero")
	}
	if s.Retry.MaxBackoff < s.Retry.Backoff {
		ps.Add("retry.max_backoff", "", "must not be shorter than backoff")
	}
	checkBreaker(s.Breaker, ps)
}

func checkMatch(m hookgate.Match, ps *hookgate.Problems) {
	lists := []struct {
		name string
		list []string
	}{{"provider", m.Provider}, {"source", m.Source}, {"type", m.Type}, {"entitytype", m.EntityType}}
	for _, l := range lists {
		for _, value := range l.list {
			switch {
			case value == "":
				ps.Add("match."+l.name, "leave the list out to take all", "an empty text fits no event")
			case l.name != "type" && strings.Contains(value, "*"):
				ps.Add("match."+l.name, "only match.type has globs", "%q is compared as it stands", value)
			}
		}
	}
}

// missing adds the problem of an option that the type cannot do without.
func missing(ps *hookgate.Problems, field, hint string) { ps.Add(field, hint, "missing") }
