package journal

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// mendFile runs on every new connection, before anything is written through it. A server that was killed while it wrote has
// half a transaction at the end of its append-only file. At its next start it cuts the half command away and leaves the MULTI
// before it (7.0.15 and 7.4.0), and at the start after that it takes what was written since for the rest of that
// transaction: an event that was acknowledged in between can be gone. A rewrite leaves all that behind, so each server is
// asked for one that has had none since its start. One that may not be asked, such as a managed one, is left alone.
func mendFile(ctx context.Context, c *redis.Conn) error {
	info, err := c.Info(ctx, "persistence").Result()
	switch {
	case err != nil:
	case strings.Contains(info, "\nloading:1"):
		return c.Ping(ctx).Err() // not this connection: it would be used unmended
	case strings.Contains(info, "\naof_enabled:1") && strings.Contains(info, "\naof_rewrites:0\r") && strings.Contains(info, "\naof_rewrite_in_progress:0"):
		err = c.BgRewriteAOF(ctx).Err()
	}
	var refused redis.Error
	if errors.As(err, &refused) {
		return nil // it may not be asked, or not now
	}
	return err // an answer that is still to come would be taken for that to the next question
}
