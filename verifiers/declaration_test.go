package verifiers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// proven is a declaration in order, with a vector of each kind.
func proven() hookgate.Declaration {
	const body = `{"a":1}`
	sum := "X-Sum: " + sumOf(body)
	return hookgate.Declaration{Name: "made-up", Header: "X-Sum", Vectors: []hookgate.Vector{
		{Verifies: true, Secret: goodKey, Headers: []string{sum}, Body: body},
		{Secret: goodKey, Headers: []string{sum}, Body: "{}"},
	}}
}

func demandDeclared(t *testing.T, d hookgate.Declaration, field, says string) {
	t.Helper()
	err := verifiers.CheckDeclaration(d)
	var problems hookgate.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error %v, want Problems", err)
	}
	if !slices.ContainsFunc(problems, func(p hookgate.Problem) bool { return p.Field == field && strings.Contains(p.Error(), says) }) {
		t.Errorf("problems:\n%v\nwant field %q with %q", err, field, says)
	}
}

func TestDeclarationsThatDoNotLoad(t *testing.T) {
	t.Parallel()
	if err := verifiers.CheckDeclaration(proven()); err != nil {
		t.Fatalf("the one that all others are made of: %v", err)
	}
	type d = hookgate.Declaration
	for name, c := range map[string]struct {
		change func(*d)
		field  string
		says   string
	}{
		"no header":            {func(d *d) { d.Header = "" }, "header", "not the name of a header"},
		"blank header":         {func(d *d) { d.Header = "X Sum" }, "header", "not the name of a header"},
		"host":                 {func(d *d) { d.Header = "host" }, "header", "any Host; sign {url}"},
		"algorithm":            {func(d *d) { d.Algorithm = "md5" }, "algorithm", "sha256, sha512 or sha1"},
		"encoding":             {func(d *d) { d.Encoding = "base32" }, "encoding", "unknown encoding"},
		"key":                  {func(d *d) { d.Key = "Base64" }, "key", "unknown way"},
		"prefix and pair":      {func(d *d) { d.Prefix, d.Pair = "x=", "v1" }, "prefix", "a list of pairs has no prefix"},
		"blank before":         {func(d *d) { d.Prefix = " x" }, "prefix", "begins with a blank"},
		"control in prefix":    {func(d *d) { d.Prefix = "x\x01" }, "prefix", "more than plain ASCII"},
		"delete in prefix":     {func(d *d) { d.Prefix = "x\x7f" }, "prefix", "more than plain ASCII"},
		"prefix of SHA-512":    {func(d *d) { d.Prefix = "SHA512=" }, "prefix", "names sha512, and the algorithm is sha256"},
		"pair":                 {func(d *d) { d.Pair = "v 1" }, "pair", "not the name of a pair"},
		"no body":              {func(d *d) { d.Signed = "{id}" }, "signed", "does not hold {body}"},
		"empty braces":         {func(d *d) { d.Signed = "{}{body}" }, "signed", "stands for nothing"},
		"unknown word":         {func(d *d) { d.Signed = "{host}{body}" }, "signed", "stands for nothing; known are {body}"},
		"open brace":           {func(d *d) { d.Signed = "{body}{" }, "signed", "has no }"},
		"closed brace":         {func(d *d) { d.Signed = "}{body}" }, "signed", "has no {"},
		"body twice":           {func(d *d) { d.Signed = "{body}{body}" }, "signed", "{body} is in the template twice"},
		"url and target":       {func(d *d) { d.Signed = "{url} {target} {body}" }, "signed", "both {url} and {target}"},
		"escape":               {func(d *d) { d.Signed = `\t{body}` }, "signed", "unknown escape"},
		"escape at the end":    {func(d *d) { d.Signed = `{body}\` }, "signed", "unknown escape"},
		"line feed":            {func(d *d) { d.Signed = "a\n{body}" }, "signed", `control character; write \n`},
		"too long":             {func(d *d) { d.Signed = strings.Repeat("a", 600) + "{body}" }, "signed", "606 bytes, and at most 512"},
		"id against time":      {func(d *d) { d.Signed, d.ID = "{id}{body}", "X-Id" }, "signed", "{id} meets another word"},
		"id against letters":   {func(d *d) { d.Signed, d.ID = "{id}v1.{body}", "X-Id" }, "signed", "could be part of it"},
		"id before letters":    {func(d *d) { d.Signed, d.ID = "{body}.v1{id}", "X-Id" }, "signed", "could be part of it"},
		"id behind no ASCII":   {func(d *d) { d.Signed, d.ID = "À{id}.{body}", "X-Id" }, "signed", "could be part of it"},
		"id not signed":        {func(d *d) { d.ID = "X-Id" }, "signed", "{id} and id: belong together"},
		"id from nowhere":      {func(d *d) { d.Signed = "{id}.{body}" }, "signed", "{id} and id: belong together"},
		"id in the header":     {func(d *d) { d.Signed, d.ID = "{id}.{body}", "x-sum" }, "id", "holds something else"},
		"time not signed":      {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Header: "X-Time"} }, "signed", "{timestamp} and timestamp: belong together"},
		"time from nowhere":    {func(d *d) { d.Signed = "{timestamp}.{body}" }, "signed", "{timestamp} and timestamp: belong together"},
		"time in the header":   {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Header: "x-sum"} }, "timestamp.header", "the header of the signature"},
		"time in no pairs":     {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Pair: "t"} }, "timestamp.pair", "the signature is not"},
		"time in other pairs":  {func(d *d) { d.Pair, d.Timestamp = "v1", hookgate.DeclaredTime{Pair: "t", Header: "X-Time"} }, "timestamp.header", "alone"},
		"time is signature":    {func(d *d) { d.Pair, d.Timestamp = "v1", hookgate.DeclaredTime{Pair: "v1"} }, "timestamp.pair", "the pair of the signature"},
		"unit":                 {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Unit: "us"} }, "timestamp.unit", "s or ms"},
		"tolerance too long":   {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Tolerance: 8 * 24 * time.Hour} }, "timestamp.tolerance", "between 1s and 7d"},
		"tolerance too short":  {func(d *d) { d.Timestamp = hookgate.DeclaredTime{Tolerance: time.Millisecond} }, "timestamp.tolerance", "between 1s and 7d"},
		"no vectors":           {func(d *d) { d.Vectors = nil }, "vectors", "no vector that verifies"},
		"no bad vector":        {func(d *d) { d.Vectors = d.Vectors[:1] }, "vectors", "no vector whose signature does not fit"},
		"no good vector":       {func(d *d) { d.Vectors = d.Vectors[1:] }, "vectors", "no vector that verifies"},
		"bad for no signature": {func(d *d) { d.Vectors[1].Headers = nil }, "vectors", "no vector whose signature does not fit"},
		"too many vectors":     {func(d *d) { d.Vectors = slices.Repeat(d.Vectors, 40) }, "vectors", "80 vectors, and at most 64"},
		"good that fails":      {func(d *d) { d.Vectors[0].Body = "{}" }, "vectors[0]", "must verify and does not: mismatch: X-Sum was made by none"},
		"bad that verifies":    {func(d *d) { d.Vectors[1] = d.Vectors[0]; d.Vectors[1].Verifies = false }, "vectors[1]", "must not verify and does"},
		"header missing":       {func(d *d) { d.Vectors[0].Headers = nil }, "vectors[0]", "header_missing: no X-Sum header"},
		"header line":          {func(d *d) { d.Vectors[0].Headers[0] = "X-Sum" }, "vectors[0].headers[0]", "not a header"},
		"no secret":            {func(d *d) { d.Vectors[0].Secret = "" }, "vectors[0].secret", "empty"},
		"secret as declared":   {func(d *d) { d.Key = "hex" }, "vectors[0].secret", "not hex"},
		"two bodies":           {func(d *d) { d.Vectors[0].Base64 = "e30=" }, "vectors[0].body_base64", "here twice"},
		"body in no base64":    {func(d *d) { d.Vectors[0].Body, d.Vectors[0].Base64 = "", "e30" }, "vectors[0].body_base64", "not padded standard base64"},
		"no URL":               {func(d *d) { d.Signed = "{url}{body}" }, "vectors[0].url", "the vector has none"},
		"URL":                  {func(d *d) { d.Vectors[0].URL = "/hooks" }, "vectors[0].url", "not a URL"},
		"URL without a host":   {func(d *d) { d.Vectors[0].URL = "https:///b" }, "vectors[0].url", "not a URL"},
		"URL of a file":        {func(d *d) { d.Vectors[0].URL = "ftp://a.example/b" }, "vectors[0].url", "not a URL"},
		"URL with a user":      {func(d *d) { d.Vectors[0].URL = "https://u@a.example/b" }, "vectors[0].url", "not a URL"},
		"URL with a fragment":  {func(d *d) { d.Vectors[0].URL = "https://a.example/b#c" }, "vectors[0].url", "not a URL"},
		"URL without a path":   {func(d *d) { d.Vectors[0].URL = "https://a.example" }, "vectors[0].url", "no path"},
		"no time of receipt":   {func(d *d) { d.Signed, d.Timestamp.Header = "{timestamp}.{body}", "X-Time" }, "vectors[0].at", "time of receipt"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			declaration := proven()
			c.change(&declaration)
			demandDeclared(t, declaration, c.field, c.says)
		})
	}
}

// What is at a limit is within it.
func TestDeclarationsAtTheLimits(t *testing.T) {
	t.Parallel()
	const body, at = "{}", "2024-07-01T08:41:04Z"
	literal := strings.Repeat("a", 512-len("{timestamp}{body}"))
	for _, tolerance := range []time.Duration{time.Second, 7 * 24 * time.Hour} {
		good := hookgate.Vector{Verifies: true, Secret: goodKey, Headers: []string{"X-Time: 1719823264", "X-Sum: " + sumOf(literal+"1719823264"+body)}, Body: body, At: at}
		bad := good
		bad.Verifies, bad.Body = false, "[]"
		d := hookgate.Declaration{Header: "X-Sum", Signed: literal + "{timestamp}{body}", Timestamp: hookgate.DeclaredTime{Header: "X-Time", Tolerance: tolerance}}
		d.Vectors = slices.Concat(slices.Repeat([]hookgate.Vector{good}, 63), []hookgate.Vector{bad})
		if err := verifiers.CheckDeclaration(d); err != nil {
			t.Error(err)
		}
		d.Vectors = append(d.Vectors, good)
		demandDeclared(t, d, "vectors", "65 vectors")
	}
}

// A vector that fails for what the declaration says wrongly is told what would be right, and never what the signature is.
func TestDeclarationsAreExplained(t *testing.T) {
	t.Parallel()
	const body = `{"a":1}`
	key := base64.StdEncoding.EncodeToString([]byte(goodKey))
	for name, c := range map[string]struct {
		change func(*hookgate.Declaration)
		header string
		says   string
	}{
		"algorithm": {func(d *hookgate.Declaration) { d.Algorithm = "sha512" }, sumOf(body), "it does with algorithm: sha256"},
		"encoding":  {func(d *hookgate.Declaration) { d.Encoding = "HEX" }, sumOf(body), "it does with encoding: hex"},
		"key":       {func(d *hookgate.Declaration) { d.Key = "raw"; d.Vectors[0].Secret = key }, sumOf(body), "it does with key: base64"},
		"two": {func(d *hookgate.Declaration) { d.Encoding, d.Vectors[0].Secret = "base64", "whsec_"+key }, sumOf(body),
			"it does with encoding: hex, key: whsec"},
		"nothing near": {func(d *hookgate.Declaration) {}, strings.Repeat("0", 64), "none of the 1 secrets"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			d := proven()
			d.Vectors[0].Headers = []string{"X-Sum: " + c.header}
			c.change(&d)
			demandDeclared(t, d, "vectors[0]", c.says)
			err := verifiers.CheckDeclaration(d).Error()
			right := mac(sha256.New, []byte(goodKey), []byte(body))
			for _, trace := range []string{sumOf(body)[:8], strings.ToUpper(sumOf(body)[:8]), base64.StdEncoding.EncodeToString(right)[:8], goodKey, key} {
				if strings.Contains(err, trace) {
					t.Errorf("%q is shown: %s", trace, err)
				}
			}
			if name == "nothing near" && strings.Contains(err, "it does with") {
				t.Errorf("something is found: %s", err)
			}
		})
	}
}

func TestDeclarationVectorForms(t *testing.T) {
	t.Parallel()
	const body = "{\n  \"a\": 1\n}"
	signed := "POST https://hooks.example.com:8443/hooks/a?b=%20 " + body
	d := hookgate.Declaration{Header: "x-sum", Signed: "{method} {url} {body}", Vectors: []hookgate.Vector{
		{Verifies: true, Secret: "hush", URL: "https://hooks.example.com:8443/hooks/a?b=%20", Headers: []string{"X-SUM:" + hexMAC("hush", signed)}, Base64: base64.StdEncoding.EncodeToString([]byte(body))},
	}}
	other := d.Vectors[0]
	other.Verifies, other.Method = false, "PUT"
	d.Vectors = append(d.Vectors, other)
	if err := verifiers.CheckDeclaration(d); err != nil {
		t.Error(err)
	}
	plain := proven()
	for i := range plain.Vectors {
		plain.Vectors[i].URL = "http://a.example/b"
	}
	if err := verifiers.CheckDeclaration(plain); err != nil {
		t.Errorf("a URL without TLS: %v", err)
	}
	doubled := other
	doubled.Method, doubled.Headers = "", []string{other.Headers[0], "X-Sum: x"}
	d.Vectors = append(d.Vectors, doubled)
	if err := verifiers.CheckDeclaration(d); err != nil {
		t.Errorf("a doubled header: %v", err)
	}
}

// Options at their zero value are the defaults of the documentation.
func TestDeclarationDefaults(t *testing.T) {
	t.Parallel()
	plain := proven()
	full := plain
	full.Encoding, full.Algorithm, full.Key, full.Signed = "hex", "sha256", "raw", "{body}"
	full.Timestamp = hookgate.DeclaredTime{Unit: "s", Tolerance: 5 * time.Minute}
	for _, d := range []hookgate.Declaration{plain, full} {
		if err := verifiers.CheckDeclaration(d); err != nil {
			t.Error(err)
		}
		req := headers(sumHeader, sumOf(string(delivery().Body)))
		accepted(t, verifier(t, hookgate.AuthSettings{Scheme: "hmac", Declared: &d, Secrets: lit(goodKey)}), req, receipt)
	}
}
