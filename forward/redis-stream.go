package forward

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxRedisEvent is the largest payload that is sent to Redis, our own bound: an eighth of what its proto-max-bulk-len
// allows by default. Beyond that limit Redis drops the connection, which would look like trouble of the whole queue.
const maxRedisEvent = 64 << 20

// redisStream appends with XADD. The fields are id, type and event, which holds the envelope as JSON. Redis confirms by
// its reply; how durable that is, its own persistence decides. A repeat is a second entry of the same id.
type redisStream struct {
	password string
	client   *redis.Client
	last     *lastConn
	stream   string
	maxLen   int64
	sign     Sign
	cmds     []*redis.StringCmd // one for each place of a batch, used again and again: one Publish runs at a time
	buf      []byte
	ends     []int
}

func checkRedisStream(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if len(s.URL.Reveal()) == 0 {
		missing(ps, "url", "such as redis://127.0.0.1:6379/0")
	} else if _, err := redisOptions(s); err != nil {
		ps.Add("url", "write redis://[user:password@]host:port/db, or rediss:// for TLS", "%s", err)
	}
	if s.Stream == "" {
		missing(ps, "stream", "the key of the stream, such as webhooks")
	}
	if s.MaxLen < 0 {
		ps.Add("max_len", "0 never cuts", "must not be below zero")
	}
}

// redisOptions reads the URL. What is wrong with it is not repeated, because the parser's own error quotes it, and with
// it perhaps a password.
func redisOptions(s hookgate.DestinationSettings) (*redis.Options, error) {
	text := string(s.URL.Reveal())
	if !strings.HasPrefix(text, "redis://") && !strings.HasPrefix(text, "rediss://") {
		return nil, errors.New("is not a redis:// or rediss:// URL")
	}
	o, err := redis.ParseURL(text)
	if err != nil {
		return nil, errors.New("is not a URL that the Redis client understands")
	}
	return o, nil
}

func openRedisStream(s hookgate.DestinationSettings, own Options) (Destination, error) {
	o, err := redisOptions(s)
	if err != nil {
		return nil, err
	}
	// The client must not try again by itself: that would repeat entries behind the engine's back and out of order.
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DialTimeout, o.PoolTimeout = time.Second, 500*time.Millisecond
	// An answer may take as long as the attempt: a shorter time-out would make a slow Redis an endless run of repeats.
	o.ReadTimeout, o.WriteTimeout = s.Timeout, s.Timeout
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.PoolSize, o.MinIdleConns = 1, 0
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	last := &lastConn{}
	dial := redis.NewDialer(o)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err == nil {
			last.set(c)
		}
		return c, err
	}
	return &redisStream{password: o.Password, client: redis.NewClient(o), last: last, stream: s.Stream, maxLen: s.MaxLen, sign: own.Sign}, nil
}

// Publish appends the batch in one round trip. More than one entry goes as a transaction: if Redis starts to take
// writes again half-way through, it must not take a later entry of a key whose earlier one it has just refused.
func (r *redisStream) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	// The client knows deadlines but does not notice a cancelled context while it waits.
	defer context.AfterFunc(ctx, r.last.cut)()
	errs := make([]error, len(batch))
	sent := r.build(ctx, batch, errs)
	if len(sent) == 0 {
		return errs
	}
	err := r.exec(ctx, sent)
	forget(sent)
	if err != nil {
		t := &Trouble{Err: hookgate.Errorf(hookgate.Unavailable, "redis-stream: %s", r.quoted(err))}
		for i := range errs {
			if errs[i] == nil {
				errs[i] = t
			}
		}
	}
	return errs
}

// build writes all envelopes into one buffer and a command for each entry that can be sent. The commands point into the
// buffer only once it has stopped growing.
func (r *redisStream) build(ctx context.Context, batch []hookgate.Entry, errs []error) []*redis.StringCmd {
	r.buf, r.ends = r.buf[:0], r.ends[:0]
	var refused []string // keys whose later entries must wait
	for i, e := range batch {
		switch {
		case slices.Contains(refused, e.Event.PartitionKey):
			errs[i] = ErrHeld
		case len(e.Event.Data) > maxRedisEvent:
			refused = append(refused, e.Event.PartitionKey)
			errs[i] = &Refusal{Err: hookgate.Errorf(hookgate.TooLarge, "redis-stream: an event of %d bytes, at most %d are sent", len(e.Event.Data), maxRedisEvent)}
		default:
			r.buf = e.Event.AppendSigned(r.buf, false, r.sign)
		}
		r.ends = append(r.ends, len(r.buf))
	}
	n, start := 0, 0
	for i, e := range batch {
		if errs[i] == nil {
			if n == len(r.cmds) {
				r.cmds = append(r.cmds, r.newCommand(ctx))
			}
			cmd := r.cmds[n]
			cmd.SetErr(nil)
			args := cmd.Args()
			args[len(args)-5], args[len(args)-3] = &e.Event.ID, &e.Event.Type // pointers, because a string would be copied to the heap
			args[len(args)-1] = r.buf[start:r.ends[i]:r.ends[i]]
			n++
		}
		start = r.ends[i]
	}
	if cap(r.buf) > 2*batchBytes {
		r.buf = nil // one huge event must not keep its memory; the commands hold it until they are sent
	}
	return r.cmds[:n]
}

func (r *redisStream) newCommand(ctx context.Context) *redis.StringCmd {
	ctx = context.WithoutCancel(ctx) // the command outlives this batch; the time-out comes with each call
	if r.maxLen > 0 {
		return redis.NewStringCmd(ctx, "xadd", r.stream, "maxlen", "~", r.maxLen, "*", "id", nil, "type", nil, "event", nil)
	}
	return redis.NewStringCmd(ctx, "xadd", r.stream, "*", "id", nil, "type", nil, "event", nil)
}

func (r *redisStream) exec(ctx context.Context, cmds []*redis.StringCmd) error {
	if len(cmds) == 1 {
		return r.client.Process(ctx, cmds[0])
	}
	pipe := r.client.TxPipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, cmd) // only queues
	}
	_, err := pipe.Exec(ctx)
	// A transaction that was given up is explained by the command that Redis would not queue.
	if err != nil && strings.HasPrefix(err.Error(), "EXECABORT") {
		for _, cmd := range cmds {
			if cause := cmd.Err(); cause != nil && !strings.HasPrefix(cause.Error(), "EXECABORT") {
				return cause
			}
		}
	}
	return err
}

// forget lets go of the events, which the commands would keep until the next batch.
func forget(cmds []*redis.StringCmd) {
	for _, cmd := range cmds {
		args := cmd.Args()
		args[len(args)-5], args[len(args)-3], args[len(args)-1] = nil, nil, nil
	}
}

// quoted is the error's text without what a server may quote in it: one that does not know AUTH repeats the password.
func (r *redisStream) quoted(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", with args")
	return without(r.password, text)
}

// Close ends all connections.
func (r *redisStream) Close() error { return r.client.Close() }

// lastConn is the connection that was made last. The pool holds one, so it is the one that a call waits on.
type lastConn struct {
	mu   sync.Mutex
	conn net.Conn
}

func (l *lastConn) set(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c
}

// cut closes it, so that whoever waits on it gets an error; the client then makes a new one.
func (l *lastConn) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
}
