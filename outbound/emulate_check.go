package outbound

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// Bounds of a run. They keep a slip of the pen from taking the machine.
const (
	maxConcurrency      = 10_000
	maxEmulatedAttempts = 1_000
	maxOversize         = 64 << 20
)

// emulatedID is the subscription that an emulation delivers for. Digits fit every provider's form of an id but Bird's,
// whose deliveries do not name it.
const emulatedID = "665000000000000000000001"

// prepare checks the settings, fills in what they leave out and makes the signers.
func (e Emulation) prepare(p provider) (*emulator, error) {
	var ps hookgate.Problems
	r := &emulator{provider: p, clock: e.Clock}
	if r.clock == nil {
		r.clock = wallClock{}
	}
	r.fixed = !e.Start.IsZero()
	e.fill(p, r.clock)
	r.url = checkReceiver(&ps, "to", e.URL)
	e.checkNumbers(&ps)
	e.checkTypes(&ps, p)
	public := r.url
	if e.PublicURL != "" {
		public = checkReceiver(&ps, "public-url", e.PublicURL)
	}
	if r.url != nil && public != nil {
		if public.Path == "" {
			public.Path, public.RawPath, public.RawQuery = r.url.Path, r.url.RawPath, r.url.RawQuery
		}
		r.target = public.RequestURI()
		origin := public.Scheme + "://" + public.Host
		r.signers = e.makeSigners(&ps, p, "", origin, e.Signing)
		if e.Faults.RotateAt > 0 {
			r.next = e.makeSigners(&ps, p, "next-", origin, e.Next)
		}
	}
	if public != nil {
		r.sub = e.subscription(public)
		e.checkSettings(&ps, p, r.sub)
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	r.Emulation = e
	r.transport = newTransport(e.Concurrency + maxAside)
	r.tally = newTally(&r.Emulation)
	// A little ahead, so that workers find something, and not more, so that a slow receiver costs no memory.
	r.ready = make(chan shot, min(2*e.Concurrency, 256))
	r.seats = make(chan struct{}, e.Concurrency)
	aside := maxAside
	if e.Concurrency == 1 {
		aside = 0
	}
	r.aside = make(chan struct{}, aside)
	return r, nil
}

// fill puts the defaults in.
func (e *Emulation) fill(p provider, clock Clock) {
	e.Batch = cmp.Or(e.Batch, p.batch, 1)
	if p.batch <= 1 {
		e.Batch = 1
	}
	e.Concurrency = cmp.Or(e.Concurrency, defaultConcurrency)
	e.Attempts = cmp.Or(e.Attempts, 1)
	e.RetryWait = cmp.Or(e.RetryWait, defaultRetryWait)
	e.Timeout = cmp.Or(e.Timeout, p.timeout)
	e.Faults.Oversize = cmp.Or(e.Faults.Oversize, defaultOversize)
	e.Faults.Trickle = cmp.Or(e.Faults.Trickle, defaultTrickle)
	if e.Start.IsZero() {
		e.Start = clock.Now()
	}
	e.Start = e.Start.UTC()
	if len(e.Types) == 0 {
		e.Types = p.events
	}
}

func (e *Emulation) subscription(public *url.URL) *Subscription {
	s := &Subscription{
		Provider: e.Provider, ID: emulatedID, Name: "emulation", URL: public.String(), Events: e.Types, Active: true,
		Settings: e.Settings, Created: e.Start, Updated: e.Start,
	}
	for _, g := range e.Signing {
		s.Auth = append(s.Auth, Auth{Scheme: g.Scheme}) // write makes no proof, but may ask whether there is one
	}
	return s
}

// checkReceiver reads an address that a webhook can be registered under.
func checkReceiver(ps *hookgate.Problems, field, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case text == "":
		ps.Add(field, "write it as http://127.0.0.1:8080/hooks/care", "the address to deliver to is missing")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Opaque != "":
		ps.Add(field, "write it as https://hooks.example.com/hooks/care", "is not an http or https address")
	case u.User != nil:
		ps.Add(field, "use --scheme basic with --user and --password", "holds a user or a password")
	case u.Fragment != "":
		ps.Add(field, "leave out the # and what follows", "has a fragment, which is never sent")
	default:
		return u
	}
	return nil
}

func (e *Emulation) checkNumbers(ps *hookgate.Problems) {
	bounds := []struct {
		field     string
		value     float64
		from, to  float64
		otherwise string
	}{
		{"events", float64(e.Events), 1, math.MaxInt64, "say how many events are to be sent, such as 100"},
		{"rate", e.Rate, 0, 1e6, "requests a second; 0 is as fast as they are answered"},
		{"concurrency", float64(e.Concurrency), 1, maxConcurrency, "requests under way at once"},
		{"batch", float64(e.Batch), 1, 10_000, "events in a request"},
		{"attempts", float64(e.Attempts), 1, maxEmulatedAttempts, "how often a delivery is sent until it succeeds"},
		{"retry-wait", e.RetryWait.Seconds(), 0, 86_400, "the pause between attempts, up to 24h"},
		{"timeout", e.Timeout.Seconds(), 0.001, 3_600, "how long one attempt may take, up to 1h"},
		{"rotate-at", float64(e.Faults.RotateAt), 0, math.MaxInt64, "the number of the first event with the next secret, from 1"},
		{"oversize", float64(e.Faults.Oversize), 1, maxOversize, "the size of an oversized body in bytes, up to 64 MiB"},
		{"trickle", e.Faults.Trickle.Seconds(), 0, 3_600, "how long a slow body takes"},
	}
	for _, b := range bounds {
		if !(b.value >= b.from && b.value <= b.to) { // not a number is neither
			ps.Add(b.field, b.otherwise, "is out of range")
		}
	}
	for name, share := range e.Faults.shares() {
		if !(share >= 0 && share <= 1) {
			ps.Add(name, "write a share from 0 to 1, such as 0.05 for one in twenty", "is no share")
		}
	}
	if e.Faults.BadSignature > 0 && !e.proves() {
		ps.Add("bad-signature", "choose a --scheme that signs", "there is no proof to spoil")
	}
	switch {
	case e.Faults.RotateAt > 0 && len(e.Next) == 0:
		ps.Add("rotate-at", "give --next-secret, --next-key or --next-password", "there is nothing to change to")
	case e.Faults.RotateAt == 0 && len(e.Next) > 0:
		ps.Add("rotate-at", "say from which event on it signs, such as 51", "a next secret is given, and never used")
	}
}

