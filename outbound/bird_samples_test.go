package outbound

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var birdAt = time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.UTC)

// birdTaxonomy are the rows of this provider: native event, subject path, time path.
func birdTaxonomy(t *testing.T) [][3]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "normalize", "testdata", "taxonomy.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][3]string
	for _, row := range all {
		if row[0] == "bird" {
			rows = append(rows, [3]string{row[1], row[5], row[6]})
		}
	}
	if len(rows) == 0 {
		t.Fatal("the taxonomy has no row of bird")
	}
	return rows
}

// birdAtPath is the first text that a path of the taxonomy finds in a body.
func birdAtPath(body []byte, path string) string {
	for alternative := range strings.SplitSeq(path, "|") {
		value := json.RawMessage(body)
		for name := range strings.SplitSeq(alternative, ".") {
			var o map[string]json.RawMessage
			_ = json.Unmarshal(value, &o)
			value = o[name]
		}
		if text, ok := birdValue(value); ok {
			return text
		}
	}
	return ""
}

// TestBirdSamplesCoverTheTaxonomy goes through the rows in order: the event at the same place is the row's own, or one that
// its pattern takes and no other row names.
func TestBirdSamplesCoverTheTaxonomy(t *testing.T) {
	t.Parallel()
	rows, events := birdTaxonomy(t), birdEvents()
	if len(rows) != len(events) {
		t.Fatalf("%d rows, %d events", len(rows), len(events))
	}
	for i, row := range rows {
		native, event := row[0], events[i]
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(native), `\*`, `[^.]+`) + "$")
		if !pattern.MatchString(event) {
			t.Errorf("row %s has the event %s at its place", native, event)
			continue
		}
		if strings.Contains(native, "*") && slices.ContainsFunc(rows, func(r [3]string) bool { return r[0] == event }) {
			t.Errorf("%s stands for the pattern %s and is a row itself", event, native)
		}
		// What the pages and receivers show of these holds no time; the header's counts.
		timeless := strings.Contains(event, ".voice.") || strings.HasSuffix(event, ".interaction") || strings.HasPrefix(event, "conversations.")
		for seed := range uint64(40) {
			e := birdSample(rand.New(rand.NewPCG(seed, 1)), event, birdAt)
			if err := birdComplete(&e, birdAt); err != nil {
				t.Fatalf("%s: %v", event, err)
			}
			_, body, err := birdWrite(nil, &Delivery{Events: []Event{e}}, 1)
			if err != nil {
				t.Fatalf("%s: %v", event, err)
			}
			subject := birdAtPath(body, row[1])
			if id, err := uuid.Parse(subject); err != nil || id.Version() != 4 || id.Variant() != uuid.RFC4122 {
				t.Errorf("%s: subject %q at %s", event, subject, row[1])
			}
			at := birdAtPath(body, row[2])
			if timeless != (at == "") || (!timeless && at != "2026-01-31T10:00:00.123Z") {
				t.Errorf("%s: time %q at %s", event, at, row[2])
			}
			if !e.Time.Equal(birdAt.Truncate(time.Millisecond)) || e.Type != event {
				t.Errorf("%s: event %s at %s", event, e.Type, e.Time)
			}
		}
	}
}

