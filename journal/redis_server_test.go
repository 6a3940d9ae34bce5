package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/journal"
	"github.com/redis/go-redis/v9"
)

// redisServer is a redis-server of a test's own, which may be killed and started again.
type redisServer struct {
	t    testing.TB
	port string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts one that syncs every command, with further options as on the command line.
func startRedis(t testing.TB, options ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing from PATH: `make tools` installs it")
	}
	r := &redisServer{t: t}
	r.args = append([]string{
		"--bind", "127.0.0.1", "--dir", serverDir(t), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		"--repl-diskless-sync-delay", "0",
	}, options...)
	t.Cleanup(r.kill)
	for range 5 { // a free port may be somebody else's a moment later
		if r.port = freePort(t); r.run() {
			return r
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

// serverDir is a folder for a server. A child that writes the server's file anew may outlive it for a moment, so that the
// folder cannot always be removed at once.
func serverDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, "the server's folder is removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}

func (r *redisServer) run() bool {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", append([]string{"--port", r.port}, r.args...)...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "Ready to accept connections") {
				ready <- true
			}
		}
	}()
	return <-ready
}

// restart starts a killed one again, on its file and its port.
func (r *redisServer) restart() {
	r.t.Helper()
	if !r.run() {
		r.t.Fatal("redis-server does not start again")
	}
}

func (r *redisServer) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait() // it was killed
	}
}

func (r *redisServer) addr() string { return "127.0.0.1:" + r.port }
func (r *redisServer) url() string  { return "redis://" + r.addr() + "/0" }

// client speaks to the server past the journal.
func (r *redisServer) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.addr(), DisableIdentity: true})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// do runs a command and fails the test when it fails.
func (r *redisServer) do(args ...any) any {
	r.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: r.addr(), DisableIdentity: true})
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// info is one value of INFO, empty where there is none.
func (r *redisServer) info(section, name string) string {
	r.t.Helper()
	_, text, _ := strings.Cut(fmt.Sprint(r.do("INFO", section)), "\n"+name)
	text, _, _ = strings.Cut(text, "\r")
	return text
}

// count is a number there, 0 where there is none.
func (r *redisServer) count(section, name string) (n int) {
	r.t.Helper()
	_, _ = fmt.Sscan(r.info(section, name), &n)
	return n
}

// answered counts the errors of a kind that the server has given.
func (r *redisServer) answered(kind string) int {
	r.t.Helper()
	return r.count("errorstats", "errorstat_"+kind+":count=")
}

func (r *redisServer) used() int {
	r.t.Helper()
	return r.count("memory", "used_memory:")
}

// version is what the server says it is.
func (r *redisServer) version() string {
	r.t.Helper()
	return r.info("server", "redis_version:")
}

// startCluster starts a Cluster of one node, which minds slots as a larger one does.
func startCluster(t testing.TB) *redisServer {
	t.Helper()
	return startClusterOf(t, 1)[0]
}

// startClusterOf starts a Cluster of so many masters and no replicas.
func startClusterOf(t testing.TB, masters int, options ...string) []*redisServer {
	t.Helper()
	nodes := make([]*redisServer, masters)
	const slots = 16384
	for i := range nodes {
		bus := freePort(t)
		nodes[i] = startRedis(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, options...)...)
		nodes[i].do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		if i > 0 {
			nodes[0].do("CLUSTER", "MEET", "127.0.0.1", nodes[i].port, bus)
		}
	}
	for _, node := range nodes {
		eventually(t, "the Cluster comes up", func() bool {
			info := fmt.Sprint(node.do("CLUSTER", "INFO"))
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(masters))
		})
	}
	return nodes
}

func (r *redisServer) clusterURL() string { return "redis+cluster://" + r.addr() }

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func openRedis(t testing.TB, url string, o journal.RedisOptions) *journal.Redis {
	t.Helper()
	r, err := journal.OpenRedis(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		givenUp()
	})
	return r
}

// givenUp waits until the Redis client has ended what dials a server that is away; it looks once a second whether it is
// closed. Other tests' clients may be at it meanwhile, so that this gives up, too.
func givenUp() {
	stacks := make([]byte, 4<<20)
	for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("tryDial")) {
			return
		}
	}
}
