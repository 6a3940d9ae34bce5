package verifiers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

const clientSecret = "made-up: secret/é"

func introspectedEntry(url string) hookgate.AuthSettings {
	return hookgate.AuthSettings{Scheme: "bearer", Introspection: hookgate.Introspection{
		URL: url, ClientID: "gate way", ClientSecret: hookgate.NewSecret([]byte(clientSecret), "env:SECRET"),
	}}
}

// tells answers as RFC 7662 wants it, about the tokens that are active; others are not.
func tells(t testing.TB, active map[string]object) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" || r.ParseForm() != nil {
			t.Errorf("asked by %s %s, %v", r.Method, r.URL, r.Header)
		}
		// The Basic header of OAuth 2.0 holds the two form-encoded (RFC 6749, section 2.3.1).
		if id, secret, _ := r.BasicAuth(); id != "gate+way" || secret != "made-up%3A+secret%2F%C3%A9" {
			t.Errorf("asked by %q with %q", id, secret)
		}
		answer := object{"active": false}
		if about, ok := active[r.PostForm.Get("token")]; ok {
			answer = object{"active": true}
			for name, value := range about {
				answer[name] = value
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func TestT07_IntrospectionIsRemembered(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	idp.does(tells(t, map[string]object{"good": {}, "short": {"exp": receipt.Unix() + 20}, "a.b~c+/-_==": {"exp": receipt.Unix() + 7200}}))
	p := parties(t, clock)
	v := asking(t, p, introspectedEntry(idp.URL))
	count := func(want int64, when string) {
		t.Helper()
		if n := idp.asked.Load(); n != want {
			t.Errorf("%s: %d questions, want %d", when, n, want)
		}
	}
	count(0, "at first")
	for range 5 {
		if proof := passes(t, v, "good", clock); proof != (hookgate.Proof{Scheme: "bearer", KeyID: "introspection"}) {
			t.Errorf("proof %+v", proof)
		}
		passes(t, asking(t, p, introspectedEntry(idp.URL)), "good", clock) // after a reload
		clock.move(5 * time.Second)
	}
	count(1, "within 30 s")
	passes(t, v, "a.b~c+/-_==", clock)
	for range 3 {
		fails(t, v, "bad", clock, hookgate.Unauthenticated)
		clock.move(3 * time.Second)
	}
	count(3, "a token that is not active, within 10 s")
	clock.move(time.Second)
	fails(t, v, "bad", clock, hookgate.Unauthenticated)
	count(4, "after 10 s")
	clock = newClock()
	v = asking(t, parties(t, clock), introspectedEntry(idp.URL))
	passes(t, v, "short", clock)
	clock.move(19 * time.Second)
	passes(t, v, "short", clock)
	count(5, "before exp")
	clock.move(time.Second)
	passes(t, v, "short", clock) // the issuer still vouches for it, and 20 s are within the skew
	count(6, "at exp")
	clock.move(30 * time.Second)
	fails(t, v, "short", clock, hookgate.Unauthenticated)
}

// What has the form of no token is refused without a question.
func TestT07_NonsenseIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, `{"active":true}`)
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	for _, token := range []string{"a b", "a\tb", "a\"b", "ü", "\x00", "=", "a=b", "a,b", "a%20b", "a\\b", "a;b", strings.Repeat("a", 8<<10+1)} {
		if e := fails(t, v, token, clock, hookgate.Unauthenticated); e.Reason != hookgate.HeaderGrammar {
			t.Errorf("%.20q: %v", token, e)
		}
	}
	if n := idp.asked.Load(); n != 0 {
		t.Errorf("%d questions", n)
	}
	for _, token := range []string{"@a", "[a", "`a", "{a", ":a", "!a"} { // what stands next to the letters and digits
		fails(t, v, token, clock, hookgate.Unauthenticated)
	}
	for _, token := range []string{strings.Repeat("a", 8<<10), "AZaz09", "-._~+/=="} {
		passes(t, v, token, clock)
	}
}

