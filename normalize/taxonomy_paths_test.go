package normalize_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

// taxonomyRow is one native event of testdata/taxonomy.csv.
type taxonomyRow struct{ native, typ, entity, action, subject, time string }

func taxonomyRows(t *testing.T, provider string) (rows []taxonomyRow) {
	t.Helper()
	f, err := os.Open("testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r[0] == provider {
			rows = append(rows, taxonomyRow{r[1], r[2], r[3], r[4], r[5], r[6]})
		}
	}
	if len(rows) == 0 {
		t.Fatal("no rows for", provider)
	}
	return rows
}

// tree is an object of texts and objects.
type tree map[string]any

func (o tree) put(path, text string) tree {
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		o[head] = text
		return o
	}
	if o[head] == nil {
		o[head] = tree{}
	}
	o[head].(tree).put(rest, text)
	return o
}

// asXML writes texts as attributes, or as elements.
func (o tree) asXML(name string, attributes bool) string {
	var head, inside strings.Builder
	for n, v := range o {
		switch v := v.(type) {
		case tree:
			inside.WriteString(v.asXML(n, attributes))
		case string:
			if attributes {
				head.WriteString(" " + n + `="` + v + `"`)
			} else {
				inside.WriteString("<" + n + ">" + v + "</" + n + ">")
			}
		}
	}
	return "<" + name + head.String() + ">" + inside.String() + "</" + name + ">"
}

func (o tree) asJSON(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every row of the taxonomy, from the paths as they are written there, in every shape a value can have.
func TestTaxonomyCommboxPaths(t *testing.T) {
	t.Parallel()
	for _, row := range taxonomyRows(t, "commbox") {
		subscription, name, _ := strings.Cut(row.native, ".")
		for path := range strings.SplitSeq(row.subject, "|") {
			event := tree{"Subscription": subscription, "Name": name, "Brand": "acme"}.put(path, "901731")
			if row.time != "" {
				event.put(row.time, "26-03-2017 06:57:33")
			}
			for shape, body := range map[string]string{
				"attributes": event.asXML("Event", true),
				"elements":   event.asXML("Event", false),
				"JSON":       `{"Event":` + event.asJSON(t) + `}`,
				"payload":    `{"payload":` + event.asJSON(t) + `}`,
				"bare":       event.asJSON(t),
			} {
				t.Run(row.native+"/"+path+"/"+shape, func(t *testing.T) {
					e := one(t, "commbox", body)
					is(t, e, "tenant", "acme")
					row.matches(t, e, "901731", "2017-03-26T06:57:33.000Z", hookgate.TimeFromEvent)
				})
			}
		}
	}
}

func TestTaxonomyNetcorePaths(t *testing.T) {
	t.Parallel()
	for _, row := range taxonomyRows(t, "netcore") {
		channel, word, _ := strings.Cut(row.native, ".")
		for subject := range strings.SplitSeq(row.subject, "|") {
			for at := range strings.SplitSeq(row.time, "|") {
				text := "2017-03-26T12:27:33"
				if strings.HasSuffix(at, ".ts") {
					text = "170326122733"
				}
				event := tree{"channel": channel}.put(subject, "robin").put(at, text)
				if word != "" {
					event["event"] = word
				}
				for _, body := range []string{panel(event.asJSON(t)), form(panel(event.asJSON(t)))} {
					row.matches(t, one(t, "netcore", body), "robin", "2017-03-26T06:57:33.000Z", hookgate.TimeZoneAssumed)
				}
			}
		}
	}
}

func (row taxonomyRow) matches(t *testing.T, e *hookgate.Event, subject, at, source string) {
	t.Helper()
	if row.time == "" {
		at, source = "2024-07-01T09:00:00.000Z", hookgate.TimeReceived
	}
	is(t, e, "type", row.typ)
	is(t, e, "entitytype", row.entity)
	is(t, e, "action", row.action)
	is(t, e, "subject", subject)
	is(t, e, "entityid", subject)
	is(t, e, "time", at)
	is(t, e, "timesource", source)
}
