package issuer

import (
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
)

// proved is the client that the request has proved to be from.
func (e *Endpoint) proved(header http.Header, f form, s *settings, report *hookgate.Report, now time.Time) (*client, *refusal) {
	shown, refused := shownBy(header, f)
	if refused != nil {
		if refused.outcome == hookgate.TokenInvalidClient {
			refused = e.failed(s.nobody, report, refused)
		}
		return nil, refused
	}
	c := s.find(shown.id)
	report.Token.Client = c.id
	return c, e.prove(c, shown, report, now)
}

// prove lets the client prove itself. An unknown client, a wrong secret, and any secret while too much was guessed at the
// client from this address, cost the same and are answered the same.
func (e *Endpoint) prove(c *client, shown credentials, report *hookgate.Report, now time.Time) *refusal {
	e.judging.Lock()
	defer e.judging.Unlock()
	guessed := e.guessed(c, report)
	known, retired := c.knows(shown.secret, now)
	if known && !guessed {
		return nil
	}
	reason, detail := hookgate.Mismatch, "the secret is none of the client's"
	switch {
	case guessed:
		detail = "too many failed attempts at this client from this address, so this one was not looked at"
	case c.id == hookgate.UnknownClient:
		detail = "there is no such client"
	case retired:
		reason, detail = hookgate.KeyRetired, "the secret was the client's, and has ended"
	}
	return e.failed(c, report, invalidClient(shown.basic, reason, "%s", detail))
}

// grant holds the request against the grants of a client that has proved itself.
func (e *Endpoint) grant(c *client, f form, report *hookgate.Report, now time.Time) *refusal {
	switch grant := f["grant_type"]; {
	case grant == "":
		return invalidRequest(hookgate.Malformed, "grant_type is missing")
	case grant != "client_credentials" && grant != "password":
		return &refusal{outcome: hookgate.TokenUnsupportedGrant, err: hookgate.Errorf(hookgate.Malformed, "the grant_type is neither client_credentials nor password")}
	case !slices.Contains(c.grants, grant):
		err := hookgate.Errorf(hookgate.Malformed, "the client may not use the grant %s", grant)
		err.Hint = "add it to the client's grants"
		return &refusal{outcome: hookgate.TokenUnauthorizedClient, err: err}
	case grant == "client_credentials":
		return nil
	}
	if f["username"] == "" || f["password"] == "" {
		return invalidRequest(hookgate.Malformed, "username or password is missing")
	}
	e.judging.Lock()
	defer e.judging.Unlock()
	guessed := e.guessed(c, report)
	if c.hasUser(f["username"], f["password"], now) && !guessed {
		return nil
	}
	return e.failed(c, report, &refusal{outcome: hookgate.TokenInvalidGrant, status: 400, err: hookgate.Refuse(hookgate.Mismatch, "user and password fit none of the client's users")})
}

// guessed reports whether nothing is left to guess with at this client from this address. A budget an address alone would
// let a neighbour there, whose deliveries fail, keep an authentic client from its token.
func (e *Endpoint) guessed(c *client, report *hookgate.Report) bool {
	if e.options.Guesses == nil {
		return false
	}
	_, ok := e.options.Guesses.Peek(attempt(c, report.Client))
	return !ok
}

// failed spends what a failed attempt costs, and turns the answer into 429 when the address has none left.
func (e *Endpoint) failed(c *client, report *hookgate.Report, refused *refusal) *refusal {
	if e.options.Guesses != nil && c.id != hookgate.UnknownClient {
		e.options.Guesses.Take(attempt(c, report.Client))
	}
	if e.options.Strangers == nil {
		return refused
	}
	wait, ok := e.options.Strangers.Take(report.Client.String())
	if ok {
		return refused
	}
	return overLimit(wait, "too many failed attempts from this address; last: "+refused.err.Detail, "")
}

// attempt is the key of what is guessed at one client by one party.
func attempt(c *client, from netip.Addr) string { return c.id + " " + hookgate.Party(from) }
