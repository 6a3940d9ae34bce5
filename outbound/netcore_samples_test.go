package outbound

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// netcoreTaxonomy reads the events that the gateway's reader knows, and the paths at which it looks for subject and time.
func netcoreTaxonomy(t *testing.T) (natives []string, subject, when map[string][]string) {
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
	subject, when = make(map[string][]string), make(map[string][]string)
	for _, row := range rows {
		if row[0] == "netcore" {
			natives = append(natives, row[1])
			subject[row[1]], when[row[1]] = strings.Split(row[5], "|"), strings.Split(row[6], "|")
		}
	}
	return natives, subject, when
}

func TestNetcoreEventsAreTheTaxonomys(t *testing.T) {
	t.Parallel()
	want, _, _ := netcoreTaxonomy(t)
	if len(want) == 0 || !slices.Equal(netcore().events, want) {
		t.Errorf("events are %q, the taxonomy has %q", netcore().events, want)
	}
}

// netcoreKeys lists the members of an object in their order.
func netcoreKeys(t *testing.T, object json.RawMessage) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	var keys []string
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(keys, " ")
}

// The members that the provider's samples have, in their order. Each form has to come up, and no other.
func TestNetcoreSampleMembers(t *testing.T) {
	t.Parallel()
	const (
		journey   = "channel event custom_params att_params msgid webhook_name event_params journey_name"
		broadcast = "webhook_name msgid channel event_params event custom_params udt_params"
		activity  = "channel custom_params att_params msgid webhook_name payload_params event_params journey_name"
		captured  = "webhook_name msgid channel event_params custom_params att_params journey_name"

		emailJourney = journey + ": ip_addr foreignkey timestamp ts user_agent name mobile"
		sms          = journey + ": foreignkey timestamp ts name mobile"
		push         = journey + ": ip_addr ts user_agent name token_id timestamp foreignkey token"
		rcs          = journey + ": timestamp foreignkey ts url camp_name linkid"
		list         = broadcast + ": ip_addr subject ts fromfield camp_name useragent tags email timestamp foreignkey"
		web          = activity + ": activity_source ts activity_id timestamp foreignkey identity asset_name asset_id guid"
		other        = captured + ": activity_source foreignkey identity activity_name activity_id ts"
	)
	forms := map[string][]string{
		"email": {emailJourney, list}, "sms": {sms}, "apn": {push}, "bpn": {push},
		"whatsapp": {sms, emailJourney}, "rcs": {rcs}, "custom_activity": {web, other},
	}
	for _, native := range netcoreEvents() {
		t.Run(native, func(t *testing.T) {
			t.Parallel()
			want := slices.Sorted(slices.Values(forms[netcoreChannel(native)]))
			rng := rand.New(rand.NewPCG(1, 2))
			seen := make(map[string]bool)
			for range 100 {
				e := netcoreSample(rng, native, time.Unix(1_790_000_000, 0))
				var parts struct {
					Params json.RawMessage `json:"event_params"`
				}
				if err := json.Unmarshal(e.Payload, &parts); err != nil {
					t.Fatal(err)
				}
				seen[netcoreKeys(t, e.Payload)+": "+netcoreKeys(t, parts.Params)] = true
			}
			got := make([]string, 0, len(seen))
			for form := range seen {
				got = append(got, form)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("the forms are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// What the reader looks for is there, the moment is the local one of India, and the words lead back to the native event.
func TestNetcoreSampleValues(t *testing.T) {
	t.Parallel()
	_, subject, when := netcoreTaxonomy(t)
	at := time.Date(2026, 3, 4, 22, 5, 6, 0, time.UTC) // 03:35:06 of the next day in India
	rng := rand.New(rand.NewPCG(3, 4))
	for _, native := range netcoreEvents() {
		for range 50 {
			e := netcoreSample(rng, native, at)
			if e.Type != native || !e.Time.Equal(at) {
				t.Fatalf("%s: the event is of type %s at %v", native, e.Type, e.Time)
			}
			var payload struct {
				Channel, Event string
				Params         map[string]json.RawMessage `json:"event_params"`
			}
			if err := json.Unmarshal(e.Payload, &payload); err != nil {
				t.Fatal(err)
			}
			if got := netcoreNative(payload.Channel, payload.Event); got != native {
				t.Errorf("%s: channel and event say %s: %s", native, got, e.Payload)
			}
			if text := firstNetcore(payload.Params, subject[native]); !strings.HasSuffix(text, `@example.com"`) {
				t.Errorf("%s: the subject is %s: %s", native, text, e.Payload)
			}
			want := `"2026-03-05T03:35:06"`
			text := firstNetcore(payload.Params, when[native])
			ts := "260305033506"
			if strings.HasPrefix(native, "rcs.") {
				ts = `"` + ts + `"`
			}
			if _, stamped := payload.Params["timestamp"]; !stamped {
				want = ts
			}
			if text != want || string(payload.Params["ts"]) != ts {
				t.Errorf("%s: the time is %s and %s: %s", native, text, payload.Params["ts"], e.Payload)
			}
			for _, absent := range []string{"name", "token_id", "url"} {
				v, there := payload.Params[absent]
				if there && string(v) != "null" && (absent != "name" || payload.Params["ip_addr"] != nil) {
					t.Errorf("%s: %s is %s, the page has null", native, absent, v)
				}
			}
			if err := netcoreComplete(&e, at); err != nil || e.Type != native || e.Account == "" {
				t.Errorf("%s: completed it is %s of panel %q: %v", native, e.Type, e.Account, err)
			}
		}
	}
}

func firstNetcore(params map[string]json.RawMessage, paths []string) string {
	for _, path := range paths {
		if v, ok := params[strings.TrimPrefix(path, "event_params.")]; ok && string(v) != "null" {
			return string(v)
		}
	}
	return ""
}

func TestNetcoreSamplesRepeat(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		rng := rand.New(rand.NewPCG(seed, 0))
		var all []byte
		for _, native := range netcoreEvents() {
			all = append(all, netcoreSample(rng, native, time.Unix(1_790_000_000, 0)).Payload...)
		}
		return string(all)
	}
	first, again, other := run(7), run(7), run(8)
	if first != again {
		t.Error("the same seed and time gave other events")
	}
	if first == other {
		t.Error("another seed gave the same events")
	}
}
