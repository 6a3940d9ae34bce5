package journal

import (
	"errors"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// redisTrouble is what an error of Redis means for a call.
type redisTrouble int

const (
	noTrouble    redisTrouble = iota
	unknownToAll              // no answer: the server may have run it or not
	notNow                    // the server says that it cannot at the moment, and has not run it
	noScript                  // the server does not know the script
	notAtAll                  // the server refuses, or we do
)

// notNowPrefixes begin what a server answers while a slot moves, a replica takes over, or it has just started.
var notNowPrefixes = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "NOREPLICAS", "BUSY", "max number of clients",
}

func redisTroubleOf(err error) redisTrouble {
	var own *hookgate.Error
	var answer redis.Error
	switch {
	case err == nil:
		return noTrouble
	case errors.As(err, &own):
		return notAtAll
	case !errors.As(err, &answer):
		return unknownToAll
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		return noScript
	}
	for _, prefix := range notNowPrefixes {
		if redis.HasErrorPrefix(err, prefix) {
			return notNow
		}
	}
	return notAtAll
}

// redisHints say what an operator can do about what a server answers, by its first word.
var redisHints = map[string]string{
	"OOM":         "give Redis more maxmemory, or shorten retention and windows; journal.markers: compact needs less for every remembered event",
	"MISCONF":     "Redis cannot write its own file: look at its disk and its log",
	"NOREPLICAS":  "Redis misses replicas (min-replicas-to-write): see whether they run and follow",
	"READONLY":    "this Redis is a replica: name the master, or use redis+sentinel://",
	"NOAUTH":      "give the user and the password in journal.url",
	"WRONGPASS":   "correct the user and the password in journal.url",
	"NOPERM":      "the Redis user needs all commands on the keys of journal.prefix",
	"WRONGTYPE":   "something else writes to these keys: give the journal a journal.prefix of its own",
	"LOADING":     "Redis still reads its file; it goes on by itself",
	"TRYAGAIN":    "a slot of the Cluster is being moved; it goes on by itself when that is done",
	"CLUSTERDOWN": "a part of the Cluster has no master: see whether its nodes run",
}

// redisError is what a caller sees. The text of Redis holds addresses and commands, never a password.
func redisError(err error) *hookgate.Error {
	var e *hookgate.Error
	if errors.As(err, &e) {
		return e
	}
	var answer redis.Error
	if !errors.As(err, &answer) {
		e = hookgate.Errorf(hookgate.Unavailable, "journal: Redis does not answer: %w", err)
		e.Hint, e.RetryAfter = "see whether Redis runs and can be reached", retrySoon
		return e
	}
	e = hookgate.Errorf(hookgate.Unavailable, "journal: Redis says: %w", err)
	e.RetryAfter = retrySoon
	word, _, _ := strings.Cut(answer.Error(), " ")
	if e.Hint = redisHints[word]; redisTroubleOf(err) == notAtAll {
		e.RetryAfter = retryLater
	}
	return e
}
