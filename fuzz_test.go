package hookgate_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// FuzzStored demands that what a journal kept of an event comes back, whatever was in it, and that anything else is an error
// or an event that can be kept again, never a panic.
func FuzzStored(f *testing.F) {
	e := &hookgate.Event{ID: "0123456789abcdef0123456789abcdef", Provider: "sprinklr", Source: "care", Type: "sprinklr.case.update", Subject: "a\"\\\n\u2028", ContentType: "text/xml", RawSHA256: "00", Time: time.UnixMilli(1719823264000), Attempt: 3, Window: time.Hour, IdentityTime: 7}
	f.Add(e.AppendStored(nil, false), []byte(`{}`), "subject", int64(1719823264000))
	f.Add(e.AppendHandedOn(nil, true), []byte("\xff"), "\xff\x00", int64(-1))
	f.Add([]byte(`["","","","","","","","","","","","","","",0,0]`), []byte{}, "", int64(0))
	f.Add([]byte(`[1]`), []byte{}, "[]", int64(1)<<62)
	f.Add([]byte(`["a",null,{},[]]`), []byte{}, "\u202e", int64(1))
	f.Fuzz(func(t *testing.T, stored, data []byte, subject string, at int64) {
		received := time.UnixMilli(1719823264000).UTC()
		if e, err := hookgate.ParseStored(stored, received, data); err == nil {
			kept := e.AppendHandedOn(nil, false)
			again, err := hookgate.ParseStored(kept, received, data)
			if err != nil {
				t.Fatalf("%q was read, and what was kept of it is not: %q: %v", stored, kept, err)
			}
			if twice := again.AppendHandedOn(nil, false); !bytes.Equal(twice, kept) {
				t.Errorf("%q became %q", kept, twice)
			}
		}
		own := &hookgate.Event{ID: "x", Subject: subject, NativeID: subject, Time: time.UnixMilli(at % (1 << 45)), Attempt: int(at % 1000), RawSHA256: "00"}
		kept := own.AppendStored(nil, false)
		back, err := hookgate.ParseStored(kept, received, slices.Clone(data))
		if err != nil {
			t.Fatalf("%q: %v", kept, err)
		}
		if back.Time.UnixMilli() != own.Time.UnixMilli() || back.Attempt != own.Attempt || back.ID != "x" {
			t.Errorf("%q came back as %+v", kept, back)
		}
	})
}

// FuzzStoredValues: what is kept of a header is either all of it or nothing of it.
func FuzzStoredValues(f *testing.F) {
	f.Add("Authorization", "Bearer x")
	f.Add("X-Api-Key", "x")
	f.Add("-Key", "x")
	f.Add("Token", "")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, name, value string) {
		values := []string{value, value}
		kept := hookgate.StoredValues(name, values)
		if len(kept) == 1 && kept[0] == "[secret]" {
			return
		}
		if !slices.Equal(kept, values) {
			t.Errorf("%q: %q is kept of %q", name, kept, value)
		}
	})
}
