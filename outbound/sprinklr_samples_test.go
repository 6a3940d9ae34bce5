package outbound

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var sprinklrAt = time.UnixMilli(1789038671077)

func sprinklrSeeded(seed uint64, native string) Event {
	return sprinklr().sample(rand.New(rand.NewPCG(seed, 7)), native, sprinklrAt)
}

// sprinklrSubjects are the rows of the taxonomy: native event, path of the subject.
func sprinklrSubjects(t *testing.T) (natives []string, subjects map[string]string) {
	t.Helper()
	f, err := os.Open("../normalize/testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	subjects = map[string]string{}
	for _, row := range rows {
		if row[0] == "sprinklr" {
			natives = append(natives, row[1])
			subjects[row[1]] = row[5]
		}
	}
	return natives, subjects
}

func TestSprinklrSamples_Taxonomy(t *testing.T) {
	t.Parallel()
	natives, subjects := sprinklrSubjects(t)
	if !slices.Equal(sprinklr().events, natives) || len(natives) != 47 {
		t.Fatalf("events are not the taxonomy's:\n got %v\nwant %v", sprinklr().events, natives)
	}
	for _, native := range natives {
		t.Run(native, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(50) {
				e := sprinklrSeeded(seed, native)
				if e.Type != native || !e.Time.Equal(sprinklrAt) || !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(e.ID) {
					t.Fatalf("seed %d: %+v", seed, e)
				}
				before := e
				if err := sprinklr().complete(&e, time.Now()); err != nil || !reflect.DeepEqual(e, before) {
					t.Fatalf("seed %d: not complete: %v", seed, err)
				}
				_, body, err := sprinklr().write(&Subscription{ID: "66aa00000000000000000001"}, &Delivery{Events: []Event{e}}, 1)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				var compact bytes.Buffer
				if err := json.Compact(&compact, body); err != nil || !bytes.Equal(compact.Bytes(), body) {
					t.Fatalf("seed %d: not compact JSON (%v): %s", seed, err, body)
				}
				if subject := sprinklrAtPath(t, body, subjects[native]); subject == "" {
					t.Fatalf("seed %d: no subject at %s: %s", seed, subjects[native], body)
				}
				if bytes.Contains(body, []byte("${")) || bytes.Contains(body, []byte(`:""`)) || bytes.Contains(body, []byte(`__`)) {
					t.Fatalf("seed %d: something was not filled in: %s", seed, body)
				}
			}
		})
	}
}

// sprinklrAtPath is the text or number at a dotted path.
func sprinklrAtPath(t *testing.T, body []byte, path string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = object[name]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func TestSprinklrSamples_Seed(t *testing.T) {
	t.Parallel()
	for _, native := range sprinklr().events {
		if !reflect.DeepEqual(sprinklrSeeded(1, native), sprinklrSeeded(1, native)) {
			t.Errorf("%s: one seed gives two samples", native)
		}
		if reflect.DeepEqual(sprinklrSeeded(1, native), sprinklrSeeded(2, native)) {
			t.Errorf("%s: two seeds give one sample", native)
		}
	}
	if got, want := sprinklrSeeded(3, "CASE_CREATED"), sprinklrSeeded(3, "case.create"); !reflect.DeepEqual(got, want) {
		t.Errorf("the constant gives %+v", got)
	}
	if e := sprinklrSeeded(3, "case.closed"); e.Payload != nil {
		t.Errorf("an event that is not there has the payload %s", e.Payload)
	}
}

func TestSprinklrSamples_Forms(t *testing.T) {
	t.Parallel()
	const oid = `[0-9a-f]{24}`
	for _, tc := range []struct{ native, path, form string }{
		{"campaign.deleted", "payload", `^47\d\d_\d+$`},
		{"profile.deleted", "payload", "^" + oid + "$"},
		{"task.delete", "payload", "^" + oid + "$"},
		{"user.deleted", "payload", `^\d{6}$`},
		{"campaign.created", "payload.id", `^47\d\d_\d+$`},
		{"case.create", "payload.id", "^" + oid + "$"},
		{"case.create", "payload.caseNumber", `^41\d{6}$`},
		{"case.update", "payload.workflow.assignment.assigneeId", `^\d{6}$`},
		{"message.updated", "payload.sourceId", `^-\d+$`},
		{"message.created", "payload.channelMessageId", `^179\d{16}$`},
		{"message.created", "payload.messageId", `^ACCOUNT_\d+_\d{13}_[A-Z_]+_\d_179\d{16}$`},
		{"message.created", "payload.insights.POST_REACH_COUNT", `^\d+\.0$`},
		{"message.publish.failed", "payload.postId", `^\d{10}$`},
		{"comment.created", "payload.commentingUser", `^-100$`},
		{"account.created", "payload.createdTime", `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`},
		{"voice.call.quality.event", "payload.metrics.mos", `^[34]\.\d{3}$`},
		{"business.hours.updated", "payload.oldBusinessHours.id", "^" + oid + "$"},
		{"business.holidays.list.updated", "payload.oldBusinessHolidayList.id", "^" + oid + "$"},
		{"user.deleted", "eventTime", `^1789038671077$`},
	} {
		for seed := range uint64(20) {
			e := sprinklrSeeded(seed, tc.native)
			body, err := sprinklrBody("66aa", &e)
			if err != nil {
				t.Fatal(err)
			}
			if got := sprinklrAtPath(t, body, tc.path); !regexp.MustCompile(tc.form).MatchString(got) {
				t.Errorf("%s: %s is %q, want %s", tc.native, tc.path, got, tc.form)
			}
		}
	}
	if e := sprinklrSeeded(1, "case.create"); bytes.Contains(e.Payload, []byte(`"assignment"`)) {
		t.Errorf("a new case is assigned: %s", e.Payload)
	}
}

// A template's mistake would leave a hole in a payload.
func TestSprinklrSamples_KindsAreKnown(t *testing.T) {
	t.Parallel()
	for native := range sprinklrCaseTemplates {
		if _, twice := sprinklrOtherTemplates[native]; twice {
			t.Errorf("%s has two templates", native)
		}
	}
	v := sprinklrValues{rng: rand.New(rand.NewPCG(1, 2)), at: sprinklrAt, drawn: map[string]string{}}
	for _, native := range sprinklr().events {
		os.Expand(sprinklrCaseTemplates[native]+sprinklrOtherTemplates[native], func(name string) string {
			if v.get(name) == "" {
				t.Errorf("%s: nothing draws %s", native, name)
			}
			return ""
		})
	}
	if len(sprinklrCaseTemplates)+len(sprinklrOtherTemplates) != len(sprinklr().events) {
		t.Error("a template belongs to no event")
	}
	for kind, words := range sprinklrWords {
		for _, w := range words {
			if !json.Valid([]byte(`"`+w+`"`)) || strings.Contains(w, "$") {
				t.Errorf("%s: %q cannot stand in a text as it is", kind, w)
			}
		}
	}
}
