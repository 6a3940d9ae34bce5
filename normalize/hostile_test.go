package normalize_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// corpus reads the files of testdata/<provider>/quarantine. Each is named after the row of the threat model that it
// belongs to, or after the provider's sample that it comes from.
func corpus(t testing.TB, provider string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", provider, "quarantine", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no corpus", err)
	}
	files := make(map[string][]byte, len(paths))
	for _, p := range paths {
		body, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = body
	}
	return files
}

// B3 to B13 for commbox and netcore: nothing of these bodies is forwarded, and none of it is lost.
func TestB09toB13_HostileBodiesAreQuarantined(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"commbox", "netcore"} {
		for name, body := range corpus(t, provider) {
			t.Run(provider+"/"+name, func(t *testing.T) {
				t.Parallel()
				events := reader(t, provider, normalize.Options{}).Normalize(request(string(body)), nil)
				if len(events) == 0 {
					t.Fatal("taken for a set-up call: nothing would be stored")
				}
				for _, e := range events {
					if e.Quarantine == "" {
						t.Errorf("read as %s, subject %q: %s", e.Type, e.Subject, e.Data)
					}
					if strings.Contains(e.Quarantine, "canary") || strings.Contains(e.Quarantine, "/etc") {
						t.Errorf("the reason repeats the body: %s", e.Quarantine)
					}
				}
			})
		}
	}
}

// sound checks what holds for every event, whatever the body was.
func sound(t testing.TB, provider string, events []*hookgate.Event) {
	t.Helper()
	for _, e := range events {
		if len(e.Identity) == 0 {
			t.Fatal("an event without identity")
		}
		for _, f := range e.Identity {
			if f.Value == "" {
				t.Fatalf("identity field %s is empty", f.Name)
			}
		}
		if e.Attempt != 1 {
			t.Fatalf("attempt %d", e.Attempt)
		}
		if e.Quarantine != "" {
			continue
		}
		if !strings.HasPrefix(e.Type, provider+".") || e.EntityType == "" || e.Action == "" {
			t.Fatalf("type %q, entitytype %q, action %q", e.Type, e.EntityType, e.Action)
		}
		switch e.ContentType {
		case hookgate.JSON:
			if !json.Valid(e.Data) || e.Data[0] != '{' {
				t.Fatalf("data is no JSON object: %q", e.Data)
			}
		case hookgate.XML:
			if e.Data[0] != '<' || e.Data[len(e.Data)-1] != '>' {
				t.Fatalf("data is no element: %q", e.Data)
			}
		default:
			t.Fatalf("content type %q", e.ContentType)
		}
		if e.TimeSource != hookgate.TimeReceived && (e.Time.Year() < 2000 || e.Time.Year() > 9999) {
			t.Fatalf("time %s", e.Time)
		}
	}
}

// same compares two readings of one body: a retry must get the same ids.
func same(t testing.TB, a, b []*hookgate.Event) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d events, then %d", len(a), len(b))
	}
	for i := range a {
		if hookgate.EventID("p", "s", a[i].Identity) != hookgate.EventID("p", "s", b[i].Identity) ||
			a[i].IdentityTime != b[i].IdentityTime || !bytes.Equal(a[i].Data, b[i].Data) {
			t.Fatalf("event %d differs between two readings", i)
		}
	}
}

// Every prefix and every single changed byte of a good body is read, or quarantined, without a panic.
func TestNormalizeIsTotal(t *testing.T) {
	t.Parallel()
	seeds := map[string][]string{"commbox": commboxSeeds, "netcore": netcoreSeeds}
	for provider, bodies := range seeds {
		r := reader(t, provider, normalize.Options{})
		for _, body := range bodies {
			for i := range body {
				sound(t, provider, r.Normalize(request(body[:i]), nil))
				for _, c := range []byte{0, '"', '<', '>', '%', '&', '{', ']', 0xff} {
					changed := []byte(body)
					changed[i] = c
					events := r.Normalize(request(string(changed)), nil)
					sound(t, provider, events)
					if provider == "commbox" && len(events) == 0 {
						t.Fatalf("nothing is kept of %q", changed)
					}
				}
			}
			same(t, r.Normalize(request(body), nil), r.Normalize(request(body), nil))
		}
	}
}
