package configs

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // a zone that check accepts must load in a container without a zone database, too
)

var (
	nameGrammar  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	eventGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	pathGrammar  = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
)

// defaultWindow is for a provider that names none: our default, longer than any of the five providers retries.
const defaultWindow = 7 * 24 * time.Hour

const nameHint = "use 1 to 64 of a-z, 0-9 and -"

func (l *loader) checkSources(c *Config, destinations []string, trusted map[string]netip.Prefix) {
	names, paths := make(map[string]bool), make(map[string]string)
	for i := range c.Sources {
		s, at := &c.Sources[i], item("sources", i)
		l.checkName(SourceName, DuplicateSource, s.Name, at, names)
		l.checkPath(s, at, paths)
		l.checkRoutes(s, at, destinations, len(destinations) == len(c.Destinations))
		l.checkProvider(s, at)
		l.checkTimezone(s, at)
		l.checkAuth(c, s, at)
		l.checkWindow(s, at)
		l.checkAllow(s, at, trusted)
		if s.Event != "" && !eventGrammar.MatchString(s.Event) {
			l.bad(EventName, at+".event", "is not a name for an event", "use 1 to 64 letters, digits, dots, - and _")
		}
	}
}

// checkName wants a name of the grammar that is not taken.
func (l *loader) checkName(grammar, duplicate Rule, name, at string, taken map[string]bool) {
	at = join(at, "name")
	switch {
	case !l.set(at) || !l.sound(at):
	case !nameGrammar.MatchString(name):
		l.bad(grammar, at, "is not a name", nameHint)
	case taken[name]:
		l.bad(duplicate, at, "is taken: "+strconv.Quote(name)+" is here twice", "give each a name of its own")
	}
	taken[name] = true
}

// defaultPath is where a source listens whose path is not set.
func (s *Source) defaultPath() string { return "/hooks/" + s.Name }

// checkPath wants an exact path in its plain form, since a path that needs cleaning is never matched.
func (l *loader) checkPath(s *Source, at string, taken map[string]string) {
	if s.Path == "" && !l.set(at+".path") {
		s.Path = s.defaultPath()
	}
	if at += ".path"; s.Path == "" || !l.set(at) && !nameGrammar.MatchString(s.Name) {
		return
	}
	if !pathGrammar.MatchString(s.Path) || path.Clean(s.Path) != s.Path {
		l.bad(SourcePath, at, "is not a plain path", "begin with /, use letters, digits and . _ ~ -, and do not end with /")
		return
	}
	other, ok := taken[s.Path]
	if ok && other != s.Name {
		l.bad(DuplicatePath, at, "is the path of the source "+other+", too", "give each source a path of its own")
	}
	taken[s.Path] = s.Name
}

// checkRoutes holds the names of destinations against those that there are; without any, the source takes all. Where not
// all names could be read, the missing one may be meant.
func (l *loader) checkRoutes(s *Source, at string, destinations []string, complete bool) {
	if !l.set(at + ".destinations") {
		s.Destinations = slices.Clone(destinations)
		return
	}
	for i, name := range s.Destinations {
		if at := item(at+".destinations", i); complete && name != "" && !slices.Contains(destinations, name) {
			l.bad(SourceDestination, at, "names an unknown destination "+shown(name), suggest(name, destinations))
		}
	}
}

func (l *loader) checkTimezone(s *Source, at string) {
	if s.Provider == "" {
		return
	}
	zone := l.rules.timezone(s.Provider)
	if s.Timezone == "" {
		s.Timezone = zone
		return
	}
	if at += ".timezone"; zone == "" {
		l.bad(TimezoneProvider, at, "has no use here: "+s.Provider+" sends times with their zone", "remove it")
		return
	}
	// The machine's own zone has a name, too, and would make events depend on where the gateway runs.
	if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "Local" {
		l.bad(TimezoneName, at, "is not the name of a time zone", "write an IANA name such as Asia/Kolkata or UTC")
	}
}

// checkAuth judges the entries together, and has each judged by who knows the scheme.
func (l *loader) checkAuth(c *Config, s *Source, at string) {
	for i := range s.Auth {
		a, at := &s.Auth[i], item(at+".auth", i)
		a.PublicURL, a.Source, a.Tokens = c.PublicURL, s.Name, &c.Tokens
		if a.Scheme == "none" {
			if len(s.Auth) > 1 {
				l.bad(NoneWithOthers, at+".scheme", "is none beside other schemes", "remove none, or the others")
			}
			l.warn(NoneWarned, at+".scheme", at+".scheme is none, so anybody who finds the address can send events", "use it only where something in front authenticates")
		}
		l.checkIssued(a, at)
		if !l.checkDeclared(a, at) || !l.sound(at) {
			continue
		}
		if l.rules.Auth != nil {
			l.theirs(AuthSettings, at, l.rules.Auth(*a))
		}
		if l.rules.AuthWarnings != nil && a.Scheme != "none" {
			l.heed(AuthWarning, at, l.rules.AuthWarnings(*a))
		}
	}
}

// checkWindow wants markers that live as long as a signature is accepted. In between, a recorded delivery would count
// as new.
func (l *loader) checkWindow(s *Source, at string) {
	at += ".dedupe.window"
	if !l.sound(at) || s.Provider == "" {
		return
	}
	if s.Dedupe.Window == 0 {
		s.Dedupe.Window = cmp.Or(l.window(s), defaultWindow)
	}
	for _, a := range s.Auth {
		fresh := l.rules.freshness(a)
		if s.Dedupe.Window < fresh {
			l.bad(WindowFreshness, at, fmt.Sprintf("is %s, but %s accepts a signed time for %s, so a recorded delivery would be new again in between",
				plain(s.Dedupe.Window), a.Scheme, plain(fresh)), "write "+plain(fresh)+" or more")
		}
	}
}

// window is what the provider's reader or its declaration says; 0 for neither.
func (l *loader) window(s *Source) time.Duration {
	if s.Declared != nil {
		return s.Declared.Read.Window
	}
	return l.rules.window(s.Provider)
}

// item is the path of one entry of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
