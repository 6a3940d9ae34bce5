package hookgate_test

import (
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// TestSecretsEnd: a secret proves what was received before its end, and nothing from then on.
func TestSecretsEnd(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	endless := hookgate.NewSecret([]byte("made-up"), "env:A")
	for name, c := range map[string]struct {
		secret hookgate.Secret
		at     time.Time
		ended  bool
	}{
		"endless":            {endless, end, false},
		"endless, long ago":  {endless, time.Time{}, false},
		"before its end":     {endless.Until(end), end.Add(-time.Nanosecond), false},
		"at its end":         {endless.Until(end), end, true},
		"after its end":      {endless.Until(end), end.Add(time.Hour), true},
		"its end taken back": {endless.Until(end).Until(time.Time{}), end, false},
	} {
		if got := c.secret.Retired(c.at); got != c.ended {
			t.Errorf("%s: ended %v", name, got)
		}
	}
}