func TestBirdSamplesRepeat(t *testing.T) {
	t.Parallel()
	for _, native := range append(birdEvents(), "payments.made.up") {
		made := func(seed uint64) string {
			b, err := json.Marshal(birdSample(rand.New(rand.NewPCG(seed, 7)), native, birdAt))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if a, b := made(1), made(1); a != b {
			t.Errorf("%s: the same seed gives\n%s\n%s", native, a, b)
		}
		if made(1) == made(2) {
			t.Errorf("%s: another seed gives the same", native)
		}
	}
}

// TestBirdSampleMembers holds each kind to the members that its page or a capture shows, in their order.
func TestBirdSampleMembers(t *testing.T) {
	t.Parallel()
	const outgoing = "id channelId sender receiver body reference parts status reason direction"
	const conversation = "id name description status visibility accessibility featuredParticipants activeParticipantCount pendingParticipantCount initiatingParticipant"
	tests := []struct {
		native string
		want   []string // every shape, and no other
	}{
		{"channels.sms.inbound", []string{"id channelId sender receiver body parts status direction lastStatusAt createdAt updatedAt"}},
		{"channels.whatsapp.inbound", []string{"id channelId sender receiver body meta reference parts status reason direction lastStatusAt createdAt updatedAt"}},
		{"channels.email.outbound", []string{outgoing + " details lastStatusAt createdAt updatedAt", outgoing + " template details lastStatusAt createdAt updatedAt"}},
		{"channels.email.interaction", []string{"id messageId channelId platformId type receiver details"}},
		{"channels.voice.outbound", []string{"id channelId from status"}},
		{"numbers.10dlc.brand", []string{"id organizationId workspaceId status entityType displayName createdAt updatedAt"}},
		{"numbers.tfn.verification", []string{
			"id organizationId workspaceId phoneNumbers verificationRequestId status testMode createdAt updatedAt",
			"id organizationId workspaceId phoneNumbers verificationRequestId status statusMessage testMode createdAt updatedAt",
		}},
		{"conversations.conversation.created", []string{conversation}},
		{"conversations.conversation.updated", []string{conversation, "id channelId lastMessage featuredParticipants"}},
	}
	for _, tt := range tests {
		t.Run(tt.native, func(t *testing.T) {
			t.Parallel()
			shapes := map[string]bool{}
			for seed := range uint64(60) {
				e := birdSample(rand.New(rand.NewPCG(seed, 3)), tt.native, birdAt)
				shapes[strings.Join(birdNames(t, e.Payload), " ")] = true
			}
			if got := slices.Sorted(maps.Keys(shapes)); !slices.Equal(got, slices.Sorted(slices.Values(tt.want))) {
				t.Errorf("shapes %q", got)
			}
		})
	}
}

// birdNames are the members of an object in their order.
func birdNames(t *testing.T, object json.RawMessage) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprint(name))
	}
	return names
}

// TestBirdSampleVariants sees to it that what a receiver must cope with does come.
func TestBirdSampleVariants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		native, path string
		want         []string
	}{
		{"channels.sms.inbound", "body.type", []string{"file", "image", "text"}},
		{"channels.sms.inbound", "direction", []string{"incoming"}},
		{"channels.sms.outbound", "direction", []string{"outgoing"}},
		{"channels.sms.outbound", "status", []string{"accepted", "delivered", "delivery_failed", "failed", "pending", "queued", "read", "rejected", "sending_failed", "sent"}},
		{"channels.email.interaction", "type", []string{"clicked", "opened", "reported-as-spam"}},
		{"channels.voice.inbound", "status", []string{"busy", "completed", "failed", "no-answer", "ongoing", "ringing", "starting"}},
		{"numbers.tfn.verification", "status", []string{"pending", "rejected", "verified"}},
		{"numbers.tfn.verification", "testMode", []string{"false", "true"}},
	}
	for _, tt := range tests {
		t.Run(tt.native+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			found := map[string]bool{}
			for seed := range uint64(400) {
				e := birdSample(rand.New(rand.NewPCG(seed, 5)), tt.native, birdAt)
				found[birdAtPath(e.Payload, tt.path)] = true
			}
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, tt.want) {
				t.Errorf("%v", got)
			}
		})
	}
	for seed := range uint64(50) {
		e := birdSample(rand.New(rand.NewPCG(seed, 5)), "numbers.10dlc.brand", birdAt)
		var brand struct{ WorkspaceID []string }
		if err := json.Unmarshal(e.Payload, &brand); err != nil || len(brand.WorkspaceID) == 0 {
			t.Fatalf("workspaceId is no list in %s: %v", e.Payload, err)
		}
		e = birdSample(rand.New(rand.NewPCG(seed, 5)), "channels.sms.outbound", birdAt)
		failing := slices.Contains([]string{"sending_failed", "delivery_failed", "rejected", "failed"}, birdAtPath(e.Payload, "status"))
		if failing != (birdAtPath(e.Payload, "reason") != "") {
			t.Errorf("reason of %s", e.Payload)
		}
	}
}
