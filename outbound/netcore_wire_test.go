package outbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// netcoreBodies has Python encode cases, which is the definition of the bytes. Where there is no python3 it gives false, and
// the test compares with what Python gave when it was recorded.
func netcoreBodies(t *testing.T, cases []byte) (lines []string, ok bool) {
	t.Helper()
	if _, err := exec.LookPath("python3"); errors.Is(err, exec.ErrNotFound) {
		return nil, false
	}
	python := exec.CommandContext(t.Context(), "python3", "testdata/netcore/encode.py")
	python.Stdin = bytes.NewReader(cases)
	python.Stderr = os.Stderr
	out, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), true
}

func netcoreBody(t *testing.T, ascii bool, events ...Event) string {
	t.Helper()
	s := &Subscription{}
	s.encode(netcoreSettings{ASCII: ascii})
	_, body, err := netcoreWrite(s, &Delivery{Events: events}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestNetcoreBodyIsPythons(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/netcore/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile("testdata/netcore/bodies.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(recorded), "\n"), "\n")
	if fresh, ok := netcoreBodies(t, file); ok && strings.Join(fresh, "\n") != strings.Join(want, "\n") {
		t.Error("bodies.txt is not what python3 encode.py < cases.json gives")
	}
	var cases []struct {
		Name   string
		ASCII  bool
		Panels json.RawMessage
	}
	if err := json.Unmarshal(file, &cases); err != nil || len(cases) != len(want) {
		t.Fatalf("%d cases, %d bodies: %v", len(cases), len(want), err)
	}
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			events := netcoreBatchOf(t, c.Panels)
			if got := netcoreBody(t, c.ASCII, events...); got != want[i] {
				t.Errorf("the body is\n%s\nPython's\n%s", got, want[i])
			}
		})
	}
}

// netcoreBatchOf takes {panel: [event, ...]} apart, and mixes the panels: each in turn gives one event.
func netcoreBatchOf(t *testing.T, panels json.RawMessage) []Event {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(panels))
	var lists [][]Event
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var list []json.RawMessage
		if err := d.Decode(&list); err != nil {
			t.Fatal(err)
		}
		events := make([]Event, len(list))
		for i, payload := range list {
			events[i] = Event{Account: name.(string), Payload: payload}
		}
		lists = append(lists, events)
	}
	var mixed []Event
	for left := true; left; {
		left = false
		for i, list := range lists {
			if len(list) > 0 {
				mixed, lists[i], left = append(mixed, list[0]), list[1:], true
			}
		}
	}
	return mixed
}

// netcoreSampleSum is SHA-256 over the lines that encode.py gives for the samples of TestNetcoreSamplesArePythons, each with
// its line break.
const netcoreSampleSum = "7ac750caae25689f202a3d18630c349c0a2c2e67062e406ec327a4ae0d39113a"

func TestNetcoreSamplesArePythons(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(20, 26))
	at := time.Date(2026, 3, 4, 22, 5, 6, 0, time.UTC)
	var cases []json.RawMessage
	var got []string
	for range 20 {
		for _, native := range netcoreEvents() {
			e := netcoreSample(rng, native, at)
			e.Account = "shop_demo"
			for _, ascii := range []string{"false", "true"} {
				cases = append(cases, json.RawMessage(`{"ascii":`+ascii+`,"panels":{"shop_demo":[`+string(e.Payload)+`]}}`))
				got = append(got, netcoreBody(t, ascii == "true", e))
			}
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(got, "\n") + "\n"))
	if hex.EncodeToString(sum[:]) != netcoreSampleSum {
		t.Errorf("the samples' bodies have the digest %x, recorded is %s", sum, netcoreSampleSum)
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	want, ok := netcoreBodies(t, text)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("case %s: the body is\n%s\nPython's\n%s", cases[i], got[i], want[i])
		}
	}
	if ok && len(want) != len(got) {
		t.Errorf("%d bodies, Python gave %d", len(got), len(want))
	}
}

// What Python's quote refuses, half of a surrogate pair, keeps its escape.
func TestNetcoreHalfPair(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ payload, want string }{
		"alone":          {`{"k":"\uD83D"}`, `{"k":"\ud83d"}`},
		"second alone":   {`{"k":"\ude00x"}`, `{"k":"\ude00x"}`},
		"before a pair":  {`{"k":"\ud83d\ud83d\ude00"}`, `{"k":"\ud83d😀"}`},
		"before another": {`{"k":"\ud83d\u0041\n"}`, `{"k":"\ud83dA\n"}`},
		"at the end":     {`{"k":"\\\ud83d"}`, `{"k":"\\\ud83d"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(appendNetcoreJSON(nil, []byte(c.payload), false)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNetcoreWriteIsPure(t *testing.T) {
	t.Parallel()
	d := &Delivery{Events: []Event{{Account: "a", Payload: json.RawMessage(`{"n":1}`)}, {Account: "b", Payload: json.RawMessage(`{"n":2}`)}}}
	header, first, err := netcoreWrite(&Subscription{}, d, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, third, _ := netcoreWrite(&Subscription{}, d, 3)
	if !bytes.Equal(first, third) {
		t.Errorf("a later attempt has other bytes:\n%s\n%s", first, third)
	}
	if got := header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		t.Errorf("Content-Type is %q", got)
	}
	d.Events[1].Payload = json.RawMessage(`{"n":`)
	if _, _, err := netcoreWrite(&Subscription{}, d, 1); err == nil || !strings.Contains(err.Error(), "event 2") {
		t.Errorf("a payload that is not JSON was written: %v", err)
	}
}

func FuzzNetcoreJSON(f *testing.F) {
	f.Add([]byte(`{"k":"\ud83d\ude00\"\\\/","n":[1e5, -0.5]}`))
	f.Add([]byte("{\"k\":\"\xff\x7f\"}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		for _, ascii := range []bool{false, true} {
			text := appendNetcoreJSON(nil, raw, ascii)
			var want, got any
			if json.Unmarshal(raw, &want) != nil {
				return // a number that no float can hold
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%q became %q: %v", raw, text, err)
			}
			before, _ := json.Marshal(want)
			after, _ := json.Marshal(got)
			if !bytes.Equal(before, after) {
				t.Fatalf("%q became %q", raw, text)
			}
		}
	})
}
