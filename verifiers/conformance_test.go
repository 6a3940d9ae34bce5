package verifiers_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// overRegistry runs a test for every scheme, and fails for one that has no fixture. none is left out where a scheme must
// be able to refuse.
func overRegistry(t *testing.T, none bool, test func(t *testing.T, f fixture)) {
	t.Helper()
	all := fixtures(t)
	for _, name := range verifiers.Names() {
		f, ok := all[name]
		if !ok {
			t.Errorf("%s: no fixture", name)
		}
		if name == "none" && !none {
			continue
		}
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, f) })
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	overRegistry(t, true, func(t *testing.T, f fixture) {
		req := signedBy(t, signer(t, f.one, f.privateOne))
		proof := accepted(t, verifier(t, f.one), req, receipt)
		if proof.Scheme != f.one.Scheme {
			t.Errorf("scheme %q, want %q", proof.Scheme, f.one.Scheme)
		}
		if want := verifiers.Freshness(f.one) > 0; (proof.SignedTime != "") != want {
			t.Errorf("signed time %q", proof.SignedTime)
		}
		if want := f.one.Scheme == "standard-webhooks" || f.one.Scheme == "hmac"; (proof.SignedID != "") != want {
			t.Errorf("signed id %q", proof.SignedID)
		}
		empty := delivery()
		empty.Body = nil
		if err := signer(t, f.one, f.privateOne).Sign(empty, receipt); err != nil {
			t.Fatal(err)
		}
		accepted(t, verifier(t, f.one), empty, receipt)
	})
}

// Sign replaces what a caller left under the header's name.
func TestSignLeavesOneHeader(t *testing.T) {
	t.Parallel()
	overRegistry(t, true, func(t *testing.T, f fixture) {
		req := delivery()
		req.Header = nil
		if len(f.headers) > 0 {
			req = with(delivery(), f.headers[0], "a", "b")
		}
		if err := signer(t, f.one, f.privateOne).Sign(req, receipt); err != nil {
			t.Fatal(err)
		}
		accepted(t, verifier(t, f.one), req, receipt)
	})
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		req := signedBy(t, signer(t, f.two, f.privateTwo))
		refusedFor(t, verifier(t, f.one), req, receipt, hookgate.Mismatch, hookgate.HeaderGrammar, hookgate.CertificateRefused)
		req = signedBy(t, signer(t, f.one, f.privateOne))
		refusedFor(t, verifier(t, f.two), req, receipt, hookgate.Mismatch, hookgate.HeaderGrammar, hookgate.CertificateRefused)
	})
}

func TestRotatedKeyNamesItself(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		v := verifier(t, f.both)
		refs := func(e hookgate.AuthSettings) string {
			return slices.Concat(e.Secrets, e.Keys, e.Users, e.CA)[0].Ref()
		}
		for _, side := range []struct {
			entry   hookgate.AuthSettings
			private hookgate.Secret
		}{{f.one, f.privateOne}, {f.two, f.privateTwo}} {
			proof := accepted(t, v, signedBy(t, signer(t, side.entry, side.private)), receipt)
			if want := refs(side.entry); proof.KeyID != want {
				t.Errorf("key id %q, want %q", proof.KeyID, want)
			}
		}
	})
}

func TestEmptyKeyIsRefusedByTheLoader(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		for _, value := range []string{"", " \t\n"} {
			entry := f.one
			empty := []hookgate.Secret{hookgate.NewSecret([]byte(value), "env:EMPTY")}
			switch {
			case len(entry.Secrets) > 0:
				entry.Secrets = empty
			case len(entry.Keys) > 0:
				entry.Keys = empty
			case len(entry.CA) > 0:
				entry.CA = empty
			default:
				entry.Users = empty
			}
			if _, err := verifiers.New(entry); err == nil {
				t.Errorf("the key %q was accepted", value)
			}
		}
	})
}

