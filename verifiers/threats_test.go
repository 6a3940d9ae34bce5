package verifiers_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"hash"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

const (
	hubHeader  = "X-Hub-Signature"
	siqHeader  = "X-Siqsignature"
	birdHeader = "Messagebird-Signature"
	birdTime   = "Messagebird-Request-Timestamp"

	standardID        = "Webhook-Id"
	standardTime      = "Webhook-Timestamp"
	standardSignature = "Webhook-Signature"

	sumHeader = "X-Sum"
	sumID     = "X-Sum-Id"
	sumTime   = "X-Sum-Time"
)

// pair is a scheme's verifier and a good delivery for it.
func pair(t testing.TB, scheme string) (verifiers.Scheme, *hookgate.Request) {
	t.Helper()
	f := fixtures(t)[scheme]
	return verifier(t, f.one), signedBy(t, signer(t, f.one, f.privateOne))
}

func mac(h func() hash.Hash, key, message []byte) []byte {
	m := hmac.New(h, key)
	m.Write(message)
	return m.Sum(nil)
}

func TestS02_SignedWithTheEmptyKey(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "hub-signature")
	refusedFor(t, v, with(good, hubHeader, "sha256="+hex.EncodeToString(mac(sha256.New, nil, good.Body))), receipt, hookgate.Mismatch)
	v, good = pair(t, "standard-webhooks")
	signed := good.Header[standardID][0] + "." + good.Header[standardTime][0] + "." + string(good.Body)
	refusedFor(t, v, with(good, standardSignature, "v1,"+base64.StdEncoding.EncodeToString(mac(sha256.New, nil, []byte(signed)))), receipt, hookgate.Mismatch)
	v, good = pair(t, "hmac")
	signed = "POST\nhttps://hooks.example.com" + good.Target + "\n" + good.Header[sumID][0] + "." + good.Header[sumTime][0] + "." + string(good.Body)
	refusedFor(t, v, with(good, sumHeader, "sha512="+base64.StdEncoding.EncodeToString(mac(sha512.New, nil, []byte(signed)))), receipt, hookgate.Mismatch)
	v, good = pair(t, "bird-signature")
	digest := sha256.Sum256(good.Body)
	message := good.Header[birdTime][0] + "\nhttps://hooks.example.com" + good.Target + "\n" + string(digest[:])
	refusedFor(t, v, with(good, birdHeader, base64.StdEncoding.EncodeToString(mac(sha256.New, nil, []byte(message)))), receipt, hookgate.Mismatch)
}

// The algorithm is the scheme's: whatever the header claims, no other digest passes, nor a public key as HMAC secret.
func TestS03_AlgorithmConfusion(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "hub-signature")
	for name, h := range map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New, "sha384": sha512.New384} {
		digest := hex.EncodeToString(mac(h, []byte("made-up-secret-number-one"), good.Body))
		for _, prefix := range []string{"sha1=", "sha256=", "sha512=", "SHA256=", "sha256:", "sha256=sha256=", "hmac-sha256=", ""} {
			req := with(good, hubHeader, prefix+digest)
			if name == "sha256" && prefix == "sha256=" {
				accepted(t, v, req, receipt)
				continue
			}
			refusedFor(t, v, req, receipt, hookgate.HeaderGrammar)
		}
	}
	v, good = pair(t, "siq-signature")
	public := keyFile(t, "siq.pub.pem")
	for _, key := range [][]byte{public, bytes.TrimSpace(public)} {
		text := base64.StdEncoding.EncodeToString(mac(sha256.New, key, good.Body))
		refusedFor(t, v, with(good, siqHeader, text), receipt, hookgate.HeaderGrammar)
	}
}

