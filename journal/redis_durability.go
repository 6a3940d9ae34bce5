package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// oldestRedis is the first version whose streams number entries by themselves behind a time of 0.
const oldestRedis = 7

// redisServer is what a server says of itself.
type redisServer struct {
	runID        string
	version      string
	major, minor int
	mode         string // standalone, cluster or sentinel
	role         string // master or slave
	loading      bool
	appendOnly   bool
	writeFailed  bool
	policy       string
	used, max    int64 // bytes; a max of 0 is none
	replicas     int
	redisSettings
}

// redisSettings are told by CONFIG, which managed servers forbid.
type redisSettings struct {
	configured  bool
	fsync, save string
}

// readServers asks the server, in a Cluster every master; configured also for what only CONFIG tells. Where some masters
// answer and others do not there are both servers and an error.
func (r *Redis) readServers(ctx context.Context, configured bool) ([]redisServer, error) {
	var mu sync.Mutex
	var servers []redisServer
	read := func(ctx context.Context, c *redis.Client) error {
		s, err := readServer(ctx, c, configured)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		servers = append(servers, s)
		return nil
	}
	var err error
	switch c := r.client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, read)
	case *redis.Client:
		err = read(ctx, c)
	}
	if len(servers) == 0 && err == nil {
		err = errors.New("the Cluster has no masters")
	}
	return servers, err
}

func readServer(ctx context.Context, c *redis.Client, configured bool) (s redisServer, err error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return s, err
	}
	s = parseInfo(text)
	if !configured {
		return s, nil
	}
	for name, place := range map[string]*string{"appendfsync": &s.fsync, "save": &s.save} {
		values, err := c.ConfigGet(ctx, name).Result()
		var refused redis.Error
		if errors.As(err, &refused) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		*place = values[name]
	}
	s.configured = s.fsync != ""
	return s, nil
}

func parseInfo(text string) redisServer {
	var s redisServer
	number := func(value string) int64 {
		n, _ := strconv.ParseInt(value, 10, 64) // what is no number counts as 0: not known
		return n
	}
	notCounted := int64(0)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "run_id":
			s.runID = value
		case "redis_version":
			s.version = value
			major, rest, _ := strings.Cut(value, ".")
			minor, _, _ := strings.Cut(rest, ".")
			s.major, s.minor = int(number(major)), int(number(minor))
		case "redis_mode":
			s.mode = value
		case "role":
			s.role = value
		case "loading":
			s.loading = value == "1"
		case "aof_enabled":
			s.appendOnly = value == "1"
		case "aof_last_write_status":
			s.writeFailed = value != "ok"
		case "maxmemory_policy":
			s.policy = value
		case "used_memory":
			s.used = number(value)
		case "mem_not_counted_for_evict":
			notCounted = number(value)
		case "maxmemory":
			s.max = number(value)
		case "connected_slaves":
			s.replicas = int(number(value))
		}
	}
	s.used = max(s.used-notCounted, 0)
	return s
}

// refuse says why events must not be trusted to this server, if so.
func (s *redisServer) refuse(o RedisOptions, cluster bool) error {
	switch {
	case s.mode == "sentinel":
		return hinted("use redis+sentinel://, with ?master_name=", "journal: this is a Sentinel, not a Redis that keeps data")
	case s.major < oldestRedis:
		return hinted(fmt.Sprintf("use Redis %d.0 or later, or Valkey", oldestRedis), "journal: Redis %s is too old", s.version)
	case s.mode == "cluster" && !cluster:
		return hinted("use redis+cluster://", "journal: this Redis is a node of a Cluster")
	case s.mode != "cluster" && cluster:
		return errNoCluster()
	case cluster && o.Replicas > 0:
		return hinted("set journal.replicas to 0 and min-replicas-to-write on the Cluster's nodes", "journal: waiting for replicas does not work in a Cluster")
	case s.role != "master":
		return hinted("name the master in journal.url, or use redis+sentinel://", "journal: this Redis is a replica")
	case s.evicts():
		return hinted("set maxmemory-policy to noeviction", "journal: Redis has the maxmemory-policy %s and would throw away what was acknowledged", s.policy)
	case !s.appendOnly && s.configured && s.save == "" && !o.AllowLoss:
		return hinted("set appendonly yes, and appendfsync always where nothing may be lost; or set journal.allow_loss",
			"journal: Redis keeps nothing on disk: a restart of it would lose every event")
	}
	return nil
}

