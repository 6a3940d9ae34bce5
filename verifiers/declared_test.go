package verifiers_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// declaring is an entry for a declaration, under the first made-up secret.
func declaring(d hookgate.Declaration) hookgate.AuthSettings {
	if d.Header == "" {
		d.Header = sumHeader
	}
	d.Name = "made-up"
	return hookgate.AuthSettings{Scheme: "hmac", Declaration: d.Name, Declared: &d, Secrets: lit(goodKey), PublicURL: "https://hooks.example.com"}
}

func headers(pairs ...string) *hookgate.Request {
	req := delivery()
	for i := 0; i < len(pairs); i += 2 {
		req.Header[pairs[i]] = []string{pairs[i+1]}
	}
	return req
}

// sumOf is the hex HMAC-SHA256 of a text under the first made-up secret.
func sumOf(text string) string { return hexMAC(goodKey, text) }

func hexMAC(key, text string) string {
	return hex.EncodeToString(mac(sha256.New, []byte(key), []byte(text)))
}

// The algorithm is the declaration's, whatever the header claims.
func TestS03_Declared(t *testing.T) {
	t.Parallel()
	hashes := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}
	body := delivery().Body
	for declared := range hashes {
		for prefix := range hashes {
			entry := declaring(hookgate.Declaration{Algorithm: declared, Prefix: prefix + "="})
			if prefix != declared {
				if err := verifiers.CheckDeclaration(*entry.Declared); err == nil || !strings.Contains(err.Error(), "the prefix names "+prefix) {
					t.Errorf("%s with the prefix of %s: %v", declared, prefix, err)
				}
				continue
			}
			v := verifier(t, entry)
			for used, h := range hashes {
				text := hex.EncodeToString(mac(h, []byte(goodKey), body))
				for claimed := range hashes {
					req := headers(sumHeader, claimed+"="+text)
					if used == declared && claimed == declared {
						accepted(t, v, req, receipt)
					} else {
						refusedFor(t, v, req, receipt, hookgate.HeaderGrammar)
					}
				}
				refusedFor(t, v, headers(sumHeader, text), receipt, hookgate.HeaderGrammar)
				refusedFor(t, v, headers(sumHeader, strings.ToUpper(declared)+"="+text), receipt, hookgate.HeaderGrammar)
			}
			refusedFor(t, v, headers(sumHeader, declared+"="+hex.EncodeToString(mac(hashes[declared], nil, body))), receipt, hookgate.Mismatch)
		}
	}
}

// One encoding accepts one form.
func TestS05_Declared(t *testing.T) {
	t.Parallel()
	sum := mac(sha256.New, []byte(goodKey), delivery().Body)
	forms := map[string]string{
		"hex": hex.EncodeToString(sum), "HEX": strings.ToUpper(hex.EncodeToString(sum)), "base64": base64.StdEncoding.EncodeToString(sum),
		"base64url": base64.RawURLEncoding.EncodeToString(sum), "base64url-padded": base64.URLEncoding.EncodeToString(sum),
	}
	for encoding, good := range forms {
		v := verifier(t, declaring(hookgate.Declaration{Encoding: encoding}))
		for _, form := range forms {
			if form == good {
				accepted(t, v, headers(sumHeader, form), receipt)
			} else {
				refusedFor(t, v, headers(sumHeader, form), receipt, hookgate.HeaderGrammar)
			}
		}
		for _, bad := range []string{good + "\n", " " + good, good + " ", good[:8] + "\n" + good[8:], good + "=", good + "," + good, good[1:], good[:len(good)-1], `"` + good + `"`, "0x" + good[2:], strings.Repeat("٠", 32)} {
			refusedFor(t, v, headers(sumHeader, bad), receipt, hookgate.HeaderGrammar, hookgate.Mismatch) // 0x is base64, too
		}
	}
}

