package normalize

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// allKinds is every table that the readers use.
var allKinds = map[string]map[string]kind{
	"sprinklr": sprinklrKinds, "salesiq": salesiqKinds, "commbox": commboxKinds, "netcore": netcoreKinds, "bird": birdKinds,
}

// row is one line of the taxonomy, in the order of its columns.
type row struct{ provider, native, typ, entity, action, subject, time, evidence string }

func taxonomy(t *testing.T) []row {
	t.Helper()
	f, err := os.Open("testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines[0], ","); got != "provider,native_event,type,entitytype,action,subject_path,time_path,evidence" {
		t.Fatalf("columns %s", got)
	}
	rows := make([]row, 0, len(lines))
	for _, l := range lines[1:] {
		rows = append(rows, row{l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]})
	}
	return rows
}

func TestTaxonomyIsTheCode(t *testing.T) {
	t.Parallel()
	listed := map[string]int{}
	for _, r := range taxonomy(t) {
		listed[r.provider]++
		k, ok := allKinds[r.provider][r.native]
		if !ok {
			t.Errorf("%s has no %s", r.provider, r.native)
			continue
		}
		if want := (kind{r.entity, r.action, r.subject}); k != want {
			t.Errorf("%s %s is %v, the taxonomy has %v", r.provider, r.native, k, want)
		}
		if got := typeName(r.provider, r.native); got != r.typ {
			t.Errorf("%s %s has type %s, the taxonomy has %s", r.provider, r.native, got, r.typ)
		}
	}
	if len(listed) != len(providers) {
		t.Errorf("the taxonomy has %d providers, the registry %d", len(listed), len(providers))
	}
	for name := range providers {
		if got := len(allKinds[name]); got != listed[name] || got == 0 {
			t.Errorf("%s knows %d events, the taxonomy has %d", name, got, listed[name])
		}
	}
}

// TestTaxonomyIsRead makes a delivery of every line for the providers that send one JSON object, with the subject and
// the time only where the line says, once for each alternative.
func TestTaxonomyIsRead(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 24, 14, 22, 40, 20_000_000, time.UTC)
	for _, r := range taxonomy(t) {
		stamp := fmt.Sprint(at.UnixMilli())
		var named string
		switch r.provider {
		case "sprinklr":
			named = fmt.Sprintf(`"type":%q`, r.native)
		case "salesiq":
			named = fmt.Sprintf(`"event":%q`, r.native)
		case "bird":
			service, event, _ := strings.Cut(strings.ReplaceAll(r.native, "*", "rcs"), ".")
			named = fmt.Sprintf(`"service":%q,"event":%q`, service, event)
			stamp = `"2024-05-24T16:22:40.0207+02:00"`
		default:
			continue
		}
		for _, subjectPath := range strings.Split(r.subject, "|") {
			for _, timePath := range strings.Split(r.time, "|") {
				body := fmt.Sprintf("{%s,%s}", named, merged(subjectPath, `"the id"`, timePath, stamp))
				req := &hookgate.Request{Method: http.MethodPost, Body: []byte(body)}
				reader, err := New(r.provider, Options{})
				if err != nil {
					t.Fatal(err)
				}
				events := reader.Normalize(req, nil)
				if len(events) != 1 || events[0].Quarantine != "" {
					t.Fatalf("%s: %s", body, events[0].Quarantine)
				}
				e := events[0]
				if want := strings.ReplaceAll(r.typ, "*", "rcs"); e.Type != want || e.EntityType != r.entity || e.Action != r.action {
					t.Errorf("%s is %s, %s, %s; want %s, %s, %s", body, e.Type, e.EntityType, e.Action, want, r.entity, r.action)
				}
				if e.Subject != "the id" {
					t.Errorf("%s: subject %q", body, e.Subject)
				}
				if !e.Time.Equal(at) || e.TimeSource != hookgate.TimeFromEvent {
					t.Errorf("%s: time %v, %s", body, e.Time, e.TimeSource)
				}
			}
		}
	}
}

// merged gives the members of an object that holds a at one path and b at another; both may share their first name.
func merged(pathA, a, pathB, b string) string {
	firstA, restA, _ := strings.Cut(pathA, ".")
	firstB, restB, _ := strings.Cut(pathB, ".")
	if firstA == firstB {
		return fmt.Sprintf(`%q:{%s}`, firstA, merged(restA, a, restB, b))
	}
	return member(pathA, a) + "," + member(pathB, b)
}

// member is a member of an object, with what does not fit anything beside it.
func member(path, leaf string) string {
	name, rest, deeper := strings.Cut(path, ".")
	if deeper {
		leaf = fmt.Sprintf(`{"noise":[{"id":"wrong"}],%s}`, member(rest, leaf))
	}
	return fmt.Sprintf(`%q:%s`, name, leaf)
}
