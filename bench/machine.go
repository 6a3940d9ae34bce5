//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// machine is what the figures were measured on.
type machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryMiB  int64   `json:"memory_mib"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"`
	SyncMicros float64 `json:"sync_us"` // the median of writing 4 KiB and syncing them
	Go         string  `json:"go"`
	SQLite     string  `json:"sqlite"`
	Redis      string  `json:"redis"`
	Hookgate   string  `json:"hookgate"`
	// Load is the one-minute load average before the first round: above a few tenths, others were at work.
	Load string `json:"load_before"`
}

// String is the machine in two lines.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d MiB, Linux %s, %s, where writing 4 KiB and syncing them takes %.0f us;\n%s, SQLite %s, Redis %s, Hookgate %s. Load before the start %s.\n",
		m.CPU, m.Cores, m.MemoryMiB, m.Kernel, m.FileSystem, m.SyncMicros, m.Go, m.SQLite, m.Redis, m.Hookgate, m.Load)
}

func look(program, dir string) (machine, error) {
	m := machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Kernel: line("/proc/sys/kernel/osrelease"),
		Go: runtime.Version() + " " + runtime.GOARCH, SQLite: sqlite3.SQLITE_VERSION,
	}
	m.Load, _, _ = strings.Cut(line("/proc/loadavg"), " ")
	var kib int64
	_, _ = fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib)
	m.MemoryMiB = kib >> 10
	m.FileSystem = fileSystem(dir)
	redis, err := startRedis(dir, "")
	if err != nil {
		return m, err
	}
	defer redis.stop()
	s := openStream(redis.address, "")
	defer s.close()
	info, err := s.client.InfoMap(context.Background(), "server").Result()
	if err != nil {
		return m, err
	}
	m.Redis = info["Server"]["redis_version"]
	version, err := exec.Command(program, "version").Output()
	if err != nil {
		return m, fmt.Errorf("%s version: %w", program, err)
	}
	m.Hookgate = strings.TrimPrefix(strings.TrimSpace(string(version)), "hookgate ")
	m.SyncMicros, err = syncTime(dir)
	return m, err
}

// syncTime is what every durable row waits for.
func syncTime(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []time.Duration
	for range 200 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1000, nil
}

// fileSystem names the type of what dir lies on.
func fileSystem(dir string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "unknown"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs"}
	if name := names[int64(s.Type)]; name != "" { //nolint:unconvert // it is not 64 bits wide everywhere
		return name
	}
	return fmt.Sprintf("type %#x", s.Type)
}

// field finds the first line "name : value" of a file.
func field(file, name string) string {
	for line := range strings.Lines(read(file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func line(file string) string { return strings.TrimSpace(read(file)) }

// read is for what the report can do without.
func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	return string(text)
}
