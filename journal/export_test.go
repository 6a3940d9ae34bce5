package journal

// Tuning is what only tests change.
type Tuning struct {
	Synchronous string
	VFS         string
	MaxPages    int
	Space       func(dir string) (free, total int64, err error)
}

// OpenTuned opens a journal as OpenSQLite does, on another file system layer, with a weaker promise or with less room.
func OpenTuned(path string, o Options, t Tuning) (*SQLite, error) {
	return open(path, o, tuning{synchronous: t.Synchronous, vfs: t.VFS, maxPages: t.MaxPages, space: t.Space})
}