// A token in use is asked about again before its minute is over, without anybody waiting for it.
func TestT07_RenewedWhileItServes(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	answer := tells(t, map[string]object{"good": {}})
	idp.does(answer)
	passes(t, v, "good", clock)
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.does(func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second one would panic
		<-release
		answer(w, r)
	})
	clock.move(30 * time.Second)
	for range 20 {
		passes(t, v, "good", clock)
	}
	<-arrived
	close(release)
	// Once it is there, the new answer serves beyond the end of the old one.
	idp.does(func(http.ResponseWriter, *http.Request) { t.Error("a third question") })
	clock.move(29 * time.Second)
	eventually(t, "the new answer serves", func() bool {
		_, err := v.Verify(carrying("good"), receipt.Add(89*time.Second))
		return err == nil
	})
	passes(t, v, "good", clock)
	if n := idp.asked.Load(); n != 2 {
		t.Errorf("%d questions, want 2", n)
	}
}

// An issuer that fails at once is not asked again and again for the sake of one token.
func TestT07_PauseAfterFailure(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	idp.does(tells(t, map[string]object{"good": {}}))
	passes(t, v, "good", clock)
	idp.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	clock.move(time.Minute)
	for second := range int64(3) {
		for range 20 {
			fails(t, v, "good", clock, hookgate.Unavailable)
		}
		if n := idp.asked.Load(); n != second+2 {
			t.Errorf("in second %d: %d questions, want %d", second, n, second+2)
		}
		clock.move(time.Second)
	}
	idp.does(tells(t, map[string]object{"good": {}}))
	passes(t, v, "good", clock)
}

// THREATS T7: a revoked token is refused within a minute, also when it is used all the time.
func TestT07_RevokedWithinAMinute(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	idp.does(tells(t, map[string]object{"good": {"exp": receipt.Unix() + 86400}}))
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	passes(t, v, "good", clock)
	revoked := clock.now()
	idp.does(tells(t, nil))
	for {
		_, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying("good"), clock.now())
		if err != nil {
			if hookgate.AsError(err).Code != hookgate.Unauthenticated {
				t.Error(err)
			}
			break
		}
		if clock.now().Sub(revoked) >= time.Minute {
			t.Fatal("a minute after it was revoked, the token is taken")
		}
		clock.move(time.Second)
	}
	// Nor does it come back when the issuer goes away.
	idp.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	clock.move(20 * time.Second)
	fails(t, v, "good", clock, hookgate.Unavailable)
}

