package verifiers_test

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

func fetchedEntry(url string) hookgate.AuthSettings {
	return hookgate.AuthSettings{Scheme: "bearer", JWKSURL: url, Issuer: "https://login.example.com", Audience: "hookgate"}
}

func withKid(t testing.TB, kid string) string { return rs256(t, header("kid", kid), claims()) }

// forgedKid is a token of a key that nobody knows, cheap enough to be made by the thousand.
func forgedKid(kid string) string {
	return part(object{"alg": "RS256", "kid": kid}) + "." + part(claims()) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256))
}

func TestFetchedKeySet(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": "k1"}))
	p := parties(t, clock)
	v := asking(t, p, fetchedEntry(idp.URL))
	if n := idp.asked.Load(); n != 0 {
		t.Errorf("making the scheme asked %d times", n)
	}
	for range 3 {
		if proof := passes(t, v, withKid(t, "k1"), clock); proof != (hookgate.Proof{Scheme: "bearer", KeyID: "k1"}) {
			t.Errorf("proof %+v", proof)
		}
		clock.move(time.Minute)
	}
	// What a reload makes anew, and other sources with the same issuer, know what is known.
	other := fetchedEntry(idp.URL)
	other.Audience = "elsewhere"
	passes(t, asking(t, p, fetchedEntry(idp.URL)), withKid(t, "k1"), clock)
	fails(t, asking(t, p, other), withKid(t, "k1"), clock, hookgate.Unauthenticated)
	if n := idp.asked.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	// What is no token is refused without a question.
	fresh := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	for _, nonsense := range []string{"x", "a.b.c", "..", withKid(t, "k1") + ".AA.AA", strings.Repeat("a", 9<<10)} {
		fails(t, fresh, nonsense, clock, hookgate.Unauthenticated)
	}
	if n := idp.asked.Load(); n != 1 {
		t.Errorf("nonsense made us ask: %d fetches", n)
	}
	// Verify alone asks nobody, and takes nothing that was not asked about.
	if _, err := fresh.Verify(carrying(withKid(t, "k1")), receipt); hookgate.AsError(errOr(err)).Code != hookgate.Unavailable {
		t.Errorf("unprepared: %v", err)
	}
}

// THREATS T2: whatever kids strangers make up, the issuer is asked once in 30 seconds.
func TestT02_UnknownKidsCostOneFetch(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": "k1"}))
	v := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	known := withKid(t, "k1")
	passes(t, v, known, clock)
	flood := func(code hookgate.Code) {
		t.Helper()
		before := idp.asked.Load()
		var wg sync.WaitGroup
		for part := range 4 {
			wg.Go(func() {
				for i := range 2500 {
					clock.move(29 * time.Second / 10_000)
					_, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(forgedKid(fmt.Sprintf("kid-%d-%d", part, i))), clock.now())
					if hookgate.AsError(errOr(err)).Code != code {
						t.Errorf("%v, want %s", err, code)
						return
					}
					if i%100 == 0 {
						if _, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(known), receipt); err != nil {
							t.Errorf("the known kid: %v", err)
						}
					}
				}
			})
		}
		wg.Wait()
		if n := idp.asked.Load() - before; n != 1 {
			t.Errorf("10,000 kids within 29 s cost %d fetches, want 1", n)
		}
	}
	clock.move(30 * time.Second)
	flood(hookgate.Unauthenticated)
	// The pause holds when the issuer is in trouble, too, and what it told before serves on.
	idp.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	clock.move(30 * time.Second)
	flood(hookgate.Unavailable)
	// A key that is new is found once the pause is over.
	idp.says(jwkSet(t, object{"kid": "k2"}))
	fails(t, v, withKid(t, "k2"), clock, hookgate.Unavailable)
	clock.move(30 * time.Second)
	passes(t, v, withKid(t, "k2"), clock)
	fails(t, v, known, clock, hookgate.Unauthenticated)
	for _, kid := range []string{"../../etc/passwd", "'", "' OR 1=1 --", "\x00", "k1\r\nX: y", strings.Repeat("k", 4000)} {
		fails(t, v, forgedKid(kid), clock, hookgate.Unauthenticated)
	}
	fails(t, v, withKid(t, strings.Repeat("k", 1<<20)), clock, hookgate.Unauthenticated)
}

// Many deliveries that need the first set share one fetch.
func TestT02_OneFetchInFlight(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	v := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.does(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived) // a second one would panic
		<-release
		_, _ = w.Write([]byte(jwkSet(t, object{"kid": "k1"})))
	})
	token := withKid(t, "k1")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(token), receipt); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	close(release)
	wg.Wait()
	if n := idp.asked.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// An old set serves while a new one is fetched, and goes on when that fails, for a day.
