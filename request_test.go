package hookgate_test

import (
	"net/http"
	"testing"

	"github.com/hookgate/hookgate"
)

// TestOneHeader: what must be there once is not there twice, nor empty, nor under another spelling.
func TestOneHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []string
		want   hookgate.Reason // empty for a header that is taken
	}{
		"one":             {[]string{"a"}, ""},
		"none":            {nil, hookgate.HeaderMissing},
		"no value":        {[]string{}, hookgate.HeaderMissing},
		"empty":           {[]string{""}, hookgate.HeaderMissing},
		"two":             {[]string{"a", "b"}, hookgate.HeaderDoubled},
		"two alike":       {[]string{"a", "a"}, hookgate.HeaderDoubled},
		"two empty ones":  {[]string{"", ""}, hookgate.HeaderDoubled},
		"empty, then one": {[]string{"", "a"}, hookgate.HeaderDoubled},
	} {
		req := &hookgate.Request{Header: http.Header{"X-Proof": c.values}}
		value, err := req.One("X-Proof")
		if c.want == "" {
			if err != nil || value != "a" {
				t.Errorf("%s: %q, %v", name, value, err)
			}
			continue
		}
		if err == nil || hookgate.AsError(err).Reason != c.want || value != "" {
			t.Errorf("%s: %q, %v, want %s", name, value, err, c.want)
		}
	}
}