func TestS04_NonCanonicalBase64(t *testing.T) {
	t.Parallel()
	for scheme, header := range map[string]string{"siq-signature": siqHeader, "bird-signature": birdHeader, "standard-webhooks": standardSignature, "hmac": sumHeader} {
		v, good := pair(t, scheme)
		value := good.Header[header][0]
		last := strings.TrimRight(value, "=")
		bits := last[len(last)-1]
		alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		for name, bad := range map[string]string{
			"line feed":          value + "\n",
			"carriage return":    value + "\r\n",
			"line feed inside":   value[:20] + "\n" + value[20:],
			"padding missing":    last,
			"padding doubled":    value + "=",
			"more padding":       value + "==",
			"blank":              value + " ",
			"blank in front":     " " + value,
			"pad bits":           last[:len(last)-1] + string(alphabet[strings.IndexByte(alphabet, bits)^1]) + value[len(last):],
			"URL alphabet":       strings.NewReplacer("+", "-", "/", "_").Replace(value) + "-_",
			"prefix":             "sha256=" + value,
			"hex":                hex.EncodeToString([]byte(value)),
			"quoted":             `"` + value + `"`,
			"second in one":      value + "," + value,
			"very long":          strings.Repeat("QUJD", 100_000),
			"only padding":       "====",
			"invalid UTF-8":      "\xff\xfe" + value[2:],
			"shorter by a group": value[4:],
		} {
			if bad == value {
				t.Fatalf("%s: %s is the good value", scheme, name)
			}
			if _, err := v.Verify(with(good, header, bad), receipt); hookgate.AsError(errOr(err)).Reason != hookgate.HeaderGrammar {
				t.Errorf("%s, %s: %v, want header_grammar", scheme, name, err)
			}
		}
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(value); url != value {
			refusedFor(t, v, with(good, header, url), receipt, hookgate.HeaderGrammar)
		}
	}
	v, good := pair(t, "basic")
	for _, credentials := range []string{"b25lOm1hZGUtdXAtcGFzc3dvcmR=", "b25lOm1hZGUtdXAtcGFzc3dvcmQ", "b25lOm1hZGUtdXAtcGFzc3dvcmQ=\n", "b25lOm1hZGUt\ndXAtcGFzc3dvcmQ="} {
		refusedFor(t, v, with(good, "Authorization", "Basic "+credentials), receipt, hookgate.HeaderGrammar)
	}
	accepted(t, v, with(good, "Authorization", "Basic b25lOm1hZGUtdXAtcGFzc3dvcmQ="), receipt)
}

func errOr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// One encoding setting accepts one form.
func TestS05_OneForm(t *testing.T) {
	t.Parallel()
	_, good := pair(t, "hub-signature")
	value := good.Header[hubHeader][0]
	digits := strings.TrimPrefix(value, "sha256=")
	raw, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{"hex": digits, "HEX": strings.ToUpper(digits), "base64": base64.StdEncoding.EncodeToString(raw)}
	for encoding := range forms {
		entry := fixtures(t)["hub-signature"].one
		entry.Encoding = encoding
		v := verifier(t, entry)
		for name, form := range forms {
			if req := with(good, hubHeader, "sha256="+form); name == encoding {
				accepted(t, v, req, receipt)
			} else {
				refusedFor(t, v, req, receipt, hookgate.HeaderGrammar)
			}
		}
	}
	v, _ := pair(t, "hub-signature")
	for _, bad := range []string{
		value + " ", " " + value, value + "\n", "sha256= " + digits, value + "," + value, value + ", " + value, value + "00", value[:len(value)-1],
		strings.Replace(value, digits[:1], "g", 1), "sha256=0x" + digits[2:], "sha256=", digits, "sha256=" + strings.Repeat("٠", 32),
	} {
		refusedFor(t, v, with(good, hubHeader, bad), receipt, hookgate.HeaderGrammar)
	}
}