// Spare bits of the last character of base64 are not spare.
func TestS04_DeclaredBase64(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	sum := mac(sha256.New, []byte(goodKey), delivery().Body)
	for encoding, form := range map[string]*base64.Encoding{"base64url": base64.RawURLEncoding, "base64url-padded": base64.URLEncoding} {
		v := verifier(t, declaring(hookgate.Declaration{Encoding: encoding, Pair: "v1", Signed: "{body}"}))
		good := form.EncodeToString(sum)
		accepted(t, v, headers(sumHeader, "v1="+good), receipt)
		last := strings.IndexByte(alphabet, good[42])
		for bits := 1; bits < 4; bits++ {
			bad := good[:42] + string(alphabet[last^bits]) + good[43:]
			refusedFor(t, v, headers(sumHeader, "v1="+bad), receipt, hookgate.HeaderGrammar)
		}
	}
}

func TestS12_DeclaredTimestamps(t *testing.T) {
	t.Parallel()
	for unit, good := range map[string]string{"s": "1719823264", "ms": "1719823264000"} {
		v := verifier(t, declaring(hookgate.Declaration{Signed: "{timestamp}.{body}", Timestamp: hookgate.DeclaredTime{Header: sumTime, Unit: unit, Tolerance: 10 * time.Second}}))
		signed := func(timestamp string) *hookgate.Request {
			return headers(sumTime, timestamp, sumHeader, sumOf(timestamp+"."+string(delivery().Body)))
		}
		if proof := accepted(t, v, signed(good), receipt); proof.SignedTime != good {
			t.Errorf("signed time %q", proof.SignedTime)
		}
		accepted(t, v, signed(good), receipt.Add(10*time.Second))
		accepted(t, v, signed(good), receipt.Add(-10*time.Second))
		refusedFor(t, v, signed(good), receipt.Add(10*time.Second+time.Millisecond), hookgate.TooOld)
		refusedFor(t, v, signed(good), receipt.Add(-10*time.Second-time.Millisecond), hookgate.TooEarly)
		for _, timestamp := range hostileTimes {
			if timestamp != good {
				refusedFor(t, v, signed(timestamp), receipt, hookgate.HeaderGrammar)
			}
		}
		other := map[string]string{"s": "1719823264000", "ms": "1719823264"}[unit]
		refusedFor(t, v, signed(other), receipt, hookgate.HeaderGrammar, hookgate.TooOld)
		refusedFor(t, v, headers(sumHeader, sumOf(good+"."+string(delivery().Body))), receipt, hookgate.HeaderMissing)
		refusedFor(t, v, with(signed(good), sumTime, good, good), receipt, hookgate.HeaderDoubled)
	}
}

// A signed text that could be cut in two ways is cut in one: whatever moves between id, time, query and body is refused.
func TestS13_DeclaredShift(t *testing.T) {
	t.Parallel()
	at := hookgate.DeclaredTime{Header: sumTime}
	type request struct{ id, timestamp, target, body string }
	const now = "1719823264"
	for name, c := range map[string]struct {
		declaration hookgate.Declaration
		text        string // signed by the provider
		good, bad   request
	}{
		"id and time": {hookgate.Declaration{Signed: "{id}.{timestamp}.{body}", ID: sumID, Timestamp: at}, "a.1719823264.1719823264.{}",
			request{"a", now, "/", "1719823264.{}"}, request{"a.1719823264", now, "/", "{}"}},
		"another separator": {hookgate.Declaration{Signed: "v1:{id}:{body}", ID: sumID}, "v1:a:b:{}",
			request{"a", "", "/", "b:{}"}, request{"a:b", "", "/", "{}"}},
		"the id behind": {hookgate.Declaration{Signed: "{body}|{id}", ID: sumID}, "{}|a|b",
			request{"b", "", "/", "{}|a"}, request{"a|b", "", "/", "{}"}},
		"time and body": {hookgate.Declaration{Signed: "{timestamp}{body}", Timestamp: at}, "17198232640",
			request{"", now, "/", "0"}, request{"", "17198232640", "/", ""}},
		"body and time": {hookgate.Declaration{Signed: "{body}{timestamp}", Timestamp: at}, "11719823264",
			request{"", now, "/", "1"}, request{"", "11719823264", "/", ""}},
		"URL and body": {hookgate.Declaration{Signed: "{url}{body}"}, "https://hooks.example.com/a?b",
			request{"", "", "/a", "?b"}, request{"", "", "/a?b", ""}},
		"target and body": {hookgate.Declaration{Signed: "{target}.{body}"}, "/a?b.c.d",
			request{"", "", "/a?b", "c.d"}, request{"", "", "/a?b.c", "d"}},
		"body and target": {hookgate.Declaration{Signed: "{body},{target}"}, "x,/a?b,/a?b",
			request{"", "", "/a?b", "x,/a?b"}, request{"", "", "/a?b,/a?b", "x"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			v := verifier(t, declaring(c.declaration))
			made := func(r request) *hookgate.Request {
				req := headers(sumHeader, sumOf(c.text), sumID, r.id, sumTime, r.timestamp)
				req.Target, req.Body = r.target, []byte(r.body)
				return req
			}
			accepted(t, v, made(c.good), receipt)
			refusedFor(t, v, made(c.bad), receipt, hookgate.HeaderGrammar, hookgate.Mismatch, hookgate.TooEarly)
		})
	}
}

