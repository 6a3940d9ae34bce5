package configs

import (
	"bytes"
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

const (
	// minClientSecret and minPassword are lengths in bytes. The client's secret is ours to choose; a user's password is typed
	// into the provider's console beside it, and proves nothing without it.
	minClientSecret = 16
	minPassword     = 12

	// A token is fetched again a minute before its end, so that a shorter one would never be used; a longer one could only
	// be taken back by the configuration.
	minLifetime = 2 * time.Minute
	maxLifetime = 24 * time.Hour
)

var (
	clientGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$`)
	scopeGrammar  = regexp.MustCompile(`^[!#-\[\]-~]{1,128}$`) // RFC 6749, appendix A.4, with a bound of ours
)

// checkTokens judges the token endpoint, and fills in the issuer.
func (l *loader) checkTokens(c *Config) {
	t := &c.Tokens
	t.Issuer = cmp.Or(t.Issuer, c.PublicURL)
	if !l.set("tokens") {
		return
	}
	if t.Issuer == "" && l.sound("tokens.issuer") && l.sound("public_url") {
		l.bad(TokenIssuer, "tokens", "says nowhere who makes the tokens", "write public_url at the top, or tokens.issuer")
	}
	if l.sound("tokens.lifetime") && (t.Lifetime < minLifetime || t.Lifetime > maxLifetime) {
		l.bad(TokenLifetime, "tokens.lifetime", "is "+plain(t.Lifetime), "write "+plain(minLifetime)+" to "+plain(maxLifetime))
	}
	if l.rules.Tokens != nil && t.Issuer != "" && l.sound("tokens.lifetime") && l.sound("tokens.keys") && len(t.Keys) > 0 {
		l.theirs(TokenKeys, "tokens", l.rules.Tokens(*t))
	}
	l.checkTokenPath(c)
	taken := make(map[string]bool)
	for i, client := range t.Clients {
		at := item("tokens.clients", i)
		l.checkClientID(client.ID, at+".id", taken)
		l.checkClientSecrets(client, at)
		l.checkUsers(client, at)
		l.checkClientSources(c, client, at+".sources")
		for j, scope := range client.Scopes {
			if scope != "" && !scopeGrammar.MatchString(scope) {
				l.bad(TokenScope, item(at+".scopes", j), "is not a scope", "write visible ASCII without blanks, quotes and backslashes")
			}
		}
		if s := client.RevokedBefore; s != "" {
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				l.bad(TokenRevoked, at+".revoked_before", "is not a time", "write it as RFC 3339 has it, such as 2026-11-22T07:00:00Z")
			}
		}
	}
	l.checkUnusedTokens(c)
}

// checkTokenPath keeps the two paths of the endpoint away from those of the sources.
func (l *loader) checkTokenPath(c *Config) {
	const at = "tokens.path"
	token, keySet := c.Tokens.Path, c.Tokens.KeySetPath()
	if !l.sound(at) {
		return
	}
	if !pathGrammar.MatchString(token) || path.Clean(token) != token {
		l.bad(TokenPath, at, "is not a plain path", "begin with /, use letters, digits and . _ ~ -, and do not end with /")
		return
	}
	if token == keySet {
		l.bad(TokenPath, at, "is where the key set is served", "give it another last part, such as /oauth/token")
	}
	for _, s := range c.Sources {
		switch used := cmp.Or(s.Path, s.defaultPath()); used {
		case token:
			l.bad(TokenPath, at, "is the path of the source "+shown(s.Name), "give one of them another")
		case keySet:
			l.bad(TokenPath, at, "has its key set at "+keySet+", which is the path of the source "+shown(s.Name), "give one of them another")
		}
	}
}

// checkClientID wants an id that stands for itself in a header, a form, a log and a metric.
func (l *loader) checkClientID(id, at string, taken map[string]bool) {
	switch {
	case id == "":
	case !clientGrammar.MatchString(id) || id == hookgate.UnknownClient:
		l.bad(TokenClientID, at, "is not an id for a client", "use 1 to 64 letters, digits and . _ ~ -; "+hookgate.UnknownClient+" stands for those that are none")
	case taken[id]:
		l.bad(DuplicateClient, at, "is taken: "+strconv.Quote(id)+" is here twice", "give each an id of its own")
	}
	taken[id] = true
}

func (l *loader) checkClientSecrets(client hookgate.TokenClient, at string) {
	for i, secret := range client.Secrets {
		at := item(at+".secrets", i)
		if !l.sound(at) {
			continue
		}
		if len(secret.Reveal()) < minClientSecret {
			l.bad(TokenSecretShort, at, "refers to a secret under 16 bytes", "make one with: openssl rand -hex 32")
		}
		if bytes.ContainsAny(secret.Reveal(), "%+") {
			l.warn(TokenSecretEscape, at, at+" refers to a secret with + or %, which RFC 6749 wants encoded in the header, and not every sender does", "make one with: openssl rand -hex 32")
		}
	}
}

// checkUsers wants users where the password grant is, and nowhere else.
func (l *loader) checkUsers(client hookgate.TokenClient, at string) {
	if l.sound(at+".grants") && slices.Contains(client.Grants, "password") != l.set(at+".users") {
		if l.set(at + ".users") {
			l.bad(TokenUsers, at+".users", "are for the password grant, which the client may not use", "add password to grants, or remove the users")
		} else {
			l.bad(TokenUsers, at+".grants", "has password, and there are no users", "list references to user:password pairs under users")
		}
	}
	for i, secret := range client.Users {
		at := item(at+".users", i)
		if !l.sound(at) {
			continue
		}
		name, password, _ := strings.Cut(string(secret.Reveal()), ":")
		switch {
		case strings.TrimSpace(name) == "" || strings.TrimSpace(password) == "" || !utf8.Valid(secret.Reveal()):
			l.bad(TokenUsers, at, "does not refer to a user and a password", "write user:password, in UTF-8")
		case len(password) < minPassword:
			l.warn(TokenPasswordShort, at, at+" refers to a password under 12 bytes", "make one with: openssl rand -hex 16")
		}
	}
}

func (l *loader) checkClientSources(c *Config, client hookgate.TokenClient, at string) {
	names := make([]string, len(c.Sources))
	for i, s := range c.Sources {
		names[i] = s.Name
	}
	if slices.Contains(names, "") { // the name that could not be read may be meant
		return
	}
	for i, name := range client.Sources {
		if name != "" && !slices.Contains(names, name) {
			l.bad(TokenSource, item(at, i), "names an unknown source "+shown(name), suggest(name, names))
		}
	}
}

// checkIssued wants the endpoint for an entry of its tokens.
func (l *loader) checkIssued(a *hookgate.AuthSettings, at string) {
	switch {
	case !a.Issued:
	case !l.set("tokens"):
		l.bad(IssuedWithoutTokens, at+".issued", "wants tokens of the gateway's own token endpoint, and there is none", "write tokens: with keys and clients, or name another issuer's keys or jwks_url")
	case !l.sound("tokens"): // what is wrong there is said there
		l.unsound[at] = true
	}
}

// checkUnusedTokens warns where clients and sources do not meet.
func (l *loader) checkUnusedTokens(c *Config) {
	if !l.sound("tokens") || !l.sound("sources") {
		return
	}
	takes := make(map[string]bool)
	for i, s := range c.Sources {
		for j, a := range s.Auth {
			if !a.Issued {
				continue
			}
			takes[s.Name] = true
			at := item(item("sources", i)+".auth", j) + ".issued"
			if !slices.ContainsFunc(c.Tokens.Clients, func(t hookgate.TokenClient) bool {
				return slices.Contains(t.Sources, s.Name) && !slices.ContainsFunc(a.Scopes, func(scope string) bool { return !slices.Contains(t.Scopes, scope) })
			}) {
				l.warn(TokenUnused, at, "no client can get a token that the source "+s.Name+" takes", "name the source, and the scopes that it wants, in one of tokens.clients")
			}
		}
	}
	for i, client := range c.Tokens.Clients {
		for j, name := range client.Sources {
			if at := item(item("tokens.clients", i)+".sources", j); !takes[name] {
				l.warn(TokenUnused, at, "the source "+name+" takes no tokens of this gateway", "write {scheme: bearer, issued: true} under its auth, or do not name it here")
			}
		}
	}
}
