package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/verifiers"
)

// declaredRun is a running gateway with one source, a declared provider's, at the time and under the secret of a vector.
type declaredRun struct {
	*running
	declaration *hookgate.Declaration
	file        string
	clock       atomic.Pointer[time.Time]
}

// documented is the declaration of docs/declared.md, as it stands there.
func documented(t *testing.T) (block string, d *hookgate.Declaration) {
	t.Helper()
	for _, block := range fenced(page(t, "docs/declared.md"), "yaml") {
		if !strings.Contains(block, "\ndeclarations:") {
			continue
		}
		c, _, err := configs.Parse("docs/declared.md", []byte(block), madeUp(t), rules())
		if err != nil {
			t.Fatal(err)
		}
		return block, &c.Declarations[0]
	}
	t.Fatal("docs/declared.md declares nothing")
	return "", nil
}

func startDeclared(t *testing.T, name string) *declaredRun {
	t.Helper()
	d := &declaredRun{file: filepath.Join(t.TempDir(), "events")}
	declarations := ""
	if name == "parcels" {
		var block string
		block, d.declaration = documented(t)
		declarations = block[strings.Index(block, "declarations:"):strings.Index(block, "sources:")]
	} else {
		shipped, err := configs.Declared(name, rules())
		if err != nil {
			t.Fatal(err)
		}
		d.declaration = shipped
	}
	now := time.Now()
	d.clock.Store(&now)
	config := fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://%s"}
%ssources:
  - {name: %s, provider: %s, auth: [{scheme: hmac, declaration: %s, secrets: [env:VECTOR_SECRET]}]}
destinations:
  - {name: events, type: file, path: "%s", match: {provider: [%s]}}
`, filepath.Join(t.TempDir(), "j.db"), declarations, name, name, name, d.file, name)
	d.running = serve(t, config, func(m *Main) {
		m.Now = func() time.Time { return *d.clock.Load() }
		m.Env = func(name string) (string, bool) { return d.declaration.Vectors[0].Secret, name == "VECTOR_SECRET" }
	})
	return d
}

// request is a vector's, as a source of its own gets it.
func (d *declaredRun) request(t *testing.T, v hookgate.Vector) *hookgate.Request {
	t.Helper()
	if v.Secret != d.declaration.Vectors[0].Secret {
		t.Fatalf("the vectors of %s have several secrets, and this test knows one", d.declaration.Name)
	}
	if v.At != "" {
		at, err := time.Parse(time.RFC3339, v.At)
		if err != nil {
			t.Fatal(err)
		}
		d.clock.Store(&at)
	}
	req := &hookgate.Request{Method: http.MethodPost, Target: "/hooks/" + d.declaration.Name, Header: http.Header{}, Body: []byte(v.Body)}
	if v.Base64 != "" {
		body, err := base64.StdEncoding.DecodeString(v.Base64)
		if err != nil {
			t.Fatal(err)
		}
		req.Body = body
	}
	for _, line := range v.Headers {
		name, value, _ := strings.Cut(line, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	return req
}

// post delivers over a real connection, and gives the answer and its body.
func (d *declaredRun) post(t *testing.T, req *hookgate.Request) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+d.Hooks+req.Target, strings.NewReader(string(req.Body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = req.Header.Clone()
	resp, err := newSender(t, d.Hooks).client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Hookgate-Outcome"), resp.Header.Get("Hookgate-Event-Id"), ""}, string(body)
}

// envelope waits for the event of an id in the file.
func (d *declaredRun) envelope(t *testing.T, id string) (envelope map[string]any) {
	t.Helper()
	eventually(t, "the event is forwarded", func() (bool, string) {
		for _, line := range lines(t, d.file) {
			if idOf([]byte(line)) == id {
				if err := json.Unmarshal([]byte(line), &envelope); err != nil {
					t.Fatal(err)
				}
				return true, ""
			}
		}
		return false, id
	})
	return envelope
}

// TestDeclaredProviders takes the vectors of the four shipped declarations and of the documentation's through the running
// program: what verifies is forwarded as it should be, what does not is refused, and the same again under another delivery id,
// another topic or a new signature is a duplicate (D2).
func TestDeclaredProviders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vector   int // the one whose envelope is looked at
		want     map[string]string
		unsigned map[string]string // headers that a copy may come with
		unread   int               // vectors that verify and are no JSON
	}{
		"github": {3, map[string]string{
			"type": "github.issues.opened", "entitytype": "issues", "action": "opened", "subject": "1", "tenant": "1", "nativeid": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
			"time": "2011-04-22T13:33:48.000Z", "timesource": "event",
		}, map[string]string{"X-GitHub-Delivery": "another", "X-GitHub-Event": "pull_request"}, 1},
		"stripe": {0, map[string]string{
			"type": "stripe.setup_intent.created", "entitytype": "setup_intent", "action": "created", "subject": "seti_1NG8Du2eZvKYlo2C9XMqbR0x",
			"nativeid": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "time": "2023-06-06T22:19:30.000Z", "timesource": "event",
		}, nil, 0},
		"shopify": {0, map[string]string{
			"type": "shopify.products.update", "entitytype": "products", "action": "update", "subject": "9554194432293", "tenant": "example.myshopify.com",
			"nativeid": "98880550-7158-44d4-b7cd-2c97c8a091b5", "time": "2025-04-22T19:30:00.000Z",
		}, map[string]string{"X-Shopify-Event-Id": "another", "X-Shopify-Webhook-Id": "another", "X-Shopify-Topic": "orders/paid"}, 0},
		"slack": {3, map[string]string{
			"type": "slack.message", "entitytype": "message", "action": "message", "subject": "C024BE91L", "tenant": "T061EG9R6", "nativeid": "Ev0PV52K21",
			"time": "2012-12-14T20:38:43.000Z", "partitionkey": "T061EG9R6/message/C024BE91L",
		}, map[string]string{"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}, 1},
		"parcels": {0, map[string]string{
			"type": "parcels.parcel.delivered", "entitytype": "parcel", "action": "delivered", "subject": "P-77", "tenant": "D-3", "time": "2026-01-31T12:00:00.000Z",
		}, map[string]string{"X-Parcel-Delivery": "another"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDeclared(t, name)
			unread := 0
			for i, v := range d.declaration.Vectors {
				a, _ := d.post(t, d.request(t, v))
				switch {
				case !v.Verifies && a.status == http.StatusUnauthorized && a.outcome == "":
				case v.Verifies && a.status == http.StatusOK && a.outcome == "quarantined":
					unread++
				case v.Verifies && a.status == http.StatusOK:
				default:
					t.Errorf("vector %d: %+v", i, a)
				}
			}
			if unread != c.unread {
				t.Errorf("%d vectors could not be read, want %d", unread, c.unread)
			}

			v := d.declaration.Vectors[c.vector]
			req := d.request(t, v)
			first, _ := d.post(t, req)
			if first.outcome != "duplicate" {
				t.Errorf("the vector again: %+v", first)
			}
			for header, value := range c.unsigned {
				req.Header.Set(header, value)
				if a, _ := d.post(t, req); a.outcome != "duplicate" || a.eventID != first.eventID {
					t.Errorf("with another %s: %+v, first %+v", header, a, first)
				}
			}
			d.retry(t, req, first.eventID)

			e := d.envelope(t, first.eventID)
			d.attributes(t, e, c.want)
			data, err := json.Marshal(e["data"])
			if err != nil {
				t.Fatal(err)
			}
			var want any
			if err := json.Unmarshal(req.Body, &want); err != nil {
				t.Fatal(err)
			}
			if plain, _ := json.Marshal(want); string(data) != string(plain) {
				t.Errorf("data is %s, want %s", data, plain)
			}
			if page := d.get(t, "/metrics"); !strings.Contains(page, `source="`+name+`"`) {
				t.Errorf("no metric names the source %s", name)
			}
		})
	}
}

// retry signs the same body again, a while later, as the provider does: it is the same event.
func (d *declaredRun) retry(t *testing.T, req *hookgate.Request, id string) {
	t.Helper()
	later := d.clock.Load().Add(time.Hour)
	d.clock.Store(&later)
	signer, err := verifiers.NewSigner(hookgate.AuthSettings{
		Scheme: "hmac", Declared: d.declaration, PublicURL: "https://hooks.example.com", Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(d.declaration.Vectors[0].Secret), "")},
	}, hookgate.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(req, later); err != nil {
		t.Fatal(err)
	}
	if a, _ := d.post(t, req); a.outcome != "duplicate" || a.eventID != id {
		t.Errorf("signed again an hour later: %+v, want a duplicate of %s", a, id)
	}
	req.Body = append(req.Body, ' ')
	if a, _ := d.post(t, req); a.status != http.StatusUnauthorized {
		t.Errorf("with a longer body: %+v", a)
	}
	req.Body = req.Body[:len(req.Body)-1]
}

func (d *declaredRun) attributes(t *testing.T, e map[string]any, want map[string]string) {
	t.Helper()
	for attribute, value := range map[string]string{
		"provider": d.declaration.Name, "source": "/hookgate/" + d.declaration.Name + "/" + d.declaration.Name, "verifiedby": "hmac", "keyid": "env:VECTOR_SECRET", "datacontenttype": "application/json",
	} {
		want[attribute] = value
	}
	for attribute, value := range want {
		if e[attribute] != value {
			t.Errorf("%s is %v, want %s", attribute, e[attribute], value)
		}
	}
}

// Slack tests an address by a text that must come back, signed; nobody else gets anything back.
func TestSlackChallenge(t *testing.T) {
	t.Parallel()
	d := startDeclared(t, "slack")
	v := d.declaration.Vectors[4]
	req := d.request(t, v)
	if a, body := d.post(t, req); a.status != http.StatusOK || body != "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" {
		t.Errorf("%+v, %q", a, body)
	}
	req.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	if a, body := d.post(t, req); a.status != http.StatusUnauthorized || body != "" {
		t.Errorf("unsigned: %+v, %q", a, body)
	}
	if a, body := d.post(t, d.request(t, d.declaration.Vectors[3])); a.outcome != "accepted" || body != "" {
		t.Errorf("an event: %+v, %q", a, body)
	}
}

// TestDeclarationsAreChecked: what hookgate check says of declarations that are not in order, with the real registries.
func TestDeclarationsAreChecked(t *testing.T) {
	t.Parallel()
	block, _ := documented(t)
	env := madeUp(t)
	const source = "{scheme: hmac, declaration: parcels, secrets: [env:PARCELS_SECRET]}"
	cut := func(from, to string) func(string) string {
		return func(s string) string {
			i := strings.Index(s, from)
			return s[:i] + s[i+strings.Index(s[i:], to):]
		}
	}
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	for name, c := range map[string]struct {
		change func(string) string
		says   string
	}{
		"no vectors":                 {cut("    vectors:", "sources:"), `the key "vectors" is missing`},
		"only one that verifies":     {cut("      - secret: made-up", "sources:"), "declarations[0].vectors: there is no vector whose signature does not fit"},
		"vector fails":               {replace("D-3", "D-4"), "declarations[0].vectors[0]: it must verify and does not: mismatch: X-Parcel-Signature was made by none of the 1 secrets"},
		"vector fails for the hash":  {replace("algorithm: sha512", "algorithm: sha256"), "it does with algorithm: sha512"},
		"vector is too late":         {replace("12:00:02Z", "12:02:02Z"), "declarations[0].vectors[0]: it must verify and does not: too_old"},
		"template without body":      {replace(`{body}'`, `'`), "declarations[0].signed: the template does not hold {body}"},
		"time that is not signed":    {replace(`{timestamp}\n`, ``), "declarations[0].signed: {timestamp} and timestamp: belong together"},
		"URL without public_url":     {replace("public_url: https://hooks.example.com\n", ""), "hmac needs public_url, which is part of what parcels signs"},
		"shipped name":               {replace("name: parcels\n    header", "name: stripe\n    header"), `"stripe" is a declaration that is shipped`},
		"name of a provider":         {replace("name: parcels\n    header", "name: netcore\n    header"), `"netcore" is a provider that the program knows`},
		"unknown declaration":        {replace("declaration: parcels", "declaration: parcel"), `names an unknown declaration "parcel"; did you mean "parcels"?`},
		"unknown provider":           {replace("provider: parcels", "provider: parcel"), `unknown provider "parcel"; did you mean "parcels"?`},
		"declaration elsewhere":      {replace(source, "{scheme: hub-signature, declaration: parcels, secrets: [env:PARCELS_SECRET]}"), "hub-signature does not take declaration"},
		"no declaration":             {replace(source, "{scheme: hmac, secrets: [env:PARCELS_SECRET]}"), "hmac needs declaration"},
		"identity by a header":       {replace("id: [uuid]", "id: [header:X-Parcel-Delivery]"), "declarations[0].read.id[0]: the signature does not cover this header"},
		"window below freshness":     {replace("window: 24h", "window: 3m"), "window is 3m, but hmac accepts a signed time for 4m"},
		"key that the vector is not": {replace("algorithm: sha512", "algorithm: sha512\n    key: hex"), "declarations[0].vectors[0].secret: the secret is not hex"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			changed := c.change(block)
			if changed == block {
				t.Fatal("the change changes nothing")
			}
			got := check(t, changed, env)
			if got.code != exitFailed || !strings.Contains(got.stderr, c.says) {
				t.Errorf("ends with %d:\n%swant %q", got.code, got.stderr, c.says)
			}
			if signature := regexp.MustCompile(`Jg4VJa6ADr`); signature.MatchString(got.stderr) {
				t.Errorf("a signature is shown: %s", got.stderr)
			}
		})
	}
}

// HMAC-SHA1 loads where it is written out, and is warned of.
func TestSHA1IsWarnedOf(t *testing.T) {
	t.Parallel()
	got := check(t, `declarations:
  - name: old
    header: X-Sum
    algorithm: sha1
    vectors:
      - {verifies: true, secret: "It's a Secret to Everybody", headers: ["X-Sum: 01dc10d0c83e72ed246219cdd91669667fe2ca59"], body: "Hello, World!"}
      - {secret: "It's a Secret to Everybody", headers: ["X-Sum: 01dc10d0c83e72ed246219cdd91669667fe2ca59"], body: "Hello, World?"}
sources:
  - {name: old, provider: old, auth: [{scheme: hmac, declaration: old, secrets: [env:PARCELS_SECRET]}]}
destinations:
  - {name: events, type: stdout}
`, madeUp(t))
	if got.code != exitDone || !strings.Contains(got.stderr, "old signs with HMAC-SHA1") {
		t.Errorf("ends with %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func check(t *testing.T, config string, env func(string) (string, bool)) commandResult {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hookgate.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := new(syncBuffer), new(syncBuffer)
	m := &Main{Args: []string{"check", "--config", file}, Stdout: stdout, Stderr: stderr, Env: env, Now: time.Now}
	return commandResult{m.Run(t.Context()), stdout.String(), stderr.String()}
}
