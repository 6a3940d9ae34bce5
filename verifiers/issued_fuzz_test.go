package verifiers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

// FuzzTokens lets any Authorization header in front of a published key set and of the gateway's own tokens: the token that
// was signed is taken, by whichever knows its key, and nothing else.
func FuzzTokens(f *testing.F) {
	clock, idp := newClock(), provider(f, jwkSet(f, object{"kid": "k1"}))
	settings := endpoint(f, "jwt.key.pem")
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(issuer(f, settings).KeySet(), &set); err != nil {
		f.Fatal(err)
	}
	// Made by hand, because every process of a fuzz run must know the same token, and Issue makes each its own.
	own := rs256(f, object{"alg": "RS256", "typ": "at+jwt", "kid": set.Keys[0].Kid},
		object{"iss": "https://hooks.example.com", "aud": "care", "client_id": "sprinklr", "iat": receipt.Unix(), "exp": receipt.Unix() + 60})
	fetched := withKid(f, "k1")
	list := map[string]hookgate.Verifier{
		own:     verifier(f, issuedEntry(settings, "care")),
		fetched: asking(f, parties(f, clock), fetchedEntry(idp.URL)),
	}
	for token, v := range list {
		passes(f, v, token, clock)
		parts := strings.Split(token, ".")
		for _, seed := range []string{token, "bearer " + token, token + ".AA.AA", token[:len(token)-1], strings.ToUpper(token), parts[0] + ".." + parts[2], part(object{"alg": "none"}) + "." + parts[1] + "."} {
			f.Add("Bearer " + seed)
		}
	}
	for _, seed := range hostile {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for good, v := range list {
			req := &hookgate.Request{Header: http.Header{"Authorization": {value}}}
			verdict, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, req, receipt)
			if err == nil {
				if word, token, _ := strings.Cut(value, " "); !strings.EqualFold(word, "Bearer") || token != good {
					t.Fatalf("taken as %+v: %q", verdict, value)
				}
				continue
			}
			if e := hookgate.AsError(err); e.Code != hookgate.Unauthenticated || e.Reason == "" || verdict != nil {
				t.Fatalf("verdict %v, error %#v", verdict, err)
			}
		}
		if n := idp.asked.Load(); n > 2 {
			t.Fatalf("%d fetches", n)
		}
	})
}
