package main

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/outbound"
)

type emulateCommand struct {
	Provider string `arg:"" help:"Whom to be: sprinklr, salesiq, commbox, netcore or bird."`

	To        string   `required:"" placeholder:"URL" help:"Where to deliver."`
	PublicURL string   `name:"public-url" placeholder:"URL" help:"The address that the receiver is registered under, which Bird signs; --to unless given. Without a path it has that of --to."`
	Type      []string `sep:"," placeholder:"EVENT" help:"Native events, in turn, such as case.create; all of the provider's unless given."`
	Settings  string   `placeholder:"JSON" help:"Settings of a subscription of the provider, as in the plain API."`

	Scheme   []string `sep:"," group:"Proof" placeholder:"SCHEME" help:"How deliveries prove where they come from; the provider's first one unless given. none proves nothing."`
	Secret   string   `group:"Proof" placeholder:"REF" help:"Shared secret or token, as env:NAME or file:PATH, for hub-signature, bird-signature and access-token."`
	Key      string   `group:"Proof" placeholder:"REF" help:"Private key (PEM), for siq-signature and bearer."`
	User     string   `group:"Proof" placeholder:"REF|NAME" help:"For basic: a reference to user:password, or with --password the user."`
	Password string   `group:"Proof" placeholder:"REF" help:"For basic."`
	Prefix   *string  `group:"Proof" placeholder:"WORD" help:"For access-token: the word before it, Bearer unless given; may be empty."`
	Encoding string   `group:"Proof" placeholder:"FORM" help:"For hub-signature: hex, HEX or base64; hex unless given."`
	Issuer   string   `group:"Proof" placeholder:"TEXT" help:"For bearer: the token's iss."`
	Audience string   `group:"Proof" placeholder:"TEXT" help:"For bearer: the token's aud."`

	Events      int           `default:"100" group:"Load" help:"How many events are made."`
	Batch       int           `group:"Load" placeholder:"N" help:"Events in a request, for netcore; 100 unless given."`
	Rate        float64       `group:"Load" placeholder:"N" help:"Requests a second, by the clock and not by the answers; as fast as they are answered unless given."`
	Concurrency int           `default:"16" short:"C" group:"Load" help:"Requests under way at most. With 1 the order is the same in every run."`
	Attempts    int           `default:"1" group:"Load" help:"How often a delivery is sent until it succeeds."`
	RetryWait   time.Duration `default:"1s" group:"Load" help:"Between attempts."`
	Timeout     time.Duration `group:"Load" placeholder:"DURATION" help:"Of one attempt; the provider's unless given."`
	Seed        uint64        `group:"Load" placeholder:"N" help:"Decides all that is random; made up and shown unless given."`
	Start       time.Time     `group:"Load" placeholder:"TIME" help:"When the first event happens, such as 2026-05-01T12:00:00Z; now unless given. Signing goes by it, too, so that a run can be repeated to the byte."`

	Duplicate    float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Send once more, the same bytes, soon after."`
	Reorder      float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Hold back behind up to eight later ones."`
	BadSignature float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Change a character of the proof; of user and password the password."`
	Truncate     float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Break off in the middle of the body."`
	Slow         float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Let the body trickle."`
	Trickle      time.Duration `default:"3s" group:"Faults, each a share from 0 to 1 or a value" help:"How long a slow body takes; at most half of the time-out."`
	Oversized    float64       `group:"Faults, each a share from 0 to 1 or a value" placeholder:"SHARE" help:"Fill the body up with white space."`
	Oversize     int           `default:"2097152" group:"Faults, each a share from 0 to 1 or a value" help:"Bytes of an oversized body."`
	Skew         time.Duration `group:"Faults, each a share from 0 to 1 or a value" placeholder:"DURATION" help:"Sign at another time, such as --skew=-10m; for bird-signature and bearer, which sign one."`
	RotateAt     int           `group:"Faults, each a share from 0 to 1 or a value" placeholder:"N" help:"From the N-th event on the next secret, key or password signs."`
	NextSecret   string        `group:"Faults, each a share from 0 to 1 or a value" placeholder:"REF" help:"After --rotate-at."`
	NextKey      string        `group:"Faults, each a share from 0 to 1 or a value" placeholder:"REF" help:"After --rotate-at."`
	NextPassword string        `group:"Faults, each a share from 0 to 1 or a value" placeholder:"REF" help:"After --rotate-at."`

	Report   string `default:"text" enum:"text,json" group:"Output" help:"Of the end: text or json."`
	Progress bool   `group:"Output" help:"Show progress every second even where standard error is no terminal."`
}