func TestT02_StaleKeysServe(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": "k1"}))
	var told atomic.Int64
	p := verifiers.NewParties(clock.now, func(err error) {
		told.Add(1)
		if !strings.Contains(err.Error(), "the key set of 127.0.0.1") || !strings.Contains(err.Error(), "the answer is 500") {
			t.Errorf("told: %v", err)
		}
	})
	t.Cleanup(p.Close)
	v, known := asking(t, p, fetchedEntry(idp.URL)), withKid(t, "k1")
	passes(t, v, known, clock)
	clock.move(15 * time.Minute)
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.does(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = w.Write([]byte(jwkSet(t, object{"kid": "k1"}, object{"kid": "k2"})))
	})
	for range 20 { // nobody waits
		passes(t, v, known, clock)
	}
	<-arrived
	close(release)
	eventually(t, "the new set is there", func() bool {
		_, err := v.Verify(carrying(withKid(t, "k2")), receipt)
		return err == nil
	})
	idp.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	long := claims()
	long["exp"] = receipt.Unix() + 7*86400
	known = rs256(t, header("kid", "k1"), long)
	for asked := idp.asked.Load(); clock.now().Before(receipt.Add(24 * time.Hour)); asked++ {
		eventually(t, "the set is asked for again", func() bool {
			passes(t, v, known, clock)
			return idp.asked.Load() >= asked
		})
		clock.move(time.Hour)
	}
	clock.move(time.Hour)
	fails(t, v, known, clock, hookgate.Unavailable)
	if told.Load() == 0 {
		t.Error("nobody was told that the set cannot be fetched")
	}
}

func TestT02_IssuerAway(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	idp.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	v := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	for range 5 {
		e := fails(t, v, withKid(t, "k1"), clock, hookgate.Unavailable)
		if e.RetryAfter > 30*time.Second {
			t.Errorf("try again after %s", e.RetryAfter)
		}
		clock.move(5 * time.Second)
	}
	if n := idp.asked.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	idp.says(jwkSet(t, object{"kid": "k1"}))
	clock.move(5 * time.Second)
	passes(t, v, withKid(t, "k1"), clock)

	gone := provider(t, "")
	gone.Close()
	e := fails(t, asking(t, parties(t, clock), fetchedEntry(gone.URL)), withKid(t, "k1"), clock, hookgate.Unavailable)
	if !strings.Contains(e.Error(), "refused") {
		t.Errorf("a closed port: %v", e)
	}
	stopped := verifiers.NewParties(clock.now, nil)
	v = asking(t, stopped, fetchedEntry(idp.URL))
	stopped.Close()
	fails(t, v, withKid(t, "k1"), clock, hookgate.Unavailable)
}

// Where no kid decides, a key that is not known yet is still found.
func TestRotationWithoutKids(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": nil}))
	v := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	if proof := passes(t, v, rs256(t, header(), claims()), clock); proof.KeyID != "jwks_url" {
		t.Errorf("key id %q", proof.KeyID)
	}
	passes(t, v, withKid(t, "any"), clock)
	next := privateKey(t, "siq.key.pem").(*rsa.PrivateKey)
	idp.says(jwkSet(t, object{"kid": nil, "n": base64.RawURLEncoding.EncodeToString(next.N.Bytes())}))
	clock.move(30 * time.Second)
	passes(t, v, rs256With(t, next, header(), claims()), clock)
	if n := idp.asked.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
	fails(t, v, rs256(t, header(), claims()), clock, hookgate.Unauthenticated)
}

// THREATS T8: keys without alg count only where the entry says so, and then for the one algorithm of their kind.
func TestT08_InferAlgorithm(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": "k1", "alg": nil}))
	p := parties(t, clock)
	infer := fetchedEntry(idp.URL)
	infer.InferAlgorithm = true
	off := fails(t, asking(t, p, fetchedEntry(idp.URL)), withKid(t, "k1"), clock, hookgate.Unavailable)
	if !strings.Contains(off.Error(), "infer_algorithm: true") {
		t.Errorf("no way out is shown: %v", off)
	}
	on := asking(t, p, infer)
	passes(t, on, withKid(t, "k1"), clock)
	for _, alg := range []string{"RS384", "RS512", "PS256", "ES256", "EdDSA"} {
		fails(t, on, rs256(t, object{"alg": alg, "kid": "k1"}, claims()), clock, hookgate.Unauthenticated)
	}
	static := bearerEntry(t, jwkSet(t, object{"alg": nil}))
	static.InferAlgorithm = true
	accepted(t, verifier(t, static), carrying(withKid(t, "k1")), receipt)
	refusedFor(t, verifier(t, static), carrying(rs256(t, object{"alg": "RS512", "kid": "k1"}, claims())), receipt, hookgate.Mismatch)
	// A set that names it for some keys has those for everybody.
	idp.says(jwkSet(t, object{"kid": "k1", "alg": nil}, object{"kid": "k2"}))
	clock.move(30 * time.Second)
	for kid, code := range map[string]hookgate.Code{"k1": hookgate.Unauthenticated, "k2": ""} {
		if v := asking(t, p, fetchedEntry(idp.URL)); code == "" {
			passes(t, v, withKid(t, kid), clock)
		} else {
			fails(t, v, withKid(t, kid), clock, code)
		}
		passes(t, on, withKid(t, kid), clock)
	}
}

