package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestThreeNodesExample runs docker/three-nodes.sh and the command that it prints: three nodes with one file share the work,
// and every event is in the stream once.
func TestThreeNodesExample(t *testing.T) {
	t.Parallel()
	for range 3 {
		if threeNodes(t, portsInARow(t)) {
			return
		}
	}
	t.Error("it did not start on any ports")
}

// threeNodes reports whether the script could start; a port near the free one may be somebody else's.
func threeNodes(t *testing.T, port int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "../../docker/three-nodes.sh")
	script.Env = append(os.Environ(), fmt.Sprintf("HOOKGATE_PORT=%d", port))
	out := new(syncBuffer)
	script.Stdout, script.Stderr = out, out
	script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) }
	script.WaitDelay = 20 * time.Second
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- script.Wait() }()
	for !strings.Contains(out.String(), "kill ") {
		select {
		case err := <-ended:
			t.Logf("it ended: %v\n%s", err, out)
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	command := regexp.MustCompile(`SPRINKLR_PSK=.* emulate .*`).FindString(out.String())
	command = strings.Replace(command, "--events 5000", "--events 500", 1)
	if said, err := exec.CommandContext(ctx, "bash", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(port+30), DisableIdentity: true})
	defer client.Close()
	eventually(t, "500 events are in the stream", func() (bool, string) {
		n := client.XLen(ctx, "webhooks").Val()
		return n == 500, fmt.Sprint(n)
	})
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Errorf("it ended with %v\n%s", err, out)
	}
	return true
}

// portsInARow is a port that is free, with those that the script adds to it.
func portsInARow(t *testing.T) int {
	t.Helper()
	for {
		port, err := strconv.Atoi(freePort(t))
		if err == nil && port < 60_000 {
			return port
		}
	}
}
