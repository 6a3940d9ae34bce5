package verifiers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// TestExplain breaks one thing at a time between a provider that signs and a gateway that verifies, and demands the one
// diagnosis that helps.
func TestExplain(t *testing.T) {
	t.Parallel()
	const key = "c2l4dGVlbiBieXRlcyBvZiBrZXk="
	secret := func(text string) []hookgate.Secret {
		return []hookgate.Secret{hookgate.NewSecret([]byte(text), "env:KEY")}
	}
	decoded, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"b":"x/y","a":[1, 2.0]}`
	// Many brackets in a text, digits, and lists side by side, but no depth.
	long := `{"a":"` + strings.Repeat("[", 1000) + `","n":` + strings.Repeat("1", 2000) + `,"l":[` + strings.Repeat("[1],", 1000) + `{}]}`
	hub := hookgate.AuthSettings{Scheme: "hub-signature", Secrets: secret(key)}
	bird := hookgate.AuthSettings{Scheme: "bird-signature", Secrets: secret(key), PublicURL: "https://hooks.example.com"}
	token := hookgate.AuthSettings{Scheme: "access-token", Secrets: secret(key)}
	basic := hookgate.AuthSettings{Scheme: "basic", Users: secret("user:password of the user")}
	with := func(entry hookgate.AuthSettings, change func(*hookgate.AuthSettings)) hookgate.AuthSettings {
		change(&entry)
		return entry
	}
	secrets := func(entry hookgate.AuthSettings, text string) hookgate.AuthSettings {
		return with(entry, func(a *hookgate.AuthSettings) { a.Secrets = secret(text) })
	}
	now := time.Unix(1_790_000_000, 0)
	for name, c := range map[string]struct {
		ours, theirs hookgate.AuthSettings
		signed, got  string // the body when it was signed and when it came in; body where empty
		from, to     string // the target when it was signed and when it came in; /hooks/x?q=1 where empty
		at           time.Duration
		change       func(*hookgate.Request)
		want         verifiers.Diagnosis
		says         string
	}{
		"another key":             {ours: hub, theirs: secrets(hub, "another key of 24 bytes!"), want: verifiers.Unexplained, says: "another key"},
		"key with line feed":      {ours: hub, theirs: secrets(hub, key+"\n"), want: verifiers.KeySpace, says: "line feed"},
		"key without line feed":   {ours: secrets(hub, key+"\n"), theirs: hub, want: verifiers.KeySpace, says: "white space"},
		"key to be decoded":       {ours: hub, theirs: secrets(hub, string(decoded)), want: verifiers.KeyEncoding, says: "decodes it from base64"},
		"key decoded by us":       {ours: secrets(hub, string(decoded)), theirs: hub, want: verifiers.KeyEncoding, says: "base64 text"},
		"key of which a part":     {ours: secrets(hub, key[:24]+"*"+key[24:]), theirs: secrets(hub, string(decoded[:18])), want: verifiers.Unexplained, says: "another key"},
		"hex key to be decoded":   {ours: secrets(hub, hex.EncodeToString(decoded)), theirs: secrets(hub, string(decoded)), want: verifiers.KeyEncoding, says: "decodes it from hex"},
		"hex of which a part":     {ours: secrets(hub, hex.EncodeToString(decoded)+"*"), theirs: secrets(hub, string(decoded)), want: verifiers.Unexplained, says: "another key"},
		"key of another source":   {ours: hub, theirs: secrets(hub, "key of the other source!"), want: verifiers.KeyElsewhere, says: "source chat"},
		"signature as base64":     {ours: hub, theirs: with(hub, func(a *hookgate.AuthSettings) { a.Encoding = "base64" }), want: verifiers.SignatureForm, says: "encoding: base64"},
		"signature in upper case": {ours: hub, theirs: with(hub, func(a *hookgate.AuthSettings) { a.Encoding = "HEX" }), want: verifiers.SignatureForm, says: "HEX"},
		"prefix gone": {ours: hub, theirs: hub, want: verifiers.SignatureForm, says: "sha256= in front", change: func(r *hookgate.Request) {
			r.Header.Set("X-Hub-Signature", strings.TrimPrefix(r.Header.Get("X-Hub-Signature"), "sha256="))
		}},
		"signature escaped": {ours: with(hub, func(a *hookgate.AuthSettings) { a.Encoding = "base64" }), theirs: with(hub, func(a *hookgate.AuthSettings) { a.Encoding = "base64" }), want: verifiers.SignatureForm, says: "unescaped", change: func(r *hookgate.Request) {
			r.Header.Set("X-Hub-Signature", url.QueryEscape(r.Header.Get("X-Hub-Signature")))
		}},
		"header renamed": {ours: hub, theirs: hub, want: verifiers.HeaderRenamed, says: "is in X-Hub-Signature-256", change: func(r *hookgate.Request) {
			r.Header["X-Hub-Signature-256"] = r.Header["X-Hub-Signature"]
			delete(r.Header, "X-Hub-Signature")
		}},
		"header gone": {ours: hub, theirs: hub, want: verifiers.HeaderAbsent, says: "no X-Hub-Signature", change: func(r *hookgate.Request) {
			delete(r.Header, "X-Hub-Signature")
		}},
		"header twice": {ours: hub, theirs: hub, want: verifiers.HeaderTwice, says: "2 X-Hub-Signature", change: func(r *hookgate.Request) {
			r.Header["X-Hub-Signature"] = slices.Repeat(r.Header["X-Hub-Signature"], 2)
		}},
		"body made compact":   {ours: hub, theirs: hub, got: `{"b":"x/y","a":[1,2.0]}`, signed: `{"b": "x/y", "a": [1, 2.0]}`, want: verifiers.BodyRewritten, says: "blank behind"},
		"body sorted":         {ours: hub, theirs: hub, signed: `{"a":[1,2.0],"b":"x/y"}`, want: verifiers.BodyRewritten, says: "alphabetical"},
		"slashes unescaped":   {ours: hub, theirs: hub, signed: `{"b":"x\/y","a":[1,2.0]}`, want: verifiers.BodyRewritten, says: `\/`},
		"body indented":       {ours: hub, theirs: hub, signed: "{\n  \"b\": \"x/y\",\n  \"a\": [\n    1,\n    2.0\n  ]\n}", want: verifiers.BodyRewritten, says: "indented"},
		"line feed added":     {ours: hub, theirs: hub, got: body + "\n", want: verifiers.BodyRewritten, says: "white space around"},
		"line ends changed":   {ours: hub, theirs: hub, signed: "{\r\n}", got: "{\n}", want: verifiers.BodyRewritten, says: "CR and LF"},
		"blanks and text":     {ours: hub, theirs: hub, got: `{"b":"x,y:\"z,","a":[1,2]}`, signed: `{"b": "x,y:\"z,", "a": [1, 2]}`, want: verifiers.BodyRewritten, says: "blank behind"},
		"body as Go writes":   {ours: hub, theirs: hub, got: `{"b":"<","a":1}`, signed: `{"a":1,"b":"\u003c"}`, want: verifiers.BodyRewritten, says: "alphabetical"},
		"sorted, unescaped":   {ours: hub, theirs: hub, got: `{"b":"<","a":1}`, signed: `{"a":1,"b":"<"}`, want: verifiers.BodyRewritten, says: "nothing escaped"},
		"long and indented":   {ours: hub, theirs: hub, got: long, signed: indented(t, long), want: verifiers.BodyRewritten, says: "indented"},
		"form in part":        {ours: hub, theirs: hub, signed: "a=1", got: "a=1&b=%zz", want: verifiers.Unexplained},
		"form with one name":  {ours: hub, theirs: hub, signed: "a=", got: "a", want: verifiers.Unexplained},
		"form sorted":         {ours: hub, theirs: hub, signed: "a=1&b=2", got: "b=2&a=1", want: verifiers.BodyRewritten, says: "form"},
		"body compressed":     {ours: hub, theirs: hub, got: string(zipped(t, body)), want: verifiers.BodyCompressed},
		"too much compressed": {ours: hub, theirs: hub, signed: strings.Repeat("a", 256<<10+1), got: string(zipped(t, strings.Repeat("a", 1<<20))), want: verifiers.Unexplained},
		"body and key":        {ours: hub, theirs: secrets(hub, key+"\n"), got: body + "\n", want: verifiers.BodyRewritten, says: "line feed at its end"},
		"other public URL":    {ours: bird, theirs: with(bird, func(a *hookgate.AuthSettings) { a.PublicURL = "http://hooks.example.com" }), want: verifiers.URLDiffers, says: "signed for http://hooks.example.com/hooks/x?q=1"},
		"host of the proxy":   {ours: bird, theirs: with(bird, func(a *hookgate.AuthSettings) { a.PublicURL = "https://edge.example.net" }), want: verifiers.URLDiffers, says: "edge.example.net", change: func(r *hookgate.Request) { r.Header.Set("X-Forwarded-Host", "edge.example.net") }},
		"query stripped":      {ours: bird, theirs: bird, from: "/hooks/x", to: "/hooks/x?q=1&added=1", want: verifiers.URLDiffers, says: "/hooks/x"},
		"query sorted":        {ours: bird, theirs: bird, from: "/hooks/x?a=1&b=2", to: "/hooks/x?b=2&a=1", want: verifiers.URLDiffers, says: "/hooks/x?a=1&b=2"},
		"path escaped":        {ours: bird, theirs: bird, from: "/hooks/a b", to: "/hooks/a%20b", want: verifiers.URLDiffers, says: "/hooks/a b"},
		"clock behind":        {ours: bird, theirs: bird, at: -25 * time.Hour, want: verifiers.ClockOff, says: "before receipt"},
		"clock ahead":         {ours: bird, theirs: bird, at: time.Hour, want: verifiers.ClockOff, says: "after receipt"},
		"token prefix":        {ours: token, theirs: with(token, func(a *hookgate.AuthSettings) { a.Prefix = ptr("Token") }), want: verifiers.SignatureForm, says: "prefix"},
		"token":               {ours: token, theirs: secrets(token, "another token of ours"), want: verifiers.Unexplained},
		"user and password":   {ours: basic, theirs: with(basic, func(a *hookgate.AuthSettings) { a.Users = secret("user:other password") }), want: verifiers.Unexplained},
		"password and space":  {ours: with(basic, func(a *hookgate.AuthSettings) { a.Users = secret("user:password of the user\n") }), theirs: basic, want: verifiers.KeySpace},
		"key that has ended":  {ours: with(hub, func(a *hookgate.AuthSettings) { a.Secrets = []hookgate.Secret{a.Secrets[0].Until(now)} }), theirs: hub, want: verifiers.KeyEnded, says: "env:KEY, which ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signer, err := verifiers.NewSigner(c.theirs, hookgate.Secret{})
			if err != nil {
				t.Fatal(err)
			}
			req := &hookgate.Request{Method: "POST", Target: orElse(c.from, "/hooks/x?q=1"), Header: http.Header{"Accept": {"*/*"}}, Body: []byte(orElse(c.signed, body)), ReceivedAt: now}
			if err := signer.Sign(req, now.Add(c.at)); err != nil {
				t.Fatal(err)
			}
			req = &hookgate.Request{Method: "POST", Target: orElse(c.to, "/hooks/x?q=1"), Header: maps.Clone(req.Header), Body: []byte(orElse(c.got, body)), ReceivedAt: now}
			if c.change != nil {
				c.change(req)
			}
			ours, err := verifiers.New(c.ours)
			if err != nil {
				t.Fatal(err)
			}
			_, refusal := ours.Verify(req, now)
			if refusal == nil {
				t.Fatal("it verifies")
			}
			got := verifiers.Explain(c.ours, req, now, hookgate.AsError(refusal), map[string]hookgate.AuthSettings{"chat": secrets(hub, "key of the other source!"), "mail": token})
			if got.Diagnosis != c.want || !strings.Contains(got.Detail+got.Hint, c.says) {
				t.Errorf("%+v, want %s with %q", got, c.want, c.says)
			}
			if strings.Contains(got.Detail+got.Hint, key) || strings.Contains(got.Detail+got.Hint, "password of") {
				t.Errorf("a secret is told: %+v", got)
			}
			if !slices.Contains(verifiers.Diagnoses(), got.Diagnosis) {
				t.Errorf("%s is not in the list", got.Diagnosis)
			}
		})
	}
}

func indented(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExplainIsBounded: of a body that is too large no other forms are tried, and in a crowd of headers no proof is looked for.
func TestExplainIsBounded(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "hub-signature")
	entry := fixtures(t)["hub-signature"].one
	diagnosis := func(req *hookgate.Request) verifiers.Diagnosis {
		_, err := v.Verify(req, receipt)
		return verifiers.Explain(entry, req, receipt, hookgate.AsError(errOr(err)), nil).Diagnosis
	}
	for size, want := range map[int]verifiers.Diagnosis{256 << 10: verifiers.BodyRewritten, 256<<10 + 1: verifiers.Unexplained} {
		req := copyOf(good)
		req.Body = bytes.Repeat([]byte("x"), size-1)
		if err := signer(t, entry, hookgate.Secret{}).Sign(req, receipt); err != nil {
			t.Fatal(err)
		}
		req = copyOf(req)
		req.Body = append(req.Body, '\n')
		if got := diagnosis(req); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
	for count, want := range map[int]verifiers.Diagnosis{64: verifiers.HeaderRenamed, 65: verifiers.HeaderAbsent} {
		req := with(good, "X-Elsewhere", good.Header[hubHeader]...)
		delete(req.Header, hubHeader)
		for n := len(req.Header); n < count; n++ {
			req.Header["X-"+strconv.Itoa(n)] = []string{"x"}
		}
		if got := diagnosis(req); got != want {
			t.Errorf("%d headers: %s, want %s", count, got, want)
		}
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func ptr(s string) *string { return &s }

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzExplain: whatever a stranger sends is explained without a panic, and nothing that he sends is called a good proof in
// another form when it is none.
func FuzzExplain(f *testing.F) {
	f.Add([]byte(`{"a":1}`), "sha256=00", "/hooks/x?a=b")
	f.Add(zippedSeed(), "00", "/")
	f.Add([]byte("a=b&c=%"), `"`, "?")
	f.Add([]byte(`{"a":"\\`), "", "%zz")
	entries := []hookgate.AuthSettings{
		{Scheme: "hub-signature", Secrets: []hookgate.Secret{hookgate.NewSecret([]byte("0123456789abcdef0123"), "env:A")}},
		{Scheme: "bird-signature", PublicURL: "https://hooks.example.com/in", Secrets: []hookgate.Secret{hookgate.NewSecret([]byte("0123456789abcdef0123"), "env:A")}},
	}
	f.Fuzz(func(t *testing.T, body []byte, header, target string) {
		for _, entry := range entries {
			req := &hookgate.Request{Target: target, Body: body, Header: http.Header{
				"X-Hub-Signature": {header}, "Messagebird-Signature": {header}, "Messagebird-Request-Timestamp": {"1790000000"},
			}}
			got := verifiers.Explain(entry, req, time.Unix(1_790_000_000, 0), hookgate.Refuse(hookgate.Mismatch, "made by none"), nil)
			if got.Diagnosis != verifiers.Unexplained {
				t.Errorf("%+v of %q %q %q", got, body, header, target)
			}
		}
	})
}

func zippedSeed() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte("{}"))
	_ = w.Close()
	return b.Bytes()
}
