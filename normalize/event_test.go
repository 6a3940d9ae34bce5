package normalize

import (
	"testing"
	"time"
)

func TestEpochMillis(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{
		"946684800000": "2000-01-01T00:00:00Z", "946684799999": "", "253402300799999": "9999-12-31T23:59:59.999Z", "253402300800000": "",
		"1716560560020": "2024-05-24T14:22:40.02Z", "01716560560020": "2024-05-24T14:22:40.02Z",
		"": "", "0": "", "-1716560560020": "", "+1716560560020": "", "1716560560020.0": "", "1.71656056002e12": "", "1474307": "", "1716560560": "",
		"99999999999999999999999": "", " 1716560560020": "", "1716560560020 ": "", "1_716_560_560_020": "", "0x18fab3f4b54": "", "١٢٣": "",
	} {
		compare(t, digits, want, epochMillis)
	}
}

func TestEpochSeconds(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{
		"946684800": "2000-01-01T00:00:00Z", "946684799": "", "253402300799": "9999-12-31T23:59:59Z", "253402300800": "", "1719823259": "2024-07-01T08:40:59Z", "x": "", "": "",
	} {
		compare(t, digits, want, epochSeconds)
	}
}

func TestRFC3339(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2024-07-01T08:30:02.063112Z": "2024-07-01T08:30:02.063Z", "2024-07-01T08:30:02.9999999+02:00": "2024-07-01T06:30:02.999Z", "2024-07-01T08:30:02-07:00": "2024-07-01T15:30:02Z",
		"2000-01-01T00:00:00Z": "2000-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z": "", "2000-01-01T00:30:00+01:00": "", "1999-12-31T23:30:00-01:00": "2000-01-01T00:30:00Z",
		"9999-12-31T23:59:59.9999Z": "9999-12-31T23:59:59.999Z", "9999-12-31T23:30:00-01:00": "",
		"": "", "2024-07-01": "", "2024-07-01T08:30:02": "", "2024-07-01 08:30:02Z": "", "2024-07-01T8:30:02Z": "", "2024-07-01T08:30:02,5Z": "", "2024-02-30T08:30:02Z": "", "2024-07-01T24:00:00Z": "",
		"2024-07-01T08:30:02+25:00": "", "0001-01-01T00:00:00Z": "", "1719823259": "",
	} {
		compare(t, text, want, rfc3339)
	}
}

func compare(t *testing.T, text, want string, read func(string) (time.Time, bool)) {
	t.Helper()
	at, ok := read(text)
	got := ""
	if ok {
		got = at.Format(time.RFC3339Nano)
	}
	if got != want || (!ok && !at.IsZero()) {
		t.Errorf("%q is %q, want %q", text, got, want)
	}
}

func TestAttempt(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]int{
		"1": 1, "4": 4, "99": 99, "2147483647": 2147483647, "2147483648": 1, "0": 1, "-2": 1, "+2": 1, "2.0": 1, "2e1": 1, "": 1, "x": 1, "99999999999999999999": 1, "007": 7,
	} {
		if got := attempt(digits); got != want {
			t.Errorf("attempt(%q) is %d, want %d", digits, got, want)
		}
	}
}

func TestUnlisted(t *testing.T) {
	t.Parallel()
	for native, want := range map[string]kind{
		"queue.item.escalated": {"queue", "escalated", "s"}, "Queue.Item": {"queue", "item", "s"}, "one": {"one", "one", "s"}, "": {"unknown", "unknown", "s"}, ".": {"", "", "s"}, "a.": {"a", "", "s"},
	} {
		if got := unlisted(native, "s"); got != want {
			t.Errorf("unlisted(%q) is %v, want %v", native, got, want)
		}
	}
}
