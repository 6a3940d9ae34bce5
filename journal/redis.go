package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

var _ hookgate.Journal = (*Redis)(nil)

// ErrUnfit is in every error of OpenRedis that waiting does not mend: the server would lose events, or another is meant.
var ErrUnfit = errors.New("the server is not fit to hold the journal")

func unfit(err error) error {
	e := *hookgate.AsError(err)
	e.Err = ErrUnfit
	return &e
}

// RedisOptions are the settings of a journal on Redis. Nodes that share one must agree on Shards and Prefix.
type RedisOptions struct {
	// Shards is over how many streams the events are spread, 16 unless set. It is fixed once there is data.
	Shards int
	// Prefix begins every key, "hookgate" unless set.
	Prefix string
	// Retention is how long an event is kept once every destination is done with it; 0 keeps it for ever.
	Retention time.Duration
	// Compact keeps markers in buckets: a fifth of the memory, for large windows.
	Compact bool
	// Replicas is how many replicas must have an event before it is acknowledged; 0 waits for none. Not for a Cluster.
	Replicas int
	// AllowLoss serves although the server keeps nothing on disk.
	AllowLoss bool
	// Destinations are the configured ones. Nothing is deleted that one of them has still to deliver.
	Destinations []string
	// Node is the name of this node, a random one unless set.
	Node string
	// Warn is told what an operator should hear, such as a journal that somebody has emptied. It must not block.
	Warn func(text string)
	// Now is the clock of retention; time.Now unless set. Keys end by the server's own clock.
	Now func() time.Time
}

// The bounds of one conversation with Redis. All of them together stay below the shortest time-out of a provider, 5 s.
const (
	redisDial    = time.Second
	redisTimeout = 500 * time.Millisecond
)

// Redis is the journal of many nodes. Its events lie in streams, the shards; an event's shard follows from its partition
// key, so that order per key is the order of one stream. Everything of a shard has one hash slot.
type Redis struct {
	o      RedisOptions
	shards []*Shard
	client redis.UniversalClient // for what is answered at once
	waits  redis.UniversalClient // for blocking reads, each of which takes a connection

	patience time.Duration // with the end of the work on a shard; only tests change it

	intake  *redisIntake
	monitor *redisMonitor
	stop    chan struct{}
	ended   sync.WaitGroup
	close   sync.Once

	destinations redisDestinations
	stats        redisStats
}

