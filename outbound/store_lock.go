package outbound

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// takeLock keeps other processes away from the store. The kernel lets it go when the process ends in whatever way.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("outbound store: %w; its folder must exist and be writable", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written through it
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("outbound store %s is in use; stop the other process, or give this one a store of its own", path)
		}
		return nil, fmt.Errorf("outbound store %s: %w; it needs a file system with flock", path, err)
	}
	return f, nil
}

// private makes sure that the file is there and that nobody but its owner may read it, because it holds secrets. SQLite
// gives its log the same rights.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// resolve gives the file's real path, so that two names of one store share one lock.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("outbound store: no path; name a file, such as outbound.db")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("outbound store %s: %w", path, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", fmt.Errorf("outbound store: %w; make the folder first", err)
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}