// net/http joins a folded header by one blank; no scheme's grammar has a blank there.
func TestS07_FoldedHeader(t *testing.T) {
	t.Parallel()
	for scheme, headers := range map[string][]string{"hub-signature": {hubHeader}, "siq-signature": {siqHeader}, "bird-signature": {birdHeader, birdTime},
		"standard-webhooks": {standardSignature, standardID, standardTime}, "hmac": {sumHeader, sumID, sumTime},
	} {
		v, good := pair(t, scheme)
		for _, header := range headers {
			value := good.Header[header][0]
			raw := "POST / HTTP/1.1\r\nHost: a\r\n" + header + ": " + value[:5] + "\r\n " + value[5:] + "\r\nContent-Length: 0\r\n\r\n"
			parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
			if err != nil {
				t.Fatal(err)
			}
			refusedFor(t, v, with(good, header, parsed.Header[header]...), receipt, hookgate.HeaderGrammar)
		}
	}
}

// What comes in a trailer is not in the header, and so it is missing.
func TestS08_Trailer(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "hub-signature")
	raw := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Hub-Signature\r\n\r\n" +
		"16\r\n" + string(good.Body) + "\r\n0\r\nX-Hub-Signature: " + good.Header[hubHeader][0] + "\r\n\r\n"
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(parsed.Body)
	if err != nil || !bytes.Equal(body, good.Body) || parsed.Trailer.Get(hubHeader) == "" {
		t.Fatalf("body %q, trailer %v, error %v: the request is not the one this test is about", body, parsed.Trailer, err)
	}
	refusedFor(t, v, &hookgate.Request{Method: http.MethodPost, Header: parsed.Header, Body: body}, receipt, hookgate.HeaderMissing)
}

