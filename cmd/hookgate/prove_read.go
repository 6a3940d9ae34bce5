package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/oracle"
)

// entries are what a destination has, in its order.
type entries interface {
	// skip leaves out what is there already.
	skip(ctx context.Context) error
	// read gives what has come since the last call.
	read(ctx context.Context) ([]oracle.Delivered, error)
	// close ends it, and removes what was made for the run where nothing else does.
	close() error
}

// fileEntries are the lines of a file.
type fileEntries struct {
	path string
	at   int64
}

func (f *fileEntries) skip(context.Context) error {
	info, err := os.Stat(f.path)
	if err == nil {
		f.at = info.Size()
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// read leaves a line that has no end yet for the next time.
func (f *fileEntries) read(context.Context) (all []oracle.Delivered, err error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(f.at, io.SeekStart); err != nil {
		return nil, err
	}
	lines := bufio.NewReaderSize(file, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		f.at += int64(len(line))
		all = append(all, oracle.Read(bytes.TrimSuffix(line, []byte("\n"))))
	}
}

func (f *fileEntries) close() error { return nil } // it is in the folder of the run

// streamEntries are those of a Redis stream.
type streamEntries struct {
	client *redis.Client
	stream string
	last   string
	made   bool // for this run, on a server of others
}

// streamPage is how many entries are read at once.
const streamPage = 1000

func newStreamEntries(d hookgate.DestinationSettings, made bool) (*streamEntries, error) {
	o, err := redis.ParseURL(string(d.URL.Reveal()))
	if err != nil {
		return nil, errors.New("destination " + d.Name + ": its url is none that the Redis client understands")
	}
	o.DisableIdentity, o.ContextTimeoutEnabled, o.PoolSize = true, true, 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &streamEntries{client: redis.NewClient(o), stream: d.Stream, last: "-", made: made}, nil
}

func (s *streamEntries) skip(ctx context.Context) error {
	newest, err := s.client.XRevRangeN(ctx, s.stream, "+", "-", 1).Result()
	if err == nil && len(newest) > 0 {
		s.last = "(" + newest[0].ID
	}
	return err
}

func (s *streamEntries) read(ctx context.Context) (all []oracle.Delivered, err error) {
	for {
		page, err := s.client.XRangeN(ctx, s.stream, s.last, "+", streamPage).Result()
		if err != nil {
			return all, err
		}
		for _, m := range page {
			s.last = "(" + m.ID
			envelope, _ := m.Values["event"].(string)
			d := oracle.Read([]byte(envelope))
			if id, _ := m.Values["id"].(string); id != d.ID {
				d = oracle.Delivered{} // consumers go by either
			}
			if ms, _, ok := strings.Cut(m.ID, "-"); ok {
				if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
					d.At = time.UnixMilli(n)
				}
			}
			all = append(all, d)
		}
		if len(page) < streamPage {
			return all, nil
		}
	}
}

func (s *streamEntries) close() error {
	var err error
	if s.made {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = s.client.Unlink(ctx, s.stream).Err()
	}
	return errors.Join(err, s.client.Close())
}

// postbox stands in for what an HTTP destination posts to.
type postbox struct {
	http *http.Server

	mu      sync.Mutex
	waiting []oracle.Delivered
}

// maxReceived is the largest body that it reads, in bytes.
const maxReceived = 128 << 20

func newPostbox() (_ *postbox, address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	r := new(postbox)
	r.http = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = r.http.Serve(l) }() // it ends with close
	return r, l.Addr().String(), nil
}

// ServeHTTP takes an event in either mode.
func (r *postbox) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxReceived))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d := oracle.Read(body)
	if req.Header.Get("Ce-Id") != "" {
		d = oracle.ReadBinary(req.Header, body)
	}
	d.At = time.Now()
	r.mu.Lock()
	r.waiting = append(r.waiting, d)
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (r *postbox) skip(context.Context) error { return nil }

func (r *postbox) read(context.Context) ([]oracle.Delivered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting = nil
	return all, nil
}

func (r *postbox) close() error { return r.http.Close() }
