package journal

import (
	"context"

	"github.com/hookgate/hookgate"
)

// Scan gives, without waiting, up to limit entries (at most 1024) that follow a sequence number, in order; none where none
// follows. It is for an operator's looking around and reads the file, not what is held in memory for the forwarders.
func (j *SQLite) Scan(ctx context.Context, after int64, limit int) ([]hookgate.Entry, error) {
	return j.query(ctx, selectEntries+`WHERE e.seq>? AND e.seq<=? ORDER BY e.seq LIMIT ?`, after, j.tail.newest(), min(max(limit, 1), maxRead))
}