// Run makes the run and prints its report, when it was ended early, too.
func (c emulateCommand) Run(ctx context.Context, m *Main) error {
	e, err := c.emulation(m)
	if err != nil {
		return exitError{exitUsage, err}
	}
	show := newProgress(m.Stderr, c.Progress)
	e.Progress = func(r outbound.EmulationReport) { show.tell(sofar(&r)) }
	report, err := e.Run(ctx)
	show.end()
	var problems hookgate.Problems
	if errors.As(err, &problems) {
		return exitError{exitUsage, flagged(problems)}
	}
	if printed := c.print(m.Stdout, &report); printed != nil {
		return errors.Join(err, printed)
	}
	switch {
	case err != nil:
		return err
	case report.Sent > 0 && !report.Reached():
		to, _, _ := strings.Cut(c.To, "?") // a query may hold a token
		return errors.New("nothing could be sent to " + to + ": " + report.Error + "; see that the receiver runs there")
	}
	return nil
}

func (c *emulateCommand) emulation(m *Main) (e outbound.Emulation, err error) {
	p := &proofs{main: m, flags: c, used: make(map[string]bool)}
	e = outbound.Emulation{
		Provider: c.Provider, URL: c.To, PublicURL: c.PublicURL, Types: c.Type, Settings: []byte(c.Settings),
		Events: c.Events, Batch: c.Batch, Rate: c.Rate, Concurrency: c.Concurrency, Attempts: c.Attempts,
		RetryWait: c.RetryWait, Timeout: c.Timeout, Seed: c.Seed, Start: c.Start,
		Faults: outbound.Faults{
			Duplicate: c.Duplicate, Reorder: c.Reorder, BadSignature: c.BadSignature, Truncate: c.Truncate, Slow: c.Slow,
			Oversized: c.Oversized, Skew: c.Skew, RotateAt: c.RotateAt, Oversize: c.Oversize, Trickle: c.Trickle,
		},
		Signers: signers,
	}
	if len(c.Scheme) == 0 {
		c.Scheme = outbound.Schemes(c.Provider)[:min(1, len(outbound.Schemes(c.Provider)))]
	}
	for _, scheme := range c.Scheme {
		e.Signing = append(e.Signing, p.signing(scheme, ""))
		if c.NextSecret+c.NextKey+c.NextPassword != "" {
			e.Next = append(e.Next, p.signing(scheme, "next-"))
		}
	}
	if len(c.Scheme) > 0 { // else the provider is not known, which comes first
		p.unused()
	}
	if e.Seed == 0 {
		e.Seed = 1 + uint64(rand.Uint32())
	}
	return e, p.problems.Err()
}

// proofs turns the flags into what signs.
type proofs struct {
	main     *Main
	flags    *emulateCommand
	used     map[string]bool
	problems hookgate.Problems
}

// signing is a scheme with its flags; after --rotate-at with the next ones where they are given.
func (p *proofs) signing(scheme, next string) outbound.Signing {
	c := p.flags
	s := outbound.Signing{AuthSettings: hookgate.AuthSettings{Scheme: scheme}}
	switch scheme {
	case "hub-signature", "bird-signature", "access-token":
		if secret, ok := p.reference(next, "secret"); ok {
			s.Secrets = []hookgate.Secret{secret}
		}
		if scheme == "hub-signature" {
			s.Encoding, p.used["encoding"] = c.Encoding, true
		}
		if scheme == "access-token" {
			s.Prefix, p.used["prefix"] = c.Prefix, true
		}
	case "siq-signature", "bearer":
		s.Private, _ = p.reference(next, "key")
		if scheme == "bearer" {
			s.Issuer, s.Audience = c.Issuer, c.Audience
			p.used["issuer"], p.used["audience"] = true, true
		}
	case "basic":
		if user, ok := p.user(next); ok {
			s.Users = []hookgate.Secret{user}
		}
	}
	return s
}