func (e *Emulation) proves() bool {
	return slices.ContainsFunc(e.Signing, func(s Signing) bool { return s.Scheme != "none" })
}

func (e *Emulation) checkTypes(ps *hookgate.Problems, p provider) {
	for _, t := range e.Types {
		if !slices.ContainsFunc(p.events, func(known string) bool { return nativeFits(known, t) }) {
			ps.Add("type", "did you mean "+strings.Join(nearestTo(t, p.events, 3), ", ")+"?", "%s has no event %q", e.Provider, t)
		}
	}
}

// checkSettings asks the provider. Of what it finds only the settings count: the rest is for subscriptions that are kept.
func (e *Emulation) checkSettings(ps *hookgate.Problems, p provider, s *Subscription) {
	if len(e.Settings) == 0 {
		return
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(e.Settings, &object) != nil || object == nil {
		ps.Add("settings", `write it as '{"name":"value"}'`, "is no JSON object")
		return
	}
	if p.check == nil {
		return
	}
	var found hookgate.Problems
	p.check(s, &found)
	for _, f := range found {
		option, is := strings.CutPrefix(f.Field, "settings")
		if !is {
			continue
		}
		if f.Field = "settings"; option != "" {
			f.Message = strings.TrimPrefix(option, ".") + ": " + f.Message
		}
		*ps = append(*ps, f)
	}
}

// nativeFits reports whether a native event is one of the taxonomy, where * stands for one segment.
func nativeFits(known, native string) bool {
	have, want := strings.Split(known, "."), strings.Split(native, ".")
	return slices.EqualFunc(have, want, func(h, w string) bool { return h == w || (h == "*" && w != "") })
}

// makeSigners makes the signers and tries each on nothing, so that what is wrong with a key shows before the run.
func (e *Emulation) makeSigners(ps *hookgate.Problems, p provider, next, origin string, signing []Signing) []Signer {
	var made []Signer
	set := make(map[string]string) // the scheme, by the header that it sets
	for _, g := range signing {
		if g.Scheme != "none" && !slices.Contains(p.schemes, g.Scheme) {
			ps.Add("scheme", "it knows "+strings.Join(p.schemes, ", "), "%s does not use %q", e.Provider, g.Scheme)
			continue
		}
		if g.Scheme == "client-certificate" {
			ps.Add("scheme", "choose another, or let a proxy add the certificate", "an emulation has no client certificates")
			continue
		}
		g.PublicURL = origin
		s, err := e.Signers(g.AuthSettings, g.Private)
		if err != nil {
			signingProblems(ps, next, err)
			continue
		}
		req := &hookgate.Request{Method: http.MethodPost, Target: "/", Header: make(http.Header)}
		if err := s.Sign(req, e.Start); err != nil {
			ps.Add("scheme", "", "%s cannot sign: %v", g.Scheme, err)
			continue
		}
		for name := range req.Header {
			if other, taken := set[name]; taken {
				ps.Add("scheme", "choose one of the two", "%s and %s both set the header %s", other, g.Scheme, name)
			}
			set[name] = g.Scheme
		}
		made = append(made, s)
	}
	return made
}

// signingProblems names the flags that the options of a scheme are set by.
func signingProblems(ps *hookgate.Problems, next string, err error) {
	var many hookgate.Problems
	if !errors.As(err, &many) {
		ps.Add(next+"secret", "", "%v", err)
		return
	}
	for _, p := range many {
		option, _, _ := strings.Cut(p.Field, "[")
		flag := map[string]string{"secrets": next + "secret", "users": next + "password", "private": next + "key", "keys": next + "key", "": "public-url"}[option]
		if next == "" && option == "users" {
			flag = "user"
		}
		p.Field = cmp.Or(flag, option)
		*ps = append(*ps, p)
	}
}

func noSuchProvider(name string) error {
	var ps hookgate.Problems
	known := Providers()
	ps.Add("provider", fmt.Sprintf("did you mean %s? Known are %s", nearestTo(name, known, 1)[0], strings.Join(known, ", ")), "there is no provider %q", name)
	return ps
}

// nearestTo are the names that the fewest slips lead to from got, the nearest first.
func nearestTo(got string, names []string, most int) []string {
	got = got[:min(len(got), 64)]
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return slipsBetween(got, a) - slipsBetween(got, b) })
	return sorted[:min(most, len(sorted))]
}

// slipsBetween counts inserted, dropped and changed characters between two names, whatever their case.
func slipsBetween(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
