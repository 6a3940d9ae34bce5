package outbound

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type commboxRow struct{ native, subject, time string }

func commboxTaxonomy(t *testing.T) (rows []commboxRow) {
	t.Helper()
	f, err := os.Open("../normalize/testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l[0] == "commbox" {
			rows = append(rows, commboxRow{l[1], l[5], l[6]})
		}
	}
	return rows
}

func TestCommboxEventsAreTheTaxonomys(t *testing.T) {
	t.Parallel()
	var want []string
	for _, row := range commboxTaxonomy(t) {
		want = append(want, row.native)
	}
	if got := commbox().events; !slices.Equal(got, want) || len(got) != 12 {
		t.Errorf("%v, the taxonomy has %v", got, want)
	}
}

// commboxAtPath finds the leaf at one of the paths below Event; Id may also be id.
func commboxAtPath(leaves []string, paths string) (values []string) {
	for path := range strings.SplitSeq(paths, "|") {
		for _, leaf := range leaves {
			at, value, _ := strings.Cut(leaf, "=")
			at = strings.ReplaceAll(strings.TrimPrefix(at, "/Event/"), "/", ".")
			if at == path || strings.HasSuffix(path, ".Id") && at == strings.TrimSuffix(path, "Id")+"id" {
				values = append(values, value)
			}
		}
	}
	return values
}

// The taxonomy's subject is in every sample, in every shape, with complete data and without, and its time with.
func TestCommboxSamplesHaveSubjectAndTime(t *testing.T) {
	t.Parallel()
	at := commboxAt(t)
	for _, row := range commboxTaxonomy(t) {
		subjects, large := map[string]bool{}, 0
		for seed := range uint64(60) {
			e := commbox().sample(rand.New(rand.NewPCG(seed, 3)), row.native, at)
			var first []string
			for _, settings := range []string{`{}`, `{"format":"xml"}`, `{"include_complete_data":false}`, `{"format":"xml","include_complete_data":false}`} {
				_, body := commboxSent(t, e, settings)
				var leaves []string
				if body[0] == '<' {
					leaves = commboxXMLLeaves(t, body)
				} else {
					leaves = commboxLeaves(t, "", json.RawMessage(body))
				}
				subject := commboxAtPath(leaves, row.subject)
				if len(subject) != 1 || subject[0] == "" || first != nil && first[0] != subject[0] {
					t.Fatalf("%s %s: subject %q in %s", row.native, settings, subject, body)
				}
				first = subject
				if row.time == "" {
					continue
				}
				date := commboxAtPath(leaves, row.time)
				if strings.Contains(settings, "false") {
					if len(date) != 0 {
						t.Errorf("%s: a date among the ids: %s", row.native, body)
					}
					continue
				}
				want := "09-03-2026 07:07:06"
				if row.native == "Object.OnNew" {
					want = "2026-03-09 07:07:06"
				}
				if len(date) != 1 || date[0] != want {
					t.Errorf("%s: date %q, want %q", row.native, date, want)
				}
			}
			subjects[first[0]] = true
			if n, err := strconv.ParseInt(first[0], 10, 64); err == nil && n > 1<<53 {
				large++
			}
		}
		if tag := strings.HasPrefix(row.native, "Tag."); len(subjects) < 50 || !tag && (large == 0 || large == 60) {
			t.Errorf("%s: %d subjects, %d of them above 2^53", row.native, len(subjects), large)
		}
	}
}

func TestCommboxSamplesAreRepeatable(t *testing.T) {
	t.Parallel()
	at := commboxAt(t)
	run := func(seed uint64) string {
		rng := rand.New(rand.NewPCG(seed, 9))
		var all strings.Builder
		for range 20 {
			for _, native := range commbox().events {
				b, err := json.Marshal(commbox().sample(rng, native, at))
				if err != nil {
					t.Fatal(err)
				}
				all.Write(b)
			}
		}
		return all.String()
	}
	first := run(1)
	if again := run(1); again != first {
		t.Error("the same seed gives other events")
	}
	if run(2) == first {
		t.Error("another seed gives the same events")
	}
	a := commbox().sample(rand.New(rand.NewPCG(1, 1)), "Object.OnNew", at)
	b := commbox().sample(rand.New(rand.NewPCG(1, 1)), "Object.OnNew", at.Add(time.Hour))
	if string(a.Payload) == string(b.Payload) || a.ID != b.ID {
		t.Error("the time does not show, or it changes the rest")
	}
}

