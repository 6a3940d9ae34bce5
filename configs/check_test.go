package configs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/configs"
)

// file is the minimal configuration with one more thing said at each of four places.
type file struct{ top, source, auth, destination string }

func (f file) text() string {
	auth := f.auth
	if auth == "" {
		auth = "{scheme: hub-signature, secrets: [env:SECRET]}"
	}
	return f.top + "\nsources:\n  - name: care\n    provider: sprinklr\n    auth: [" + auth + "]\n" + f.source +
		"\ndestinations:\n  - name: one\n    type: stdout\n" + f.destination + "\n"
}

func top(s string) file         { return file{top: s} }
func source(s string) file      { return file{source: "    " + s} }
func destination(s string) file { return file{destination: "    " + s} }

// broken lists the rules that a text breaks.
func broken(t *testing.T, text string) []string {
	t.Helper()
	_, _, err := parse(t, text)
	var ps configs.Problems
	if err != nil && !errors.As(err, &ps) {
		t.Fatal(err)
	}
	var rules []string
	for _, p := range ps {
		rules = append(rules, p.Rule.String())
	}
	return rules
}

func TestEdgesOfRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file file
		want string // the one rule that is broken; empty for none
	}{
		{top("listen: :8080"), ""},
		{top("listen: '[::1]:8080'"), ""},
		{top("listen: 'gateway.internal:80'"), ""},
		{top("listen: 127.0.0.1"), "listen-address"},
		{top("listen: 127.0.0.1:65536"), "listen-address"},
		{top("listen: 127.0.0.1:-1"), "listen-address"},
		{top("listen: '::1:8080'"), "listen-address"},
		{top("listen: 'a b:80'"), "listen-address"},
		{top("listen: 127.0.0.1:8081"), "admin-listen"},
		{top("listen: 0.0.0.0:8081"), "admin-listen"},
		{top("listen: '[::]:8081'"), "admin-listen"},
		{top("listen: 10.0.0.1:8081"), ""},
		{top("listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}"), ""},

		{top("public_url: https://hooks.example.com"), ""},
		{top("public_url: http://127.0.0.1:8080/prefix/more"), ""},
		{top("public_url: hooks.example.com"), "public-url"},
		{top("public_url: ftp://hooks.example.com"), "public-url"},
		{top("public_url: 'https://'"), "public-url"},
		{top("public_url: https://hooks.example.com/a/"), "public-url"},
		{top("public_url: https://hooks.example.com/a//b"), "public-url"},
		{top("public_url: https://hooks.example.com/a/../b"), "public-url"},
		{top("public_url: https://hooks.example.com?a=b"), "public-url"},
		{top("public_url: https://hooks.example.com?"), "public-url"},
		{top("public_url: https://hooks.example.com#a"), "public-url"},
		{top("public_url: https://u@hooks.example.com"), "public-url"},

		{top("journal: {url: sqlite://x}"), ""},
		{top("journal: {url: 'sqlite://./a b/x.db'}"), ""},
		{top("journal: {url: sqlite:///var/x.db}"), ""},
		{top("journal: {url: 'sqlite://'}"), "journal-url"},
		{top("journal: {url: 'sqlite:///var/'}"), "journal-url"},
		{top("journal: {url: 'sqlite://x#y'}"), "journal-url"},
		{top("journal: {url: postgres://localhost/x}"), "journal-url"},
		{top("journal: {url: env:REDIS}"), ""},
		{top("journal: {url: 'redis+cluster://h:1?addr=i:2', shards: 4, prefix: a, markers: compact, allow_loss: true}"), ""},
		{top("journal: {url: 'redis+cluster://h:1', replicas: 1}"), "journal-redis"},
		{top("journal: {url: env:REDIS, replicas: 1, spill: 'sqlite://s.db'}"), ""},
		{top("journal: {url: env:REDIS, shards: 0}"), "bad-number"},
		{top("journal: {url: env:REDIS, shards: 257}"), "bad-number"},
		{top("journal: {url: env:REDIS, prefix: 'a{b}'}"), "journal-redis"},
		{top("journal: {prefix: a}"), "journal-redis"},
		{top("journal: {spill: sqlite://./hookgate.db}"), "journal-spill"},
		{top("journal: {url: env:REDIS, spill: 'sqlite://s?x'}"), "journal-spill"},
		{top("journal: {url: env:REDIS, spill: 'sqlite://s.db'}\noutbound: {listen: '127.0.0.1:9', store: s.db}"), "outbound-store"},
		{top("journal: {url: 'redis://unlikely'}"), "journal-url"},
		{top("journal: {url: env:SECRET}"), "journal-url"},
		{top("journal: {url: hookgate.db}"), "url-literal"},

		{source("path: /hooks/care.v1/~x"), ""},
		{source("path: /"), "source-path"},
		{source("path: hooks/care"), "source-path"},
		{source("path: /hooks/care/"), "source-path"},
		{source("path: /hooks/../care"), "source-path"},
		{source("path: /hooks/./care"), "source-path"},
		{source("path: /hooks/%63are"), "source-path"},
		{source("path: /hooks/care?x"), "source-path"},
		{source("path: '/hooks/{name}'"), "source-path"},

		{source("event: case.create"), ""},
		{source("event: Object.OnNew"), ""},
		{source("event: .case"), "event-name"},
		{source("event: " + strings.Repeat("a", 65)), "event-name"},
		{source("timezone: UTC"), "timezone-provider"},
		{source("destinations: [one]"), ""},
		{source("malformed: Quarantine"), "not-listed"},
		{source("dedupe: {}"), ""},
		{source("dedupe: {by: attempts}"), "not-listed"},
		{source("dedupe: [window]"), "wrong-type"},
		{source("rate: {per: s}"), "bad-rate"},

		{destination("url: env:REDIS"), ""},
		{destination("allow_private: yes"), "wrong-type"},
		{destination("allow_private: True"), ""},
		{destination("max_len: 0"), ""},
		{destination("max_len: 1_000"), "bad-number"},
		{destination("max_len: 0x10"), "bad-number"},
		{destination("max_len: 9223372036854775807"), ""},
		{destination("max_len: 9223372036854775808"), "bad-number"},
		{destination("match: {source: [care]}"), ""},
		{destination("match: {entitytype: []}"), "empty-value"},
		{destination("retry:"), "null-value"},

		{file{auth: "{scheme: none}"}, ""},
		{file{auth: "none"}, "wrong-type"},
		{file{auth: "{scheme: access-token, prefix: '', secrets: [env:SECRET]}"}, ""},
		{file{auth: "{scheme: access-token, prefix: 7, secrets: [env:SECRET]}"}, "unquoted-text"},
		{file{auth: "{scheme: basic, users: env:SECRET}"}, "wrong-type"},
		{file{auth: "{scheme: basic, users: [{a: b}]}"}, "secret-literal"},
		{file{auth: "{scheme: basic, users: [true]}"}, "secret-literal"},
	} {
		got := broken(t, tt.file.text())
		if want := strings.Fields(tt.want); !slices.Equal(got, want) {
			t.Errorf("%s\nbreaks %v, want %v", tt.file.text(), got, want)
		}
	}
}

