package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tokenWays are the ways in which Sprinklr's and CommBox's forms can be filled in for OAuth 2.0.
var tokenWays = []struct{ grant, clientAuth string }{
	{"client_credentials", "header"}, {"client_credentials", "body"}, {"password", "header"}, {"password", "body"},
}

// startTokenTwin runs the gateway with a token endpoint, and the providers that fetch their tokens there: a source for each
// way of each provider. Sprinklr signs as well.
func startTokenTwin(t *testing.T) *twin {
	t.Helper()
	dir := t.TempDir()
	tokenKey(t, filepath.Join(dir, "key.pem"))
	var sources strings.Builder
	names := map[string][]string{}
	for _, w := range tokenWays {
		for provider, signature := range map[string]string{"sprinklr": "{scheme: hub-signature, secrets: [env:SHARED]}, ", "commbox": ""} {
			name := strings.ReplaceAll(fmt.Sprintf("%s-%s-%s", provider, w.grant, w.clientAuth), "_", "-")
			names[provider] = append(names[provider], name)
			fmt.Fprintf(&sources, "  - {name: %s, provider: %s, auth: [%s{scheme: bearer, issued: true, scopes: [hooks]}]}\n", name, provider, signature)
		}
	}
	var clients strings.Builder
	for provider, own := range names {
		fmt.Fprintf(&clients, "    - {id: %s, secrets: [env:%s], grants: [client_credentials, password], users: [env:USER], scopes: [hooks], sources: [%s]}\n",
			provider, strings.ToUpper(provider), strings.Join(own, ", "))
	}
	tw := &twin{t: t, out: filepath.Join(dir, "events")}
	config := fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://%[1]s/journal.db"}
outbound: {listen: "127.0.0.1:0", token: env:TOKEN, store: %[1]s/outbound.db, allow_private: true}
tokens:
  keys: [file:key.pem]
  clients:
%[2]ssources:
%[3]sdestinations:
  - {name: file, type: file, path: %[1]s/events}
`, dir, &clients, &sources)
	env := map[string]string{"SHARED": twinShared, "USER": twinUser, "TOKEN": twinToken, "SPRINKLR": houseSecret, "COMMBOX": houseNext}
	r := &running{file: filepath.Join(dir, "hookgate.yaml"), hangup: make(chan os.Signal, 1)}
	r.write(t, config)
	r.run(t, &Main{
		Args: []string{"serve", "--config", r.file}, Now: time.Now, Hangup: r.hangup,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	tw.running, tw.hooks, tw.token = r, "http://"+r.Hooks, "http://"+r.Hooks+"/oauth/token"
	return tw
}

// oauthOf is what is entered in the provider's form.
func (tw *twin) oauthOf(provider, grant, clientAuth, secret string) object {
	user, password, _ := strings.Cut(twinUser, ":")
	return object{"scheme": "bearer", "oauth": object{
		"grant": grant, "token_url": tw.token, "client_id": provider, "client_secret": secret, "client_auth": clientAuth, "scope": "hooks",
		"username": user, "password": password,
	}}
}

// tokenRequests is how many of a client have come to this, by the metrics.
func (tw *twin) tokenRequests(client, outcome string) string {
	_, page := tw.ask(tw.t, "/metrics", "")
	_, rest, _ := strings.Cut(page, fmt.Sprintf("\nhookgate_token_requests_total{client=%q,outcome=%q} ", client, outcome))
	n, _, _ := strings.Cut(rest, "\n")
	return n
}

// TestTokensEndToEnd: both providers fetch their tokens from the gateway, by both grants, in the header and in the body, and
// deliver with them.
func TestTokensEndToEnd(t *testing.T) {
	t.Parallel()
	tw := startTokenTwin(t)
	for _, w := range tokenWays {
		for provider, secret := range map[string]string{"sprinklr": houseSecret, "commbox": houseNext} {
			source := strings.ReplaceAll(fmt.Sprintf("%s-%s-%s", provider, w.grant, w.clientAuth), "_", "-")
			auth := []object{tw.oauthOf(provider, w.grant, w.clientAuth, secret)}
			sub := object{"name": source, "url": tw.hooks + "/hooks/" + source}
			if provider == "sprinklr" {
				auth = append(auth, object{"scheme": "hub-signature", "secret": twinShared})
				sub["events"] = []string{"CASE_CREATED"}
			} else {
				sub["settings"] = object{"entity": "Object", "triggers": []string{"OnNew"}, "allow_http": true}
			}
			sub["auth"] = auth
			var made struct{ ID string }
			tw.plain("POST", "/subscriptions/"+provider, sub, http.StatusCreated, &made)
			if provider == "sprinklr" {
				tw.plain("POST", "/subscriptions/sprinklr/"+made.ID+"/test", nil, http.StatusOK, nil)
			}
			tw.plain("PATCH", "/subscriptions/"+provider+"/"+made.ID, object{"active": true}, http.StatusOK, nil)
		}
	}
	for seed := range 3 {
		tw.plain("POST", "/events", object{"provider": "sprinklr", "type": "case.create", "sample": true, "seed": seed + 1}, http.StatusAccepted, nil)
		tw.plain("POST", "/events", object{"provider": "commbox", "type": "Object.OnNew", "sample": true, "seed": seed + 1}, http.StatusAccepted, nil)
	}
	eventually(t, "everything is delivered", func() (bool, string) {
		n := tw.open()
		return n == 0, fmt.Sprint(n, " deliveries open\n", tw.stderr)
	})
	eventually(t, "all envelopes are out", func() (bool, string) { n := len(lines(t, tw.out)); return n == 24, fmt.Sprint(n) })
	got := tw.envelopes()
	if len(got) != 8 {
		t.Errorf("%d sources have had events", len(got))
	}
	for source, events := range got {
		want := map[bool]string{true: "hub-signature,bearer", false: "bearer"}[strings.HasPrefix(source, "sprinklr")]
		for _, e := range events {
			if e["verifiedby"] != want || !strings.Contains(e["keyid"].(string), "key.pem") {
				t.Errorf("%s: verified by %v with %v", source, e["verifiedby"], e["keyid"])
			}
		}
		if len(events) != 3 {
			t.Errorf("%s has had %d events", source, len(events))
		}
	}
	for _, client := range []string{"sprinklr", "commbox"} {
		if n := tw.tokenRequests(client, "issued"); n != "4" {
			t.Errorf("%s has fetched %s tokens for 4 subscriptions", client, n)
		}
	}

	// A wrong secret in the provider's form gets no token, and so nothing is delivered.
	var made struct{ ID string }
	tw.plain("POST", "/subscriptions/commbox", object{
		"name": "wrong", "url": tw.hooks + "/hooks/commbox-password-body", "active": true, "auth": []object{tw.oauthOf("commbox", "password", "body", houseSecret)},
		"settings": object{"entity": "Object", "triggers": []string{"OnNewChild"}, "allow_http": true},
	}, http.StatusCreated, &made)
	tw.plain("POST", "/events", object{"provider": "commbox", "type": "Object.OnNewChild", "sample": true}, http.StatusAccepted, nil)
	eventually(t, "the token is refused", func() (bool, string) {
		n := tw.tokenRequests("commbox", "invalid_client")
		return n == "1", n
	})
	if n := len(lines(t, tw.out)); n != 24 {
		t.Errorf("%d events are out", n)
	}
}