// Every event has the members that the provider's pages show for it, every activity type with an example comes up, and
// complete has nothing to add.
func TestCommboxSamplesAreWhole(t *testing.T) {
	t.Parallel()
	const person = "Id UniqueID Phone1 Phone2 Email FirstName LastName NumIdentities Locale Remarks Content"
	shown := map[string]map[string]string{
		"Object.OnNew":       {"": "Id StreamId SubStreamId Type StatusID CreateDate StreamProviderId StreamProviderType Message Content ManagerId Snippet User", "User": person + " Gender Birthday NumObjects Identity", "User.Identity": "Id StreamProviderId StreamProviderType StreamProviderEmail UserName FirstName LastName ThumbnailUrl"},
		"Object.OnNewChild":  {"": "Id StreamId SubStreamId Children", "Children.Child": "Id CreateDate Type StreamProviderId StreamProviderType Message ManagerId Content Snippet User"},
		commboxNewActivity:   {"": "Id StreamId SubStreamId Activities", "Activities.Activity": "Id Type CreateDate User Data", "Activities.Activity.User": "Id"},
		"Object.OnUpdateTag": {"": "Id StreamId SubStreamId Tags", "Tags.Tag": "Id Action"},
		"User.OnNew":         {"": person + " Gender Birthday NumObjects Identity"},
		"User.OnUpdate":      {"": person + " Gender"},
		commboxUserTag:       {"": person + " Tags", "Tags.Tag": "Id Action"},

		"Satisfaction.OnSubmit": {"": "ObjectId Score Description"},
		"Form.OnSubmit":         {"": "ObjectId FormUrl Properties"},
		"Chat.OnUserExit":       {"User": "id", "Object": "id"},
		"Tag.OnAdd":             {"": "eventName tagId groupId name isObject isUser type unit unitValidationType unitValidation defaultValue requestId"},
		commboxTagUpdate:        {"": "eventName tagId requestId"},
	}
	kinds := map[string]json.RawMessage{}
	for _, native := range commbox().events {
		for seed := range uint64(200) {
			e := commbox().sample(rand.New(rand.NewPCG(seed, 4)), native, commboxAt(t))
			before := e
			if err := commbox().complete(&e, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(e) != fmt.Sprint(before) || e.Type != native || e.Account == "" || e.ID == "" {
				t.Fatalf("complete made %+v of %+v", e, before)
			}
			if len(shown[native]) == 0 {
				t.Fatalf("%s: no members to look for", native)
			}
			for path, names := range shown[native] {
				element := commboxInside(t, e.Payload, path)
				for name := range strings.FieldsSeq(names) {
					if _, there := element[name]; !there {
						t.Errorf("%s: no %s.%s in %s", native, path, name, e.Payload)
					}
				}
			}
			if native == commboxNewActivity {
				activity := commboxInside(t, e.Payload, "Activities.Activity")
				kinds[string(activity["Type"])] = activity["Data"]
			}
			if native == commboxTagUpdate && !strings.Contains(string(e.Payload), `"requestId":"`+e.ID) {
				t.Errorf("the id %s is not in %s", e.ID, e.Payload)
			}
		}
	}
	data := map[int]string{
		1: "text", 2: "statusId", 3: "message recipients allowEmailReply allowCustomerDetails", 4: "message recipients attachments",
		5: "oldObjectSubstreamName oldObjectStreamName newObjectStreamName newObjectSubstreamName", 6: "managerId assignedManagerId",
		7: "tagId objectId isRemoveTag name group_name", 8: "text scheduledTime", 9: "intentIds objectId isRemoveIntent names",
		10: "objectId managerId attachments attachmentType", 11: "originalStreamId destStreamId destSubStreamId changedStatusId tagId tagName",
		13: "changePublicityToPublic", 15: "fileName status description unValidActivity fileExtension", 16: "status description maxFileSizeAllow unValidActivity",
		17: "status description unValidActivity", 18: "", 19: "action performingAgentId isAgent addedParticipantName",
	}
	if len(kinds) != len(data) {
		t.Errorf("%d activity types came up, %d have an example", len(kinds), len(data))
	}
	for kind, names := range data {
		var got map[string]json.RawMessage
		if err := json.Unmarshal(kinds[strconv.Quote(strconv.Itoa(kind))], &got); err != nil {
			t.Errorf("type %d: %v", kind, err)
			continue
		}
		for name := range strings.FieldsSeq(names) {
			if _, there := got[name]; !there {
				t.Errorf("type %d: no %s", kind, name)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("type %d: %v is not on the page", kind, got)
		}
	}
}

// commboxInside is the element at a path.
func commboxInside(t *testing.T, payload json.RawMessage, path string) (element map[string]json.RawMessage) {
	t.Helper()
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		if err := json.Unmarshal(payload, &element); err != nil {
			t.Fatal(err)
		}
		payload, element = element[name], nil
	}
	if err := json.Unmarshal(payload, &element); err != nil {
		t.Fatal(err)
	}
	return element
}
