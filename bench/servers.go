package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// process is one server on a loopback port; stop ends it and waits.
type process struct {
	address string
	cmd     *exec.Cmd
}

func launch(address string, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = nil
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{address: address, cmd: cmd}
	for range 500 {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return p, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen at %s", name, address)
}

// stop ends the process, waits, and says how much processor time it took.
func (p *process) stop() time.Duration {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// freePort is free now; nothing else on this machine is expected to take it in between.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func startBare(self string) (*process, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	return launch(address, nil, self, "--bare", address)
}

func startRedis(dir string) (*process, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	return launch(address, nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
}

// startHookgate runs the real program with its defaults: sqlite journal, synchronous=FULL, one stream.
func startHookgate(binary, dir, redisAddress string) (*process, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	adminAddress, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "hookgate.yaml")
	config := fmt.Sprintf(`listen: %s
admin: {listen: %s}
journal: {url: "sqlite://%s"}
sources:
  - name: bench
    provider: sprinklr
    auth:
      - {scheme: hub-signature, secrets: [env:HOOKGATE_BENCH_SECRET]}
destinations:
  - {name: events, type: redis-stream, url: "redis://%s/0", stream: webhooks}
`, address, adminAddress, filepath.Join(dir, "hookgate.db"), redisAddress)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return launch(address, []string{"HOOKGATE_BENCH_SECRET=" + secret}, binary, "serve", "--config", file)
}

// drained waits until the stream holds n entries and says how long that took.
func drained(ctx context.Context, redisAddress string, n int64) (time.Duration, error) {
	client := redis.NewClient(&redis.Options{Addr: redisAddress, DisableIdentity: true})
	defer client.Close()
	start := time.Now()
	for time.Since(start) < time.Minute {
		length, err := client.XLen(ctx, "webhooks").Result()
		if err != nil {
			return 0, err
		}
		if length >= n {
			if length > n {
				return 0, fmt.Errorf("%d entries in the stream for %d events", length, n)
			}
			return time.Since(start), nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, errors.New("the stream is not complete after a minute")
}
