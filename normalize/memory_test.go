package normalize_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/normalize"
)

// allocated is how many bytes f takes from the heap. It is measured alone: the test that calls it is not parallel.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Bodies of a megabyte that are made to cost more than their size: what is taken in all, freed or not, stays bounded.
func TestB11B12_MemoryIsBounded(t *testing.T) {
	const size = 1 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for name, c := range map[string]struct {
		provider, body string
		limit          uint64 // in bytes
	}{
		"elements beside each other": {"commbox", "<Event>" + fill("<a/>") + "</Event>", 64 << 20},
		"elements inside each other": {"commbox", fill("<a>"), 1 << 20},
		"attributes":                 {"commbox", "<Event" + fill(` a="b"`) + "/>", 64 << 20},
		"one long text":              {"commbox", "<Event><Id>" + fill("a") + "</Id></Event>", 16 << 20},
		"texts that could be events": {"commbox", "<a>" + fill("<b>&lt;Event/&gt;</b>") + "</a>", 64 << 20},
		"comments":                   {"commbox", fill("<!---->"), 64 << 20},
		"entities":                   {"commbox", "<Event>" + fill("&lt;") + "</Event>", 16 << 20},
		"fields of a form":           {"netcore", fill("&"), 1 << 20},
		"escapes of a form":          {"netcore", "data=" + fill("%7B"), 2 << 20},
		"empty elements":             {"netcore", `data={"a":[` + fill("{},") + "{}]}", 128 << 20},
		"numbers for elements":       {"netcore", `data={"a":[` + fill("1,") + "1]}", 128 << 20},
		"a panel with a long name":   {"netcore", `data={"` + fill("a") + `":[` + strings.Repeat("{},", 99) + "{}]}", 16 << 20},
	} {
		r, req := reader(t, c.provider, normalize.Options{}), request(c.body)
		if got := allocated(func() { r.Normalize(req, nil) }); got > c.limit {
			t.Errorf("%s: %d KiB, limit %d", name, got>>10, c.limit>>10)
		} else {
			t.Logf("%s: %d KiB", name, got>>10)
		}
	}
}

// A batch of 10,000 elements takes a hundred times the memory of one of 100, and not its square.
func TestNetcoreBatchIsLinear(t *testing.T) {
	r := reader(t, "netcore", normalize.Options{})
	cost := func(n int) float64 {
		req := request(netcoreBatch(n))
		got := allocated(func() {
			if events := r.Normalize(req, nil); len(events) != n || quarantined(events) > 0 {
				t.Fatal(len(events))
			}
		})
		return float64(got) / float64(n)
	}
	if small, large := cost(100), cost(10_000); large > 2*small {
		t.Errorf("%.0f bytes an event of 10,000, %.0f of 100", large, small)
	}
}
