package outbound

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type salesiqRow struct{ native, subject, time string }

func salesiqTaxonomy(t *testing.T) (rows []salesiqRow) {
	t.Helper()
	f, err := os.Open("../normalize/testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := make(map[string]int)
	for i, name := range records[0] {
		at[name] = i
	}
	for _, r := range records[1:] {
		if r[at["provider"]] == "salesiq" {
			rows = append(rows, salesiqRow{r[at["native_event"]], r[at["subject_path"]], r[at["time_path"]]})
		}
	}
	return rows
}

// salesiqAt follows a path such as entity_id|entity.id: the first that is there. Numbers keep their digits.
func salesiqAt(t *testing.T, body []byte, path string) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for one := range strings.SplitSeq(path, "|") {
		v := root
		for name := range strings.SplitSeq(one, ".") {
			object, _ := v.(map[string]any)
			v = object[name]
		}
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
	}
	return ""
}

func salesiqRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestSalesiqEventsAreTheTaxonomy(t *testing.T) {
	t.Parallel()
	var want []string
	for _, row := range salesiqTaxonomy(t) {
		want = append(want, row.native)
	}
	if got := salesiqEvents(); !slices.Equal(got, want) || len(got) != 34 {
		t.Errorf("%d events %v, want those of the taxonomy %v", len(got), got, want)
	}
}

func TestSalesiqSamples(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 891_999_999, time.FixedZone("", 3600))
	for _, row := range salesiqTaxonomy(t) {
		t.Run(row.native, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(64) {
				e := sampleSalesiq(salesiqRNG(seed), row.native, at)
				if again := sampleSalesiq(salesiqRNG(seed), row.native, at); !reflect.DeepEqual(e, again) {
					t.Fatalf("seed %d made two events: %+v, %+v", seed, e, again)
				}
				before := e
				before.Attributes = map[string]string{}
				for k, v := range e.Attributes {
					before.Attributes[k] = v
				}
				if err := completeSalesiq(&e, time.Now()); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(e, before) {
					t.Fatalf("a sample is not complete: %+v, %+v", before, e)
				}
				for _, profile := range []string{"docs", "live"} {
					_, body := salesiqWritten(t, `{"profile":"`+profile+`"}`, e, 1)
					if got := salesiqAt(t, []byte(body), row.subject); got != e.Attributes["entity_id"] || len(got) != 17 {
						t.Fatalf("subject %q, want %q", got, e.Attributes["entity_id"])
					}
					if got := salesiqAt(t, []byte(body), row.time); got != "1772597167891" {
						t.Fatalf("time %q", got)
					}
					if got := salesiqAt(t, []byte(body), "app_id"); got != e.Attributes["app_id"] || (got != "") != (salesiqModule(row.native) == "data") {
						t.Fatalf("app_id %q, want %q", got, e.Attributes["app_id"])
					}
					if id := salesiqAt(t, []byte(body), "entity.id"); id != "" && id != e.Attributes["entity_id"] {
						t.Fatalf("entity.id %q is another one's", id)
					}
					if bare := !strings.Contains(body, `"entity":{`); bare != slices.Contains([]string{"department.deleted", "operator.deleted", "tag.deleted"}, row.native) {
						t.Fatalf("an entity or none: %s", body)
					}
				}
			}
			if a, b := sampleSalesiq(salesiqRNG(1), row.native, at), sampleSalesiq(salesiqRNG(2), row.native, at); reflect.DeepEqual(a, b) {
				t.Error("two seeds made one event")
			}
		})
	}
}

// TestSalesiqOddities looks for what makes the provider's payloads special among the samples of some seeds.
func TestSalesiqOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, event, yes, no string }{
		{"a type with a space", "visitor.updated", `"type":"lead "`, ""},
		{"a contact with address and phone", "visitor.updated", `"phone":"+316`, ""},
		{"a lead that became a contact", "visitor.updated", `"lead":{"id":"`, ""},
		{"a list of one text", "conversation.created", `"status_code":["1,2"]`, ""},
		{"a sender with a dollar sign", "conversation.visitor.replied", `"sender":{"name":"Yuna","id":"$70318`, ""},
		{"a bot without text", "conversation.operator.replied", `"list":[{`, `"text":"One`},
		{"a rating without an id", "conversation.rated", `"rating":`, `"status"`},
		{"a feedback with an id", "conversation.rated", `"status":"Ended"`, `"rating"`},
		{"booleans as text", "department.created", `"is_enabled":"true"`, `"is_enabled":true`},
		{"a department that is not public", "department.updated", `"is_public":"false"`, ""},
		{"real booleans", "operator.created", `"chat_enabled":false`, `"chat_enabled":"`},
		{"missed", "conversation.missed", `"label":"Missed"`, `"owner"`},
		{"closed", "conversation.completed", `"end_time":"17725971678`, ""},
		{"less than and ampersand as they are", "conversation.created", `Is <express> possible & how much`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				e := sampleSalesiq(salesiqRNG(seed), c.event, time.UnixMilli(1772597167891))
				if text := string(e.Payload); strings.Contains(text, c.yes) && (c.no == "" || !strings.Contains(text, c.no)) {
					return
				}
			}
			t.Errorf("none of 200 samples of %s has %s", c.event, c.yes)
		})
	}
}

// TestSalesiqSamplesHaveNoDoubles: one run of many events must not repeat an identity.
func TestSalesiqSamplesHaveNoDoubles(t *testing.T) {
	t.Parallel()
	rng, seen := salesiqRNG(7), make(map[string]bool)
	for range 2000 {
		id := sampleSalesiq(rng, "conversation.created", time.UnixMilli(1)).Attributes["entity_id"]
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}
