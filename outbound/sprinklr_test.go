package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// opensslHub is the proof of a body as somebody else's code makes it.
func opensslHub(ctx context.Context, t *testing.T, key string, body []byte) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "openssl", "dgst", "-sha256", "-hmac", key, "-r")
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	digest, _, _ := strings.Cut(string(out), " ")
	return "sha256=" + digest
}

func TestSprinklr_Schedule(t *testing.T) {
	t.Parallel()
	p := sprinklr()
	if want := []time.Duration{60 * time.Second, 300 * time.Second, 900 * time.Second}; !slices.Equal(p.retries, want) {
		t.Errorf("retries %v, want %v", p.retries, want)
	}
	if p.timeout != 10*time.Second {
		t.Errorf("time-out %v", p.timeout)
	}
	if p.frozen || p.lowerHeaders || p.batch != 0 {
		t.Error("it sends batches, or repeats headers")
	}
	if p.schemes[0] != "hub-signature" || len(p.schemes) != 4 {
		t.Errorf("schemes %v", p.schemes)
	}
	for status := 100; status < 600; status++ {
		if p.success(status) != (status == 200) {
			t.Errorf("success(%d) is %v", status, p.success(status))
		}
	}
}

func TestSprinklr_Write(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, subscription, want string
		event                    Event
	}{
		{
			name: "the worked example, of 172 bytes", subscription: "5efd98dbaaa2ac56bf57e0a2",
			event: Event{ID: "5f64826f9d0ae36ae18859ed", Type: "campaign.deleted", Time: time.UnixMilli(1600422511077), Payload: json.RawMessage(`"4700_1"`)},
			want:  `{"id":"5f64826f9d0ae36ae18859ed","type":"campaign.deleted","payload":"4700_1","eventTime":1600422511077,"subscriptionDetails":{"subscriptionId":"5efd98dbaaa2ac56bf57e0a2"}}`,
		},
		{
			name: "white space goes, bytes stay", subscription: "66aa",
			event: Event{
				ID: `7"<&>é`, Type: "case.update", Time: time.UnixMilli(1716560560020).Add(999 * time.Microsecond),
				Payload: json.RawMessage("{ \"n\" : 1.0,\n \"big\": 9007199254740993, \"e\":1E2, \"u\":\"\\u00e9 é 🙂 a/b \\/ <&>\u2028\", \"z\" : [ 20.0 , -14 ] }\n"),
			},
			want: "{\"id\":\"7\\\"<&>é\",\"type\":\"case.update\",\"payload\":{\"n\":1.0,\"big\":9007199254740993,\"e\":1E2,\"u\":\"\\u00e9 é 🙂 a/b \\/ <&>\u2028\",\"z\":[20.0,-14]}," +
				"\"eventTime\":1716560560020,\"subscriptionDetails\":{\"subscriptionId\":\"66aa\"}}",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &Delivery{Events: []Event{tc.event}}
			for attempt := 1; attempt <= 4; attempt++ {
				header, body, err := sprinklr().write(&Subscription{ID: tc.subscription}, d, attempt)
				if err != nil {
					t.Fatal(err)
				}
				if string(body) != tc.want {
					t.Errorf("attempt %d\n got %s\nwant %s", attempt, body, tc.want)
				}
				if len(header) != 1 || !slices.Equal(header["Content-Type"], []string{"application/json"}) {
					t.Errorf("headers %v", header)
				}
			}
		})
	}
}

// The proofs of the worked examples were made elsewhere; our bytes must lead to them.
func TestSprinklr_WorkedExample(t *testing.T) {
	t.Parallel()
	const key = "937565859393027346487dndjdjdbdbdk"
	_, body, err := sprinklr().write(&Subscription{ID: "5efd98dbaaa2ac56bf57e0a2"}, &Delivery{Events: []Event{{
		ID: "5f64826f9d0ae36ae18859ed", Type: "campaign.deleted", Time: time.UnixMilli(1600422511077), Payload: json.RawMessage(`"4700_1"`),
	}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := opensslHub(t.Context(), t, key, []byte("{}")), "sha256=4a8b17112d80a4a39e7f291aac60d4715263ef290a4ba79594cefe55b3f3791a"; got != want {
		t.Errorf("the verification call: got %s, want %s", got, want)
	}
	if got, want := opensslHub(t.Context(), t, key, body), "sha256=2df797db5990c52c08dc4e174c26a09ac2fe9653a50e621a6b5d6cf2c4f1a5d9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSprinklr_WriteRefuses(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*Delivery{
		"no event":   {},
		"two events": {Events: []Event{{Payload: json.RawMessage(`{}`)}, {Payload: json.RawMessage(`{}`)}}},
		"no JSON":    {Events: []Event{{Payload: json.RawMessage(`{`)}}},
	} {
		if _, _, err := sprinklr().write(&Subscription{}, d, 1); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestSprinklr_Complete(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1716560560020) // second 0x6650a2b0
	e := Event{Type: "CASE_CREATED", Payload: json.RawMessage(`{}`)}
	if err := sprinklr().complete(&e, now); err != nil {
		t.Fatal(err)
	}
	if e.Type != "case.create" || !e.Time.Equal(now) || len(e.ID) != 24 || !strings.HasPrefix(e.ID, "6650a2b0") {
		t.Errorf("completed to %+v", e)
	}
	other := Event{Type: "AUDIENCE_ACTIVITY", ID: "1234567890", Time: now.Add(-time.Hour), Payload: json.RawMessage(`"a"`)}
	if err := sprinklr().complete(&other, now); err != nil {
		t.Fatal(err)
	}
	if other.Type != "audience.activity.created" || other.ID != "1234567890" || !other.Time.Equal(now.Add(-time.Hour)) {
		t.Errorf("what was given changed: %+v", other)
	}
	for name, bad := range map[string]Event{
		"unknown type":     {Type: "case.closed", Payload: json.RawMessage(`{}`)},
		"no type":          {Payload: json.RawMessage(`{}`)},
		"no payload":       {Type: "case.create"},
		"broken payload":   {Type: "case.create", Payload: json.RawMessage(`{"a":}`)},
		"a number":         {Type: "case.create", Payload: json.RawMessage(`12`)},
		"a list":           {Type: "case.create", Payload: json.RawMessage(`[{}]`)},
		"not UTF-8":        {Type: "case.create", Payload: json.RawMessage("\"\xff\"")},
		"an endless id":    {Type: "case.create", ID: strings.Repeat("a", 257), Payload: json.RawMessage(`{}`)},
		"an id of no text": {Type: "case.create", ID: "\xff", Payload: json.RawMessage(`{}`)},
	} {
		if err := sprinklr().complete(&bad, now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSprinklr_VerifiedURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		st   sprinklrSettings
		want bool
	}{
		{"never", sprinklrSettings{}, false},
		{"by whoever set it", sprinklrSettings{Verified: true}, true},
		{"this one", sprinklrSettings{Verified: true, VerifiedURL: "https://a.example.com"}, true},
		{"another one", sprinklrSettings{Verified: true, VerifiedURL: "https://b.example.com"}, false},
	} {
		if got := tc.st.verified("https://a.example.com"); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	active := &Subscription{URL: "https://a.example.com", Active: true}
	if sprinklr().admit(t.Context(), nil, nil, active) == nil {
		t.Error("activated without a verification")
	}
	active.encode(sprinklrSettings{Verified: true})
	if err := sprinklr().admit(t.Context(), nil, nil, active); err != nil {
		t.Error(err)
	}
}
