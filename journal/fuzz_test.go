package journal

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// FuzzRedisValues demands that whatever stands on Redis, written by us, by an older version or by somebody else, is read or
// refused, and never panics: the server is not ours alone.
func FuzzRedisValues(f *testing.F) {
	f.Add("1-1", "r", "1719823264000", "h", `["x","","","","","","","","","","","","","",0,0]`, "d", "{}")
	f.Add("0-18446744073709551616", "r", "-1", "h", "[", "z", "\x28\xb5\x2f\xfd")
	f.Add("", "", "", "", "", "", "")
	f.Add("0-1", "r", "1", "h", `{}`, "c", "0123456789012345678901234567")
	f.Fuzz(func(t *testing.T, id, k1, v1, k2, v2, k3, v3 string) {
		m := redis.XMessage{ID: id, Values: map[string]any{k1: v1, k2: v2, k3: v3}}
		if e, err := parseEntry(m); err == nil && e.Event == nil {
			t.Error("an entry without an event")
		}
		if s := fields(m.Values).size(); s < 0 {
			t.Errorf("a size of %d", s)
		}
		for _, value := range []string{id, v1, v2, v3} {
			if m, err := parseMarker(value); err == nil && (m.copies < 0 || m.seq < 0) {
				t.Errorf("%q is a marker %+v", value, m)
			}
			if a, err := parseCopy(value); err == nil && a.Class == "" {
				t.Errorf("%q is a copy of no class", value)
			}
			_ = parseInfo(value)
			_, _ = entryNumber(value)
		}
		_, _ = parseParked([]string{v1, v2, v3}, true)
		_, _ = parseClaimed([]any{id, v1, v2, v3}, nil)
		_, _ = parseClaimed([]any{nil, 1, v2}, nil)
	})
}
