package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// twinToken opens the management APIs of the outbound side.
const twinToken = "twin-token-0123456789abcdef"

// twin is the gateway and, in the same program, the providers that deliver to it.
type twin struct {
	*running
	t     *testing.T
	hooks string // what the providers are told
	out   string // the file that the envelopes go to
	token string // where OAuth tokens are fetched
}

// twinSources are the gateway's side of every way in which a delivery can prove itself.
const twinSources = `sources:
  - {name: sprinklr-hub-signature, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SHARED]}]}
  - {name: sprinklr-basic, provider: sprinklr, auth: [{scheme: basic, users: [env:USER]}]}
  - {name: sprinklr-bearer, provider: sprinklr, auth: [{scheme: bearer, keys: [file:token.pem], issuer: twin}]}
  - {name: sprinklr-none, provider: sprinklr, auth: [{scheme: none}]}
  - {name: salesiq-siq-signature, provider: salesiq, auth: [{scheme: siq-signature, keys: [file:siq.pem]}]}
  - {name: salesiq-none, provider: salesiq, auth: [{scheme: none}]}
  - {name: commbox-basic, provider: commbox, auth: [{scheme: basic, users: [env:USER]}]}
  - {name: commbox-access-token, provider: commbox, auth: [{scheme: access-token, prefix: Token, secrets: [env:SHARED]}]}
  - {name: commbox-bearer, provider: commbox, auth: [{scheme: bearer, keys: [file:token.pem], issuer: twin}]}
  - {name: commbox-none, provider: commbox, auth: [{scheme: none}]}
  - {name: netcore-basic, provider: netcore, auth: [{scheme: basic, users: [env:USER]}]}
  - {name: netcore-none, provider: netcore, auth: [{scheme: none}]}
  - {name: bird-bird-signature, provider: bird, auth: [{scheme: bird-signature, secrets: [env:SHARED]}]}
  - {name: bird-none, provider: bird, auth: [{scheme: none}]}
`

const (
	twinShared = "shared-secret-0123456789"
	twinUser   = "hookuser:hookpass-0123456789"
)

// startTwin runs both halves; between them stands what the test puts at public, if anything.
func startTwin(t *testing.T, public string) *twin {
	t.Helper()
	port := freePort(t)
	if public == "" {
		public = "http://127.0.0.1:" + port
	}
	tw := &twin{t: t, hooks: public, out: filepath.Join(t.TempDir(), "events")}
	dir := filepath.Dir(tw.out)
	private, public := newKeyPair(t)
	for name, text := range map[string]string{"token.pem": public, "siq.pem": public} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`listen: 127.0.0.1:%s
admin: {listen: "127.0.0.1:0"}
public_url: %s
journal: {url: "sqlite://%s/journal.db"}
log: {level: info}
outbound: {listen: "127.0.0.1:0", token: env:TOKEN, store: %s/outbound.db, allow_private: true}
%sdestinations:
  - {name: file, type: file, path: %s}
`, port, tw.hooks, dir, dir, twinSources, tw.out)
	env := map[string]string{"SHARED": twinShared, "USER": twinUser, "TOKEN": twinToken}
	r := &running{file: filepath.Join(dir, "hookgate.yaml"), hangup: make(chan os.Signal, 1)}
	r.write(t, config)
	r.run(t, &Main{
		Args: []string{"serve", "--config", r.file}, Now: time.Now, Hangup: r.hangup,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	tw.running, tw.token = r, tokenServer(t, private)
	return tw
}

// call makes a request to the outbound side and wants a status; the answer is read into v unless that is nil.
func (tw *twin) call(method, path, authorization string, body any, want int, v any) {
	tw.t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			tw.t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(tw.t.Context()), method, "http://"+tw.Outbound+path, sent)
	if err != nil {
		tw.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Key", "k")
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		tw.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		tw.t.Fatal(err)
	}
	if answer.StatusCode != want {
		tw.t.Fatalf("%s %s: %d, want %d: %s", method, path, answer.StatusCode, want, got)
	}
	if v != nil {
		if err := json.Unmarshal(got, v); err != nil {
			tw.t.Fatalf("%s %s: %v: %s", method, path, err, got)
		}
	}
}

// plain is call on the plain API.
func (tw *twin) plain(method, path string, body any, want int, v any) {
	tw.t.Helper()
	tw.call(method, "/v1"+path, "Bearer "+twinToken, body, want, v)
}

type object = map[string]any

