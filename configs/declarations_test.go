package configs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// What is shipped is read by the loader that reads a user's declarations, and is called as its file.
func TestShippedDeclarations(t *testing.T) {
	t.Parallel()
	if want := []string{"github", "shopify", "slack", "stripe"}; !slices.Equal(configs.Shipped(), want) {
		t.Errorf("shipped are %v", configs.Shipped())
	}
	for _, name := range configs.Shipped() {
		d, err := configs.Declared(name, rules())
		if err != nil {
			t.Fatalf("%s:\n%v", name, err)
		}
		if d.Name != name || d.Header == "" {
			t.Errorf("%s declares %q", name, d.Name)
		}
		for i, v := range d.Vectors {
			if v.From == "" {
				t.Errorf("%s: vector %d does not say where it is from", name, i)
			}
		}
	}
	d, err := configs.Declared("gitlab", rules())
	if d != nil || err == nil || !strings.Contains(err.Error(), "no shipped declaration") {
		t.Errorf("gitlab: %v, %v", d, err)
	}
}

const declares = `declarations:
  - name: mine
    header: X-Sum
    timestamp: {header: X-Time, tolerance: 1h}
    read: {event: [type], window: 24h}
    vectors:
      - {verifies: true, secret: made-up, headers: ["X-Sum: 00"]}
      - {secret: made-up}
`

// Sources find what they name, above them in the file or shipped, and a declared provider has its declared window.
func TestSourcesOfDeclarations(t *testing.T) {
	t.Parallel()
	c, warnings, err := parse(t, declares+`sources:
  - {name: a, provider: mine, auth: [{scheme: hmac, declaration: mine, secrets: [env:SECRET]}]}
  - {name: b, provider: shopify, auth: [{scheme: hmac, declaration: shopify, secrets: [env:SECRET]}]}
  - {name: c, provider: github, auth: [{scheme: hub-signature, secrets: [env:SECRET]}]}
  - {name: d, provider: sprinklr, auth: [{scheme: hmac, declaration: slack, secrets: [env:SECRET]}]}
destinations:
  - {name: events, type: stdout, match: {provider: [mine, shopify, sprinklr]}}
`)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	name := func(d *hookgate.Declaration) string {
		if d == nil {
			return ""
		}
		return d.Name
	}
	for i, want := range []struct {
		reads, signs string
		window       time.Duration
	}{{"mine", "mine", 24 * time.Hour}, {"shopify", "shopify", 48 * time.Hour}, {"github", "", 168 * time.Hour}, {"", "slack", 168 * time.Hour}} {
		s := c.Sources[i]
		if name(s.Declared) != want.reads || name(s.Auth[0].Declared) != want.signs || s.Dedupe.Window != want.window {
			t.Errorf("%s reads as %q, is verified as %q and is remembered for %s, want %+v", s.Name, name(s.Declared), name(s.Auth[0].Declared), s.Dedupe.Window, want)
		}
	}
	if d := c.Sources[0].Declared; d.Encoding != "hex" || d.Signed != "{body}" || d.Timestamp.Unit != "s" || d.Vectors[1].Method != "POST" {
		t.Errorf("the defaults are not filled in: %+v", d)
	}
}

// A source must remember its events for as long as a declaration takes a signed time for fresh.
func TestD08_DeclaredWindow(t *testing.T) {
	t.Parallel()
	r := rules()
	r.Freshness = func(a hookgate.AuthSettings) time.Duration {
		if a.Declared == nil {
			return 0
		}
		return 2 * a.Declared.Timestamp.Tolerance
	}
	source := "sources:\n  - {name: a, provider: mine, auth: [{scheme: hmac, declaration: mine, secrets: [env:SECRET]}], dedupe: {window: %}}\ndestinations: [{name: e, type: stdout}]\n"
	for window, ok := range map[string]bool{"2h": true, "119m": false} {
		_, _, err := configs.Parse("x.yaml", []byte(declares+strings.Replace(source, "%", window, 1)), environment(variables()), r)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "window is 1h59m, but hmac accepts a signed time for 2h") {
			t.Errorf("%s: %v", window, err)
		}
	}
}

// What is wrong with a declaration is said once, and its sources are not blamed for it.
func TestBrokenDeclarationIsReportedOnce(t *testing.T) {
	t.Parallel()
	_, _, err := parse(t, declares[:strings.Index(declares, "    vectors")]+`    vectors: [{secret: made-up}]
sources:
  - {name: a, provider: mine, timezone: UTC, auth: [{scheme: hmac, declaration: mine, secrets: [env:SECRET]}]}
destinations: [{name: e, type: stdout}]
`)
	if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "declarations[0].vectors") {
		t.Errorf("%v", err)
	}
}