func TestS01_MissingHeader(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		v, good := verifier(t, f.one), signedBy(t, signer(t, f.one, f.privateOne))
		for _, h := range f.headers {
			absent := copyOf(good)
			delete(absent.Header, h)
			refusedFor(t, v, absent, receipt, hookgate.HeaderMissing)
			refusedFor(t, v, with(good, h), receipt, hookgate.HeaderMissing)
			refusedFor(t, v, with(good, h, ""), receipt, hookgate.HeaderMissing)
			for _, blank := range []string{" ", "\t", "  "} {
				refusedFor(t, v, with(good, h, blank), receipt, hookgate.HeaderGrammar, hookgate.Mismatch)
			}
		}
		refusedFor(t, v, &hookgate.Request{}, receipt, hookgate.HeaderMissing)
	})
}

func TestS06_DoubledHeader(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		v, good := verifier(t, f.one), signedBy(t, signer(t, f.one, f.privateOne))
		for _, h := range f.headers {
			value := good.Header[h][0]
			for _, pair := range [][]string{{value, "bad"}, {"bad", value}, {value, value}, {value, ""}, {"", value}} {
				refusedFor(t, v, with(good, h, pair...), receipt, hookgate.HeaderDoubled)
			}
			refusedFor(t, v, with(good, h, value+", "+value), receipt, hookgate.HeaderGrammar, hookgate.Mismatch)
		}
	})
}

// Every scheme that signs a time is tried one second inside and outside both edges.
func TestS12_WindowEdges(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	edges := map[string]struct {
		back, ahead time.Duration // the last times that are accepted
		late, early hookgate.Reason
	}{
		"bird-signature": {24 * time.Hour, 300 * time.Second, hookgate.TooOld, hookgate.TooEarly},
		"hmac":           {300 * time.Second, 300 * time.Second, hookgate.TooOld, hookgate.TooEarly},

		"standard-webhooks": {300 * time.Second, 300 * time.Second, hookgate.TooOld, hookgate.TooEarly},
		"bearer":            {5*time.Minute + 29*time.Second, 30 * time.Second, hookgate.TokenRefused, hookgate.TokenRefused},
	}
	covered := golden(t)
	for _, name := range verifiers.Names() {
		e, timed := edges[name]
		if timed != covered[name]["time"] {
			t.Errorf("%s: covers the time: %v, has window cases: %v", name, covered[name]["time"], timed)
		}
		if !timed {
			continue
		}
		f := all[name]
		s, v := signer(t, f.one, f.privateOne), verifier(t, f.one)
		accepted(t, v, signedBy(t, s), receipt.Add(e.back-time.Second))
		accepted(t, v, signedBy(t, s), receipt.Add(e.back))
		refusedFor(t, v, signedBy(t, s), receipt.Add(e.back+time.Second), e.late)
		accepted(t, v, signedBy(t, s), receipt.Add(-e.ahead+time.Second))
		accepted(t, v, signedBy(t, s), receipt.Add(-e.ahead))
		refusedFor(t, v, signedBy(t, s), receipt.Add(-e.ahead-time.Second), e.early)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	overRegistry(t, true, func(t *testing.T, f fixture) {
		s, v := signer(t, f.both, f.privateOne), verifier(t, f.both)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					req := delivery()
					if err := s.Sign(req, receipt); err != nil {
						t.Error(err)
					}
					if _, err := v.Verify(req, receipt); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// A scheme with key pairs that was made to verify says that it cannot sign, and leaves the request alone.
func TestVerifierWithoutPrivateKeyCannotSign(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t) {
		if f.privateOne.Ref() == "" {
			continue
		}
		req := delivery()
		err := verifier(t, f.one).Sign(req, receipt)
		if hookgate.AsError(err).Code != hookgate.InternalMistake || len(req.Header) != 1 {
			t.Errorf("%s: error %v, headers %v", name, err, req.Header)
		}
	}
}

// A signer made of the private key alone verifies what it signs.
func TestSignerNeedsNoPublicKey(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t) {
		if f.privateOne.Ref() == "" {
			continue
		}
		s := signer(t, hookgate.AuthSettings{Scheme: name}, f.privateOne)
		if proof := accepted(t, s, signedBy(t, s), receipt); !strings.HasSuffix(proof.KeyID, ".key.pem") {
			t.Errorf("%s: key id %q", name, proof.KeyID)
		}
		accepted(t, verifier(t, f.one), signedBy(t, s), receipt)
	}
}
