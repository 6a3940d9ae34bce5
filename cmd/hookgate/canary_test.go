package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// canaries are secrets that must be seen nowhere. Those under a name in capitals are in the environment.
type canaries struct {
	env    map[string]string
	secret []string
}

func (c *canaries) add(name, format, secret string) string {
	c.env[name] = fmt.Sprintf(format, secret)
	c.secret = append(c.secret, secret)
	return secret
}

func (c *canaries) lookup(name string) (string, bool) { v, ok := c.env[name]; return v, ok }

// forms are the ways in which a secret can hide in a text: as it is, escaped, in hex, and in base64 at each of the three
// places where it can begin within a group.
func forms(secret string) []string {
	all := []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))), url.QueryEscape(secret), url.PathEscape(secret)}
	for skip := range 3 {
		whole := secret[skip:]
		whole = whole[:len(whole)/3*3]
		all = append(all, base64.StdEncoding.EncodeToString([]byte(whole)), base64.URLEncoding.EncodeToString([]byte(whole)))
	}
	return all
}

// search complains about every canary in text.
func (c *canaries) search(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range c.secret {
		for _, form := range forms(secret) {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s has the canary %s: %q", where, secret, text[max(0, i-80):min(len(text), i+len(form)+20)])
				break
			}
		}
	}
}

// searchFiles reads every file below dir and gives all of their bytes.
func (c *canaries) searchFiles(t *testing.T, when, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c.search(t, when+", "+filepath.Base(path), string(b))
		all.Write(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// jwtOf is a token of these claims.
func jwtOf(t *testing.T, key ed25519.PrivateKey, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

// TestL02_L04_NoSecretIsSeen lets every scheme and every failing path handle canaries, and then looks for them in all that
// the program writes: both outputs, the admin pages, the files of the journal, the destinations that work.
func TestL02_L04_NoSecretIsSeen(t *testing.T) {
	t.Parallel()
	c := &canaries{env: make(map[string]string)}
	hub := c.add("HUB", "%s", "canary-hub-5d1e7a90c3")
	bird := c.add("BIRD", "%s", "canary-bird-8b20f4e6d7")
	access := c.add("TOKEN", "%s", "canary-token-31c9a0b5e8")
	password := c.add("USER", "smartech:%s", "canary-password-92f7d4")
	admin := c.add("ADMIN", "%s", "canary-admin-67ab01c2d3")
	c.add("REDIS", "redis://gate:%s@127.0.0.1:"+freePort(t)+"/0", "canary-redis-e4d5f60718")
	c.env["WHSEC"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-whsec-0011223344556677"))
	c.secret = append(c.secret, "canary-whsec-0011223344556677")
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(r.URL.String() + fmt.Sprint(r.Header))) // some echo what they were sent
	}))
	t.Cleanup(refuses.Close)
	c.add("REFUSES", refuses.URL+"/in/%s", "canary-path-1f2e3d4c5b")
	c.add("CLOSED", "http://gate:%s@127.0.0.1:"+freePort(t)+"/in", "canary-http-a9b8c7d6e5")

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	c.env["KEY"] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	claims := func(expires time.Duration) map[string]any {
		return map[string]any{"iss": "https://login.example.com", "aud": "hookgate", "sub": "canary", "exp": time.Now().Add(expires).Unix()}
	}
	bearer, expired := jwtOf(t, private, claims(time.Hour)), jwtOf(t, private, claims(-time.Hour))
	c.secret = append(c.secret, bearer, expired, bearer[strings.LastIndexByte(bearer, '.')+1:], expired[strings.LastIndexByte(expired, '.')+1:])

	// Credentials that open nothing here may open something elsewhere.
	wrong := "canary-wrong-7766554433"
	cookie, proxy := "canary-cookie-2211009988", "canary-proxy-aabbccddee"
	c.secret = append(c.secret, wrong, cookie, proxy)

	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	config := fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0", token: env:ADMIN}
public_url: %s
journal: {url: "sqlite://%s"}
log: {level: debug}
sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:HUB]}]}
  - {name: messages, provider: bird, auth: [{scheme: bird-signature, secrets: [env:BIRD]}]}
  - {name: contact, provider: commbox, auth: [{scheme: access-token, secrets: [env:TOKEN]}]}
  - {name: campaigns, provider: netcore, auth: [{scheme: basic, users: [env:USER]}]}
  - {name: desk, provider: commbox, auth: [{scheme: bearer, keys: [env:KEY], issuer: "https://login.example.com", audience: hookgate}]}
  - {name: open, provider: sprinklr, auth: [{scheme: none}]}
  - {name: strict, provider: commbox, malformed: reject, rate: 1/h, auth: [{scheme: access-token, secrets: [env:TOKEN]}]}
destinations:
  - {name: file, type: file, path: %s}
  - {name: stdout, type: stdout}
  - {name: redis, type: redis-stream, url: env:REDIS, stream: events}
  - {name: refuses, type: http, url: env:REFUSES, secrets: [env:WHSEC], retry: {attempts: 2, backoff: 10ms}}
  - {name: closed, type: http, url: env:CLOSED, mode: binary, secrets: [env:WHSEC]}
