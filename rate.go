package hookgate

import (
	"fmt"
	"time"
)

// Rate is so many a period, which is a second, a minute or an hour; the zero value means that none was set.
type Rate struct {
	Count int
	Per   time.Duration
}

// String is the rate as it would be written in the configuration; empty where none was set.
func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per]
	if unit == "" {
		return ""
	}
	return fmt.Sprintf("%d/%s", r.Count, unit)
}
