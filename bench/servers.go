//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one server on a loopback port.
type process struct {
	address string
	cmd     *exec.Cmd
	ready   time.Duration // from its start until it listened
	spent   time.Duration // processor time at the last mark
}

// launch starts a server and waits until it listens. What it says goes nowhere: a log on the measured disk would be measured.
func launch(address string, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left behind, however this ends
	p := &process{address: address, cmd: cmd}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < time.Minute {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			p.ready = time.Since(began)
			return p, conn.Close()
		}
		time.Sleep(time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("it does not listen at %s; start it by hand to see why: %s", address, cmd)
}

// stop ends the process and waits for it. A nil process has ended.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// mark begins to count the processor time that since tells.
func (p *process) mark() {
	if p != nil {
		p.spent = p.cpu()
	}
}

func (p *process) since() time.Duration {
	if p == nil {
		return 0
	}
	return p.cpu() - p.spent
}

// cpu is the processor time of all threads so far, in steps of 10 ms.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peakMemory is the most that the process had resident, in bytes.
func (p *process) peakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
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

func startBare() (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	return launch(address, nil, self, "bare", address)
}

func startLeast(file, queue string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	return launch(address, nil, self, "least", address, file, queue)
}

// startRedis starts a server; without a sync policy it keeps nothing on disk.
func startRedis(dir, appendfsync string) (*process, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	args := []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"}
	if appendfsync != "" {
		args = append(args, "--appendonly", "yes", "--appendfsync", appendfsync)
	}
	return launch(address, nil, "redis-server", args...)
}

// gateway is the real program with its defaults.
type gateway struct {
	*process
	admin string
}

// startGateway writes the configuration and starts the program. body is what the file says of journal, sources and
// destinations.
func startGateway(binary, dir, body string) (*gateway, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "hookgate.yaml")
	config := fmt.Sprintf("listen: %s\nadmin: {listen: %s}\n%s", address, admin, body)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	env := []string{"HOOKGATE_BENCH_SECRET=" + secret, "HOOKGATE_BENCH_USER=" + user}
	p, err := launch(admin, env, binary, "serve", "--config", file) // which it binds last
	if err != nil {
		return nil, err
	}
	p.address = address
	return &gateway{process: p, admin: admin}, nil
}

// allocations counts from now on how often the program allocates. What it gives is called at the end, and tells how often that
// was for each of so many events; what asking costs is left out.
func (g *gateway) allocations() (perEvent func(events int) (float64, error), err error) {
	idle, err := g.allocated()
	if err != nil {
		return nil, err
	}
	before, err := g.allocated()
	if err != nil {
		return nil, err
	}
	asking := before - idle
	return func(events int) (float64, error) {
		after, err := g.allocated()
		return (after - before - asking) / float64(events), err
	}, nil
}

// allocated asks the program how often it has allocated so far.
func (g *gateway) allocated() (float64, error) {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get("http://" + g.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the metrics are answered %s", answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(errors.New("the metrics do not tell of allocations"), lines.Err())
}