func TestDeclaredPairs(t *testing.T) {
	t.Parallel()
	v := verifier(t, declaring(hookgate.Declaration{Pair: "v1", Signed: "{timestamp}.{body}", Timestamp: hookgate.DeclaredTime{Pair: "t"}}))
	good := "v1=" + sumOf("1719823264."+string(delivery().Body))
	other := "v1=" + strings.Repeat("0", 64)
	for _, value := range []string{
		"t=1719823264," + good, good + ",t=1719823264", "t=1719823264," + other + "," + good, "t=1719823264," + good + "," + other,
		"t=1719823264," + good + ",v0=abc", "v2=x,t=1719823264," + good, "t=1719823264," + good + strings.Repeat(",v0=x", 14),
	} {
		if proof := accepted(t, v, headers(sumHeader, value), receipt); proof.SignedTime != "1719823264" {
			t.Errorf("proof %+v", proof)
		}
	}
	for _, value := range []string{
		good, "t=1719823264", "t=1719823264,t=1719823264," + good, "t=1719823264,t=1," + good, "t=," + good, "t=1719823264,v0=" + good[3:], "t=1719823264, " + good,
		"t=1719823264;" + good, "t=1719823264," + good + ",", "," + good, "t=1719823264,," + good, "t=1719823264," + good + ",v1=", "t=1719823264," + good + ",v1=x", "t=1719823264," + good + ",x",
		"T=1719823264," + good, "t=1719823264,V1=" + good[3:], "t =1719823264," + good, "t=1719823264," + good + strings.Repeat(",v0=x", 15), "t=01719823264," + good,
		strings.Repeat("v0=x,", 5000) + "t=1719823264," + good, "t=1719823264," + good + ",é=x", "t=1719823264," + good + ",v.0=x", "t=1719823264," + good + ",v0=\x7f", "t=1719823264," + good + ",=x", "t=1719823264," + good + ",v0=", "=1,t=1719823264," + good,
	} {
		refusedFor(t, v, headers(sumHeader, value), receipt, hookgate.HeaderGrammar)
	}
	refusedFor(t, v, headers(sumHeader, "t=1719823265,"+good), receipt, hookgate.Mismatch)
	refusedFor(t, v, headers(sumHeader, "t=1719823264,"+other), receipt, hookgate.Mismatch)
	refusedFor(t, v, headers(sumHeader, "t=1719823264,"+good), receipt.Add(301*time.Second), hookgate.TooOld)
}

// {url} is public_url and the target; nothing that the request says of its host counts.
func TestS16_DeclaredURL(t *testing.T) {
	t.Parallel()
	entry := declaring(hookgate.Declaration{Signed: `{url}\n{body}`})
	v := verifier(t, entry)
	good := signedBy(t, v)
	accepted(t, v, good, receipt)
	for _, h := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		accepted(t, v, with(good, h, "evil.example.net"), receipt)
	}
	entry.PublicURL = "https://evil.example.net"
	refusedFor(t, verifier(t, entry), good, receipt, hookgate.Mismatch)
	entry.PublicURL = ""
	demandProblem(t, entry, "", "hmac needs public_url")
	demandProblem(t, hookgate.AuthSettings{Scheme: "hmac", Declaration: "made-up", Declared: entry.Declared, Secrets: lit(goodKey), PublicURL: "hooks"}, "", "not an http or https address")
}

