package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// canary is part of every secret that the tests hand out, so that an output can be searched for it.
const canary = "c4n4ry"

// names are the real ones; cmd tests that they are those of the registries.
var names = configs.Rules{
	Providers:        []string{"bird", "commbox", "netcore", "salesiq", "sprinklr"},
	Schemes:          []string{"access-token", "basic", "bearer", "bird-signature", "client-certificate", "hmac", "hub-signature", "none", "siq-signature", "standard-webhooks"},
	DestinationTypes: []string{"file", "http", "kafka", "nats", "rabbitmq", "redis-stream", "stdout"},
}

// rules judge as the folders beside this one do, in little.
func rules() configs.Rules {
	r := names
	r.Window = func(provider string) time.Duration {
		return map[string]time.Duration{
			"sprinklr": 168 * time.Hour, "salesiq": 168 * time.Hour, "commbox": 30 * time.Minute,
			"netcore": time.Hour, "bird": 48 * time.Hour,
		}[provider]
	}
	r.Freshness = func(a hookgate.AuthSettings) time.Duration {
		if a.Scheme == "bird-signature" {
			return 24*time.Hour + 5*time.Minute
		}
		return 0
	}
	r.Timezone = func(provider string) string {
		if provider == "netcore" {
			return "Asia/Kolkata"
		}
		return ""
	}
	r.Auth = judgeAuth
	r.Signing = func(keys []hookgate.Secret) error {
		if strings.HasPrefix(string(keys[0].Reveal()), "-----BEGIN PRIVATE KEY-----") {
			return nil
		}
		return hookgate.Problems{{Field: "keys[0]", Message: "this is no private Ed25519 key in PEM", Hint: "make one with: openssl genpkey -algorithm ed25519"}}
	}
	r.Declaration = func(d hookgate.Declaration) error {
		var ps hookgate.Problems
		if len(d.Vectors) < 2 {
			ps.Add("vectors", "add one", "there are too few vectors")
		}
		for i, v := range d.Vectors {
			if v.Verifies && len(v.Headers) == 0 {
				ps.Add(fmt.Sprintf("vectors[%d]", i), "it does with encoding: base64", "it must verify and does not: header_missing: no X-Sum header")
			}
		}
		return ps.Err()
	}
	r.Tokens = func(s hookgate.TokenSettings) error {
		var ps hookgate.Problems
		for i, k := range s.Keys {
			if !strings.HasPrefix(string(k.Reveal()), "-----BEGIN PRIVATE KEY-----") {
				ps.Add(fmt.Sprintf("keys[%d]", i), "save the key as PEM", "is not a private key")
			}
		}
		return ps.Err()
	}
	r.Journal = func(url string) error {
		if strings.HasSuffix(url, "unlikely") {
			return hookgate.Problem{Field: "url", Message: "is refused"}
		}
		return nil
	}
	r.AuthWarnings = func(a hookgate.AuthSettings) []hookgate.Problem {
		if len(a.Secrets) == 1 && len(a.Secrets[0].Reveal()) < 12 {
			return []hookgate.Problem{{Field: "secrets[0]", Message: "is short", Hint: "ask for a longer one"}}
		}
		return nil
	}
	r.Destination = func(d hookgate.DestinationSettings) error {
		var ps hookgate.Problems
		if d.Type == "http" && !strings.HasPrefix(string(d.URL.Reveal()), "http") {
			ps.Add("url", "write https://host/path", "http needs a URL")
		}
		for _, m := range d.Match.Type {
			if strings.Contains(m, "[") {
				ps.Add("match.type[0]", "use * alone", "is not a glob")
			}
		}
		if d.Type == "stdout" && d.Retry.Attempts == 99 {
			return errors.New("an error of another type")
		}
		return ps.Err()
	}
	r.DestinationWarnings = func(d hookgate.DestinationSettings) []hookgate.Problem {
		if d.Type == "http" && strings.HasPrefix(d.URL.Ref(), "http://") {
			return []hookgate.Problem{{Field: "url", Message: "is not encrypted", Hint: "write https://"}}
		}
		return nil
	}
	return r
}

