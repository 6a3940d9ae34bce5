package main

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/verifiers"
)

// findVerifierCommand searches for the way in which a delivery was signed.
type findVerifierCommand struct {
	Request   string   `required:"" placeholder:"FILE" help:"The captured request: a request line, headers, an empty line, and the raw body; or what hookgate failed show --json prints."`
	Secret    string   `required:"" placeholder:"REF" help:"What the provider signs with, as env:NAME or file:PATH: its secret, token, user:password, or public key. For a client certificate that a proxy passes on in a header: the certificate of its authority, or the sender's own, or its SHA-256 fingerprint."`
	PublicURL []string `name:"public-url" placeholder:"URL" help:"What the provider calls, without the path of the request; where the URL may be signed. The request's Host is tried, too."`
	At        string   `placeholder:"TIME" help:"When it was received (RFC 3339), where a token or a certificate in it has long ended."`
	Proxy     []string `placeholder:"ADDRESS" default:"127.0.0.1" help:"Your own proxy, an address or a network, where it passes the sender's certificate on; 127.0.0.1 unless given."`
	JSON      bool     `name:"json" help:"For scripts: a JSON object a line."`
}

func (findVerifierCommand) Help() string {
	return `Such as:

    hookgate find-verifier --request captured.http --secret env:PROVIDER_SECRET

It tries the gateway's own schemes, the declarations that are shipped, and then every HMAC that a declaration can describe:
header, algorithm, encoding, key, and the text that is signed. What verifies is printed as configuration. Where it is a new
declaration, it comes with vectors, signed anew with a secret that is made up, so that yours is in none of them.

A client certificate is looked for in every header that the gateway could take it from. Because anybody can write a header, it is
found only by what you give as --secret, and the configuration believes it only of your proxy:

    hookgate find-verifier --request captured.http --secret file:senders-ca.pem --proxy 10.0.0.7`
}

// Run prints what verifies. The exit code is 1 if nothing does.
func (c findVerifierCommand) Run(m *Main) error {
	req, err := readCapture(c.Request)
	if err != nil {
		return err
	}
	secret, warnings, err := configs.Resolve("--secret", c.Secret, m.Env)
	if holdsCertificates(secret) {
		warnings = nil // that others may read its file
	}
	for _, w := range warnings {
		fmt.Fprintln(m.Stderr, "warning:", w)
	}
	if err != nil {
		return exitError{exitUsage, err}
	}
	if c.At != "" {
		if req.ReceivedAt, err = time.Parse(time.RFC3339, c.At); err != nil {
			return exitError{exitUsage, errors.New("--at is a time such as 2026-11-22T10:00:00Z")}
		}
	}
	if err := checkProxies(c.Proxy); err != nil {
		return exitError{exitUsage, err}
	}
	known, err := shippedDeclarations()
	if err != nil {
		return err
	}
	urls := append(slices.Clone(c.PublicURL), sent(req)...)
	delete(req.Header, "Host") // a server has it elsewhere
	shown, unreadable := passedOn(req.Header)
	found, header := findShown(verifiers.Search{Request: req, Secret: secret, PublicURLs: urls, Known: known, Now: req.ReceivedAt}, shown)
	if len(found) == 0 {
		fmt.Fprintln(m.Stderr, "nothing that was tried verifies; see that the body is the raw one, byte for byte, that no header is missing, and that the secret is the right one")
		for _, line := range whyNoCertificate(req, secret, shown, unreadable) {
			fmt.Fprintln(m.Stderr, printable(line))
		}
		return errSaid
	}
	for _, f := range found {
		text, err := c.describe(f, req, header, shown)
		if err != nil {
			return err
		}
		if c.JSON {
			line, err := json.Marshal(map[string]any{"scheme": f.Entry.Scheme, "declaration": f.Entry.Declaration, "signed_at": f.At.UTC(), "configuration": text})
			if err != nil {
				return err
			}
			fmt.Fprintln(m.Stdout, string(line))
			continue
		}
		fmt.Fprintln(m.Stdout, text)
	}
	return nil
}

// describe writes what was found as configuration; header is the one of those that hold certificates whose were judged.
func (c findVerifierCommand) describe(f verifiers.Found, req *hookgate.Request, header string, shown []passed) (string, error) {
	var b strings.Builder
	if f.Entry.Scheme == "client-certificate" {
		c.believe(&b, header, shown)
	}
	if f.Entry.PublicURL != "" {
		fmt.Fprintf(&b, "public_url: %s\n", f.Entry.PublicURL)
	}
	entry := "{scheme: " + f.Entry.Scheme
	for option, secrets := range map[string][]hookgate.Secret{"secrets": f.Entry.Secrets, "keys": f.Entry.Keys, "users": f.Entry.Users, "ca": f.Entry.CA} {
		if len(secrets) > 0 {
			entry += fmt.Sprintf(", %s: [%s]", option, c.Secret)
		}
	}
	entry += listed("names", f.Entry.Names) + listed("fingerprints", f.Entry.Fingerprints)
	if f.Entry.Encoding != "" && f.Entry.Encoding != "hex" {
		entry += ", encoding: " + f.Entry.Encoding
	}
	if p := f.Entry.Prefix; p != nil && *p != "Bearer" {
		entry += ", prefix: " + strconv.Quote(*p)
	}
	provider := "sprinklr # or who sends it"
	if f.Entry.Declaration != "" {
		entry += ", declaration: " + f.Entry.Declaration
		provider = f.Entry.Declaration
	}
	fmt.Fprintf(&b, "sources:\n  - name: found\n    provider: %s\n    auth:\n      - %s}\n", provider, entry)
	if d := f.Entry.Declared; d != nil && !slices.Contains(configs.Shipped(), d.Name) {
		vectors, err := vectorsOf(f, req)
		if err != nil {
			return "", err
		}
		declare(&b, d, vectors)
	}
	return b.String(), nil
}

