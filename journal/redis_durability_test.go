package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestRedisDurability reads the one line that says what an answer of 200 is worth, and whether it comes with a warning.
func TestRedisDurability(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options []string
		o       journal.RedisOptions
		want    string
		warns   bool
	}{
		{"always", nil, journal.RedisOptions{}, "appendonly with appendfsync always: an answer of 200 is on its disk", false},
		{"everysec", []string{"--appendfsync", "everysec"}, journal.RedisOptions{},
			"appendonly with appendfsync everysec: a crash of the server can lose the last second (two when its disk is slow)", true},
		{"no", []string{"--appendfsync", "no"}, journal.RedisOptions{},
			"appendonly with appendfsync no: a crash of its machine can lose the last half minute", true},
		{"snapshots", []string{"--appendonly", "no", "--save", "3600 1"}, journal.RedisOptions{},
			"snapshots alone (save 3600 1): a crash of the server loses everything since the last one", true},
		{"allowed loss", []string{"--appendonly", "no"}, journal.RedisOptions{AllowLoss: true},
			"nothing on disk: a crash of the server loses everything", true},
		{"CONFIG forbidden", []string{"--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config"}, journal.RedisOptions{},
			"appendonly, with an appendfsync that is unknown because CONFIG is forbidden: a crash of the server may lose the last seconds", true},
		{"CONFIG forbidden, no file", []string{"--appendonly", "no", "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config"}, journal.RedisOptions{},
			"not appendonly, and its snapshots are unknown because CONFIG is forbidden: a crash of the server can lose everything", true},
		{"replica", nil, journal.RedisOptions{Replicas: 1}, "appendonly with appendfsync always: an answer of 200 is on its disk, and with a replica", false},
		{"replicas", nil, journal.RedisOptions{Replicas: 2}, "appendonly with appendfsync always: an answer of 200 is on its disk, and with 2 replicas", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var told warnings
			c.o.Warn = told.add
			url, version := asVersion(t, startRedis(t, c.options...), "7.0")
			j := openRedis(t, url, c.o)
			if got, want := j.Durability(), "redis "+version+", one server, "+c.want; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if (told.count(c.want) > 0) != c.warns {
				t.Errorf("told: %q", told.all())
			}
		})
	}
	t.Run("Cluster", func(t *testing.T) {
		t.Parallel()
		nodes := startClusterOf(t, 2)
		nodes[1].do("CONFIG", "SET", "appendfsync", "no")
		j := openRedis(t, nodes[0].clusterURL(), journal.RedisOptions{})
		want := "redis " + nodes[0].version() + ", a Cluster of 2 masters, appendonly with appendfsync no: a crash of its machine can lose the last half minute; a failover can lose what no replica has yet"
		if got := j.Durability(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		server := startRedis(t)
		port := startSentinel(t, server)
		j := openRedis(t, "redis+sentinel://127.0.0.1:"+port+"?master_name=main", journal.RedisOptions{})
		want := "redis " + server.version() + ", a master named by Sentinel, appendonly with appendfsync always: an answer of 200 is on its disk; a failover can lose what no replica has yet"
		if got := j.Durability(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		accept(t, j, start, part{id: "e"})
	})
}

// asVersion lets a server look like another version; major and minor are a digit each.
func asVersion(t *testing.T, r *redisServer, majorMinor string) (url, full string) {
	t.Helper()
	is := r.version()
	full = majorMinor + is[3:]
	p := newRedisProxy(t, r.addr())
	p.rewrite(nil, replacing("redis_version:"+is, "redis_version:"+full))
	return p.url(), full
}

// startSentinel starts one that watches a server under the name of main.
func startSentinel(t *testing.T, server *redisServer) (port string) {
	t.Helper()
	port = freePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := "port " + port + "\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 " + server.port + " 1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	sentinel := &redisServer{t: t, port: port}
	c := sentinel.client()
	eventually(t, "the Sentinel answers", func() bool { return c.Ping(t.Context()).Err() == nil })
	return port
}

// TestRedisRefused opens journals on servers that would lose events. The error says what to change, and never a password.
func TestRedisRefused(t *testing.T) {
	t.Parallel()
	const secret = "canary-6f1d"
	plain := func(options ...string) func(*testing.T) string {
		return func(t *testing.T) string { return startRedis(t, options...).url() }
	}
	for _, c := range []struct {
		name string
		url  func(*testing.T) string
		o    journal.RedisOptions
		want []string
	}{
		{"evicting", plain("--maxmemory-policy", "allkeys-lru"), journal.RedisOptions{}, []string{"allkeys-lru", "set maxmemory-policy to noeviction"}},
		{"evicting what ends", plain("--maxmemory-policy", "volatile-ttl"), journal.RedisOptions{AllowLoss: true}, []string{"volatile-ttl", "noeviction"}},
		{"nothing on disk", plain("--appendonly", "no"), journal.RedisOptions{}, []string{"keeps nothing on disk", "appendonly yes", "journal.allow_loss"}},
		{"replica", plain("--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "yes"), journal.RedisOptions{}, []string{"is a replica", "redis+sentinel://"}},
		{"node of a Cluster", func(t *testing.T) string { return startCluster(t).url() }, journal.RedisOptions{}, []string{"a node of a Cluster", "redis+cluster://"}},
		{"no Cluster", func(t *testing.T) string { return startRedis(t).clusterURL() }, journal.RedisOptions{}, []string{"no Cluster", "use redis://"}},
		{"replicas of a Cluster", func(t *testing.T) string { return startCluster(t).clusterURL() }, journal.RedisOptions{Replicas: 1}, []string{"journal.replicas", "min-replicas-to-write"}},
		{"Sentinel", func(t *testing.T) string { return "redis://127.0.0.1:" + startSentinel(t, startRedis(t)) }, journal.RedisOptions{}, []string{"is a Sentinel", "redis+sentinel://"}},
		{"away", func(t *testing.T) string { return "redis://u:" + secret + "@127.0.0.1:" + freePort(t) + "/0" }, journal.RedisOptions{}, []string{"does not answer", "journal.spill"}},
		{"Cluster away", func(t *testing.T) string { return "redis+cluster://u:" + secret + "@127.0.0.1:" + freePort(t) }, journal.RedisOptions{}, []string{"does not answer", "journal.spill"}},
		{"Sentinel away", func(t *testing.T) string {
			return "redis+sentinel://u:" + secret + "@127.0.0.1:" + freePort(t) + "?master_name=main"
		}, journal.RedisOptions{}, []string{"does not answer", "journal.spill"}},
		{"silent", func(t *testing.T) string {
			p := newRedisProxy(t, startRedis(t).addr())
			p.swallow()
			return p.url()
		}, journal.RedisOptions{}, []string{"does not answer", "journal.spill"}},
		{"wrong password", func(t *testing.T) string {
			return strings.Replace(startRedis(t, "--requirepass", "right").url(), "://", "://:"+secret+"@", 1)
		}, journal.RedisOptions{}, []string{"WRONGPASS", "journal.url"}},
		{"keys forbidden", plain("--user", "default", "on", "nopass", "~other:*", "&*", "+@all"), journal.RedisOptions{}, []string{"NOPERM", "journal.prefix"}},
		{"too old", func(t *testing.T) string {
			url, _ := asVersion(t, startRedis(t), "6.2")
			return url
		}, journal.RedisOptions{}, []string{"Redis 6.2", "is too old", "7.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := c.url(t)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			j, err := journal.OpenRedis(ctx, url, c.o)
			if err == nil {
				_ = j.Close()
				t.Fatal("it was opened")
			}
			if ctx.Err() != nil {
				t.Error("it took until the end of the context")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if away := strings.Contains(c.name, "away") || slices.Contains([]string{"silent", "wrong password", "keys forbidden"}, c.name); errors.Is(err, journal.ErrUnfit) == away {
				t.Errorf("%q is marked wrongly as what waiting does not mend", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q holds the password", err)
			}
		})
	}
}

// TestR09_RedisMonitor changes a server while it is used and demands that readiness and operators hear of it.
func TestR09_RedisMonitor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*redisServer)
		ready   string // what readiness says
		told    string
		refuses string // the hint with which events are refused
		after   time.Duration
		back    func(*redisServer)
	}{
		{"evicting policy", func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") }, "allkeys-lru", "allkeys-lru", "noeviction", 5 * time.Second,
			func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory-policy", "noeviction") }},
		{"replica", func(r *redisServer) { r.do("REPLICAOF", "127.0.0.1", "1") }, "is a replica", "is a replica", "", 0,
			func(r *redisServer) { r.do("REPLICAOF", "NO", "ONE") }},
		{"killed", func(r *redisServer) { r.kill() }, "does not answer", "", "", 0, func(r *redisServer) { r.restart() }},
		{"weaker after a restart", func(r *redisServer) {
			r.kill()
			r.args = append(r.args, "--appendfsync", "no")
			r.restart()
		}, "", "can lose the last half minute", "", 0, func(*redisServer) {}},
		{"memory short", func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", r.used()*100/78) }, "", "of its maxmemory", "", 0,
			func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", 0) }},
		{"memory nearly out", func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", r.used()*100/92) }, "of its maxmemory", "of its maxmemory", "maxmemory", 30 * time.Second,
			func(r *redisServer) { r.do("CONFIG", "SET", "maxmemory", 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := startRedis(t)
			if strings.HasPrefix(c.name, "memory") {
				server.do("SET", "ballast", strings.Repeat("x", 20<<20)) // what clients need beside it counts little then
			}
			var told warnings
			j := openRedis(t, server.url(), journal.RedisOptions{Shards: 2, Warn: told.add})
			eventually(t, "ready", func() bool { return j.Ready() == nil })
			c.change(server)
			if c.ready != "" {
				eventually(t, "not ready", func() bool { err := j.Ready(); return err != nil && strings.Contains(err.Error(), c.ready) })
			}
			if c.told != "" {
				eventually(t, "an operator is told", func() bool { return told.count(c.told) > 0 })
			}
			if c.refuses != "" {
				req, events := request(start, part{id: "e"})
				_, err := j.Accept(t.Context(), req, events)
				if e := hookgate.AsError(err); err == nil || e.Code != hookgate.Unavailable || !strings.Contains(e.Hint, c.refuses) || e.RetryAfter != c.after || strings.Contains(e.Error(), "OOM") {
					t.Errorf("%v", err)
				}
			}
			c.back(server)
			eventually(t, "ready again", func() bool { return j.Ready() == nil })
			accept(t, j, start, part{id: "after"})
		})
	}
}

// TestR09_RedisKeepsNothing restarts a server without a file. That is known from CONFIG, which is read seldom, and must hold
// in between.
func TestR09_RedisKeepsNothing(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	j := openRedis(t, server.url(), journal.RedisOptions{Shards: 1})
	server.kill()
	server.args = append(server.args, "--appendonly", "no")
	server.restart()
	eventually(t, "not ready", func() bool {
		err := j.Ready()
		return err != nil && strings.Contains(err.Error(), "keeps nothing on disk")
	})
	asked := 0
	looks := func() int { // the monitor's: nobody else asks for INFO from here on, but this function itself
		n := server.count("commandstats", "cmdstat_info:calls=") - asked
		asked++
		return n
	}
	until := looks() + 3 // what came of the last of them is not known yet, but of those before
	eventually(t, "three more looks at the server", func() bool { return looks() >= until })
	if err := j.Ready(); err == nil {
		t.Error("ready again at the next look")
	}
}

// TestRedisWaitsForDisk lets a server look like a later one whose commands can be followed by WAITAOF. What it answers to
// that is made up here: it stands for the conversation alone, not for what a later server does.
func TestRedisWaitsForDisk(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--appendfsync", "everysec")
	proxy := newRedisProxy(t, server.addr())
	is := server.version()
	later := "7.2" + is[3:]
	synced := func(local int) {
		question := "*4\r\n$7\r\nWAITAOF\r\n$1\r\n1\r\n$1\r\n0\r\n$4\r\n1500\r\n"
		answer := fmt.Sprintf("*4\r\n$4\r\nEVAL\r\n$12\r\nreturn {%d,0}\r\n$1\r\n0\r\n$4\r\n1500\r\n", local)
		proxy.rewrite(func(b []byte) []byte {
			if bytes.Contains(b, []byte("EVALSHA")) && !bytes.Contains(b, []byte(question)) {
				t.Error("a script without WAITAOF behind it")
			}
			return bytes.ReplaceAll(b, []byte(question), []byte(answer))
		}, replacing("redis_version:"+is, "redis_version:"+later))
	}
	synced(1)
	j := openRedis(t, proxy.url(), journal.RedisOptions{Shards: 1})
	want := "redis " + later + ", one server, appendonly with appendfsync everysec, for which every answer waits: an answer of 200 is on its disk"
	if got := j.Durability(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	accept(t, j, start, part{id: "a"})
	synced(0)
	req, events := request(start, part{id: "b"})
	if _, err := j.Accept(t.Context(), req, events); err == nil || !strings.Contains(err.Error(), "has not synced") {
		t.Errorf("without the sync: %v", err)
	}
	synced(1)
	if got := accept(t, j, start, part{id: "b"})[0]; got != (hookgate.Result{Class: hookgate.Replay, Seq: 2}) {
		t.Errorf("the retry: %+v", got)
	}
}