`, edgePublic, filepath.Join(dir, "j.db"), out)
	r := serve(t, config, func(m *Main) { m.Env = c.lookup })

	basic := func(pair string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	const (
		control = "kept-whole-0123456789"
		xml     = `<Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="%d" CreateDate="2024-05-12 08:00:01"/></Event>`
		form    = `data={"panel":[{"channel":"email","event":"open","event_params":{"identity":"%d"}}]}`
	)
	n := 0
	event := func(format string) string { n++; return fmt.Sprintf(format, n) }
	hubOf := func(body string) string { return signature(hub, body) }
	birdOf := func(body string) []string {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		digest := sha256.Sum256([]byte(body))
		mac := hmac.New(sha256.New, []byte(bird))
		mac.Write([]byte(timestamp + "\n" + edgePublic + "/hooks/messages\n"))
		mac.Write(digest[:])
		return []string{"MessageBird-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)), "MessageBird-Request-Timestamp: " + timestamp}
	}
	beside := []string{basic("user:" + wrong), "Cookie: session=" + cookie, "Cookie: other=" + cookie, "Proxy-Authorization: Bearer " + proxy, "X-Control: " + control}
	var rows []struct {
		request string
		status  int
	}
	row := func(status int, path, body string, headers ...string) {
		rows = append(rows, struct {
			request string
			status  int
		}{post(path, body, headers...), status})
	}
	body := caseBody(1, 1)
	row(200, "/hooks/care", body, append(beside, hubOf(body))...)
	row(200, "/hooks/care", body, append(beside, hubOf(body))...) // a duplicate
	row(401, "/hooks/care", body, append(beside, hubOf("x"))...)
	row(401, "/hooks/care", body, "X-Hub-Signature: "+wrong)
	row(200, "/hooks/care", "{", append(beside, hubOf("{"))...) // to quarantine
	row(200, "/hooks/messages", birdBody(1), append(beside, birdOf(birdBody(1))...)...)
	row(401, "/hooks/messages", birdBody(1), "MessageBird-Signature: "+wrong, "MessageBird-Request-Timestamp: "+wrong)
	for _, path := range []string{"/hooks/contact", "/hooks/strict"} {
		row(401, path, event(xml), "Authorization: Bearer "+wrong)
		row(401, path, event(xml), "Authorization: "+access) // the prefix is missing
		row(401, path, event(xml), "Authorization: Bearer  "+access)
		row(401, path, event(xml), "Authorization: Bearer "+access, "Authorization: Bearer "+wrong)
		row(401, path, event(xml), "Authorization: Bearer "+access+"\r\n "+wrong)
		row(401, path, event(xml), "X-A: a", "Cookie: "+access)
	}
	row(200, "/hooks/contact", event(xml), "authorization: Bearer "+access, "Cookie: "+cookie)
	row(200, "/hooks/contact", "<", "AUTHORIZATION: Bearer "+access)
	row(400, "/hooks/strict", "<", "Authorization: Bearer "+access)
	row(429, "/hooks/strict", event(xml), "Authorization: Bearer "+access)
	row(200, "/hooks/campaigns", event(form), basic("smartech:"+password))
	row(200, "/hooks/campaigns", "data=%", basic("smartech:"+password))
	row(401, "/hooks/campaigns", event(form), basic("smartech:"+wrong))
	row(401, "/hooks/campaigns", event(form), basic(password)) // without a colon
	row(401, "/hooks/campaigns", event(form), basic("smartech:"+password)+"!")
	row(401, "/hooks/campaigns", event(form), "Authorization: Basic smartech:"+password)
	row(401, "/hooks/campaigns", event(form), "Authorization: Digest "+password)
	row(200, "/hooks/desk", event(xml), "Authorization: Bearer "+bearer)
	row(401, "/hooks/desk", event(xml), "Authorization: Bearer "+expired)
	row(401, "/hooks/desk", event(xml), "Authorization: Bearer "+bearer+"A")
	row(401, "/hooks/desk", event(xml), "Authorization: Bearer "+strings.Replace(bearer, ".", ".e30", 1))
	row(401, "/hooks/desk", event(xml), "Authorization: Bearer "+wrong)
	row(200, "/hooks/open", caseBody(2, 1), beside...)
	row(200, "http://user:"+wrong+"@hooks.example.com/hooks/open", caseBody(3, 1), beside...)
	row(404, "/hooks/unknown", caseBody(3, 1), beside...)
	row(404, "http://user:"+wrong+"@hooks.example.com/hooks/unknown", "x", beside...)
	row(415, "/hooks/care", body, append(beside, "Content-Encoding: gzip")...)
	for _, x := range rows {
		if resp := r.send(t, x.request); resp.StatusCode != x.status {
			t.Errorf("%d, want %d, to %q", resp.StatusCode, x.status, x.request)
		}
	}
	for _, name := range []string{"redis", "refuses", "closed"} {
		eventually(t, name+" fails", func() (bool, string) {
			_, page := r.ask(t, "/metrics", admin)
			return !strings.Contains(page, `hookgate_delivery_failures_total{destination="`+name+`"} 0`+"\n"), page
		})
	}
	eventually(t, "dead letters, with why", func() (bool, string) {
		_, page := r.ask(t, "/metrics", admin)
		return !strings.Contains(page, `hookgate_dead_letters{destination="refuses"} 0`+"\n"), page
	})
	c.badFiles(t, r, config)

	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/unknown"} {
		for _, token := range []string{"", wrong, admin} {
			_, page := r.ask(t, path, token)
			c.search(t, path, page)
		}
	}
	kept := c.searchFiles(t, "while it runs", dir)
	if code := r.stop(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	eventually(t, "the Redis client has given up dialling, which it looks at once a second", func() (bool, string) {
		stacks := make([]byte, 4<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("tryDial")), ""
	})
	c.searchFiles(t, "after the stop", dir)
	c.search(t, "the log", r.stderr.String())
	c.search(t, "stdout", r.stdout.String())

	// What this search would find if it were there: the other headers and the signature are kept whole, and the events are
	// in both outputs.
	for what, text := range map[string]string{control: kept, strings.TrimPrefix(hubOf(body), "X-Hub-Signature: "): kept, "[secret]": kept, `"code":"unauthenticated"`: r.stderr.String()} {
		if !strings.Contains(text, what) {
			t.Errorf("%s is not where it should be, so the search has proved nothing", what)
		}
	}
	if len(lines(t, out)) == 0 || r.stdout.String() == "" {
		t.Error("nothing was forwarded, so the search has proved nothing")
	}
}

// badFiles gives the program and the check command configurations that are wrong next to a secret.
func (c *canaries) badFiles(t *testing.T, r *running, config string) {
	t.Helper()
	c.add("PLACEHOLDER", "${%s}", "canary-placeholder-10293847")
	c.add("NO_COLON", "%s", "canary-nocolon-56473829")
	c.add("BAD_WHSEC", "%s", "canary-badwhsec-91827364")
	c.add("BAD_KEY", "%s", "canary-badkey-55443322")
	c.add("BAD_PEM", "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----", "canarybadpem11223344")
	c.add("BAD_URL", "redis://gate:%s@ bad:host:1:2/0", "canary-badurl-66778899")
	c.add("BAD_HTTP", "http://gate:%s@10.0.0.1:port/%%zz", "canary-badhttp-12344321")
	c.add("SHORT", "%s", "canary-8")
	literal := "canary-literal-0a1b2c3d"
	c.secret = append(c.secret, literal)
	said := func() int { return strings.Count(r.stderr.String(), "the old one goes on") }
	for name, change := range map[string][2]string{
		"a literal secret":            {"env:HUB", literal},
		"a quoted literal secret":     {"env:HUB", `"` + literal + `"`},
		"a literal user":              {"env:USER", `"smartech:` + literal + `"`},
		"a literal token":             {"token: env:ADMIN", "token: " + literal},
		"a URL with a password":       {"env:REDIS", "redis://gate:" + literal + "@127.0.0.1:1/0"},
		"an http URL with a password": {"env:CLOSED", `"http://gate:` + literal + `@127.0.0.1:1/in"`},
		"an open quote":               {"env:HUB", `"` + literal},
		"an open bracket":             {"[env:HUB]", "[" + literal},
		"a tab":                       {"destinations:\n", "\tx: " + literal + "\ndestinations:\n"},
		"a mapping for a reference":   {"[env:HUB]", "[{" + literal + ": x}]"},
		"an alias":                    {"env:HUB", "*" + literal},
		"a tag":                       {"env:HUB", "!!binary " + literal},
		"a placeholder":               {"env:HUB", "env:PLACEHOLDER"},
		"a user without a colon":      {"env:USER", "env:NO_COLON"},
		"a bad signing secret":        {"env:WHSEC", "env:BAD_WHSEC"},
		"a bad key":                   {"env:KEY", "env:BAD_KEY"},
		"a bad PEM":                   {"env:KEY", "env:BAD_PEM"},
		"a bad URL":                   {"env:REDIS", "env:BAD_URL"},
		"a bad http URL":              {"env:CLOSED", "env:BAD_HTTP"},
		"a short secret":              {"env:HUB", "env:SHORT"},
	} {
		bad := strings.Replace(config, change[0], change[1], 1)
		if bad == config {
			t.Fatalf("%s: nothing was changed", name)
		}
		before := said()
		r.write(t, bad)
		r.hangup <- nil
		eventually(t, name+" is refused", func() (bool, string) { return said() > before, r.stderr.String() })
		var told bytes.Buffer
		m := &Main{Args: []string{"check", "--config", r.file}, Stdout: &told, Stderr: &told, Env: c.lookup, Now: time.Now}
		if code := m.Run(t.Context()); code != exitFailed {
			t.Errorf("%s: check ends with %d:\n%s", name, code, &told)
		}
		c.search(t, "check of "+name, told.String())
	}
	r.write(t, config)
}