func TestDurationsSizesRates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"168h": 168 * time.Hour, "7d": 168 * time.Hour, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, "1.5h": 90 * time.Minute,
		"": 0, "0s": 0, "0d": 0, "-1h": 0, "+1h": 0, "1": 0, "h": 0, "1w": 0, "1 h": 0, "1H": 0, "99999d": 99999 * 24 * time.Hour, "100000d": 0, "1d12h": 0, "2562048h": 0,
	} {
		c, _, err := parse(t, top(fmt.Sprintf("journal: {retention: %q}", text)).text())
		if (err == nil) != (want > 0) || err == nil && c.Journal.Retention != want {
			t.Errorf("the duration %q: %v", text, err)
		}
	}
	for text, want := range map[string]configs.Size{
		"1B": 1, "64KiB": 64 << 10, "1MiB": 1 << 20, "20GiB": 20 << 30, "8191TiB": 8191 << 40,
		"": 0, "0B": 0, "1": 0, "1MB": 0, "1mib": 0, "1.5MiB": 0, "-1B": 0, "8388608TiB": 0, "99999999999999999999B": 0, "1 MiB": 0,
	} {
		c, _, err := parse(t, top(fmt.Sprintf("journal: {max_size: %q}", text)).text())
		if (err == nil) != (want > 0) || err == nil && (c.Journal.MaxSize != want || want.String() != text) {
			t.Errorf("the size %q: %v, %v", text, want, err)
		}
	}
	for text, want := range map[string]configs.Rate{
		"100/s": {Count: 100, Per: time.Second}, "6000/m": {Count: 6000, Per: time.Minute}, "1/h": {Count: 1, Per: time.Hour},
		"": {}, "0/s": {}, "-1/s": {}, "1/d": {}, "1 / s": {}, "1.5/s": {}, "/s": {}, "1/": {}, "1000000000/s": {},
	} {
		c, _, err := parse(t, source(fmt.Sprintf("rate: %q", text)).text())
		if (err == nil) != (want.Count > 0) || err == nil && (c.Sources[0].Rate != want || want.String() != text) {
			t.Errorf("the rate %q: %v", text, err)
		}
	}
}

