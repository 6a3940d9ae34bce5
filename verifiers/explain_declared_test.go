package verifiers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// TestExplainDeclared: what goes wrong between a declaration, or Standard Webhooks, and a provider is named.
func TestExplainDeclared(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	standard, everything := all["standard-webhooks"].one, all["hmac"].one
	other := func(change func(*hookgate.Declaration)) hookgate.AuthSettings {
		d := *everything.Declared
		change(&d)
		entry := everything
		entry.Declared = &d
		return entry
	}
	rename := func(from, to string) func(*hookgate.Request) {
		return func(r *hookgate.Request) {
			r.Header[to] = r.Header[from]
			delete(r.Header, from)
		}
	}
	for name, c := range map[string]struct {
		ours, theirs hookgate.AuthSettings
		change       func(*hookgate.Request)
		at           time.Duration
		want         verifiers.Diagnosis
		says         string
	}{
		"encoding":             {everything, other(func(d *hookgate.Declaration) { d.Encoding = "base64url" }), nil, 0, verifiers.SignatureForm, "a declaration with encoding: base64url"},
		"URL":                  {everything, elsewhere(everything, "https://elsewhere.example.com"), func(r *hookgate.Request) { r.Header.Set("X-Forwarded-Host", "elsewhere.example.com") }, 0, verifiers.URLDiffers, "elsewhere"},
		"header renamed":       {everything, everything, rename(sumTime, "X-Stamp"), 0, verifiers.HeaderRenamed, "what belongs into X-Sum-Time is in X-Stamp"},
		"id renamed":           {standard, standard, rename(standardID, "Svix-Id"), 0, verifiers.HeaderRenamed, "what belongs into Webhook-Id is in Svix-Id"},
		"header gone":          {standard, standard, func(r *hookgate.Request) { delete(r.Header, standardSignature) }, 0, verifiers.HeaderAbsent, "no Webhook-Signature"},
		"clock":                {standard, standard, nil, time.Hour, verifiers.ClockOff, "signed 1h0m0s before receipt"},
		"another key":          {standard, all["standard-webhooks"].two, nil, 0, verifiers.Unexplained, "another key"},
		"another declared key": {everything, all["hmac"].two, nil, 0, verifiers.Unexplained, "another key"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			req := signedBy(t, signer(t, c.theirs, hookgate.Secret{}))
			if c.change != nil {
				c.change(req)
			}
			_, err := verifier(t, c.ours).Verify(req, receipt.Add(c.at))
			if err == nil {
				t.Fatal("it verifies")
			}
			got := verifiers.Explain(c.ours, req, receipt.Add(c.at), hookgate.AsError(err), nil)
			if got.Diagnosis != c.want || !strings.Contains(got.Detail+"; "+got.Hint, c.says) {
				t.Errorf("%+v, want %s with %q", got, c.want, c.says)
			}
			demandSilence(t, name, got)
		})
	}
}

// TestExplainRenamedHeaders: each header of each scheme is found where something on the way has put it.
func TestExplainRenamedHeaders(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		v, good := verifier(t, f.one), signedBy(t, signer(t, f.one, f.privateOne))
		for _, header := range f.headers {
			req := with(good, "X-Elsewhere", good.Header[header]...)
			delete(req.Header, header)
			_, err := v.Verify(req, receipt)
			got := verifiers.Explain(f.one, req, receipt, hookgate.AsError(errOr(err)), nil)
			if got.Diagnosis != verifiers.HeaderRenamed || got.Detail != "what belongs into "+header+" is in X-Elsewhere" {
				t.Errorf("%s: %+v", header, got)
			}
		}
		_, err := v.Verify(delivery(), receipt)
		if got := verifiers.Explain(f.one, delivery(), receipt, hookgate.AsError(errOr(err)), nil); got.Diagnosis != verifiers.HeaderAbsent || got.Hint == "" {
			t.Errorf("without any: %+v", got)
		}
	})
}

// elsewhere is an entry at another public URL.
func elsewhere(entry hookgate.AuthSettings, public string) hookgate.AuthSettings {
	entry.PublicURL = public
	return entry
}