// given are the flags that hold references, or belong to a scheme.
func (c *emulateCommand) given() map[string]string {
	prefix := ""
	if c.Prefix != nil {
		prefix = "given"
	}
	return map[string]string{
		"secret": c.Secret, "key": c.Key, "user": c.User, "password": c.Password, "prefix": prefix, "encoding": c.Encoding,
		"issuer": c.Issuer, "audience": c.Audience,
		"next-secret": c.NextSecret, "next-key": c.NextKey, "next-password": c.NextPassword,
	}
}

// reference resolves a flag; that of the next secret falls back on the first, for what is not changed.
func (p *proofs) reference(next, flag string) (hookgate.Secret, bool) {
	p.used[flag], p.used[next+flag] = true, true
	if p.flags.given()[next+flag] != "" {
		flag = next + flag
	}
	text := p.flags.given()[flag]
	if text == "" {
		return hookgate.Secret{}, false
	}
	secret, warnings, err := configs.Resolve("--"+flag, text, p.main.Env)
	p.warn(warnings)
	var wrong hookgate.Problems
	if errors.As(err, &wrong) {
		p.problems = append(p.problems, wrong...)
	}
	return secret, err == nil
}

// user is the pair of a user and a password.
func (p *proofs) user(next string) (hookgate.Secret, bool) {
	p.used["user"] = true
	name, ref := p.flags.User, strings.HasPrefix(p.flags.User, "env:") || strings.HasPrefix(p.flags.User, "file:")
	var pair hookgate.Secret
	switch {
	case name == "":
		p.problems.Add("", "give a reference to user:password, or the user and --password", "--user is missing, which basic needs")
		return pair, false
	case ref:
		var ok bool
		if pair, ok = p.reference("", "user"); !ok {
			return pair, false
		}
		name = string(pair.Reveal())
	case strings.Contains(name, ":"):
		p.problems.Add("", "give the user alone and --password as a reference, or a reference to both", "--user holds a colon, and so perhaps a password that is written out")
		return pair, false
	}
	password, ok := p.reference(next, "password")
	switch {
	case ok:
		name, _, _ = strings.Cut(name, ":")
		return hookgate.NewSecret([]byte(name+":"+string(password.Reveal())), password.Ref()), true
	case !ref && p.flags.given()["password"]+p.flags.given()[next+"password"] == "":
		p.problems.Add("", "write env:NAME or file:PATH", "--password is missing, which --user needs unless it is a reference to both")
	}
	return pair, ref
}

// unused reports flags that no scheme of the run takes: whoever gave one thinks that it does something.
func (p *proofs) unused() {
	var left []string
	for flag, text := range p.flags.given() {
		if text != "" && !p.used[flag] {
			left = append(left, flag)
		}
	}
	slices.Sort(left)
	for _, flag := range left {
		p.problems.Add("", "leave it out, or choose another --scheme", "--%s is not taken by %s", flag, strings.Join(p.flags.Scheme, ", "))
	}
}

func (p *proofs) warn(warnings []hookgate.Problem) {
	for _, w := range warnings {
		_, _ = p.main.Stderr.Write([]byte("warning: " + w.Error() + "\n"))
	}
}

// flagged writes the names of problems as flags.
func flagged(problems hookgate.Problems) error {
	for i, p := range problems {
		switch p.Field {
		case "", "provider":
			p.Field = ""
		case "secret", "key", "user", "next-secret", "next-key", "next-password":
			p.Hint = cmp.Or(p.Hint, "write env:NAME or file:PATH")
			fallthrough
		default:
			p.Field = "--" + p.Field
		}
		problems[i] = p
	}
	return problems
}
