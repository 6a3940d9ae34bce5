package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// startTimeout bounds a start: a gateway looks through its journal first, and a Redis reads its file.
const startTimeout = time.Minute

// process is a server that a proof has started, and so may kill. One goroutine at a time starts and ends it.
type process struct {
	name    string
	address string // where it listens
	log     string // the file that it writes to
	args    []string
	asked   string // what is sent to see whether it serves; empty where a connection is enough
	answers string // how the answer to that begins

	cmd    *exec.Cmd
	ended  chan struct{}
	ending atomic.Bool
	died   chan error // by itself; has room for one
}

func newProcess(name, address, log string, args ...string) *process {
	return &process{name: name, address: address, log: log, args: args, died: make(chan error, 1)}
}

// newGatewayProcess is this very program as hookgate serve, with what stands in for what is real.
func newGatewayProcess(dir, config string, instead []byte, address string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "instead.json")
	if err := os.WriteFile(file, instead, 0o600); err != nil {
		return nil, err
	}
	return newProcess("gateway", address, filepath.Join(dir, "gateway.log"), self, "serve", "--config", config, "--instead", file), nil
}

// newRedisProcess is a Redis that keeps what it has confirmed.
func newRedisProcess(dir, address string) (*process, error) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("prove starts a redis-server of its own in place of the configured Redis, and finds none; install it, or give --configured-redis")
	}
	home := filepath.Join(dir, "redis")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	p := newProcess("redis", address, filepath.Join(dir, "redis.log"), server,
		"--port", port, "--bind", "127.0.0.1", "--dir", home, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	p.asked, p.answers = "PING\r\n", "+PONG"
	return p, nil
}

// start returns when the server serves.
func (p *process) start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = aside()
	p.ending.Store(false)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := p.cmd, make(chan struct{})
	p.ended = ended
	go func() {
		err := cmd.Wait()
		if !p.ending.Load() {
			select {
			case p.died <- fmt.Errorf("the %s ended by itself (%v); the end of its log:\n%s", p.name, err, p.tail()):
			default:
			}
		}
		close(ended)
	}()
	return p.await(ctx)
}

func (p *process) await(ctx context.Context) error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	for !p.serves() {
		select {
		case <-p.ended:
			return <-p.died
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-deadline.C:
			return fmt.Errorf("the %s does not serve after %s; the end of its log:\n%s", p.name, startTimeout, p.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (p *process) serves() bool {
	conn, err := net.DialTimeout("tcp", p.address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if p.asked == "" {
		return true
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	answer := make([]byte, len(p.answers))
	if _, err := io.WriteString(conn, p.asked); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, answer)
	return err == nil && string(answer) == p.answers
}

// kill ends it without warning: nothing is flushed, closed or said.
func (p *process) kill() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	p.ending.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks it to end, and kills it when that takes longer than a gateway waits for what is under way.
func (p *process) stop() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	p.ending.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("an orderly stop of the %s ended with %d; the end of its log:\n%s", p.name, code, p.tail())
		}
		return nil
	case <-time.After(grace + 5*time.Second):
		p.kill()
		return fmt.Errorf("the %s did not stop within %s", p.name, grace)
	}
}

// tail is the end of its log.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}

// The ports of a proof lie below those that outgoing connections are given: a server that was killed must find its own free
// again, and a sender must not connect to itself meanwhile.
const lowestPort, ports = 20_000, 12_000

// quietPort is a loopback address that nothing listens at.
func quietPort() (string, error) {
	for range 200 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(ports)))
		if err != nil {
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("no port is free on 127.0.0.1 between %d and %d", lowestPort, lowestPort+ports)
}
