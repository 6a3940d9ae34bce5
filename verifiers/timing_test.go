package verifiers_test

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// leak is the two-sample t above which two classes of inputs are told apart by time.
const leak = 4.5

// tOf measures two ways of doing something, in random order and some calls at a time, and gives Welch's t of their times.
// The slowest tenth of all is left out: an interrupt says nothing about a secret.
func tOf(samples int, ways [2]func()) float64 {
	const calls = 8
	var took [2][]float64
	for range samples {
		way := rand.IntN(2)
		began := time.Now()
		for range calls {
			ways[way]()
		}
		took[way] = append(took[way], float64(time.Since(began)))
	}
	all := slices.Concat(took[0], took[1])
	slices.Sort(all)
	most := all[len(all)*9/10]
	var mean, spread [2]float64
	for i, times := range took {
		times = slices.DeleteFunc(times, func(x float64) bool { return x > most })
		n := float64(len(times))
		if n < 2 {
			return math.Inf(1)
		}
		for _, x := range times {
			mean[i] += x / n
		}
		for _, x := range times {
			spread[i] += (x - mean[i]) * (x - mean[i]) / (n - 1) / n
		}
	}
	return math.Abs(mean[0]-mean[1]) / math.Sqrt(spread[0]+spread[1])
}

// TestS10_TimeTellsNothing measures whether the time of a refusal tells how much of a guess was right: the first or the last
// character of a signature, the user or the password, their length. HOOKGATE_TEST_LONG=1 measures; without it the guesses are
// only shown to be refused alike, for times mean nothing on a machine that does other things, too. Noise can look like a
// leak and a leak never like noise, so that the least of five rounds counts. A comparison that stops at the first
// difference is measured beside them, and must be found.
func TestS10_TimeTellsNothing(t *testing.T) { // not parallel: it measures time
	samples := 0
	if os.Getenv("HOOKGATE_TEST_LONG") != "" {
		samples = 100_000
	}
	hub, good := pair(t, "hub-signature")
	signed := good.Header[hubHeader][0]
	guess := func(at int) *hookgate.Request {
		text := []byte(signed)
		text[at] ^= 1 // another digit: the pairs are 0 and 1, 2 and 3, ... a breaks this
		if _, err := hex.DecodeString(string(text[len("sha256="):])); err != nil {
			text[at] = '0'
		}
		return with(good, hubHeader, string(text))
	}
	basic, authentic := pair(t, "basic")
	login := func(user, password string) *hookgate.Request {
		return with(authentic, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	access, token := pair(t, "access-token")
	value := token.Header["Authorization"][0]
	guessToken := func(at int) *hookgate.Request {
		text := []byte(value)
		text[at] ^= 1
		return with(token, "Authorization", string(text))
	}
	first := len("Bearer ")
	for name, c := range map[string]struct {
		scheme hookgate.Verifier
		a, b   *hookgate.Request
	}{
		"hub-signature: first or last digit":      {hub, guess(len("sha256=")), guess(len(signed) - 1)},
		"basic: user right or wrong":              {basic, login("one", "made-up-passwore"), login("twi", "made-up-passwore")},
		"basic: first or last letter of password": {basic, login("one", "nade-up-password"), login("one", "made-up-passwore")},
		"access-token: first or last letter":      {access, guessToken(first), guessToken(len(value) - 1)},
	} {
		refusedFor(t, c.scheme, c.a, receipt, hookgate.Mismatch)
		refusedFor(t, c.scheme, c.b, receipt, hookgate.Mismatch)
		if samples == 0 {
			continue
		}
		least := math.Inf(1)
		for range 5 {
			least = min(least, tOf(samples, [2]func(){
				func() { _, _ = c.scheme.Verify(c.a, receipt) }, func() { _, _ = c.scheme.Verify(c.b, receipt) },
			}))
		}
		t.Logf("%s: t = %.2f", name, least)
		if least >= leak {
			t.Errorf("%s: t = %.2f, which tells them apart", name, least)
		}
	}
	if samples == 0 {
		return
	}
	naive := func(guess string) func() {
		return func() {
			for i := range len(signed) {
				if signed[i] != guess[i] {
					return
				}
			}
		}
	}
	if found := tOf(samples, [2]func(){naive(guess(len("sha256=")).Header[hubHeader][0]), naive(guess(len(signed) - 1).Header[hubHeader][0])}); found < leak {
		t.Errorf("a plain comparison has t = %.2f, so that this test has measured nothing", found)
	}
}