func judgeAuth(a hookgate.AuthSettings) error {
	var ps hookgate.Problems
	for i, k := range a.Keys {
		if !strings.HasPrefix(string(k.Reveal()), "-----BEGIN PUBLIC KEY-----") {
			ps.Add([]string{"keys[0]", "keys[1]"}[i], "save the key as PEM", "is not a public key")
		}
	}
	if a.Scheme == "hub-signature" && len(a.Secrets) == 0 {
		ps.Add("secrets", "", "hub-signature needs secrets")
	}
	if a.Scheme == "bird-signature" && a.PublicURL == "" {
		ps.Add("", "write public_url at the top", "bird-signature needs public_url")
	}
	return ps.Err()
}

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// variables is what every test file may refer to.
func variables() map[string]string {
	return map[string]string{
		"SECRET":                canary + "-0123456789abcdef",
		"OTHER":                 canary + "-fedcba9876543210",
		"SHORT":                 canary,
		"EMPTY":                 "",
		"BLANK":                 " \t",
		"SELF":                  "SELF",
		"UNFILLED":              "${" + canary + "}",
		"SPACED":                canary + "-0123456789abcdef ",
		"REDIS":                 "redis://:" + canary + "@127.0.0.1/0",
		"HOOKGATE_ADMIN_TOKEN":  canary + "-0123456789abcdef",
		"SPRINKLR_PSK":          canary + "-0123456789abcdef",
		"COMMBOX_TOKEN":         canary + "-0123456789abcdef",
		"NETCORE_USER":          "hook:" + canary + "-0123456789abcdef",
		"BIRD_SIGNING_KEY":      canary + "-0123456789abcdef",
		"BIRD_SIGNING_KEY_NEXT": canary + "-0123456789abcdef",
		"REDIS_URL":             "rediss://:" + canary + "@redis.example.com:6379/0",
		"CRM_WEBHOOK_SECRET":    "whsec_" + canary,
		"SMTP_PASSWORD":         canary,
		"TOKEN_KEY":             "-----BEGIN PRIVATE KEY-----\n" + canary,
		"USER":                  "robin:" + canary + "-0123456789abcdef",
		"SHORT_USER":            "robin:" + canary,
		"ESCAPED":               canary + "+0123456789/abcdef==",

		"HOOKGATE_OUTBOUND_TOKEN": canary + "-0123456789abcdef",
	}
}

func parse(t *testing.T, text string) (*configs.Config, configs.Problems, error) {
	t.Helper()
	return configs.Parse("hookgate.yaml", []byte(text), environment(variables()), rules())
}

