package main

import (
	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/issuer"
	"github.com/hookgate/hookgate/middleware"
	"github.com/hookgate/hookgate/verifiers"
)

// newTokens makes the token endpoint, which shares the listener and the strangers of the gateway.
func newTokens(g *hookgate.Gateway, strangers configs.Rate) *issuer.Endpoint {
	o := issuer.Options{Now: g.Now, Clients: g, Strangers: g.Strangers, Budget: budget}
	if strangers.Count > 0 {
		o.Guesses = middleware.NewBudget(int64(strangers.Count), strangers.Per)
	}
	return issuer.New(o)
}

// buildTokens makes what signs the tokens of a loaded configuration; nil where there is no token endpoint.
func buildTokens(c *configs.Config) (issuer.Signer, error) {
	if len(c.Tokens.Clients) == 0 {
		return nil, nil
	}
	return verifiers.NewIssuer(c.Tokens, c.PublicURL)
}

// setTokens takes over clients and keys. It comes after the sources: a token must never be newer than what verifies it.
func (p *program) setTokens(c *configs.Config, signer issuer.Signer) {
	if signer != nil {
		p.metrics.ExpectClient(hookgate.UnknownClient)
	}
	for _, client := range c.Tokens.Clients {
		p.metrics.ExpectClient(client.ID)
	}
	p.tokens.Set(c.Tokens, signer)
}
