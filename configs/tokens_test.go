package configs_test

import (
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

// issuing is a configuration with a token endpoint, and one more thing said at each of four places.
func issuing(top, tokens, client, source string) string {
	return top + "\ntokens:\n  keys: [env:TOKEN_KEY]\n" + tokens + "  clients:\n    - id: sprinklr\n      secrets: [env:SECRET]\n      grants: [client_credentials]\n      sources: [care]\n" + client +
		"sources:\n  - name: care\n    provider: sprinklr\n    auth: [{scheme: bearer, issued: true}]\n" + source +
		"destinations:\n  - {name: one, type: stdout}\n"
}

const public = "public_url: https://hooks.example.com"

func TestTokens_EverySettingArrives(t *testing.T) {
	t.Parallel()
	c := mustParse(t, issuing(public, "  path: /t/token\n  lifetime: 30m\n",
		"      scopes: [hooks, more]\n      rate: 5/h\n      revoked_before: 2026-11-22T07:00:00Z\n", ""))
	got := c.Tokens
	client := got.Clients[0]
	if got.Path != "/t/token" || got.Issuer != "https://hooks.example.com" || got.Lifetime != 30*time.Minute || len(got.Keys) != 1 ||
		client.ID != "sprinklr" || client.Secrets[0].Ref() != "env:SECRET" || !slices.Equal(client.Grants, []string{"client_credentials"}) ||
		!slices.Equal(client.Sources, []string{"care"}) || !slices.Equal(client.Scopes, []string{"hooks", "more"}) ||
		client.Rate != (hookgate.Rate{Count: 5, Per: time.Hour}) || client.RevokedBefore != "2026-11-22T07:00:00Z" {
		t.Errorf("%+v", got)
	}
	auth := c.Sources[0].Auth[0]
	if auth.Tokens != &c.Tokens || auth.Source != "care" {
		t.Errorf("the source's entry has %v and %q", auth.Tokens, auth.Source)
	}
}

func TestTokens_Defaults(t *testing.T) {
	t.Parallel()
	c := mustParse(t, issuing(public, "  issuer: somebody\n", "", ""))
	if got := c.Tokens; got.Path != "/oauth/token" || got.Issuer != "somebody" || got.Lifetime != time.Hour || got.Clients[0].Rate != (configs.Rate{Count: 60, Per: time.Minute}) {
		t.Errorf("%+v", got)
	}
}

func TestTokens_EdgesOfRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                        string
		top, tokens, client, source string
		want                        string // the one rule that is broken or warned of; empty for none
	}{
		{"plain", public, "", "", "", ""},
		{"an issuer of its own", "", "  issuer: x\n", "", "", ""},
		{"no issuer", "", "", "", "", "token-issuer"},
		{"the shortest lifetime", public, "  lifetime: 2m\n", "", "", ""},
		{"a shorter one", public, "  lifetime: 119s\n", "", "", "token-lifetime"},
		{"the longest lifetime", public, "  lifetime: 1d\n", "", "", ""},
		{"a longer one", public, "  lifetime: 24h1s\n", "", "", "token-lifetime"},
		{"a path at the top", public, "  path: /token\n", "", "", ""},
		{"a path with a slash at its end", public, "  path: /oauth/\n", "", "", "token-path"},
		{"a path that is not plain", public, "  path: /oauth//token\n", "", "", "token-path"},
		{"the key set's path", public, "  path: /oauth/jwks\n", "", "", "token-path"},
		{"the default path of a source", public, "  path: /hooks/care\n", "", "", "token-path"},
		{"the key set at a source", public, "", "", "    path: /oauth/jwks\n", "token-path"},
		{"beside the sources", public, "  path: /hooks/token\n", "", "", ""},
		{"a time", public, "", "      revoked_before: '2026-11-22T07:00:00.5+02:00'\n", "", ""},
		{"a time without its zone", public, "", "      revoked_before: '2026-11-22T07:00:00'\n", "", "token-revoked"},
		{"scopes of every character", public, "", "      scopes: ['!#$%&()*+,-./:;<=>?@[]^_`{|}~', a]\n", "", ""},
		{"a scope with a quote", public, "", "      scopes: ['a\"b']\n", "", "token-scope"},
		{"a scope with a backslash", public, "", "      scopes: ['a\\b']\n", "", "token-scope"},
		{"a long scope", public, "", "      scopes: [" + strings.Repeat("a", 129) + "]\n", "", "token-scope"},
		{"a scope twice", public, "", "      scopes: [a, a]\n", "", "repeated-item"},
		{"no rate", public, "", "      rate: 0/m\n", "", "bad-rate"},
		{"users without their grant", public, "", "      users: [env:USER]\n", "", "token-users"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := issuing(tt.top, tt.tokens, tt.client, tt.source)
			got := broken(t, text)
			_, warnings, _ := parse(t, text)
			for _, w := range warnings {
				got = append(got, w.Rule.String())
			}
			if !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("%s\nbreaks %v, want %v", text, got, tt.want)
			}
		})
	}
}

// TestTokens_NeededKeys: each of them is asked for by its name.
func TestTokens_NeededKeys(t *testing.T) {
	t.Parallel()
	text := issuing(public, "", "", "")
	for key, line := range map[string]string{
		"keys": "  keys: [env:TOKEN_KEY]\n", "id": "id: sprinklr\n      ", "secrets": "      secrets: [env:SECRET]\n",
		"grants": "      grants: [client_credentials]\n", "sources": "      sources: [care]\n",
		"clients": "  clients:\n    - id: sprinklr\n      secrets: [env:SECRET]\n      grants: [client_credentials]\n      sources: [care]\n",
	} {
		without := strings.Replace(text, line, "", 1)
		if without == text {
			t.Fatalf("%q is not there", line)
		}
		_, _, err := parse(t, without)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the key %q is missing", key)) {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

// TestAPublicKeyMayLieOpen, also with an end.
func TestAPublicKeyMayLieOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("-----BEGIN PUBLIC KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	for entry, want := range map[string]int{
		"siq-signature, keys: [file:key.pem]":                                              0,
		`siq-signature, keys: [{ref: file:key.pem, not_after: "2026-12-31T00:00:00Z"}]`:    0,
		`hub-signature, secrets: [{ref: file:key.pem, not_after: "2026-12-31T00:00:00Z"}]`: 1,
	} {
		text := "sources:\n  - {name: chat, provider: salesiq, auth: [{scheme: " + entry + "}]}\ndestinations: [{name: one, type: stdout}]\n"
		_, warnings, err := configs.Parse(filepath.Join(dir, "hookgate.yaml"), []byte(text), environment(variables()), rules())
		if err != nil || len(warnings) != want || want == 1 && warnings[0].Rule != configs.SecretFileOpen {
			t.Errorf("%s: %v, %v", entry, warnings, err)
		}
	}
}

// TestTokens_AKeyFileIsSecret: keys of senders are public and may lie open, those of the token endpoint may not.
func TestTokens_AKeyFileIsSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, []byte("-----BEGIN PRIVATE KEY-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := []byte(strings.Replace(issuing(public, "", "", ""), "env:TOKEN_KEY", "file:key.pem", 1))
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := configs.Parse(filepath.Join(dir, "hookgate.yaml"), text, environment(variables()), rules())
		if err != nil || len(warnings) != want || want == 1 && warnings[0].Rule != configs.SecretFileOpen {
			t.Errorf("%o: %v, %v", mode, warnings, err)
		}
	}
}
