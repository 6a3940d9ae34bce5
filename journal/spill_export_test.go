package journal

import (
	"context"
	"time"
)

// SpillTuning is what only tests change of a spill; what is zero keeps its usual value.
type SpillTuning struct {
	Primary, Settle, Hold, Aside, BackOff time.Duration
	File                                  Tuning
}

// OpenTunedSpill opens a spill as NewSpill does, with other times and another file system layer below the local file.
func OpenTunedSpill(ctx context.Context, path string, o SpillOptions, t SpillTuning) (*Spill, error) {
	own := defaults
	for place, d := range map[*time.Duration]time.Duration{&own.primary: t.Primary, &own.settle: t.Settle, &own.hold: t.Hold, &own.aside: t.Aside, &own.backOff: t.BackOff} {
		if d != 0 {
			*place = d
		}
	}
	own.file = tuning{synchronous: t.File.Synchronous, vfs: t.File.VFS, maxPages: t.File.MaxPages, space: t.File.Space}
	return newSpill(ctx, path, o, own)
}

// Local is the spill's own file.
func (s *Spill) Local() *SQLite { return s.local }