func TestA01_AdminWithoutTokenStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	for listen, alone := range map[string]bool{
		"127.0.0.1:9": true, "127.8.8.8:9": true, "[::1]:9": true, "localhost:9": true,
		":9": false, "0.0.0.0:9": false, "[::]:9": false, "10.0.0.1:9": false, "gateway:9": false, "localhost.example.com:9": false,
	} {
		if got := broken(t, top("admin: {listen: '"+listen+"'}").text()); slices.Contains(got, "admin-token") == alone || len(got) > 1 {
			t.Errorf("%s without a token breaks %v", listen, got)
		}
		if got := broken(t, top("admin: {listen: '"+listen+"', token: env:SECRET}").text()); len(got) > 0 {
			t.Errorf("%s with a token breaks %v", listen, got)
		}
	}
}

func TestD08_WindowCoversFreshness(t *testing.T) {
	t.Parallel()
	for window, want := range map[string]string{"24h5m": "", "2d": "", "24h4m59s": "window-freshness", "1h": "window-freshness"} {
		f := file{
			top:    "public_url: https://hooks.example.com",
			auth:   "{scheme: hub-signature, secrets: [env:SECRET]}, {scheme: bird-signature, secrets: [env:OTHER]}",
			source: "    dedupe: {window: " + window + "}",
		}
		if got := broken(t, f.text()); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("a window of %s breaks %v", window, got)
		}
	}
}

func TestS02_UnresolvedSecrets(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		canary + "-0123456789abcdef": "",
		"":                           "secret-blank",
		" ":                          "secret-blank",
		"\n\t":                       "secret-blank",
		"KEY":                        "secret-own-name",
		"$KEY":                       "secret-own-name",
		"env:KEY":                    "secret-own-name",
		"${KEY}":                     "secret-placeholder",
		"a${KEY}b":                   "secret-placeholder",
		"${}":                        "secret-placeholder",
		"$0123456789{abcdef}":        "",
	} {
		env := environment(map[string]string{"KEY": value})
		_, _, err := configs.Parse("x.yaml", []byte(file{auth: "{scheme: hub-signature, secrets: [env:KEY]}"}.text()), env, rules())
		var ps configs.Problems
		errors.As(err, &ps)
		if (want == "") != (err == nil) || want != "" && (len(ps) != 1 || ps[0].Rule.String() != want) {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}

// A file that is deep or long is answered quickly, since a reload waits for it.
func TestHostileFilesEndSoon(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for name, text := range map[string]string{
		"brackets": strings.Repeat("[", n),
		"braces":   strings.Repeat("{a: ", n),
		"dashes":   strings.Repeat("- ", n),
		"marks":    strings.Repeat("? ", n),
		"mixed":    strings.Repeat("- ? ", n),
	} {
		began := time.Now()
		if got := broken(t, text); !slices.Equal(got, []string{"yaml-depth"}) {
			t.Errorf("%s: %v", name, got)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// Problems of both kinds of rules come in the order of the file, whatever found them.
func TestEveryProblemAtOnceInOrder(t *testing.T) {
	t.Parallel()
	got := broken(t, `
listen: nowhere
journal: {retention: soon}
sources:
  - name: care
    provider: sprinkler
    auth: [{scheme: hub-signature, secrets: [env:NOT_SET]}]
    colour: blue
  - name: care
    provider: bird
    auth: [{scheme: bird-signature, secrets: [env:SECRET]}]
    destinations: [two]
destinations:
  - {name: one, type: stdout, timeout: 0s}
`)
	want := []string{
		"listen-address", "bad-duration", "not-listed", "secret-unset", "unknown-key", "duplicate-source", "auth-settings",
		"source-destination", "bad-duration",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestMailPasswordIsEncrypted: what the mailer would refuse at the start is refused with its line.
func TestMailPasswordIsEncrypted(t *testing.T) {
	t.Parallel()
	for tls, broke := range map[string]bool{"": false, ", tls: mandatory": false, ", tls: none": true} {
		text := top("outbound: {listen: '127.0.0.1:9', mail: {server: 'mail:25', from: a@example.com, user: robin, password: env:SECRET" + tls + "}}").text()
		if got := broken(t, text); slices.Contains(got, "outbound-mail") != broke {
			t.Errorf("%q breaks %v", tls, got)
		}
	}
}
