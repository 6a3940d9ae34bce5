package configs

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hookgate/hookgate"
)

// checkDestinations judges each destination and gives the names of all.
func (l *loader) checkDestinations(c *Config) []string {
	var names []string
	taken, files := make(map[string]bool), make(map[string]string)
	for i, d := range c.Destinations {
		at := item("destinations", i)
		l.checkName(DestinationName, DuplicateDestination, d.Name, at, taken)
		if d.Name != "" {
			names = append(names, d.Name)
		}
		l.checkMatch(c, d.Match, at+".match")
		l.checkFile(d, at+".path", files)
		if l.sound(at) {
			l.judge(d, at)
		}
	}
	l.checkStreams(c)
	l.checkUnused(c, names)
	return names
}

// judge asks who knows the type.
func (l *loader) judge(d hookgate.DestinationSettings, at string) {
	if l.rules.Destination != nil {
		l.theirs(DestinationSettings, at, l.rules.Destination(d))
	}
	if l.rules.DestinationWarnings != nil {
		l.heed(DestinationWarning, at, l.rules.DestinationWarnings(d))
	}
}

// heed passes warnings on.
func (l *loader) heed(rule Rule, at string, warnings []hookgate.Problem) {
	for _, w := range warnings {
		at := join(at, w.Field)
		l.warn(rule, at, at+": "+w.Message, w.Hint)
	}
}

// checkMatch wants names that exist: a filter with a slip of the pen would let nothing through, and nobody would notice.
func (l *loader) checkMatch(c *Config, m hookgate.Match, at string) {
	sources := make([]string, len(c.Sources))
	for i, s := range c.Sources {
		sources[i] = s.Name
	}
	l.known(at+".provider", "provider", m.Provider, l.providers())
	if !slices.Contains(sources, "") { // the name that could not be read may be meant
		l.known(at+".source", "source", m.Source, sources)
	}
}

func (l *loader) known(list, what string, names, all []string) {
	for i, name := range names {
		if name != "" && len(all) > 0 && !slices.Contains(all, name) {
			l.bad(MatchName, item(list, i), fmt.Sprintf("names an unknown %s %s", what, shown(name)), suggest(name, all))
		}
	}
}

// checkFile refuses two destinations that would write into one file, whose lines could then mix.
func (l *loader) checkFile(d hookgate.DestinationSettings, at string, taken map[string]string) {
	if d.Path == "" {
		return
	}
	file, err := filepath.Abs(d.Path)
	if err != nil {
		file = filepath.Clean(d.Path)
	}
	if other, ok := taken[file]; ok {
		l.bad(SameFile, at, "is the file of the destination "+other+", too", "give each a file of its own")
	}
	taken[file] = d.Name
}

// checkStreams wants two destinations of type nats on one server to name different streams: both publish under the event's
// id, and a stream drops what it has had under that, so that one of the two would get nothing.
func (l *loader) checkStreams(c *Config) {
	for i, d := range c.Destinations {
		for _, other := range c.Destinations[:i] {
			if d.Type == "nats" && other.Type == "nats" && string(d.URL.Reveal()) == string(other.URL.Reveal()) &&
				(d.Stream == other.Stream || d.Stream == "" || other.Stream == "") {
				l.bad(SameStream, item("destinations", i), "may publish into the stream of the destination "+other.Name+", which would drop one of the two", "give each a stream of its own, and name both by stream:")
				break
			}
		}
	}
}

// checkUnused warns of destinations that no source sends to.
func (l *loader) checkUnused(c *Config, names []string) {
	if !l.sound("sources") || !l.sound("destinations") {
		return
	}
	used := make(map[string]bool)
	for i, s := range c.Sources {
		if !l.set(item("sources", i) + ".destinations") {
			return // it sends to all
		}
		for _, name := range s.Destinations {
			used[name] = true
		}
	}
	for i, name := range names {
		if !used[name] {
			l.warn(UnusedDestination, item("destinations", i)+".name", "no source sends to the destination "+name, "add it to the destinations of a source, or remove it")
		}
	}
}
