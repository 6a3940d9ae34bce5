package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const sqliteScheme = "sqlite://"

const maxShards = 256 // each held one has a connection and a reader of its own

var prefixGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._-]{0,63}$`)

// redisOnly are the options that a journal in a file has no use for.
var redisOnly = []string{"shards", "prefix", "markers", "replicas", "allow_loss"}

func (l *loader) checkJournal(j Journal) {
	l.checkSpill(j)
	if !l.sound("journal.url") {
		return
	}
	const at = "journal.url"
	url := string(j.URL.Reveal())
	if onRedis(url) {
		l.checkRedis(j, url)
		return
	}
	if !isFile(url) {
		l.bad(JournalURL, at, "is not a journal", "write sqlite://PATH, such as sqlite://hookgate.db or sqlite:///var/lib/hookgate/hookgate.db, or redis://HOST:6379/0")
	}
	for _, option := range redisOnly {
		if l.set("journal." + option) {
			l.bad(JournalRedis, "journal."+option, "is for a journal on Redis, and this one is a file", "leave it out, or set journal.url to redis://HOST:6379/0")
		}
	}
}

// OnRedis reports whether the journal is one of many nodes.
func (j Journal) OnRedis() bool { return onRedis(string(j.URL.Reveal())) }

func onRedis(url string) bool {
	scheme, _, _ := strings.Cut(url, "://")
	return strings.HasPrefix(scheme, "redis")
}

// isFile wants a path that is a path to SQLite, too: a query would reach the engine as settings, and some of those are run
// as SQL.
func isFile(url string) bool {
	file := sqlitePath(url)
	return file != "" && !strings.HasSuffix(file, "/") && !strings.ContainsAny(file, "?#%\x00")
}

func (l *loader) checkSpill(j Journal) {
	const at = "journal.spill"
	switch {
	case j.Spill == "" || !l.sound(at):
	case !isFile(j.Spill):
		l.bad(JournalSpill, at, "is not a file", "write sqlite://PATH, such as sqlite:///var/lib/hookgate/spill.db")
	case filepath.Clean(j.SpillPath()) == filepath.Clean(j.Path()):
		l.bad(JournalSpill, at, "is the journal itself", "name another file, on another disk if the journal is one, too")
	}
}

func (l *loader) checkRedis(j Journal, url string) {
	if l.rules.Journal != nil {
		l.theirs(JournalURL, "journal", l.rules.Journal(url))
	}
	if j.Shards < 1 || j.Shards > maxShards {
		l.bad(BadNumber, "journal.shards", fmt.Sprintf("is not from 1 to %d", maxShards), "16 is enough for most; more spread a busy source over more nodes")
	}
	if !prefixGrammar.MatchString(j.Prefix) {
		l.bad(JournalRedis, "journal.prefix", "is not the beginning of a key", "write up to 64 letters, digits and any of : . _ -")
	}
	if j.Replicas > 0 && strings.Contains(url, "+cluster://") {
		l.bad(JournalRedis, "journal.replicas", "cannot be awaited in a Cluster", "set min-replicas-to-write there")
	}
}

// What a remembered event takes in Redis, in bytes, measured; and what a source is taken to send where its rate is unknown.
const (
	plainMarker   = 177
	compactMarker = 62
	assumedRate   = 10 // a second
	muchMemory    = 4 << 30
)

// checkMemory warns of windows that together fill Redis, which keeps all it remembers in memory.
func (l *loader) checkMemory(c *Config) {
	if !c.Journal.OnRedis() {
		return
	}
	each, other := plainMarker, "journal.markers: compact takes a fraction of it"
	if c.Journal.Markers == "compact" {
		each, other = compactMarker, "a journal in a file has room for long windows"
	}
	need := 0.0
	for _, s := range c.Sources {
		rate := float64(assumedRate)
		if s.Rate.Count > 0 && s.Rate.Per > 0 {
			rate = float64(s.Rate.Count) * float64(time.Second) / float64(s.Rate.Per)
		}
		need += rate * s.Dedupe.Window.Seconds() * float64(each)
	}
	if need > muchMemory {
		l.warn(JournalMemory, "journal", fmt.Sprintf("journal: the windows of the sources take %.0f GiB of Redis, at %d events a second where no rate is set", need/(1<<30), assumedRate), "shorten dedupe.window or set the sources' rate; "+other)
	}
}