// tokenServer is a token endpoint whose tokens the gateway knows by the public half of private.
func tokenServer(t *testing.T, private string) string {
	t.Helper()
	s, err := verifiers.NewSigner(hookgate.AuthSettings{Scheme: "bearer", Issuer: "twin"}, hookgate.NewSecret([]byte(private), "test"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &hookgate.Request{Header: http.Header{}}
		if err := s.Sign(req, time.Now()); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// kinds reads the taxonomy: what an event of a native name must come out as.
func kinds(t *testing.T) map[string]map[string]string {
	t.Helper()
	f, err := os.Open("../../normalize/testdata/taxonomy.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]string)
	for _, row := range rows[1:] {
		kind := make(map[string]string)
		for i, name := range rows[0] {
			kind[name] = row[i]
		}
		all[row[0]+" "+row[1]] = kind
	}
	return all
}

// envelopes reads what has come out, by source.
func (tw *twin) envelopes() map[string][]object {
	tw.t.Helper()
	bySource := make(map[string][]object)
	for _, line := range lines(tw.t, tw.out) {
		var e object
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&e); err != nil {
			tw.t.Fatal(err)
		}
		source := e["source"].(string)
		source = source[strings.LastIndexByte(source, '/')+1:]
		bySource[source] = append(bySource[source], e)
	}
	return bySource
}

// subscription is what a source of the gateway is subscribed as.
type subscription struct {
	provider, source, id string
	verifiedby           string
}

// subscribe makes a subscription for every source: SalesIQ's by its own API, which makes the key, the others by the plain
// one, which also offers what the providers have in their consoles only.
func (tw *twin) subscribe(events map[string][]string) []subscription {
	tw.t.Helper()
	user, password, _ := strings.Cut(twinUser, ":")
	basic := object{"scheme": "basic", "user": user, "password": password}
	oauth := func(grant, clientAuth string) object {
		return object{"scheme": "bearer", "oauth": object{
			"grant": grant, "token_url": tw.token, "client_id": "c", "client_secret": "s", "client_auth": clientAuth, "scope": "hooks", "username": "u", "password": "p",
		}}
	}
	none := object{"scheme": "none"}
	var subs []subscription
	add := func(source string, auth, settings object, names []string) {
		provider, scheme, _ := strings.Cut(source, "-")
		var made struct{ ID string }
		tw.plain("POST", "/subscriptions/"+provider, object{
			"name": fmt.Sprint(source, " ", len(subs)), "url": tw.hooks + "/hooks/" + source, "events": names, "auth": []object{auth}, "settings": settings,
		}, http.StatusCreated, &made)
		switch provider {
		case "sprinklr", "netcore": // a URL must have passed the provider's set-up call
			var test struct {
				Passed bool
				Error  string
			}
			if tw.plain("POST", "/subscriptions/"+provider+"/"+made.ID+"/test", nil, http.StatusOK, &test); !test.Passed {
				tw.t.Fatalf("%s: the set-up call does not pass: %s", source, test.Error)
			}
		}
		tw.plain("PATCH", "/subscriptions/"+provider+"/"+made.ID, object{"active": true}, http.StatusOK, nil)
		subs = append(subs, subscription{provider, source, made.ID, scheme})
	}
	add("sprinklr-hub-signature", object{"scheme": "hub-signature", "secret": twinShared}, object{}, events["sprinklr"])
	add("sprinklr-basic", basic, object{}, events["sprinklr"])
	add("sprinklr-bearer", oauth("client_credentials", "header"), object{}, events["sprinklr"])
	add("sprinklr-none", none, object{}, events["sprinklr"])
	entities := map[string][]string{}
	for _, native := range events["commbox"] {
		entity, trigger, _ := strings.Cut(native, ".")
		entities[entity] = append(entities[entity], trigger)
	}
	for entity, triggers := range entities {
		settings := func(more object) object {
			maps.Copy(more, object{"entity": entity, "triggers": triggers, "include_complete_data": true, "allow_http": true})
			return more
		}
		add("commbox-basic", basic, settings(object{"request_id": true}), nil)
		add("commbox-access-token", object{"scheme": "access-token", "prefix": "Token", "secret": twinShared}, settings(object{"format": "xml"}), nil)
		add("commbox-bearer", oauth("password", "body"), settings(object{"protocol": "soap", "soap_parameters": []object{{"name": "apiKey", "value": "k1"}}}), nil)
		add("commbox-none", none, settings(object{}), nil)
	}
	add("netcore-basic", basic, object{}, nil)
	add("netcore-none", none, object{"ascii": true}, nil)
	add("bird-bird-signature", object{"scheme": "bird-signature", "secret": twinShared}, object{"any_url": true, "any_event": true}, events["bird"])
	add("bird-none", none, object{"any_url": true, "any_event": true}, events["bird"])
	return append(subs, tw.subscribeSalesIQ(events["salesiq"])...)
}

// subscribeSalesIQ makes a data and an administration webhook for each source by SalesIQ's own API, and gives the keys that
// it answers to the gateway.
func (tw *twin) subscribeSalesIQ(events []string) []subscription {
	tw.t.Helper()
	var subs []subscription
	var keys []string
	for _, source := range []string{"salesiq-siq-signature", "salesiq-none"} {
		secured := source != "salesiq-none"
		for _, kind := range []string{"data", "administration"} {
			var names []string
			for _, name := range events {
				first, _, _ := strings.Cut(name, ".")
				if slices.Contains([]string{"department", "operator", "brands", "tag"}, first) == (kind == "administration") {
					names = append(names, name)
				}
			}
			body := object{"type": kind, "url": tw.hooks + "/hooks/" + source, "events": names, "secured": secured, "version": 1}
			var made struct {
				Data struct {
					ID         string
					PublicKeys []struct{ Key string } `json:"public_keys"`
				}
			}
			tw.call("POST", "/api/v2/portal/webhooks", "Zoho-oauthtoken "+twinToken, body, http.StatusOK, &made)
			for _, k := range made.Data.PublicKeys {
				keys = append(keys, k.Key)
			}
			subs = append(subs, subscription{"salesiq", source, made.Data.ID, strings.TrimPrefix(source, "salesiq-")})
		}
	}
	if len(keys) != 2 {
		tw.t.Fatalf("%d keys", len(keys))
	}
	config, err := os.ReadFile(tw.file)
	if err != nil {
		tw.t.Fatal(err)
	}
	var refs []string
	for i, key := range keys {
		name := fmt.Sprintf("siq-%d.pem", i)
		if err := os.WriteFile(filepath.Join(filepath.Dir(tw.file), name), []byte(key), 0o600); err != nil {
			tw.t.Fatal(err)
		}
		refs = append(refs, "file:"+name)
	}
	tw.write(tw.t, strings.Replace(string(config), "file:siq.pem", strings.Join(refs, ", "), 1))
	tw.hangup <- nil
	return subs
}

// delivery is one as the plain API shows it.
type delivery struct {
	ID, Event, State string
	Attempts         int
	Events           []struct {
		Type, ID, Account string
		Time              time.Time
		Payload           json.RawMessage
		Attributes        map[string]string
	}
}

// deliveries lists those of a subscription with their events.
func (tw *twin) deliveries(id string) []delivery {
	tw.t.Helper()
	var list struct{ Deliveries []delivery }
	tw.plain("GET", "/deliveries?limit=1000&subscription="+id, nil, http.StatusOK, &list)
	for i, d := range list.Deliveries {
		tw.plain("GET", "/deliveries/"+d.ID, nil, http.StatusOK, &list.Deliveries[i])
	}
	return list.Deliveries
}

// open counts what has not been delivered.
func (tw *twin) open() int {
	var list struct{ Deliveries []delivery }
	tw.plain("GET", "/deliveries?state=waiting,gathering,failed&limit=1000", nil, http.StatusOK, &list)
	return len(list.Deliveries)
}

// TestTwin: every event of every provider, proved in every way, goes from the outbound side through the gateway, and the
// envelope says what was sent.
func TestTwin(t *testing.T) {
	t.Parallel()
	tw := startTwin(t, "")
	var all struct {
		Providers []struct {
			Provider string
			Events   []string
		}
	}
	tw.plain("GET", "/providers", nil, http.StatusOK, &all)
	events := make(map[string][]string)
	for _, p := range all.Providers {
		events[p.Provider] = p.Events
	}
	subs := tw.subscribe(events)
	eventually(t, "the keys are taken over", func() (bool, string) {
		said := tw.stderr.String()
		return strings.Contains(said, "configuration taken over"), said
	})
	for provider, names := range events {
		for i, name := range names {
			tw.plain("POST", "/events", object{"provider": provider, "type": name, "sample": true, "seed": i + 1}, http.StatusAccepted, nil)
		}
	}
	eventually(t, "everything is delivered", func() (bool, string) { n := tw.open(); return n == 0, fmt.Sprint(n, " deliveries open") })
	want := make(map[string]map[string]object) // by source and type
	total := 0
	taxonomy := kinds(t)
	for _, sub := range subs {
		if want[sub.source] == nil {
			want[sub.source] = make(map[string]object)
		}
		for _, d := range tw.deliveries(sub.id) {
			if d.Attempts != 1 {
				t.Errorf("%s: %s took %d attempts", sub.source, d.Event, d.Attempts)
			}
			for _, e := range d.Events {
				expected := expect(t, taxonomy, sub, d.ID, e.Type, e.ID, e.Account, e.Time, e.Payload, e.Attributes)
				if want[sub.source][expected["type"].(string)] != nil {
					t.Errorf("%s: %s was delivered twice", sub.source, e.Type)
				}
				want[sub.source][expected["type"].(string)] = expected
				total++
			}
		}
	}
	if few := 4*len(events["sprinklr"]) + 2*len(events["salesiq"]) + 4*len(events["commbox"]) + 2*len(events["netcore"]) + 2*len(events["bird"]); total != few {
		t.Errorf("%d events were delivered, want %d", total, few)
	}
	eventually(t, "all envelopes are out", func() (bool, string) { n := len(lines(t, tw.out)); return n >= total, fmt.Sprint(n, " of ", total) })
	got := tw.envelopes()
	for source, list := range got {
		for _, e := range list {
			kind, _ := e["type"].(string)
			expected := want[source][kind]
			if expected == nil {
				t.Errorf("%s: nobody sent a %s: %v", source, kind, e)
				continue
			}
			delete(want[source], kind)
			compareEnvelope(t, source, expected, e)
		}
	}
	for source, missing := range want {
		for kind := range missing {
			t.Errorf("%s: no envelope of %s", source, kind)
		}
	}
}
