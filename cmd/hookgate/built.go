package main

import (
	"crypto/tls"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/issuer"
	"github.com/hookgate/hookgate/middleware"
)

// built is what a configuration comes to, destinations excepted, which have to be started. To make it begins and changes
// nothing, and to take it over cannot fail.
type built struct {
	config  *configs.Config
	sources []*hookgate.Source
	tokens  issuer.Signer // nil where there is no token endpoint
	proxies middleware.Proxies
	tls     *tls.Config // nil where the hooks listener speaks no TLS
}

func (p *program) build(c *configs.Config) (b built, err error) {
	b.config = c
	if b.sources, err = buildSources(c, p.parties); err != nil {
		return b, err
	}
	if b.tokens, err = buildTokens(c); err != nil {
		return b, err
	}
	if b.proxies, err = buildProxies(c.Proxies); err != nil {
		return b, err
	}
	b.tls, err = p.handshakes.build(c)
	return b, err
}

// takeOver replaces what serves. Requests under way keep what they began with.
func (p *program) takeOver(b built) {
	p.handshakes.set(b.tls)
	p.clients.Set(b.proxies)
	p.failures.set(b.config.Sources)
	p.metrics.Expect(b.sources...)
	p.gateway.SetSources(b.sources)
	p.setTokens(b.config, b.tokens)
	p.loaded.Store(b.config)
}
