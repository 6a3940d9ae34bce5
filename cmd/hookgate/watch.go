package main

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"time"
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

// fingerprinted is what tells two contents apart. A configuration is a few kilobytes, so its digest is cheaper than being
// clever about size and time.
type fingerprinted struct {
	readable bool
	digest   [sha256.Size]byte
}

func fingerprint(path string) fingerprinted {
	f, err := os.Open(path)
	if err != nil {
		return fingerprinted{}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 16<<20)); err != nil {
		return fingerprinted{}
	}
	p := fingerprinted{readable: true}
	h.Sum(p.digest[:0])
	return p
}