// shippedDeclarations are those that come with the program.
func shippedDeclarations() (all []hookgate.Declaration, err error) {
	for _, name := range configs.Shipped() {
		d, err := configs.Declared(name, rules())
		if err != nil {
			return nil, err
		}
		all = append(all, *d)
	}
	return all, nil
}

// vectorsOf signs the request anew with a made-up secret, once so that it verifies and once with another body.
func vectorsOf(f verifiers.Found, req *hookgate.Request) ([]hookgate.Vector, error) {
	sample := rand.Text() + rand.Text()
	switch f.Entry.Declared.Key {
	case "base64":
		sample = base64.StdEncoding.EncodeToString([]byte(sample))
	case "hex":
		sample = hex.EncodeToString([]byte(sample))
	case "whsec":
		sample = "whsec_" + base64.StdEncoding.EncodeToString([]byte(sample))
	}
	entry := f.Entry
	entry.Secrets = []hookgate.Secret{hookgate.NewSecret([]byte(sample), "")}
	scheme, err := verifiers.NewSigner(entry, hookgate.Secret{})
	if err != nil {
		return nil, err
	}
	d := entry.Declared
	signed := *req
	signed.Header = make(http.Header)
	for _, name := range []string{d.Header, d.Timestamp.Header, d.ID} {
		if values := req.Header[http.CanonicalHeaderKey(name)]; name != "" && len(values) == 1 {
			signed.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if err := scheme.Sign(&signed, f.At); err != nil {
		return nil, err
	}
	good := hookgate.Vector{Verifies: true, Secret: sample, Method: req.Method, From: "a captured delivery, signed anew with a made-up secret"}
	if strings.Contains(d.Signed, "{url}") || strings.Contains(d.Signed, "{target}") {
		good.URL = cmp.Or(f.Entry.PublicURL, "https://hooks.example.com") + req.Target
	}
	if d.Timestamp.Header != "" || d.Timestamp.Pair != "" {
		good.At = f.At.UTC().Format(time.RFC3339)
	}
	for name, values := range signed.Header {
		good.Headers = append(good.Headers, name+": "+values[0])
	}
	slices.Sort(good.Headers)
	bad := good
	bad.Verifies, bad.From = false, "the same with another body"
	setBody(&good, req.Body)
	setBody(&bad, append(slices.Clone(req.Body), ' '))
	return []hookgate.Vector{good, bad}, nil
}

// setBody takes a body that is one line of plain text as it is.
func setBody(v *hookgate.Vector, body []byte) {
	plain := func(r rune) bool { return r == '\uFFFD' || !unicode.IsPrint(r) }
	if strings.ContainsFunc(string(body), plain) || strings.Contains(string(body), "${") || len(body) == 0 {
		v.Base64 = base64.StdEncoding.EncodeToString(body)
		return
	}
	v.Body = string(body)
}

// declare writes a declaration.
func declare(b *strings.Builder, d *hookgate.Declaration, vectors []hookgate.Vector) {
	line := func(indent, key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s%s: %s\n", indent, key, strconv.Quote(value))
		}
	}
	b.WriteString("declarations:\n  - name: " + d.Name + "\n")
	const in = "    "
	line(in, "header", d.Header)
	line(in, "prefix", d.Prefix)
	line(in, "pair", d.Pair)
	line(in, "encoding", d.Encoding)
	line(in, "algorithm", d.Algorithm)
	line(in, "key", d.Key)
	line(in, "signed", d.Signed)
	if t := d.Timestamp; t.Header != "" || t.Pair != "" {
		b.WriteString(in + "timestamp:\n")
		line(in+"  ", "header", t.Header)
		line(in+"  ", "pair", t.Pair)
		line(in+"  ", "unit", t.Unit)
		b.WriteString(in + "  tolerance: 5m\n")
	}
	line(in, "id", d.ID)
	b.WriteString(in + "vectors:\n")
	for _, v := range vectors {
		fmt.Fprintf(b, "%s  - verifies: %t\n", in, v.Verifies)
		const deep = in + "    "
		line(deep, "secret", v.Secret)
		line(deep, "method", v.Method)
		line(deep, "url", v.URL)
		b.WriteString(deep + "headers:\n")
		for _, h := range v.Headers {
			fmt.Fprintf(b, "%s  - %s\n", deep, strconv.Quote(h))
		}
		line(deep, "body", v.Body)
		line(deep, "body_base64", v.Base64)
		line(deep, "at", v.At)
		line(deep, "from", v.From)
	}
}