func (s *redisServer) evicts() bool { return s.policy != "" && s.policy != "noeviction" }

func errNoCluster() error {
	return hinted("use redis:// or redis+sentinel://", "journal: this Redis is no Cluster")
}

// The levels of durability, from the worst.
const (
	losesAll = iota
	losesSinceSnapshot
	losesUnknown
	losesHalfMinute
	losesSecond
	losesNothing
)

func (s *redisServer) level(disk bool) int {
	switch {
	case !s.appendOnly && s.configured && s.save != "":
		return losesSinceSnapshot
	case !s.appendOnly:
		return losesAll
	case disk || s.fsync == "always":
		return losesNothing
	case !s.configured:
		return losesUnknown
	case s.fsync == "no":
		return losesHalfMinute
	}
	return losesSecond
}

// waitsForDisk reports whether an answer can wait for the server's sync: since 7.2, and where the sync is not a part of the
// command anyway.
func (s *redisServer) waitsForDisk() bool {
	return (s.major > 7 || s.minor >= 2) && s.appendOnly && s.fsync == "everysec"
}

// durability is the worst server's promise in one line, and whether a crash can lose anything.
func durability(servers []redisServer, o RedisOptions, kind string, disk bool) (line string, safe bool) {
	worst := servers[0]
	for _, s := range servers[1:] {
		if s.level(disk) < worst.level(disk) {
			worst = s
		}
	}
	where := "one server"
	switch kind {
	case "sentinel":
		where = "a master named by Sentinel"
	case "cluster":
		where = fmt.Sprintf("a Cluster of %d masters", len(servers))
	}
	level := worst.level(disk)
	var promise string
	switch level {
	case losesAll:
		promise = "nothing on disk: a crash of the server loses everything"
		if !worst.configured {
			promise = "not appendonly, and its snapshots are unknown because CONFIG is forbidden: a crash of the server can lose everything"
		}
	case losesSinceSnapshot:
		promise = "snapshots alone (save " + worst.save + "): a crash of the server loses everything since the last one"
	case losesUnknown:
		promise = "appendonly, with an appendfsync that is unknown because CONFIG is forbidden: a crash of the server may lose the last seconds"
	case losesHalfMinute:
		promise = "appendonly with appendfsync no: a crash of its machine can lose the last half minute"
	case losesSecond:
		promise = "appendonly with appendfsync everysec: a crash of the server can lose the last second (two when its disk is slow)"
	case losesNothing:
		promise = "appendonly with appendfsync always: an answer of 200 is on its disk"
		if disk {
			promise = "appendonly with appendfsync everysec, for which every answer waits: an answer of 200 is on its disk"
		}
	}
	line = "redis " + worst.version + ", " + where + ", " + promise
	switch {
	case o.Replicas == 1:
		line += ", and with a replica"
	case o.Replicas > 1:
		line += fmt.Sprintf(", and with %d replicas", o.Replicas)
	case kind != "":
		line += "; a failover can lose what no replica has yet"
	}
	return line, level == losesNothing
}

// errUnreadable is a server that does not tell what it is when the program starts.
func errUnreadable(err error) error {
	var answer redis.Error
	answered := errors.As(err, &answer)
	if answered && strings.Contains(answer.Error(), "cluster support disabled") {
		return unfit(errNoCluster())
	}
	e := redisError(err)
	if !answered {
		e.Hint = "start Redis, or correct journal.url; only with journal.spill does the program start without it"
	}
	return e
}
