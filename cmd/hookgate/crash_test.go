package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// child is the program in a process of its own, so that it can be killed.
type child struct {
	cmd    *exec.Cmd
	hooks  string
	stderr *syncBuffer
}

func startChild(t *testing.T, config string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hookgate.yaml")
	hooks := "127.0.0.1:" + freePort(t)
	config = strings.Replace(config, "listen: 127.0.0.1:0", "listen: "+hooks, 1)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0], "serve", "--config", file), hooks: hooks, stderr: new(syncBuffer)}
	c.cmd.Env = append(os.Environ(), "HOOKGATE_TEST_AS_PROGRAM=1", "SCENARIO_SECRET="+scenarioSecret)
	c.cmd.Stderr = c.stderr
	for _, change := range change {
		change(c.cmd)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	eventually(t, "the program listens", func() (bool, string) {
		conn, err := net.Dial("tcp", hooks)
		if err != nil {
			return false, c.stderr.String()
		}
		return conn.Close() == nil, ""
	})
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // SIGKILL: nothing is flushed, closed or said
	_ = c.cmd.Wait()
}

// stop ends it in order.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("an orderly stop ends with %v:\n%s", err, c.stderr)
	}
}

// TestR01_Kill9: killed twenty times under load, 500 times in a long run. Nothing that was answered 200 is missing from the
// stream, and what stands there twice was in flight at a kill.
func TestR01_Kill9(t *testing.T) {
	t.Parallel()
	for n := range sized(1, 25) {
		t.Run(strconv.Itoa(n), killTwentyTimes)
	}
}

func killTwentyTimes(t *testing.T) {
	const kills, window = 20, 64
	server := startRedis(t)
	stream := server.fresh(t, "kills")
	config := scenario(filepath.Join(t.TempDir(), "j.db"), strings.Replace(streamOf(server, stream), "}", fmt.Sprintf(", window: %d}", window), 1))
	f := newFlow(t)
	for range kills {
		c := startChild(t, config)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx, newSender(t, c.hooks), 16) }()
		taken := f.count()
		eventually(t, "events are taken", func() (bool, string) { return f.count() > taken+2*window, c.stderr.String() })
		<-time.After(time.Duration(20+rand.IntN(200)) * time.Millisecond)
		c.kill()
		cancel()
		<-done
	}
	delete(f.other, 0) // no answer: it was being killed
	if len(f.other) > 0 {
		t.Errorf("answers other than 200: %v", f.other)
	}
	c := startChild(t, config)
	if v := f.complete(c.stderr.String, server.entries(t, stream)); v.Doubled > kills*window {
		t.Errorf("%d doubled, more than %d windows of %d", v.Doubled, kills, window)
	}
	c.stop(t)
}

// TestR05_DiskFull fills the journal up to its own bound, and where this may be mounted, which takes root, a small file system
// as well. The gateway says 503 and not ready before the disk is quite full, goes on forwarding, loses nothing, and takes
// events again by itself once there is room.
func TestR05_DiskFull(t *testing.T) {
	t.Parallel()
	t.Run("max_size", func(t *testing.T) {
		t.Parallel()
		// What a destination that is away has still to get must stay, and fills the journal.
		var back atomic.Bool
		target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !back.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(target.Close)
		dir := t.TempDir()
		out := filepath.Join(dir, "events")
		config := scenario(filepath.Join(dir, "j.db"), fileAt(out)+"  - {name: away, type: http, url: \""+target.URL+"\", breaker: {after: 1, pause: 100ms}}\n")
		fillUp(t, strings.Replace(config, `j.db"}`, `j.db", max_size: 8MiB}`, 1), out, func() { back.Store(true) })
	})
	disk := t.TempDir()
	if said, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Logf("no file system of its own: %v, %s", err, said)
		return
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	t.Run("file system", func(t *testing.T) {
		t.Parallel()
		filler := filepath.Join(disk, "filler")
		if err := os.WriteFile(filler, make([]byte, 12<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "events")
		fillUp(t, scenario(filepath.Join(disk, "j.db"), fileAt(out)), out, func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// fillUp delivers to a gateway that forwards to the file out until it takes nothing more, then has room made.
func fillUp(t *testing.T, config, out string, makeRoom func()) {
	t.Helper()
	r := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
	s := newSender(t, r.Hooks)
	acked := make(map[string]bool)
	body := func(n int) string {
		return strings.Replace(caseBody(n, 50), `"version"`, `"description":"`+strings.Repeat("x", 20_000)+`","version"`, 1)
	}
	n := 0
	var refused answer
	for ; n < 5000; n++ {
		a := s.deliver(t.Context(), body(n))
		if a.status != http.StatusOK {
			refused = a
			break
		}
		acked[a.eventID] = true
	}
	if refused.status != http.StatusServiceUnavailable || refused.retryAfter == "" {
		t.Fatalf("after %d events the answer is %v, want 503 with Retry-After", n, refused)
	}
	if status, _ := r.ask(t, "/readyz", ""); status != http.StatusServiceUnavailable {
		t.Errorf("readiness answers %d", status)
	}
	if r.stderr.String() == "" || strings.Contains(r.stderr.String(), "panic") {
		t.Errorf("the log says:\n%s", r.stderr)
	}
	delivered := func() (bool, string) {
		ids := make(map[string]bool)
		for _, line := range lines(t, out) {
			ids[idOf([]byte(line))] = true
		}
		return len(ids) == len(acked), fmt.Sprintf("%d of %d", len(ids), len(acked))
	}
	eventually(t, "what was acknowledged is forwarded while the disk is full", delivered)
	makeRoom()
	room := time.Now()
	eventually(t, "events are taken again", func() (bool, string) {
		a := s.deliver(t.Context(), body(n))
		if a.status == http.StatusOK {
			acked[a.eventID] = true
		}
		return a.status == http.StatusOK, fmt.Sprint(a)
	})
	t.Logf("%d events taken, then 503; taken again %v after there was room", n, time.Since(room).Round(time.Millisecond))
	if status, _ := r.ask(t, "/readyz", ""); status != http.StatusOK {
		t.Errorf("readiness answers %d", status)
	}
	eventually(t, "everything acknowledged is forwarded", delivered)
}
