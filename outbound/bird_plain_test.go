package outbound

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestBirdByThePlainAPI makes what the documented API refuses, and finds the same limits.
func TestBirdByThePlainAPI(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	bearer := "Authorization: Bearer " + birdTestToken
	do := func(status int, method, path, body, says string) map[string]json.RawMessage {
		t.Helper()
		got, text := h.call(t, method, path, body, bearer)
		if got != status || !strings.Contains(text, says) {
			t.Fatalf("%s %s: %d %s, not %d with %q", method, path, got, text, status, says)
		}
		var answer map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return answer
	}
	r := newBirdReceiver(t, h.clock, 200)
	const subscriptions = "/v1/subscriptions/bird"
	sub := func(settings string) string {
		return `{"url":"` + r.URL + `/webhook","events":["channels.sms.outbound"],"active":true,"auth":[{"scheme":"bird-signature","secret":"` + birdTestKey + `"}],"settings":` + settings + `}`
	}
	do(422, http.MethodPost, subscriptions, sub(`{}`), "any_url")
	do(422, http.MethodPost, subscriptions, sub(`{"any_url":true,"filters":[{"key":"status","value":"x"}]}`), "cannot be filtered")
	do(422, http.MethodPost, subscriptions, sub(`{"any_url":true,"colour":"red"}`), "settings")
	made := do(201, http.MethodPost, subscriptions, sub(`{"any_url":true,"workspace":"w1"}`), `"any_url":true`)
	if strings.Contains(string(made["auth"]), birdTestKey) {
		t.Errorf("the key is shown: %s", made["auth"])
	}
	for range 4 {
		do(201, http.MethodPost, subscriptions, sub(`{"any_url":true,"workspace":"w1"}`), "")
	}
	do(422, http.MethodPost, subscriptions, sub(`{"any_url":true,"workspace":"w1"}`), "no more are allowed")
	other := do(201, http.MethodPost, subscriptions, sub(`{"any_url":true,"workspace":"w1","filters":[{"key":"channelId","value":"c1"}]}`), "")
	var id string
	if err := json.Unmarshal(other["id"], &id); err != nil {
		t.Fatal(err)
	}
	do(200, http.MethodPatch, subscriptions+"/"+id, `{"settings":{"echo_key":true}}`, `"echo_key":true`)
	do(200, http.MethodPatch, subscriptions+"/"+id, `{"settings":{"filters":[{"key":"channelId","value":"c2"}]}}`, `"c2"`)
	do(422, http.MethodPatch, subscriptions+"/"+id, `{"settings":{"filters":null}}`, "no more are allowed")
	var shown birdWebhook
	h.want(t, 200, http.MethodGet, "/workspaces/w1/webhook-subscriptions/"+id, "", &shown)
	if shown.SigningKey != birdTestKey {
		t.Errorf("echo_key shows %q", shown.SigningKey)
	}

	do(202, http.MethodPost, "/v1/events", `{"provider":"bird","type":"channels.sms.outbound","sample":true,"seed":7}`, "deliveries")
	birdEventually(t, "the sample has arrived", func() bool {
		raw, _ := r.got()
		return len(raw) >= 5
	})
	raw, _ := r.got()
	birdPython(t, birdTestKey, r.URL+"/webhook", raw[0])
	for name, event := range map[string]string{
		"no service": `{"provider":"bird","type":"inbound","payload":{}}`,
		"a list":     `{"provider":"bird","type":"channels.sms.outbound","payload":[]}`,
	} {
		if status, text := h.call(t, http.MethodPost, "/v1/events", event, bearer); status < 400 || status > 499 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}
