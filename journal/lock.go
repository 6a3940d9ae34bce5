package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile lies beside the journal, is held for its whole life and is let go by the kernel when the process ends in
// whatever way. Its content is the highest sequence number that was committed, written five times a second: a log that has
// rotted ends recovery early and silently, and this is how it is noticed. It guards against rot, not against a power cut,
// and therefore needs no sync.
type lockFile struct {
	f       *os.File
	written int64
}

func takeLock(path string) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, hinted("the journal's folder must be writable", "journal lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written through it
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, hinted("stop the other process, or give this one a journal of its own", "journal %s is in use", strings.TrimSuffix(path, ".lock"))
		}
		return nil, hinted("the journal needs a file system with flock", "journal lock %s: %w", path, err)
	}
	return &lockFile{f: f}, nil
}

// mark is the highest committed sequence number that an earlier process noted; 0 where there is none.
func (l *lockFile) mark() int64 {
	var buf [32]byte
	n, _ := l.f.ReadAt(buf[:], 0) // a short file is the normal case
	seq, err := strconv.ParseInt(strings.TrimSpace(string(buf[:n])), 10, 64)
	if err != nil || seq < 0 {
		return 0
	}
	return seq
}

// note writes the mark in one fixed width, so that no state between two marks can be read.
func (l *lockFile) note(seq int64) error {
	if seq == l.written {
		return nil
	}
	if _, err := l.f.WriteAt(fmt.Appendf(nil, "%020d\n", seq), 0); err != nil {
		return err
	}
	l.written = seq
	return nil
}

// release gives the lock up by itself: a close alone would leave it with a child process that is just being started.
func (l *lockFile) release() error {
	return errors.Join(syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN), l.f.Close())
}

// resolve gives the file's real path, so that two names of one journal share one lock.
func resolve(path string) (string, error) {
	if path == "" {
		return "", hinted("write sqlite://hookgate.db", "journal: no path")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("journal %s: %w", path, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", hinted("make the folder first", "journal folder %s: %w", filepath.Dir(abs), err)
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}

// fileSystemSpace tells what an ordinary user may still write, and the size of the whole.
func fileSystemSpace(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}
