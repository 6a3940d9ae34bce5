package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("HOOKGATE_TEST_AS_PROGRAM") != "" { // a test that kills the program runs this binary as it
		main()
	}
	if port := os.Getenv("HOOKGATE_TEST_AS_PEBBLE"); port != "" { // a test that needs a certificate authority runs it as one
		bePebble(port)
	}
	redis.SetLogger(silent{})
	goleak.VerifyTestMain(m,
		// The limiter's stores end their cleaners when they are collected, not when they are told.
		goleak.IgnoreAnyFunction("github.com/ulule/limiter/v3/drivers/store/memory.(*cleaner).Run"))
}

// eventually asks until done or twenty seconds have passed, two minutes in a long run, and fails with the last answer.
func eventually(t *testing.T, what string, done func() (bool, string)) {
	t.Helper()
	patience := 20 * time.Second
	if os.Getenv("HOOKGATE_TEST_LONG") != "" {
		patience = 2 * time.Minute
	}
	deadline := time.Now().Add(patience)
	for {
		ok, last := done()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still not after %s; last: %s", what, patience, last)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// redisServer is a real Redis: that of HOOKGATE_TEST_REDIS, or a redis-server of this test's own.
type redisServer struct {
	url  string
	port string
	dir  string
	cmd  *exec.Cmd
}

// startRedis gives a Redis to write to.
func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if url := os.Getenv("HOOKGATE_TEST_REDIS"); url != "" {
		return &redisServer{url: url}
	}
	return startOwnRedis(t)
}

// startOwnRedis gives a Redis that the test may kill.
func startOwnRedis(t *testing.T) *redisServer {
	t.Helper()
	r := &redisServer{port: freePort(t), dir: serverDir(t)}
	r.url = "redis://127.0.0.1:" + r.port + "/0"
	r.start(t)
	t.Cleanup(func() { r.kill() })
	return r
}

// serverDir is a folder for a Redis. The journal has the server's file written anew after a crash, by a child that may
// outlive the server for a moment, so that the folder cannot always be removed at once.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, "the server's folder is removed", func() (bool, string) {
			err := os.RemoveAll(dir)
			return err == nil, fmt.Sprint(err)
		})
	})
	return dir
}

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test starts and stops a redis-server of its own and found none; `make tools` installs it")
	}
	r.cmd = exec.Command(path, "--port", r.port, "--bind", "127.0.0.1", "--dir", r.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := r.client(t)
	eventually(t, "redis-server answers", func() (bool, string) {
		err := client.Ping(t.Context()).Err()
		return err == nil, fmt.Sprint(err)
	})
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisServer) client(t *testing.T) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(r.url)
	if err != nil {
		t.Fatal(err)
	}
	o.DisableIdentity = true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fresh is the name of a stream that nobody else uses and that goes with the test.
func (r *redisServer) fresh(t *testing.T, name string) string {
	t.Helper()
	name = "hookgate-test-" + name + "-" + rand.Text()
	client := r.client(t)
	t.Cleanup(func() { client.Del(context.Background(), name) })
	return name
}

// stream reads every entry of a stream.
func (r *redisServer) stream(t *testing.T, c *redis.Client, name string) []redis.XMessage {
	t.Helper()
	entries, err := c.XRange(context.WithoutCancel(t.Context()), name, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// entries read a stream for the oracle, from its beginning.
func (r *redisServer) entries(t *testing.T, name string) entries {
	return &streamEntries{client: r.client(t), stream: name, last: "-"}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// syncBuffer is a buffer that a program writes while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// running is the program in this process, serving a configuration.
type running struct {
	Addresses
	file           string
	stdout, stderr *syncBuffer
	hangup         chan os.Signal
	stop           func() int
}

// serve runs the program with a configuration, whose listeners should be at port 0, until the test or stop ends it.
func serve(t *testing.T, config string, change func(*Main)) *running {
	t.Helper()
	r := &running{file: filepath.Join(t.TempDir(), "hookgate.yaml"), hangup: make(chan os.Signal, 1)}
	r.write(t, config)
	m := &Main{Args: []string{"serve", "--config", r.file}, Env: os.LookupEnv, Now: time.Now, Hangup: r.hangup}
	if change != nil {
		change(m)
	}
	r.run(t, m)
	return r
}

// run starts m in this process, and waits until it takes deliveries. Outputs that m does not have are kept in r.
func (r *running) run(t *testing.T, m *Main) {
	t.Helper()
	r.stdout, r.stderr = new(syncBuffer), new(syncBuffer)
	if m.Stdout == nil {
		m.Stdout = r.stdout
	}
	if m.Stderr == nil {
		m.Stderr = r.stderr
	}
	started := make(chan Addresses, 1)
	m.Started = func(a Addresses) { started <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- m.Run(ctx) }()
	r.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { r.stop() })
	select {
	case r.Addresses = <-started:
	case code := <-ended:
		ended <- code
		t.Fatalf("the program ended with %d:\n%s", code, r.stderr)
	case <-time.After(20 * time.Second):
		t.Fatalf("the program does not start:\n%s", r.stderr)
	}
}

func (r *running) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said waits for words in the log.
func (r *running) said(t *testing.T, words string) {
	t.Helper()
	eventually(t, "the log says "+words, func() (bool, string) { return strings.Contains(r.stderr.String(), words), r.stderr.String() })
}

// takeOver has the program read another configuration. It looks at the file by itself, too, and so may read one twice.
func (r *running) takeOver(t *testing.T, config string) {
	t.Helper()
	taken := func() int { return strings.Count(r.stderr.String(), "configuration taken over") }
	before := taken()
	r.write(t, config)
	r.hangup <- nil
	eventually(t, "the configuration is taken over", func() (bool, string) { return taken() > before, r.stderr.String() })
}

// lines are those of a file, none when it is not there.
func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[:bytes.Count(b, []byte("\n"))]
}
