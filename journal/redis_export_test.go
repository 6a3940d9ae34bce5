package journal

import "time"

// SetPatience changes how long Share waits for the work on a shard to end. It must be called before Share.
func (r *Redis) SetPatience(d time.Duration) { r.patience = d }