// THREATS T4, O3: an issuer that has been taken over can keep us from taking tokens, and do nothing else.
func TestT04_HostileKeySets(t *testing.T) {
	t.Parallel()
	canary := provider(t, "")
	canary.does(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed: %s", r.URL)
		_, _ = w.Write([]byte(jwkSet(t, object{"kid": "k1"})))
	})
	private := privateKey(t, "jwt.key.pem").(*rsa.PrivateKey)
	small := privateKey(t, "small.key.pem").(*rsa.PrivateKey)
	var sent atomic.Int64
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	good := jwkSet(t, object{"kid": "k1"})
	for name, answer := range map[string]http.HandlerFunc{
		"1 GiB": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			for chunk := slices.Repeat([]byte(" "), 1<<16); sent.Load() < 1<<30; {
				n, err := w.Write(chunk)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			for i := range good {
				if _, err := w.Write([]byte(good[i : i+1])); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		},
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"large header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 32<<10))
			_, _ = w.Write([]byte(good))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL, http.StatusFound) },
		"redirect inside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
		},
		"100,000 keys":           says(`{"keys":[` + strings.Repeat("{},", 99_999) + `{}]}`),
		"20,000 keys in 64 KiB":  says(`{"keys":[` + strings.Repeat("0,", 20_000) + `0]}`),
		"51 keys":                says(jwkSet(t, slices.Repeat([]object{{"kid": nil}}, 51)...)),
		"deep":                   says(`{"keys":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`),
		"no JSON":                says("<html>"),
		"empty":                  says(""),
		"list":                   says("[" + good + "]"),
		"no keys":                says(`{"keys":[]}`),
		"KEYS":                   says(strings.Replace(good, "keys", "KEYS", 1)),
		"symmetric":              says(jwkSet(t, object{"kid": "k1", "kty": "oct", "k": "QUJD", "alg": "HS256"})),
		"symmetric as RS256":     says(jwkSet(t, object{"kid": "k1", "kty": "oct", "k": "QUJD"})),
		"a secret beside RSA":    says(jwkSet(t, object{"kid": "k1", "k": "QUJD"})),
		"1024 bit":               says(jwkSet(t, object{"kid": "k1", "n": base64.RawURLEncoding.EncodeToString(small.N.Bytes())})),
		"100,000 bit":            says(jwkSet(t, object{"kid": "k1", "n": base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{0xff}, 12_500))})),
		"private":                says(jwkSet(t, object{"kid": "k1", "d": base64.RawURLEncoding.EncodeToString(private.D.Bytes())})),
		"for encryption":         says(jwkSet(t, object{"kid": "k1", "use": "enc"})),
		"alg none":               says(jwkSet(t, object{"kid": "k1", "alg": "none"})),
		"alg HS256":              says(jwkSet(t, object{"kid": "k1", "alg": "HS256"})),
		"alg of another kind":    says(jwkSet(t, object{"kid": "k1", "alg": "ES256"})),
		"point beside the curve": says(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k1","x":"` + strings.Repeat("A", 42) + `E","y":"` + strings.Repeat("A", 42) + `E"}]}`),
		"kid for a header":       says(jwkSet(t, object{"kid": "k1\r\nx"})),
		"204":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
		},
		"hung up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, idp := newClock(), provider(t, "")
			idp.does(answer)
			v, token := asking(t, parties(t, clock), fetchedEntry(idp.URL)), withKid(t, "k1")
			fails(t, v, token, clock, hookgate.Unavailable)
			// Once there are keys, they outlive such an answer.
			idp.says(good)
			clock.move(30 * time.Second)
			passes(t, v, token, clock)
			idp.does(answer)
			clock.move(30 * time.Second)
			fails(t, v, forgedKid("other"), clock, hookgate.Unavailable)
			passes(t, v, token, clock)
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// A set's good keys count although others in it cannot be used.
func TestGoodKeysAmongBadOnes(t *testing.T) {
	t.Parallel()
	small := privateKey(t, "small.key.pem").(*rsa.PrivateKey)
	clock, idp := newClock(), provider(t, jwkSet(t, object{"kid": "small", "n": base64.RawURLEncoding.EncodeToString(small.N.Bytes())},
		object{"kid": "k1", "use": "enc", "alg": "RSA-OAEP"}, object{"kty": "oct", "k": "QUJD", "alg": "HS256"}, object{"kty": "XX"}, object{"kid": "k1"}, object{"kid": "k1", "alg": "PS256"}))
	v := asking(t, parties(t, clock), fetchedEntry(idp.URL))
	passes(t, v, withKid(t, "k1"), clock)
	fails(t, v, rs256With(t, small, header("kid", "small"), claims()), clock, hookgate.Unauthenticated)
}

// THREATS O1: an https address does not make a stranger an issuer.
func TestO01_CertificateOfTheIssuer(t *testing.T) {
	t.Parallel()
	clock := newClock()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(jwkSet(t, object{"kid": "k1"}))) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	e := fails(t, asking(t, parties(t, clock), fetchedEntry(server.URL)), withKid(t, "k1"), clock, hookgate.Unavailable)
	if !strings.Contains(e.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", e)
	}
}