func mustParse(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, _, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const minimal = `sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SECRET]}]}
destinations:
  - {name: one, type: stdout}
  - {name: two, type: stdout}
`

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := mustParse(t, minimal)
	s, d := c.Sources[0], c.Destinations[0]
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"listen", c.Listen, "127.0.0.1:8080"},
		{"admin.listen", c.Admin.Listen, "127.0.0.1:8081"},
		{"journal.url", string(c.Journal.URL.Reveal()), "sqlite://hookgate.db"},
		{"journal path", c.Journal.Path(), "hookgate.db"},
		{"journal.retention", c.Journal.Retention, 168 * time.Hour},
		{"journal.max_size", c.Journal.MaxSize, configs.Size(0)},
		{"journal.min_free", c.Journal.MinFree, configs.Size(256 << 20)},
		{"limits.strangers", c.Limits.Strangers, configs.Rate{Count: 120, Per: time.Minute}},
		{"limits.in_flight", c.Limits.InFlight, 4096},
		{"limits.connections", c.Limits.Connections, 16384},
		{"limits.per_address", c.Limits.PerAddress, 1024},
		{"proxies.header", c.Proxies.Header, "X-Forwarded-For"},
		{"gzip", s.Gzip, false},
		{"log", c.Log, configs.Log{Level: "info"}},
		{"path", s.Path, "/hooks/care"},
		{"window", s.Dedupe.Window, 168 * time.Hour},
		{"by", s.Dedupe.By, "event"},
		{"malformed", s.Malformed, "quarantine"},
		{"max_body", s.MaxBody, configs.Size(1 << 20)},
		{"rate", s.Rate, configs.Rate{}},
		{"timezone", s.Timezone, ""},
		{"destinations", strings.Join(s.Destinations, " "), "one two"},
		{"scheme's own defaults", s.Auth[0].Encoding, ""},
		{"prefix", s.Auth[0].Prefix == nil, true},
		{"mode", d.Mode, "structured"},
		{"timeout", d.Timeout, 15 * time.Second},
		{"destination window", d.Window, 1024},
		{"retry", d.Retry, hookgate.RetrySettings{Attempts: 12, Backoff: time.Second, MaxBackoff: 5 * time.Minute}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestEverySettingArrives(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
listen: 127.0.0.1:0
public_url: https://hooks.example.com/in
admin: {listen: "[::]:9", token: env:SECRET}
journal: {url: sqlite:///var/lib/x.db, retention: 1h30m, max_size: 3GiB, min_free: 64KiB}
limits: {strangers: 5/s, in_flight: 7, connections: 8, per_address: 9}
proxies: {trusted: [10.0.0.0/8, '2001:db8::1'], header: Forwarded}
log: {level: warn}
sources:
  - name: campaigns
    provider: netcore
    path: /in/netcore.v1
    auth:
      - {scheme: access-token, prefix: "", secrets: [env:SECRET, env:OTHER]}
      - {scheme: bearer, keys: [file:examples/keys/issuer.pem], issuer: i, audience: a}
      - {scheme: basic, users: [env:OTHER, {ref: env:SECRET, not_after: "2026-12-31T00:00:00+01:00"}]}
      - {scheme: hub-signature, secrets: [env:OTHER], encoding: HEX}
    dedupe: {window: 7d, by: attempt}
    destinations: [two]
    timezone: Europe/London
    event: delivery.Report
    malformed: reject
    max_body: 2MiB
    rate: 6000/m
    allow: [192.0.2.7, 198.51.100.0/24]
    gzip: true
destinations:
  - name: one
    type: http
    url: https://127.0.0.1/x?token=abc
    mode: binary
    secrets: [env:OTHER]
    allow_private: true
    timeout: 250ms
    window: 3
    match: {provider: [bird], source: [campaigns], type: ["a.*"], entitytype: [case]}
    retry: {attempts: 1, backoff: 1s, max_backoff: 2s}
  - {name: two, type: redis-stream, url: env:REDIS, stream: s, max_len: 10}
`)
	s, d := c.Sources[0], c.Destinations[0]
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"listen", c.Listen, "127.0.0.1:0"},
		{"admin", c.Admin.Listen + " " + string(c.Admin.Token.Reveal()), "[::]:9 " + variables()["SECRET"]},
		{"journal path", c.Journal.Path(), "/var/lib/x.db"},
		{"retention", c.Journal.Retention, 90 * time.Minute},
		{"sizes", [2]configs.Size{c.Journal.MaxSize, c.Journal.MinFree}, [2]configs.Size{3 << 30, 64 << 10}},
		{"limits", c.Limits, configs.Limits{Strangers: configs.Rate{Count: 5, Per: time.Second}, InFlight: 7, Connections: 8, PerAddress: 9}},
		{"proxies", strings.Join(c.Proxies.Trusted, " ") + " " + c.Proxies.Header, "10.0.0.0/8 2001:db8::1 Forwarded"},
		{"log", c.Log, configs.Log{Level: "warn"}},
		{"path", s.Path, "/in/netcore.v1"},
		{"empty prefix", *s.Auth[0].Prefix, ""},
		{"secrets", string(s.Auth[0].Secrets[1].Reveal()) + s.Auth[0].Secrets[1].Ref(), variables()["OTHER"] + "env:OTHER"},
		{"key", strings.HasSuffix(string(s.Auth[1].Keys[0].Reveal()), "-----END PUBLIC KEY-----"), true},
		{"claims", s.Auth[1].Issuer + s.Auth[1].Audience, "ia"},
		{"users", s.Auth[2].Users[0].Ref(), "env:OTHER"},
		{"end of a secret", s.Auth[2].Users[1].NotAfter().UTC().Format(time.RFC3339) + s.Auth[2].Users[1].Ref(), "2026-12-30T23:00:00Zenv:SECRET"},
		{"a secret without end", s.Auth[2].Users[0].NotAfter().IsZero(), true},
		{"encoding", s.Auth[3].Encoding, "HEX"},
		{"public url", s.Auth[3].PublicURL, "https://hooks.example.com/in"},
		{"dedupe", s.Dedupe, configs.Dedupe{Window: 168 * time.Hour, By: "attempt"}},
		{"destinations", strings.Join(s.Destinations, " "), "two"},
		{"timezone", s.Timezone, "Europe/London"},
		{"event", s.Event, "delivery.Report"},
		{"malformed", s.Malformed, "reject"},
		{"max_body", s.MaxBody, configs.Size(2 << 20)},
		{"allow", strings.Join(s.Allow, " "), "192.0.2.7 198.51.100.0/24"},
		{"gzip", s.Gzip, true},
		{"rate", s.Rate, configs.Rate{Count: 6000, Per: time.Minute}},
		{"url", string(d.URL.Reveal()), "https://127.0.0.1/x?token=abc"},
		{"url's reference", d.URL.Ref(), "https://127.0.0.1/x"},
		{"mode", d.Mode, "binary"},
		{"allow_private", d.AllowPrivate, true},
		{"timeout", d.Timeout, 250 * time.Millisecond},
		{"window", d.Window, 3},
		{"match", strings.Join(slices.Concat(d.Match.Provider, d.Match.Source, d.Match.Type, d.Match.EntityType), " "), "bird campaigns a.* case"},
		{"retry", d.Retry, hookgate.RetrySettings{Attempts: 1, Backoff: time.Second, MaxBackoff: 2 * time.Second}},
		{"stream", c.Destinations[1].Stream, "s"},
		{"max_len", c.Destinations[1].MaxLen, int64(10)},
		{"referred url", string(c.Destinations[1].URL.Reveal()), variables()["REDIS"]},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hookgate.yaml", strings.ReplaceAll(minimal, "env:SECRET", "file:psk"))
	for content, want := range map[string]string{
		"0123456789abcdef":          "0123456789abcdef",
		"0123456789abcdef\n":        "0123456789abcdef",
		"0123456789abcdef\r\n":      "0123456789abcdef",
		"0123456789abcdef\n\n":      "0123456789abcdef\n",
		strings.Repeat("x", 64<<10): strings.Repeat("x", 64<<10),
	} {
		write("psk", content)
		c, _, err := configs.Load(filepath.Join(dir, "hookgate.yaml"), environment(nil), rules())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.Sources[0].Auth[0].Secrets[0].Reveal()); got != want {
			t.Errorf("%.20q is read as %.20q", content, got)
		}
	}
}

func TestLoadWithoutFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#", 2<<20+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "no.yaml"), "folder": dir, "large": large} {
		if c, _, err := configs.Load(path, environment(nil), rules()); err == nil || c != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

func TestLineEndsAndMarks(t *testing.T) {
	t.Parallel()
	text := "# c\n" + minimal + "wrong: 1 # c\n"
	for name, variant := range map[string]string{
		"LF":   text,
		"CRLF": strings.ReplaceAll(text, "\n", "\r\n"),
		"BOM":  "\ufeff" + text,
		"---":  "---\n" + text[strings.IndexByte(text, '\n')+1:] + "...\n",
	} {
		_, _, err := parse(t, variant)
		var ps configs.Problems
		if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Line != 7 || ps[0].Column != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRulesMayKnowNothing(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(minimal, "auth:", "dedupe: {window: 1h}, auth:")
	c, _, err := configs.Parse("x.yaml", []byte(text), environment(variables()), configs.Rules{})
	if err != nil || c.Sources[0].Dedupe.Window != time.Hour {
		t.Error(c, err)
	}
}

// The scanner cuts env:NAME in two inside braces. Here every way to write a reference must lead to the same secret.
func TestReferencesInEveryStyle(t *testing.T) {
	t.Parallel()
	const head, tail = "sources:\n  - name: care\n    provider: sprinklr\n    auth:\n", "destinations: [{name: one, type: stdout}]\n"
	for _, auth := range []string{
		"      - {scheme: hub-signature, secrets: [env:SECRET, env:OTHER]}\n",
		"      - {scheme: hub-signature, secrets: [ env:SECRET ,env:OTHER ]}\n",
		"      - {scheme: hub-signature, secrets: ['env:SECRET', \"env:OTHER\"]}\n",
		"      - {scheme: hub-signature, secrets: [\n          env:SECRET,\n          env:OTHER]}\n",
		"      - scheme: hub-signature\n        secrets: [env:SECRET, env:OTHER]\n",
		"      - scheme: hub-signature\n        secrets:\n          - env:SECRET\n          - env:OTHER\n",
		"      [{scheme: hub-signature, secrets: [env:SECRET, env:OTHER]}]\n",
	} {
		c := mustParse(t, head+auth+tail)
		got := c.Sources[0].Auth[0].Secrets
		if len(got) != 2 || got[0].Ref() != "env:SECRET" || got[1].Ref() != "env:OTHER" {
			t.Errorf("%s is read as %d references", auth, len(got))
		}
	}
	for _, ref := range []string{"env:true", "env:null", "file:12", "file:a:b", "file:a b:c"} {
		_, _, err := parse(t, head+"      - {scheme: hub-signature, secrets: ["+ref+"]}\n"+tail)
		var ps configs.Problems
		if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Rule != configs.SecretUnset && ps[0].Rule != configs.SecretFile {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
