package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// TestReloadTakesAllOrNothing: whatever part of a new configuration cannot be taken over, all parts are as they were.
func TestReloadTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ours := newAuthority(t, "ours").server(t)
	put(t, in("cert.pem"), ours.pem)
	put(t, in("key.pem"), ours.key(t, nil))
	newSigningKey(t, in("first.pem"))
	newSigningKey(t, in("second.pem"))
	put(t, in("hookgate.yaml"), []byte(scenario(in("journal.db"), fileAt(in("out")))+`
tls: {certificate: "file:cert.pem", key: "file:key.pem"}
signing: {keys: ["file:first.pem"]}
proxies: {trusted: [192.0.2.1]}
`))
	first, _, err := configs.Load(in("hookgate.yaml"), scenarioEnv, rules())
	if err != nil {
		t.Fatal(err)
	}
	secondKey, err := os.ReadFile(in("second.pem"))
	if err != nil {
		t.Fatal(err)
	}
	log, buffer := newLogger(io.Discard, first.Log, time.Now)
	defer buffer.Close()
	p, err := start(&Main{Env: scenarioEnv, Now: time.Now}, first, log, buffer, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	keys, settings, proxies := p.targets.signing.keySet(), p.handshakes.current.Load(), p.clients
	// second changes everything that can change.
	second := func() *configs.Config {
		c := *first
		c.Signing.Keys = []hookgate.Secret{hookgate.NewSecret(secondKey, "file:second.pem")}
		c.Proxies.Trusted = []string{"192.0.2.2"}
		added := first.Sources[0]
		added.Name, added.Path = "added", "/hooks/added"
		c.Sources = append(slices.Clone(first.Sources), added)
		c.Destinations = []hookgate.DestinationSettings{{Name: "added", Type: "file", Path: in("added")}}
		return &c
	}
	reload := func(c *configs.Config) {
		p.reload(func() (*configs.Config, configs.Problems, error) { return c, nil, nil })
	}
	for name, spoil := range map[string]func(*configs.Config){
		"source": func(c *configs.Config) {
			c.Sources[len(c.Sources)-1].Auth = []hookgate.AuthSettings{{Scheme: "none-such"}}
		},
		"proxies":     func(c *configs.Config) { c.Proxies.Trusted = []string{"nowhere"} },
		"certificate": func(c *configs.Config) { c.TLS.Key = hookgate.NewSecret([]byte("no key"), "file:key.pem") },
		"signing": func(c *configs.Config) {
			c.Signing.Keys = []hookgate.Secret{hookgate.NewSecret([]byte("no key"), "file:k")}
		},
		"tokens":      func(c *configs.Config) { c.Tokens.Clients = []hookgate.TokenClient{{ID: "client"}} },
		"destination": func(c *configs.Config) { c.Destinations[0].Path = in("missing/added") },
	} {
		c := second()
		spoil(c)
		reload(c)
		if p.loaded.Load() != first {
			t.Errorf("%s: it is taken over", name)
		}
		if !bytes.Equal(p.targets.signing.keySet(), keys) {
			t.Errorf("%s: the signing keys are the new ones", name)
		}
		if p.handshakes.current.Load() != settings {
			t.Errorf("%s: TLS has changed", name)
		}
		if p.targets.has("added") || !p.targets.has("events") {
			t.Errorf("%s: the destinations have changed", name)
		}
		if _, ok := p.gateway.Source("/hooks/added"); ok || len(*p.failures.entries.Load()) != len(first.Sources) {
			t.Errorf("%s: the sources have changed", name)
		}
		if !proxies.Trusts(netip.MustParseAddr("192.0.2.1")) || proxies.Trusts(netip.MustParseAddr("192.0.2.2")) {
			t.Errorf("%s: the proxies have changed", name)
		}
	}
	reload(second())
	_, ok := p.gateway.Source("/hooks/added")
	if !ok || bytes.Equal(p.targets.signing.keySet(), keys) || !p.targets.has("added") || !proxies.Trusts(netip.MustParseAddr("192.0.2.2")) {
		t.Error("the good one is not taken over")
	}
}
