package journal_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// shimName is SQLite's name of the file system layer that logs, delays and fails what the journal does to its files. It
// sits on SQLite's own and changes four of its functions.
const shimName = "hookgate-shim"

// The codes that the shim lets operations fail with.
const (
	failWrite = sqlite3.SQLITE_IOERR | 3<<8
	failSync  = sqlite3.SQLITE_IOERR | 4<<8
	failFull  = sqlite3.SQLITE_FULL
)

// operation is one change to a file: bytes written, a truncation, a sync or the file's end.
type operation struct {
	file  string
	off   int64
	data  []byte
	trunc bool
	sync  bool
	gone  bool
}

// disk is what the shim knows of one folder.
type disk struct {
	mu       sync.Mutex
	ops      []operation
	keep     bool // log the operations
	failAt   int  // the operation, counted from arm, that fails; 0 for none
	failCode int32
	count    int
	syncing  chan struct{} // receives when a sync begins; nil for no delay
	release  chan struct{} // ends a delayed sync
	synced   int
}

// arm lets the n-th operation from now fail with code.
func (d *disk) arm(n int, code int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.failAt, d.failCode = 0, n, code
}

// fired reports whether the fault happened.
func (d *disk) fired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failAt > 0 && d.count >= d.failAt
}

func (d *disk) operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

// note logs an operation that is about to run, or gives the code that it fails with instead.
func (d *disk) note(op operation) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if d.failAt > 0 && d.count == d.failAt && (d.failCode != failSync || op.sync) {
		return d.failCode
	}
	if d.failAt > 0 && d.count == d.failAt { // the fault is for a sync: wait for the next one
		d.failAt++
	}
	if d.keep {
		d.ops = append(d.ops, op)
	}
	return sqlite3.SQLITE_OK
}

var shim struct {
	once  sync.Once
	base  sqlite3.Tsqlite3_vfs
	disks sync.Map // folder to *disk
	files sync.Map // SQLite's file handle to *shimFile
}

type shimFile struct {
	disk *disk
	name string
	base *sqlite3.Tsqlite3_io_methods
}

// at turns an address that SQLite gave us, outside of Go's heap, into a pointer.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// address of a function in the form in which SQLite keeps it.
func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the way back.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{p})) }

func bytesAt(p uintptr, n int) []byte { return unsafe.Slice(at[byte](p), n) }

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	writeFunc    = func(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32
)

// shimmed watches a folder, registering the layer the first time.
func shimmed(t *testing.T, dir string) *disk {
	t.Helper()
	shim.once.Do(func() {
		tls := libc.NewTLS()
		base := at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
		shim.base = *base
		p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(shim.base)))
		own := at[sqlite3.Tsqlite3_vfs](p)
		*own = *base
		name, err := libc.CString(shimName)
		if err != nil {
			t.Fatal(err)
		}
		own.FzName, own.FpNext = name, 0
		own.FxOpen, own.FxDelete = address[openFunc](shimOpen), address[deleteFunc](shimDelete)
		if rc := sqlite3.Xsqlite3_vfs_register(tls, p, 0); rc != sqlite3.SQLITE_OK {
			t.Fatalf("register: %d", rc)
		}
	})
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{}
	shim.disks.Store(real, d)
	return d
}

func shimOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	rc := function[openFunc](shim.base.FxOpen)(tls, vfs, name, file, flags, out)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	path := libc.GoString(name)
	d, ok := shim.disks.Load(filepath.Dir(path))
	handle := at[sqlite3.Tsqlite3_file](file)
	if !ok || handle.FpMethods == 0 {
		return rc
	}
	base := at[sqlite3.Tsqlite3_io_methods](handle.FpMethods)
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*base))) // lives as long as the process: a few hundred bytes a file
	own := at[sqlite3.Tsqlite3_io_methods](p)
	*own = *base
	own.FxWrite, own.FxTruncate, own.FxSync = address[writeFunc](shimWrite), address[truncateFunc](shimTruncate), address[syncFunc](shimSync)
	handle.FpMethods = p
	shim.files.Store(file, &shimFile{disk: d.(*disk), name: filepath.Base(path), base: base})
	return rc
}

func shimWrite(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	v, _ := shim.files.Load(file)
	f := v.(*shimFile)
	data := append([]byte{}, bytesAt(buf, int(n))...)
	if rc := f.disk.note(operation{file: f.name, off: off, data: data}); rc != sqlite3.SQLITE_OK {
		if rc == failWrite { // a short write: half of it arrived
			function[writeFunc](f.base.FxWrite)(tls, file, buf, n/2, off)
		}
		return rc
	}
	return function[writeFunc](f.base.FxWrite)(tls, file, buf, n, off)
}

func shimTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	v, _ := shim.files.Load(file)
	f := v.(*shimFile)
	if rc := f.disk.note(operation{file: f.name, off: size, trunc: true}); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[truncateFunc](f.base.FxTruncate)(tls, file, size)
}

func shimDelete(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32 {
	path := libc.GoString(name)
	if d, ok := shim.disks.Load(filepath.Dir(path)); ok {
		if rc := d.(*disk).note(operation{file: filepath.Base(path), gone: true}); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	return function[deleteFunc](shim.base.FxDelete)(tls, vfs, name, dirSync)
}

// shimSync logs the sync when it has returned: only then is anything safe.
func shimSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	v, _ := shim.files.Load(file)
	f := v.(*shimFile)
	f.disk.mu.Lock()
	syncing, release := f.disk.syncing, f.disk.release
	f.disk.mu.Unlock()
	if syncing != nil {
		syncing <- struct{}{}
		<-release
	}
	if rc := f.disk.note(operation{file: f.name, sync: true}); rc != sqlite3.SQLITE_OK {
		return rc
	}
	rc := function[syncFunc](f.base.FxSync)(tls, file, flags)
	f.disk.mu.Lock()
	f.disk.synced++
	f.disk.mu.Unlock()
	return rc
}

// image writes to dir what a power cut after n operations leaves: all that was synced, and of the rest each sector of 512
// bytes with the given chance.
func (d *disk) image(t *testing.T, dir string, n int, chance float64, random *rand.Rand) {
	t.Helper()
	d.mu.Lock()
	ops := d.ops[:n]
	d.mu.Unlock()
	files := map[string][]byte{}
	pending := map[string][]operation{}
	write := func(name string, off int64, data []byte) {
		b := files[name]
		if need := off + int64(len(data)); int64(len(b)) < need {
			b = append(b, make([]byte, need-int64(len(b)))...)
		}
		copy(b[off:], data)
		files[name] = b
	}
	apply := func(op operation) {
		if !op.trunc {
			write(op.file, op.off, op.data)
		} else if int64(len(files[op.file])) > op.off {
			files[op.file] = files[op.file][:op.off:op.off]
		}
	}
	for _, op := range ops {
		if op.gone { // the folder is synced with it
			delete(files, op.file)
			delete(pending, op.file)
			continue
		}
		if !op.sync {
			pending[op.file] = append(pending[op.file], op)
			continue
		}
		for _, p := range pending[op.file] {
			apply(p)
		}
		delete(pending, op.file)
	}
	for _, left := range pending {
		for _, op := range left {
			if op.trunc {
				if random.Float64() < chance {
					apply(op)
				}
				continue
			}
			for i := 0; i < len(op.data); i += 512 {
				if random.Float64() < chance {
					write(op.file, op.off+int64(i), op.data[i:min(i+512, len(op.data))])
				}
			}
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// eventually polls until ok or a minute is over: takeovers take seconds even where nothing else runs.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