// The body's bytes are the only input: what a parser would find equal is another body.
func TestS09_RawBytes(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"n":161.0}`, `{"n":161}`, `{"n" : 161.0}`, `{"p":"a\/b"}`, `{"p":"a/b"}`, `{"p":"a\u002fb"}`, "\ufeff{}", "{}", "{}\r\n", "{}\n", "{\"a\":\"\xff\"}",
		`{"a":1,"a":2}`, `{"a":2}`, "{\"a\":\"\x00\"}", "",
	}
	for scheme, header := range map[string]string{
		"hub-signature": hubHeader, "siq-signature": siqHeader, "bird-signature": birdHeader, "standard-webhooks": standardSignature, "hmac": sumHeader,
	} {
		f := fixtures(t)[scheme]
		s, v := signer(t, f.one, f.privateOne), verifier(t, f.one)
		seen := make(map[string]string)
		for _, body := range bodies {
			req := delivery()
			req.Body = []byte(body)
			if err := s.Sign(req, receipt); err != nil {
				t.Fatal(err)
			}
			accepted(t, v, copyOf(req), receipt)
			signature := req.Header[header][0]
			if other, twice := seen[signature]; twice {
				t.Errorf("%s: %q and %q have one signature", scheme, body, other)
			}
			seen[signature] = body
			for _, other := range bodies {
				if other != body {
					swapped := copyOf(req)
					swapped.Body = []byte(other)
					refusedFor(t, v, swapped, receipt, hookgate.Mismatch)
				}
			}
		}
	}
}

func TestS12_BirdTimestamps(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["bird-signature"]
	v := verifier(t, f.one)
	now := receipt.Unix()
	for _, timestamp := range []string{
		"+1719823264", "-1719823264", " 1719823264", "1719823264 ", "1719823264000", "1719823264.0", "01719823264", "1.719823264e9", "0x66827a60",
		"١٧١٩٨٢٣٢٦٤", "１７１９８２３２６４", "9223372036854775808", "18446744075429374880", "1719823264\n", "1719823264,1719823264", "2024-07-01T08:41:04Z",
	} {
		req := delivery()
		signBird(req, timestamp)
		refusedFor(t, v, req, receipt, hookgate.HeaderGrammar)
	}
	for _, timestamp := range []string{"0", "1", "999999999999"} {
		req := delivery()
		signBird(req, timestamp)
		refusedFor(t, v, req, receipt, hookgate.TooOld, hookgate.TooEarly)
	}
	// A retry keeps the first timestamp and signature for the eight hours that the provider tries.
	req := delivery()
	signBird(req, "1719823264")
	proof := accepted(t, v, req, time.Unix(now, 0).Add(7*time.Hour+59*time.Minute))
	if proof.SignedTime != "1719823264" {
		t.Errorf("signed time %q", proof.SignedTime)
	}
	// Half a second past the edge is past it.
	refusedFor(t, v, req, receipt.Add(24*time.Hour+500*time.Millisecond), hookgate.TooOld)
	// A wrong signature is refused as such, whatever its time says.
	refusedFor(t, v, with(req, birdTime, "1"), receipt, hookgate.Mismatch)
}

// signBird signs with any text as the timestamp, which Sign would never do.
func signBird(req *hookgate.Request, timestamp string) {
	digest := sha256.Sum256(req.Body)
	message := timestamp + "\nhttps://hooks.example.com" + req.Target + "\n" + string(digest[:])
	req.Header[birdTime] = []string{timestamp}
	req.Header[birdHeader] = []string{base64.StdEncoding.EncodeToString(mac(sha256.New, []byte("made-up-secret-number-one"), []byte(message)))}
}

func TestS14_PSSForPKCS1v15(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "siq-signature")
	block, _ := pem.Decode(keyFile(t, "siq.key.pem"))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private := parsed.(*rsa.PrivateKey)
	digest := sha256.Sum256(good.Body)
	pss, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	long := sha512.Sum512(good.Body)
	sha512Signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA512, long[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, signature := range [][]byte{pss, sha512Signature, make([]byte, private.Size()), bytes.Repeat([]byte{0xff}, private.Size())} {
		refusedFor(t, v, with(good, siqHeader, base64.StdEncoding.EncodeToString(signature)), receipt, hookgate.Mismatch)
	}
	value, err := base64.StdEncoding.DecodeString(good.Header[siqHeader][0])
	if err != nil {
		t.Fatal(err)
	}
	for _, signature := range [][]byte{append([]byte{0}, value...), value[1:], append(value, 0)} {
		refusedFor(t, v, with(good, siqHeader, base64.StdEncoding.EncodeToString(signature)), receipt, hookgate.HeaderGrammar)
	}
}

// Two sources have secrets of their own, and Bird's signature names the path as well.
func TestS15_OtherSource(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		req := signedBy(t, signer(t, f.one, f.privateOne))
		accepted(t, verifier(t, f.one), req, receipt)
		refusedFor(t, verifier(t, f.two), req, receipt)
	})
	v, good := pair(t, "bird-signature")
	other := copyOf(good)
	other.Target = "/hooks/other"
	refusedFor(t, v, other, receipt, hookgate.Mismatch)
}

// The signed URL is public_url and the target; what the request says of its host changes nothing.
func TestS16_SignedURL(t *testing.T) {
	t.Parallel()
	f := fixtures(t)["bird-signature"]
	v, good := pair(t, "bird-signature")
	spoofed := copyOf(good)
	for _, h := range []string{"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Original-Url", "Forwarded"} {
		spoofed.Header[h] = []string{"evil.example.net"}
	}
	accepted(t, v, spoofed, receipt)

	elsewhere := f.one
	elsewhere.PublicURL = "https://evil.example.net"
	forged := signedBy(t, signer(t, elsewhere, hookgate.Secret{}))
	forged.Header["X-Forwarded-Host"] = []string{"evil.example.net"}
	refusedFor(t, v, forged, receipt, hookgate.Mismatch)

	for _, target := range []string{"/hooks/test/?team=a%20b", "/hooks/test?team=a+b", "/hooks/test?team=a%20b&", "/hooks//test?team=a%20b", "/hooks/test"} {
		changed := copyOf(good)
		changed.Target = target
		refusedFor(t, v, changed, receipt, hookgate.Mismatch)
	}
	slash := f.one
	slash.PublicURL += "/"
	accepted(t, verifier(t, slash), good, receipt)
}

// Several entries must all pass, and the verdict lists them all.
func TestS17_AllEntriesMustPass(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	schemes := []string{"hub-signature", "siq-signature", "bird-signature", "basic"}
	req := delivery()
	var list []hookgate.Verifier
	for _, name := range schemes {
		f := all[name]
		if err := signer(t, f.one, f.privateOne).Sign(req, receipt); err != nil {
			t.Fatal(err)
		}
		list = append(list, verifier(t, f.one))
	}
	verdict, err := hookgate.Authenticate(t.Context(), list, req, receipt)
	if err != nil || verdict.Schemes() != strings.Join(schemes, ",") {
		t.Fatalf("verdict %v, error %v", verdict, err)
	}
	for _, name := range schemes {
		broken := copyOf(req)
		delete(broken.Header, all[name].headers[0])
		if verdict, err := hookgate.Authenticate(t.Context(), list, broken, receipt); err == nil || verdict != nil {
			t.Errorf("without %s: verdict %v", name, verdict)
		}
	}
}

func TestBasicCredentials(t *testing.T) {
	t.Parallel()
	v := verifier(t, hookgate.AuthSettings{Scheme: "basic", Users: lit("one:pass:word")})
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	good := encode("one:pass:word")
	for _, word := range []string{"Basic", "basic", "BASIC", "bAsIc"} {
		accepted(t, v, with(delivery(), "Authorization", word+" "+good), receipt)
	}
	for value, reason := range map[string]hookgate.Reason{
		"Basic  " + good: hookgate.HeaderGrammar, "Basic\t" + good: hookgate.HeaderGrammar, "Basic" + good: hookgate.HeaderGrammar,
		"Bearer " + good: hookgate.HeaderGrammar, "Basic " + good + " ": hookgate.HeaderGrammar, good: hookgate.HeaderGrammar,
		"Basic ": hookgate.HeaderGrammar, "Basic": hookgate.HeaderGrammar, "Baſic " + good: hookgate.HeaderGrammar,
		"Basic " + encode("one"):            hookgate.HeaderGrammar,
		"Basic " + encode("one:\xff"):       hookgate.HeaderGrammar,
		"Basic " + encode(":"):              hookgate.Mismatch,
		"Basic " + encode("one:pass"):       hookgate.Mismatch,
		"Basic " + encode("one:pass:Word"):  hookgate.Mismatch,
		"Basic " + encode("One:pass:word"):  hookgate.Mismatch,
		"Basic " + encode("one:pass:word "): hookgate.Mismatch,
		"Basic " + encode("two:pass:word"):  hookgate.Mismatch,
	} {
		refusedFor(t, v, with(delivery(), "Authorization", value), receipt, reason)
	}
}

func TestAccessTokenValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefix    *string
		good, bad []string
	}{
		{nil, []string{"Bearer abc-123"}, []string{"bearer abc-123", "Bearer  abc-123", "abc-123", "Bearer abc-1234", "Bearer abc-12", "Bearer", "Bearer ABC-123", "Token abc-123"}},
		{text(""), []string{"abc-123"}, []string{" abc-123", "Bearer abc-123", "abc-123 "}},
		{text("Api Key"), []string{"Api Key abc-123"}, []string{"Api abc-123", "Api Keyabc-123"}},
	} {
		v := verifier(t, hookgate.AuthSettings{Scheme: "access-token", Secrets: lit("abc-123"), Prefix: c.prefix})
		for _, value := range c.good {
			accepted(t, v, with(delivery(), "Authorization", value), receipt)
		}
		for _, value := range c.bad {
			refusedFor(t, v, with(delivery(), "Authorization", value), receipt)
		}
	}
}
