package journal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/journal"
	"github.com/redis/go-redis/v9"
)

// TestR06_TornTransaction: a kill in the middle of a write leaves half a transaction at the end of Redis's file. Redis cuts
// the half command away but leaves the MULTI before it (7.0.15 and 7.4.0), and its next start takes what was written since
// for the rest of that transaction: an event that was acknowledged since is gone, because the half transaction has its number.
func TestR06_TornTransaction(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	server := startRedis(t, "--dir", dir)
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1})
	for i := range 5 {
		accept(t, j, start, part{id: "before " + strconv.Itoa(i), data: "before " + strconv.Itoa(i)})
	}
	server.kill()
	tear(t, dir)
	server.restart()
	eventually(t, "events are taken again", func() bool {
		req, events := request(start, part{id: "first", data: "first"})
		_, err := j.Accept(t.Context(), req, events)
		return err == nil
	})
	for i := range 5 {
		accept(t, j, start, part{id: "after " + strconv.Itoa(i), data: "after " + strconv.Itoa(i)})
	}
	eventually(t, "Redis has written its file anew", func() bool {
		return server.info("persistence", "aof_rewrite_in_progress:") == "0"
	})
	server.kill()
	server.restart()
	found := entries(t, func(stream string) ([]redis.XMessage, error) {
		return server.client().XRange(t.Context(), stream, "-", "+").Result()
	}, 1)
	for id, n := range map[string]int{"first": 1, "after 0": 1, "after 4": 1, "before 3": 1, "before 4": 0} {
		if found[id] != n {
			t.Errorf("%q stands %d times in the log, want %d", id, found[id], n)
		}
	}
}

// tear cuts the newest file of Redis in the middle of the first command of its last transaction.
func tear(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	file := files[len(files)-1]
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(content, []byte("MULTI\r\n"))
	second := bytes.Index(content[max(at, 0):], []byte("SET\r\n")) // the marker: the entry before it is whole
	if at < 0 || second < 0 {
		t.Fatalf("no transaction in %s", file)
	}
	if err := os.Truncate(file, int64(at+second+5)); err != nil {
		t.Fatal(err)
	}
}

// TestRedisAnswersTooLate: a new connection whose first answer comes too late is not used, or the next question would get it.
func TestRedisAnswersTooLate(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	proxy := newRedisProxy(t, server.addr())
	proxy.rewrite(func(asked []byte) []byte { // under the lock of the proxy
		proxy.delay = 0
		if bytes.Contains(asked, []byte("persistence")) {
			proxy.delay = 700 * time.Millisecond // more than is waited for an answer
		}
		return asked
	}, nil)
	j, err := journal.OpenRedis(t.Context(), proxy.url(), journal.RedisOptions{})
	if err == nil {
		_ = j.Close()
	}
	givenUp()
	if err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v", err)
	}
}
