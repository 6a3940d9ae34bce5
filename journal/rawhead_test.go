package journal

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/hookgate/hookgate"
)

// FuzzRawHead demands that whatever a request's head holds comes back as it was, and that reading never panics.
func FuzzRawHead(f *testing.F) {
	f.Add("POST", "/hooks/a?b=c%20d", "r-1", "X-Sig", "abc", "\xff\u2028")
	f.Add("", "a b\nc", `\n\s\\`, "X:", ": ", "\r\n")
	f.Add("\\", "\\\\n", "", "A", "", " trailing ")
	f.Fuzz(func(t *testing.T, method, target, id, name, one, two string) {
		req := &hookgate.Request{ID: id, Method: method, Target: target, Header: http.Header{name: {one, two}, "Other": {"x"}}}
		stored := appendRawHead(nil, req)
		raw, err := parseRawHead(stored)
		if err != nil {
			t.Fatalf("%q: %v", stored, err)
		}
		if raw.Method != method || raw.Target != target || raw.RequestID != id {
			t.Errorf("%q: %+v", stored, raw)
		}
		if want := StoredHeader(req); !reflect.DeepEqual(raw.Header, want) {
			t.Errorf("%q: %q, want %q", stored, raw.Header, want)
		}
		_, _ = parseRawHead([]byte(one)) // any error will do
	})
}

func TestOffset(t *testing.T) {
	t.Parallel()
	body := make([]byte, 10, 20)
	other := make([]byte, 10, 20)
	for _, c := range []struct {
		name string
		data []byte
		off  int
		ok   bool
	}{
		{"all", body, 0, true},
		{"middle", body[3:7], 3, true},
		{"end", body[9:10], 9, true},
		{"nothing", nil, 0, true},
		{"capped", body[3:7:7], 0, false},
		{"behind the body", body[9:12], 0, false},
		{"another array", other[3:7], 0, false},
		{"larger", make([]byte, 40), 0, false},
	} {
		if off, ok := offset(body, c.data); ok != c.ok || (ok && off != c.off) {
			t.Errorf("%s: %d %v, want %d %v", c.name, off, ok, c.off, c.ok)
		}
	}
}

// StoredHeader is what a request's header must be read back as.
func StoredHeader(req *hookgate.Request) http.Header {
	kept := make(http.Header)
	for name, values := range req.Header {
		kept[name] = hookgate.StoredValues(name, values)
	}
	return kept
}
