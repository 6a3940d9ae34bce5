package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/admin"
)

// TestL02_L04_FailedDeliveriesShowNoSecret lets every scheme fail with the right secret in the wrong place, keeps what failed,
// and then looks for canaries in all that an operator is shown of it: pages, commands, explanations, the log of what he did.
// The key that signs envelopes is one of them, and a secret that has ended.
func TestL02_L04_FailedDeliveriesShowNoSecret(t *testing.T) {
	t.Parallel()
	c := &canaries{env: make(map[string]string)}
	hub := c.add("HUB", "%s", "canary-hub-00a1b2c3d4e5")
	ended := c.add("ENDED", "%s", "canary-ended-11b2c3d4e5")
	c.add("BIRD", "%s", "canary-bird-22c3d4e5f6")
	access := c.add("TOKEN", "%s", "canary-token-33d4e5f6a7")
	endedToken := c.add("ENDED_TOKEN", "%s", "canary-oldtoken-44e5f6")
	password := c.add("USER", "smartech:%s", "canary-password-55f6a7")
	operator := c.add("ADMIN", "%s", "canary-admin-66a7b8c9d0")
	pair := base64.StdEncoding.EncodeToString([]byte("smartech:" + password))
	c.secret = append(c.secret, pair)
	stranger := "canary-stranger-77b8c9d0"
	c.secret = append(c.secret, stranger)
	private, text := newPrivateKey(t)
	c.env["SIGNING"] = string(text)
	seed := string(private.Seed())
	c.secret = append(c.secret, seed)

	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	r := serve(t, fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", token: env:ADMIN}
public_url: %s
journal: {url: "sqlite://%s"}
log: {level: debug}
signing: {keys: [env:SIGNING]}
sources:
  - {name: care, provider: sprinklr, quarantine_failed: 1000/h, auth: [{scheme: hub-signature, secrets: [env:HUB, {ref: env:ENDED, not_after: 2020-01-01T00:00:00Z}]}]}
  - {name: messages, provider: bird, quarantine_failed: 1000/h, auth: [{scheme: bird-signature, secrets: [env:BIRD]}]}
  - {name: contact, provider: commbox, quarantine_failed: 1000/h, auth: [{scheme: access-token, secrets: [env:TOKEN, {ref: env:ENDED_TOKEN, not_after: 2020-01-01T00:00:00Z}]}]}
  - {name: campaigns, provider: netcore, quarantine_failed: 1000/h, auth: [{scheme: basic, users: [env:USER]}]}
destinations:
  - {name: file, type: file, path: %s}
`, edgePublic, filepath.Join(dir, "j.db"), out), func(m *Main) { m.Env = c.lookup })

	const xml = `<Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="1" CreateDate="2024-05-12 08:00:01"/></Event>`
	const form = `data={"panel":[{"channel":"email","event":"open","event_params":{"identity":"1"}}]}`
	body := caseBody(1, 1)
	good := signature(hub, body)
	requests := []string{
		post("/hooks/care", body, signature(ended, body)),
		post("/hooks/care", body, "X-Hub-Secret: "+hub),
		post("/hooks/care", body, "X-Key: "+hub),
		post("/hooks/care?secret="+hub, body, "X-Nothing: 1"),
		post("/hooks/care", body, "X-Renamed: "+strings.TrimPrefix(good, "X-Hub-Signature: ")),
		post("/hooks/messages", body, "X-Mine: canary-bird-22c3d4e5f6"),
		post("/hooks/contact", xml, "X-Access: Bearer "+access),
		post("/hooks/contact", xml, "X-Api-Key: "+access, "X-Auth-Token: "+stranger, "Api-Key: "+stranger, "X-Gitlab-Token: "+stranger),
		post("/hooks/contact", xml, "X-Custom: token="+access+"; x=1"),
		post("/hooks/contact", xml, "Authorization: Bearer "+endedToken),
		post("/hooks/contact", xml, "Authorization: "+access),
		post("/hooks/contact", xml, "Authorization: Bearer "+stranger, "Cookie: "+stranger),
		post("/hooks/contact?token="+url.QueryEscape(access), xml, "X-A: 1"),
		post("/hooks/campaigns", form, "X-Login: Basic "+pair),
		post("/hooks/campaigns", form, "X-Login: smartech:"+password),
		post("/hooks/campaigns", form, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("smartech:"+stranger))),
		post("/hooks/campaigns", form, "Authorization: Basic "+pair+"=", "Authorization: Basic "+pair),
		post("/hooks/campaigns?user=smartech&password="+password, form, "X-A: 1"),
	}
	for _, request := range requests {
		// One at a time, for the queue of explanations is short.
		kept := r.kept(t, operator)
		if resp := r.send(t, request); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d to %q", resp.StatusCode, request)
		}
		eventually(t, "it is kept and explained", func() (bool, string) {
			now := r.kept(t, operator)
			return len(now) > len(kept) && now[0].Diagnosis != "", fmt.Sprint(len(now))
		})
	}
	if resp := r.send(t, post("/hooks/care", body, good, "X-Api-Key: "+stranger, "X-Auth-Token: "+stranger, "X-Vault-Token: "+stranger)); resp.StatusCode != http.StatusOK {
		t.Fatalf("the good one: %d", resp.StatusCode)
	}

	all := r.kept(t, operator)
	diagnoses := make(map[string]int)
	pages := []string{"/v1/failed", "/v1/failed?source=contact", "/keys", "/metrics", "/v1/events?data=true"}
	for _, d := range all {
		diagnoses[d.Diagnosis]++
		pages = append(pages, "/v1/failed/"+d.ID)
	}
	for _, path := range pages {
		status, page := r.ask(t, path, operator)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		c.search(t, path, page)
	}
	for _, order := range []string{`{"all":true}`, `{"source":"contact"}`, `{"source":"` + "x\x1b[31m" + `"}`, ``} {
		_, page := r.request(t, http.MethodPost, "/v1/failed/verify", operator, order)
		c.search(t, "the verification of "+order, page)
	}
	for _, args := range [][]string{{"list"}, {"list", "--json"}, {"show", all[0].ID}, {"show", all[len(all)-1].ID, "--json"}, {"verify", "--all"}} {
		var told bytes.Buffer
		m := &Main{Args: append(append([]string{"failed"}, args...), "--admin", "http://"+r.Admin, "--token", "env:ADMIN"), Stdout: &told, Stderr: &told, Env: c.lookup, Now: time.Now}
		m.Run(t.Context())
		if told.Len() == 0 {
			t.Errorf("failed %q says nothing", args)
		}
		c.search(t, fmt.Sprintf("failed %q", args), told.String())
	}
	eventually(t, "it is forwarded, signed", func() (bool, string) {
		now := lines(t, out)
		return len(now) == 1 && strings.Contains(now[0], `"signature":"`), fmt.Sprint(now)
	})
	c.searchFiles(t, "while it runs", dir)
	r.stop()
	c.searchFiles(t, "after the stop", dir)
	c.search(t, "the log", r.stderr.String())

	// What the search would find if it were there.
	for _, diagnosis := range []string{"header_renamed", "key_ended", "header_absent", "unexplained", "header_twice"} {
		if diagnoses[diagnosis] == 0 {
			t.Errorf("nothing was found to be %s: %v", diagnosis, diagnoses)
		}
	}
	if log := r.stderr.String(); !strings.Contains(log, `"message":"operator"`) || !strings.Contains(log, `"message":"authentication failed"`) {
		t.Error("the log has no line about the operator or about failures")
	}
}

// kept are the failed deliveries that are kept, the newest first.
func (r *running) kept(t *testing.T, token string) []admin.FailedDelivery {
	t.Helper()
	status, page := r.ask(t, "/v1/failed", token)
	var list struct{ Failed []admin.FailedDelivery }
	if err := json.Unmarshal([]byte(page), &list); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s: %v", status, page, err)
	}
	return list.Failed
}
