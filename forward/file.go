package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hookgate/hookgate"
)

// file appends one JSON line an event. A batch is one write and one sync, and counts as confirmed after the sync. The
// file may be renamed away by a log rotator: the next batch starts a new one.
type file struct {
	path string
	sign Sign
	f    *os.File // nil between a failure to open and the next attempt
	size int64    // up to here everything is confirmed
	buf  []byte
}

// lineStart is how every line of ours begins.
const lineStart = `{"specversion":"1.0"`

func checkFile(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if s.Path == "" {
		missing(ps, "path", "the file that the lines go to")
	}
}

func openFile(s hookgate.DestinationSettings, o Options) (Destination, error) {
	d := &file{path: s.Path, sign: o.Sign}
	if err := d.open(); err != nil {
		return nil, hookgate.Errorf(hookgate.Unavailable, "file: %w", err)
	}
	return d, nil
}

// open opens or creates the file and cuts off a line that a crash has left unfinished. A new file's name is synced too,
// or the whole file could be gone after a power cut.
func (d *file) open() error {
	f, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := mend(f)
	if err == nil {
		err = syncDir(filepath.Dir(d.path))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	d.f, d.size = f, size
	return nil
}

// mend cuts the file to its last line break and gives its size then. It refuses to cut what is not the beginning of a
// line of ours, because the path may name somebody else's file by mistake.
func mend(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, hookgate.Errorf(hookgate.Unavailable, "%s is not a regular file", f.Name())
	}
	end, err := lastLineEnd(f, info.Size())
	if err != nil || end == info.Size() {
		return end, err
	}
	torn := make([]byte, min(info.Size()-end, int64(len(lineStart))))
	if _, err := f.ReadAt(torn, end); err != nil {
		return 0, err
	}
	if !bytes.HasPrefix([]byte(lineStart), torn) {
		return 0, hookgate.Errorf(hookgate.Unavailable, "%s ends in the middle of a line that is not ours; it is left alone", f.Name())
	}
	if err := f.Truncate(end); err != nil {
		return 0, err
	}
	return end, f.Sync()
}

// lastLineEnd looks for the last line break from the end of the file; 0 if there is none.
func lastLineEnd(f *os.File, size int64) (int64, error) {
	chunk := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(chunk)))
		part := chunk[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// Publish appends the batch. Whatever fails, a full disk above all, is trouble of the destination: the file goes back to
// its confirmed size, so that no half line and no line that was never confirmed stays in it.
func (d *file) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	err := ctx.Err()
	if err == nil {
		err = d.append(batch)
	}
	if err != nil {
		return allTrouble(len(batch), &Trouble{Err: hookgate.Errorf(hookgate.Unavailable, "file: %w", err)})
	}
	return make([]error, len(batch))
}

func (d *file) append(batch []hookgate.Entry) error {
	if err := d.current(); err != nil {
		return err
	}
	d.buf = appendLines(d.buf[:0], batch, d.sign)
	n := int64(len(d.buf))
	_, err := d.f.Write(d.buf)
	if err == nil {
		err = d.f.Sync()
	}
	if cap(d.buf) > 2*batchBytes {
		d.buf = nil // one huge event must not keep its memory
	}
	if err != nil {
		// If going back fails as well, closing makes the next attempt open the file and mend it.
		if back := d.f.Truncate(d.size); back != nil {
			return errors.Join(err, back, d.close())
		}
		return err
	}
	d.size += n
	return nil
}

// current makes sure that the open file is the one of that name: a rotator may have renamed, removed or cut it.
func (d *file) current() error {
	if d.f == nil {
		return d.open()
	}
	open, err := d.f.Stat()
	if err != nil {
		return errors.Join(err, d.close())
	}
	named, err := os.Stat(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && os.SameFile(open, named) {
		d.size = open.Size()
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	return d.open()
}

func (d *file) close() error {
	if d.f == nil {
		return nil
	}
	f := d.f
	d.f = nil
	return f.Close()
}

// Close closes the file.
func (d *file) Close() error { return d.close() }

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
