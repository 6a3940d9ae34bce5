package forward_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

// R8: a server that takes connections and never answers. A cancelled context ends the wait at once.
func TestR08_RedisBlackHole(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 1)) // the client waits for an answer now
		cancel()
		defer c.Close()
		for err == nil {
			_, err = c.Read(make([]byte, 4096))
		}
	}()
	d, err := forward.New(hookgate.DestinationSettings{Type: "redis-stream", URL: literal("redis://" + l.Addr().String()), Stream: "x", Timeout: time.Hour}, forward.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantTrouble(t, d.Publish(ctx, batchOf(events(3, 3)...)))
}

// A key that is no stream and a wrong password are trouble: nobody's event is at fault. An event that is too large is
// refused, and its neighbours arrive.
func TestRedisWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	r := ownRedis(t)
	c := redisClient(t, r.url())
	if err := c.Set(t.Context(), "text", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []hookgate.DestinationSettings{
		{URL: literal(r.url()), Stream: "text"},
		{URL: literal("redis://:wrong-hidden@" + r.addr), Stream: "x"},
	} {
		s.Type = "redis-stream"
		d, err := forward.New(s, forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 3} {
			wantTrouble(t, d.Publish(t.Context(), batchOf(events(n, n)...)))
		}
		_ = d.Close()
	}
	d, err := forward.New(hookgate.DestinationSettings{Type: "redis-stream", URL: literal(r.url()), Stream: "ok"}, forward.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all := append(events(3, 3), event(4, "k1")) // the last one is of the key of the refused one
	all[1].Data = make([]byte, 64<<20+1)
	errs := d.Publish(t.Context(), batchOf(all...))
	if errs[0] != nil || errs[2] != nil || !isRefusal(errs[1]) || !errors.Is(errs[3], forward.ErrHeld) {
		t.Errorf("%v", errs)
	}
	if n := c.XLen(t.Context(), "ok").Val(); n != 2 {
		t.Errorf("%d arrived", n)
	}
}
