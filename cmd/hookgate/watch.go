package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate/configs"
)

// watchEvery is how often the configuration file is looked at. Looking, unlike notifications, survives the symbolic
// links that mounted configuration is swapped by.
const watchEvery = 2 * time.Second

// watch calls changed whenever the content of the file is another one than last, until ctx ends.
func watch(ctx context.Context, path string, last fingerprinted, changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := fingerprint(path); now != last && now.readable {
			last = now
			changed()
		}
	}
}

// watchReferred calls changed whenever a certificate's file holds something else than what was taken over from it, until
// ctx ends. A certificate and its key may be replaced one after the other: the reload between the two is refused, and the
// second file calls for another.
func watchReferred(ctx context.Context, dir string, loaded *atomic.Pointer[configs.Config], changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	tried := make(map[string]fingerprinted)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, secret := range loaded.Load().Certificates() {
			path, isFile := strings.CutPrefix(secret.Ref(), "file:")
			if !isFile {
				continue
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			now, ours := fingerprint(path), fingerprinted{true, sha256.Sum256(secret.Reveal())}
			switch {
			case now == ours:
				delete(tried, path)
			case now.readable && now != tried[path]:
				tried[path] = now
				changed()
			}
		}
	}
}

// fingerprinted is what tells two contents apart. A configuration is a few kilobytes, so its digest is cheaper than being
// clever about size and time. The line feed at its end does not count, as with the references of a configuration.
type fingerprinted struct {
	readable bool
	digest   [sha256.Size]byte
}

func fingerprint(path string) fingerprinted {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return fingerprinted{}
	}
	f, err := os.Open(path)
	if err != nil {
		return fingerprinted{}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return fingerprinted{}
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	return fingerprinted{true, sha256.Sum256(content)}
}
