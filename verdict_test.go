package hookgate_test

import (
	"testing"

	"github.com/hookgate/hookgate"
)

// TestVerdict: what an event says of its proofs, from schemes that sign a time or an id and such as do not.
func TestVerdict(t *testing.T) {
	t.Parallel()
	basic := hookgate.Proof{Scheme: "basic", KeyID: "env:USER"}
	open := hookgate.Proof{Scheme: "none"}
	bird := hookgate.Proof{Scheme: "bird-signature", KeyID: "env:BIRD", SignedTime: "1719823264"}
	standard := hookgate.Proof{Scheme: "standard-webhooks", KeyID: "env:STANDARD", SignedTime: "1719823265", SignedID: "msg_1"}
	for name, c := range map[string]struct {
		verdict                   hookgate.Verdict
		schemes, keys, signed, id string
	}{
		"nothing":        {nil, "", "", "", ""},
		"one":            {hookgate.Verdict{basic}, "basic", "env:USER", "", ""},
		"one with all":   {hookgate.Verdict{standard}, "standard-webhooks", "env:STANDARD", "1719823265", "msg_1"},
		"the first time": {hookgate.Verdict{basic, bird, standard}, "basic,bird-signature,standard-webhooks", "env:USER,env:BIRD,env:STANDARD", "1719823264", "msg_1"},
		"one has no key": {hookgate.Verdict{open, basic}, "none,basic", "env:USER", "", ""},
	} {
		v := c.verdict
		if v.Schemes() != c.schemes || v.KeyIDs() != c.keys || v.SignedTime() != c.signed || v.SignedID() != c.id {
			t.Errorf("%s: %q, %q, %q, %q", name, v.Schemes(), v.KeyIDs(), v.SignedTime(), v.SignedID())
		}
	}
}