// THREATS T7, O3: who cannot be asked has not said no, and has not said yes.
func TestT07_OutageSlowAndGarbage(t *testing.T) {
	t.Parallel()
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"active":true} %s`, r.Header) // some echo what they were sent
		}
	}
	reasons := map[string]string{
		"500": "the answer is 500", "404": "the answer is 404", "202": "the answer is 202", "401": "does not let the gateway ask", "403": "does not let the gateway ask",
		"redirect": "none is followed", "too long": "more than 65536 bytes", "silent": "no answer within 3s", "hung up": "the connection broke", "HTML": "no JSON object",
	}
	canary := provider(t, "")
	canary.does(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("THREATS O2: somewhere else %v was seen", r.Header)
	})
	for name, answer := range map[string]http.HandlerFunc{
		"500": status(500), "503": status(503), "400": status(400), "401": status(401), "403": status(403), "404": status(404), "202": status(202), "206": status(206),
		"empty": says(""), "words": says("active"), "HTML": says("<html>active: true</html>"), "list": says(`[{"active":true}]`), "text": says(`"true"`), "true": says("true"),
		"no active": says(`{"exp":1}`), "active is text": says(`{"active":"true"}`), "active is 1": says(`{"active":1}`), "active is null": says(`{"active":null}`),
		"ACTIVE": says(`{"ACTIVE":true}`), "cut": says(`{"active":true`), "more": says(`{"active":true}{}`), "exp is words": says(`{"active":true,"exp":"tomorrow"}`),
		"aud is an object": says(`{"active":true,"aud":{}}`), "too long": says(`{"active":true,"x":"` + strings.Repeat("x", 64<<10) + `"}`),
		"deep": says(`{"active":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`),
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for chunk := slices.Repeat([]byte(" "), 1<<16); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"silent":  func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() }, // it ends once the body is read
		"hung up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, canary.URL, http.StatusTemporaryRedirect)
		},
		"redirect, 308": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, canary.URL, http.StatusPermanentRedirect)
		},
		"redirect to inside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, idp := newClock(), provider(t, "")
			idp.does(answer)
			v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
			e := fails(t, v, "s3cr3t-token", clock, hookgate.Unavailable)
			if want := reasons[name]; !strings.Contains(e.Error(), want) {
				t.Errorf("%v does not say %q", e, want)
			}
			for _, hidden := range []string{"s3cr3t-token", clientSecret, "made-up", "Basic"} {
				if strings.Contains(e.Error(), hidden) {
					t.Errorf("the error shows %s: %v", hidden, e)
				}
			}
			// What was known serves for its minute, and no longer.
			idp.does(tells(t, map[string]object{"known": {}}))
			passes(t, v, "known", clock)
			idp.does(answer)
			clock.move(59 * time.Second)
			passes(t, v, "known", clock)
			clock.move(time.Second)
			fails(t, v, "known", clock, hookgate.Unavailable)
		})
	}
	down := provider(t, "")
	down.Close()
	clock := newClock()
	e := fails(t, asking(t, parties(t, clock), introspectedEntry(down.URL)), "good", clock, hookgate.Unavailable)
	if !strings.Contains(e.Error(), "refused") {
		t.Errorf("a closed port: %v", e)
	}
	stopped := verifiers.NewParties(clock.now, nil)
	v := asking(t, stopped, introspectedEntry(down.URL))
	stopped.Close()
	fails(t, v, "good", clock, hookgate.Unavailable)
	if _, err := v.Verify(carrying("good"), receipt); hookgate.AsError(errOr(err)).Code != hookgate.Unavailable {
		t.Errorf("unprepared: %v", err)
	}
}

func TestT07_OneQuestionForOneToken(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.does(func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second one would panic
		<-release
		tells(t, map[string]object{"good": {}})(w, r)
	})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying("good"), receipt); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	close(release)
	wg.Wait()
	if n := idp.asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

// waits is a context that tells when somebody waits for its end.
type waits struct {
	context.Context
	waiting func()
}

func (w waits) Done() <-chan struct{} {
	w.waiting()
	return w.Context.Done()
}

// A delivery whose token was good waits for the question that another one has put, and is not sent away for a second.
func TestT07_OneQuestionForOneKnownToken(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	answer := tells(t, map[string]object{"good": {}})
	idp.does(answer)
	passes(t, v, "good", clock)
	clock.move(2 * time.Minute)
	arrived, release := make(chan struct{}), make(chan struct{})
	idp.does(func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second one would panic
		<-release
		answer(w, r)
	})
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying("good"), clock.now()); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	let := sync.OnceFunc(func() { close(release) })
	if _, err := hookgate.Authenticate(waits{t.Context(), let}, []hookgate.Verifier{v}, carrying("good"), clock.now()); err != nil {
		t.Error(err)
	}
	let()
	first.Wait()
}

// Strangers who make up tokens get eight questions at once, and none of those that a known token needs.
func TestT07_QuestionsAreBounded(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	idp.does(tells(t, map[string]object{"good": {}}))
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	passes(t, v, "good", clock)
	clock.move(2 * time.Minute)
	var busy, most atomic.Int64
	release := make(chan struct{})
	answer := tells(t, map[string]object{"good": {}})
	idp.does(func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm(); r.PostForm.Get("token") != "good" {
			n := busy.Add(1)
			defer busy.Add(-1)
			for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
			}
			<-release
		}
		answer(w, r)
	})
	var wg sync.WaitGroup
	var refused, turned atomic.Int64
	for i := range 1000 {
		wg.Go(func() {
			_, err := hookgate.Authenticate(t.Context(), []hookgate.Verifier{v}, carrying(fmt.Sprintf("made-up-%d", i)), clock.now())
			switch hookgate.AsError(errOr(err)).Code {
			case hookgate.Unauthenticated:
				refused.Add(1)
			case hookgate.Unavailable:
				turned.Add(1)
			default:
				t.Errorf("token %d: %v", i, err)
			}
		})
	}
	eventually(t, "strangers fill their questions", func() bool { return busy.Load() == 8 && turned.Load() >= 900 })
	passes(t, v, "good", clock)
	close(release)
	wg.Wait()
	if most.Load() != 8 || refused.Load()+turned.Load() != 1000 || refused.Load() > 100 {
		t.Errorf("%d at once, %d refused, %d turned away", most.Load(), refused.Load(), turned.Load())
	}
	clock.move(time.Second)
	fails(t, v, "made-up-again", clock, hookgate.Unauthenticated)
}

// However quickly the issuer answers, a hundred tokens that nobody has heard of are asked about in a second.
func TestT07_QuestionsASecond(t *testing.T) {
	t.Parallel()
	clock, idp := newClock(), provider(t, "")
	idp.does(tells(t, nil))
	v := asking(t, parties(t, clock), introspectedEntry(idp.URL))
	for second := range 2 {
		for i := range 120 {
			code := hookgate.Unauthenticated
			if i >= 100 {
				code = hookgate.Unavailable
			}
			fails(t, v, fmt.Sprintf("made-up-%d-%d", second, i), clock, code)
			fails(t, v, fmt.Sprintf("made-up-%d-%d", second, i), clock, code) // what was told serves, and costs none of them
		}
		if n := idp.asked.Load(); n != int64(second+1)*100 {
			t.Errorf("after second %d: %d questions", second, n)
		}
		clock.move(time.Second)
	}
}

// What the issuer tells is held against the entry, as claims are.
func TestT07_AnswersAreChecked(t *testing.T) {
	t.Parallel()
	now := receipt.Unix()
	full := func(name string, value any) object {
		o := object{"iss": "https://login.example.com", "aud": []string{"x", "hookgate"}, "scope": "read hooks:write", "exp": now + 60, "nbf": now - 60, "token_type": "Bearer"}
		if o[name] = value; value == nil {
			delete(o, name)
		}
		return o
	}
	for _, c := range []struct {
		name   string
		answer object
		ok     bool
	}{
		{"all", full("", nil), true},
		{"audience as text", full("aud", "hookgate"), true},
		{"scp as a list", full("scp", []string{"hooks:write"}), true},
		{"no exp", full("exp", nil), true},
		{"null stands for nothing", full("exp", json.RawMessage("null")), true},
		{"token_type in another case", full("token_type", "bearer"), true},
		{"an access token", full("token_type", "access_token"), true}, // as some issuers say
		{"no token_type", full("token_type", nil), true},
		{"bound to a key", full("token_type", "DPoP"), false},
		{"a refresh token", full("token_type", "refresh_token"), false},
		{"token_type is no text", full("token_type", 1), false},
		{"expired", full("exp", now-30), false},
		{"ahead", full("nbf", now+31), false},
		{"made in the future", full("iat", now+31), false},
		{"other issuer", full("iss", "https://login.example.net"), false},
		{"no issuer", full("iss", nil), false},
		{"issuer is null", full("iss", json.RawMessage("null")), false},
		{"other audience", full("aud", "x"), false},
		{"no audience", full("aud", nil), false},
		{"part of the scope", full("scope", "read hooks"), false},
		{"scope in another case", full("scope", "Hooks:Write"), false},
		{"no scope", full("scope", nil), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock, idp := newClock(), provider(t, "")
			idp.does(tells(t, map[string]object{"token": c.answer}))
			entry := introspectedEntry(idp.URL)
			entry.Issuer, entry.Audience, entry.Scopes = "https://login.example.com", "hookgate", []string{"hooks:write"}
			p := parties(t, clock)
			v := asking(t, p, entry)
			if !c.ok {
				if e := fails(t, v, "token", clock, hookgate.Unauthenticated); e.Reason != hookgate.TokenRefused {
					t.Errorf("reason %s", e.Reason)
				}
				return
			}
			passes(t, v, "token", clock)
			// A source that wants more asks for itself.
			entry.Scopes = []string{"hooks:write", "admin"}
			fails(t, asking(t, p, entry), "token", clock, hookgate.Unauthenticated)
		})
	}
}