func TestDeclaredConfig(t *testing.T) {
	t.Parallel()
	secrets := func(key string, values ...string) hookgate.AuthSettings {
		e := declaring(hookgate.Declaration{Key: key})
		e.Secrets = lit(values...)
		return e
	}
	for name, c := range map[string]struct {
		entry hookgate.AuthSettings
		field string
		says  string
	}{
		"no declaration":      {hookgate.AuthSettings{Scheme: "hmac", Secrets: lit(goodKey)}, "declaration", "hmac needs declaration"},
		"unknown declaration": {hookgate.AuthSettings{Scheme: "hmac", Declaration: "nobody", Secrets: lit(goodKey)}, "declaration", "there is no such declaration"},
		"no secrets":          {secrets("raw"), "secrets", "hmac needs secrets"},
		"encoding":            {hookgate.AuthSettings{Scheme: "hmac", Declared: everything(), Secrets: lit(goodKey), Encoding: "hex"}, "encoding", "hmac does not take encoding"},
		"short":               {secrets("raw", "short"), "secrets[0]", "5 bytes, and an HMAC key needs 16"},
		"short once decoded":  {secrets("hex", strings.Repeat("ab", 15)), "secrets[0]", "15 bytes"},
		"empty once decoded":  {secrets("whsec", "whsec_"), "secrets[0]", "empty after decoding"},
		"not base64":          {secrets("base64", goodKey), "secrets[0]", "not padded standard base64"},
		"not hex":             {secrets("hex", goodKey), "secrets[0]", "not hex; key: raw takes"},
		"no whsec_":           {secrets("whsec", "bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ=="), "secrets[0]", "does not begin with whsec_"},
		"out of order":        {declaring(hookgate.Declaration{Signed: "{timestamp}"}), "declaration", "not in order"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { t.Parallel(); demandProblem(t, c.entry, c.field, c.says) })
	}
	weak := declaring(hookgate.Declaration{Algorithm: "sha1"})
	if ws := verifiers.Warnings(weak); len(ws) != 1 || ws[0].Field != "declaration" || !strings.Contains(ws[0].Message, "HMAC-SHA1") {
		t.Errorf("SHA-1 is warned of by %v", ws)
	}
	if ws := verifiers.Warnings(declaring(hookgate.Declaration{})); len(ws) != 0 {
		t.Errorf("SHA-256 is warned of by %v", ws)
	}
	verifier(t, secrets("raw", "0123456789abcdef"))
	if _, err := verifiers.NewSigner(secrets("raw", "short"), hookgate.Secret{}); err != nil {
		t.Errorf("a signer has the key that it was given: %v", err)
	}
}

func TestDeclaredFreshness(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   hookgate.Declaration
		want time.Duration
	}{
		{hookgate.Declaration{}, 0},
		{hookgate.Declaration{Timestamp: hookgate.DeclaredTime{Tolerance: time.Hour}}, 0},
		{hookgate.Declaration{Timestamp: hookgate.DeclaredTime{Header: sumTime}}, 10 * time.Minute},
		{hookgate.Declaration{Timestamp: hookgate.DeclaredTime{Pair: "t", Tolerance: time.Hour}}, 2 * time.Hour},
	} {
		if got := verifiers.Freshness(declaring(c.of)); got != c.want {
			t.Errorf("%+v: %s, want %s", c.of.Timestamp, got, c.want)
		}
	}
	if got := verifiers.Freshness(hookgate.AuthSettings{Scheme: "hmac"}); got != 0 {
		t.Errorf("without a declaration: %s", got)
	}
}

// Bodies of every length around the block of the hash are what anybody else says they are.
func TestDeclaredAgainstPlainHMAC(t *testing.T) {
	t.Parallel()
	v := verifier(t, declaring(hookgate.Declaration{Prefix: "sha256="}))
	for _, n := range []int{0, 1, 63, 64, 65, 1 << 16} {
		req := headers()
		req.Body = []byte(strings.Repeat("b", n))
		req.Header[sumHeader] = []string{"sha256=" + sumOf(string(req.Body))}
		accepted(t, v, req, receipt)
		req.Body = append(req.Body, 'c')
		refusedFor(t, v, req, receipt, hookgate.Mismatch)
	}
}
