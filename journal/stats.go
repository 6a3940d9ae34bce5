package journal

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hookgate/hookgate"
)

// counters count since the start.
type counters struct {
	classes     [5]atomic.Int64 // in the order of hookgate.Classes
	conflicts   atomic.Int64
	quarantined atomic.Int64
	overflowed  atomic.Int64
	missing     atomic.Int64
}

// count adds what a committed batch held. Quarantined parts are counted apart.
func (c *counters) count(batch []*intake) {
	for _, in := range batch {
		for i, res := range in.results {
			switch {
			case in.events[i].Quarantine != "" && res.New():
				c.quarantined.Add(1)
				continue
			case res.Conflict:
				c.conflicts.Add(1)
			}
			for k, class := range hookgate.Classes() {
				if class == res.Class {
					c.classes[k].Add(1)
				}
			}
		}
	}
}

// Stats is a snapshot for metrics. What is counted is counted since the start; the rest is what stands in the file.
type Stats struct {
	Last         int64     // the newest durable sequence number
	Oldest       int64     // the oldest that is kept; 0 when there is none
	OldestTime   time.Time // when it was received
	Queue        int       // requests that wait for the writer
	Overflowed   int64     // requests refused because the queue was full
	Classes      map[hookgate.Class]int64
	Conflicts    int64
	Quarantined  int64
	Missing      int64                       // events that were committed once and were not found at the start: the log has rotted; alarm
	FileSize     int64                       // bytes of the database
	LogSize      int64                       // bytes of the write-ahead log
	Destinations map[string]DestinationStats // also of those that are no longer configured
}

// DestinationStats is what waits for one destination.
type DestinationStats struct {
	Backlog     int64 // behind the cursor, and parked
	Parked      int64
	DeadLetters int64
}

// Stats reads memory, two file sizes and the short table of parked deliveries.
func (j *SQLite) Stats(ctx context.Context) Stats {
	s := Stats{
		Queue: len(j.intakes), Overflowed: j.counters.overflowed.Load(), Conflicts: j.counters.conflicts.Load(),
		Quarantined: j.counters.quarantined.Load(), Missing: j.counters.missing.Load(),
		FileSize: fileSize(j.path), LogSize: fileSize(j.path + "-wal"),
		Classes: map[hookgate.Class]int64{}, Destinations: map[string]DestinationStats{},
	}
	for k, class := range hookgate.Classes() {
		s.Classes[class] = j.counters.classes[k].Load()
	}
	s.Last = j.tail.newest()
	j.mu.Lock()
	s.Oldest, s.OldestTime = j.oldest.seq, j.oldest.received
	for name, cursor := range j.cursors {
		s.Destinations[name] = DestinationStats{Backlog: max(s.Last-cursor, 0)}
	}
	j.mu.Unlock()
	rows, err := j.readers.QueryContext(ctx, `SELECT destination, count(*), sum(dead) FROM parked GROUP BY destination`)
	if err != nil {
		return s
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var all, dead int64
		if rows.Scan(&name, &all, &dead) != nil {
			break
		}
		if d, ok := s.Destinations[name]; ok {
			d.Parked, d.DeadLetters = all-dead, dead
			d.Backlog += d.Parked
			s.Destinations[name] = d
		}
	}
	return s
}

func (t *tail) newest() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}
