package outbound

import (
	"context"
	"time"
)

// sweep removes from the log what has been there long enough after its end, a chunk a transaction, so that nobody waits
// long for the writer.
func (s *Server) sweep(ctx context.Context, now time.Time) error {
	for keep := int64(-1); ; {
		var next []int64
		rows, err := s.store.reader.QueryContext(ctx, "SELECT keep FROM deliveries INDEXED BY by_end WHERE ended > 0 AND keep > ? ORDER BY keep LIMIT 1", keep)
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := rows.Scan(&keep); err != nil {
				_ = rows.Close() // the first error is the one that counts
				return err
			}
			next = append(next, keep)
		}
		if err := rows.Err(); err != nil || len(next) == 0 {
			return err
		}
		horizon := time.Duration(keep) * time.Millisecond
		if keep == 0 {
			horizon = s.options.Retention
		}
		if horizon <= 0 {
			continue
		}
		for removed := chunk; removed == chunk; {
			if err := s.store.change(ctx, func(t *tx) (err error) {
				removed, err = t.remove("SELECT seq, subscription, event, state FROM deliveries INDEXED BY by_end WHERE ended > 0 AND keep = ? AND ended <= ? ORDER BY ended LIMIT ?",
					keep, millis(now.Add(-horizon)), chunk)
				return err
			}); err != nil {
				return err
			}
		}
	}
}

// Forget removes ended deliveries from the log; others, and what is not there, are left alone.
func (s *Server) Forget(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		some := ids[:min(len(ids), chunk)]
		ids = ids[len(some):]
		if err := s.store.change(ctx, func(t *tx) error {
			for _, id := range some {
				if _, err := t.remove("SELECT seq, subscription, event, state FROM deliveries WHERE id = ? AND ended > 0", rawID(id)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