// OpenRedis connects and reads what the server promises. It fails when the server would lose what is acknowledged: when it
// evicts keys, keeps nothing on disk (unless allowed), is a replica, or is too old; the error says what to change there.
// The URL is redis:// (one server), redis+sentinel:// with ?master_name= and further &addr=, or redis+cluster:// with
// further ?addr=; rediss, with an s, is TLS.
func OpenRedis(ctx context.Context, url string, o RedisOptions) (*Redis, error) {
	o = o.withDefaults()
	r := &Redis{o: o, stop: make(chan struct{}), patience: giveUpWithin}
	var err error
	if r.client, err = newRedisClient(url, 32, redisTimeout); err != nil {
		return nil, err
	}
	if r.waits, err = newRedisClient(url, o.Shards+4, blockFor+redisTimeout); err != nil {
		return nil, errors.Join(err, r.client.Close())
	}
	for i := range o.Shards {
		r.shards = append(r.shards, &Shard{r: r, id: i})
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (o RedisOptions) withDefaults() RedisOptions {
	if o.Shards == 0 {
		o.Shards = 16
	}
	if o.Prefix == "" {
		o.Prefix = "hookgate"
	}
	if o.Node == "" {
		o.Node = rand.Text()[:8]
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// start reads the server's promises, settles what the nodes must agree on, enters the destinations and begins to work.
func (r *Redis) start(ctx context.Context) error {
	if err := r.startMonitor(ctx); err != nil {
		return err
	}
	if err := r.agree(ctx); err != nil {
		return err
	}
	r.startIntake()
	if err := r.SetDestinations(r.o.Destinations); err != nil {
		return err
	}
	r.startRetention()
	return nil
}

// agree fixes the number of shards with the first node and refuses another one later: an event's shard would change, and
// with it what counts as a duplicate.
func (r *Redis) agree(ctx context.Context) error {
	key := r.o.Prefix + ":{format}"
	if err := r.client.HSetNX(ctx, key, "shards", r.o.Shards).Err(); err != nil {
		return redisError(err)
	}
	there, err := r.client.HGet(ctx, key, "shards").Int()
	if err != nil {
		return redisError(err)
	}
	if there != r.o.Shards {
		return unfit(hinted("set journal.shards to "+strconv.Itoa(there)+", or use another journal.prefix", "the journal on Redis has %d shards, not %d", there, r.o.Shards))
	}
	return nil
}

// CheckRedisURL reads a URL as OpenRedis does, without connecting. The error is a hookgate.Problem of the field url.
func CheckRedisURL(url string) error {
	c, err := newRedisClient(url, 1, redisTimeout)
	if err != nil {
		e := hookgate.AsError(err)
		return hookgate.Problem{Field: "url", Message: e.Detail, Hint: e.Hint}
	}
	return c.Close()
}

// newRedisClient reads the URL. What is wrong with it is told without its text, which may hold a password.
func newRedisClient(url string, pool int, read time.Duration) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	base, kind, _ := strings.Cut(scheme, "+")
	if !ok || (base != "redis" && base != "rediss") {
		return nil, hinted("write redis://host:6379/0, redis+sentinel:// or redis+cluster://", "is not the URL of a Redis")
	}
	url = base + "://" + rest
	bad := func() (redis.UniversalClient, error) {
		return nil, hinted("write redis://[user:password@]host:port/db", "is not a URL that the Redis client understands")
	}
	off := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch kind {
	case "":
		o, err := redis.ParseURL(url)
		if err != nil {
			return bad()
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisDial, read, redisTimeout, redisTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = -1, 1, true, true
		o.OnConnect = mendFile
		o.PoolSize, o.MaintNotificationsConfig = pool, off
		return redis.NewClient(o), nil
	case "cluster":
		o, err := redis.ParseClusterURL(url)
		if err != nil {
			return bad()
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisDial, read, redisTimeout, redisTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = -1, 1, true, true
		o.OnConnect = mendFile
		o.PoolSize, o.MaintNotificationsConfig = pool, off
		return redis.NewClusterClient(o), nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(url)
		if err != nil {
			return bad()
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisDial, read, redisTimeout, redisTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = -1, 1, true, true
		o.OnConnect, o.PoolSize = mendFile, pool
		return redis.NewFailoverClient(o), nil
	}
	return bad()
}

// Shards are all streams of the journal.
func (r *Redis) Shards() []*Shard { return r.shards }

// shardOf is the shard of an event. What could not be read has no key of its own and is spread by its id.
func (r *Redis) shardOf(e *hookgate.Event) *Shard {
	h := fnv.New32a()
	if e.Quarantine != "" {
		_, _ = h.Write([]byte(e.ID))
	} else {
		_, _ = h.Write([]byte(e.PartitionKey))
	}
	return r.shards[h.Sum32()%uint32(len(r.shards))]
}

// Number is what an operator sees of a shard's own number n, its place in the whole journal: the shards' numbers, dealt in turn.
func (s *Shard) Number(n int64) int64 { return (n-1)*int64(len(s.r.shards)) + int64(s.id) + 1 }

// Place gives the shard and its own number of a place in the whole journal.
func (r *Redis) Place(number int64) (*Shard, int64) {
	n := max(number-1, 0)
	return r.shards[n%int64(len(r.shards))], n/int64(len(r.shards)) + 1
}

// ID tells the shards apart, from 0 on.
func (s *Shard) ID() int { return s.id }

// key is one of the shard's keys. All of them are in one slot, whatever the prefix.
func (s *Shard) key(name string) string {
	return s.r.o.Prefix + ":{" + strconv.Itoa(s.id) + "}:" + name
}

// Close takes no more, waits for what is under way, and ends every goroutine. The shards must have been given up before.
func (r *Redis) Close() error {
	var err error
	r.close.Do(func() {
		close(r.stop)
		r.ended.Wait()
		err = errors.Join(r.client.Close(), r.waits.Close())
	})
	return err
}

// Failed never tells anything: a Redis that comes back is as good as before.
func (r *Redis) Failed() <-chan struct{} { return nil }

// String names the journal without its URL.
func (r *Redis) String() string { return fmt.Sprintf("redis, %d shards", len(r.shards)) }
