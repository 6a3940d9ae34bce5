package verifiers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// vouchers are the options that say who vouches for a token; an entry has exactly one of them.
var vouchers = []string{"keys", "jwks_url", "introspection", "issued"}

var takenByBearer = map[string]use{
	"keys": optional, "jwks_url": optional, "introspection": optional, "issued": optional,
	"issuer": optional, "audience": optional, "scopes": optional, "infer_algorithm": optional, "allow_private": optional,
}

// voucher names the one that is given, and reports what does not go with it.
func (s *settings) voucher() string {
	var given []string
	is := make(map[string]bool)
	for _, o := range s.given() {
		is[o.name] = o.set
		if o.set && slices.Contains(vouchers, o.name) {
			given = append(given, o.name)
		}
	}
	one := "keys"
	switch {
	case len(given) == 1:
		one = given[0]
	case len(given) > 1:
		s.problems.Add(given[1], "give each an entry of its own, or remove one", "an entry has one of %s, and this one has %s", strings.Join(vouchers, ", "), strings.Join(given, " and "))
		return "keys"
	case !s.signs:
		s.problems.Add("keys", "keys holds the issuer's public keys, jwks_url says where it publishes them, introspection asks it, issued is for this gateway's own tokens",
			"bearer needs one of %s", strings.Join(vouchers, ", "))
	}
	if s.signs && one != "keys" {
		s.problems.Add(one, "leave it out", "who signs has no use for %s", one)
	}
	for _, o := range []struct {
		name string
		uses []string
	}{
		{"infer_algorithm", []string{"keys", "jwks_url"}},
		{"allow_private", []string{"jwks_url", "introspection"}},
		{"issuer", []string{"keys", "jwks_url", "introspection"}},
		{"audience", []string{"keys", "jwks_url", "introspection"}},
	} {
		if is[o.name] && !slices.Contains(o.uses, one) {
			s.problems.Add(o.name, "remove it", "%s has no use beside %s", o.name, one)
		}
	}
	return one
}

// demands are what the entry wants of a token's claims.
func (s *settings) demands() demands {
	return demands{issuer: s.Issuer, audience: s.Audience, scopes: s.Scopes}
}

// checkScopes holds the scopes to the grammar of RFC 6749, section 3.3: one that has a blank could never be granted.
func (s *settings) checkScopes() {
	for i, scope := range s.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			s.problems.Add(fmt.Sprintf("scopes[%d]", i), "list each scope by itself", "this is not the name of a scope")
		}
	}
}

// warnBearer speaks of tokens that were perhaps made for somebody else: an identity provider signs for many.
func warnBearer(s *settings) {
	asks := s.JWKSURL != "" || s.Introspection.URL != ""
	if !asks || s.Audience != "" || len(s.Scopes) > 0 {
		return
	}
	s.problems = append(s.problems, hookgate.Problem{
		Message: "any token of the issuer is taken, for whatever it was made",
		Hint:    "set audience or scopes to what tokens for this gateway have",
	})
}
