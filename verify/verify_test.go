package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/verify"
)

// unsigned is an envelope whose payload pretends to be signed.
const unsigned = `{"specversion":"1.0","id":"1c9f","source":"/hookgate/sprinklr/care","type":"sprinklr.case.update",` +
	`"time":"2026-11-22T05:00:00.000Z","datacontenttype":"application/json","attempt":1,"receivedtime":"2026-11-22T05:00:01.000Z",` +
	`"verifiedby":"hub-signature","keyid":"env:CARE","rawsha256":"00ff","data":{"a":",\"signature\":\"x","signature":"y"}}`

// signer signs by the book, RFC 7515 and RFC 8037, with nothing of ours.
type signer struct {
	kid     string
	private ed25519.PrivateKey
}

func newSigner(kid string, seed byte) signer {
	return signer{kid, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s signer) jwk() string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, s.kid, base64.RawURLEncoding.EncodeToString(s.private.Public().(ed25519.PublicKey)))
}

func (s signer) sign(header, envelope string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(envelope))
	head, _, _ := strings.Cut(input, ".")
	return head + ".." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.private, []byte(input)))
}

func (s signer) header() string {
	return fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":"hookgate-envelope"}`, s.kid)
}

func with(signature string) string {
	return strings.Replace(unsigned, `"1.0"`, `"1.0","signature":"`+signature+`"`, 1)
}

func keysOf(t *testing.T, signers ...signer) verify.Keys {
	t.Helper()
	var all []string
	for _, s := range signers {
		all = append(all, s.jwk())
	}
	keys, err := verify.ParseKeys([]byte(`{"keys":[{"kty":"RSA","kid":"other","n":"AQAB","e":"AQAB"},` + strings.Join(all, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	old, current, stranger := newSigner("old", 1), newSigner("new", 2), newSigner("new", 3)
	keys := keysOf(t, old, current)
	want := verify.Verdict{
		ID: "1c9f", Source: "/hookgate/sprinklr/care", Type: "sprinklr.case.update", VerifiedBy: "hub-signature", KeyID: "env:CARE",
		Received: time.Date(2026, 11, 22, 5, 0, 1, 0, time.UTC), RawSHA256: "00ff",
	}
	for _, s := range []signer{old, current} {
		for _, end := range []string{"", "\n"} {
			got, err := keys.Envelope([]byte(with(s.sign(s.header(), unsigned)) + end))
			if err != nil || got != want {
				t.Errorf("%s: %+v, %v", s.kid, got, err)
			}
		}
	}
	good := current.sign(current.header(), unsigned)
	for name, c := range map[string]struct {
		message string
		want    error
	}{
		"unsigned":            {unsigned, verify.ErrUnsigned},
		"empty":               {"", verify.ErrUnsigned},
		"signed elsewhere":    {strings.Replace(unsigned, `,"id"`, `,"id":"0","signature":"`+good+`","id"`, 1), verify.ErrUnsigned},
		"another's key":       {with(stranger.sign(stranger.header(), unsigned)), verify.ErrForged},
		"unknown key":         {with(current.sign(newSigner("gone", 2).header(), unsigned)), verify.ErrUnknownKey},
		"alg none":            {with(current.sign(`{"alg":"none","kid":"new","typ":"hookgate-envelope"}`, unsigned)), verify.ErrForged},
		"another type":        {with(current.sign(`{"alg":"EdDSA","kid":"new","typ":"JWT"}`, unsigned)), verify.ErrForged},
		"crit":                {with(current.sign(`{"alg":"EdDSA","kid":"new","typ":"hookgate-envelope","crit":["b64"]}`, unsigned)), verify.ErrForged},
		"embedded key":        {with(stranger.sign(`{"alg":"EdDSA","kid":"new","typ":"hookgate-envelope","jwk":`+stranger.jwk()+`}`, unsigned)), verify.ErrForged},
		"attached":            {with(strings.Replace(good, "..", ".e30.", 1)), verify.ErrForged},
		"cut":                 {with(good[:len(good)-2]), verify.ErrForged},
		"broken by a feed":    {with(good[:len(good)-9] + "\n" + good[len(good)-9:]), verify.ErrForged},
		"broken by a return":  {with(good[:len(good)-9] + "\r" + good[len(good)-9:]), verify.ErrForged},
		"a header alone":      {with(strings.Split(newSigner("gone", 2).sign(newSigner("gone", 2).header(), unsigned), "..")[0]), verify.ErrForged},
		"without end":         {`{"specversion":"1.0","signature":"` + good, verify.ErrForged},
		"other payload":       {strings.Replace(with(good), `"a"`, `"b"`, 1), verify.ErrForged},
		"other verdict":       {strings.Replace(with(good), "hub-signature", "none", 1), verify.ErrForged},
		"written again":       {strings.Replace(with(good), `,"id"`, `, "id"`, 1), verify.ErrForged},
		"not canonical":       {with(good + "="), verify.ErrForged},
		"header not base64":   {with("*" + good), verify.ErrForged},
		"signed, but no JSON": {strings.Replace(with(current.sign(current.header(), unsigned+"x")), "}}", "}}x", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := keys.Envelope([]byte(c.message))
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) || got != (verify.Verdict{}) {
				t.Errorf("%+v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestEnvelopeEveryByte changes every byte of a signed envelope in turn.
func TestEnvelopeEveryByte(t *testing.T) {
	t.Parallel()
	s := newSigner("k", 4)
	keys, message := keysOf(t, s), []byte(with(s.sign(s.header(), unsigned)))
	for i := range message {
		changed := bytes.Clone(message)
		changed[i] ^= 1
		if _, err := keys.Envelope(changed); err == nil {
			t.Errorf("byte %d may be changed: %s", i, changed)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"no JSON":   `{`,
		"empty":     `{"keys":[]}`,
		"no kid":    `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + strings.Repeat("A", 43) + `"}]}`,
		"short":     `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}`,
		"X25519":    `{"keys":[{"kty":"OKP","crv":"X25519","kid":"a","x":"` + strings.Repeat("A", 43) + `"}]}`,
		"EC":        `{"keys":[{"kty":"EC","crv":"Ed25519","kid":"a","x":"` + strings.Repeat("A", 43) + `"}]}`,
		"symmetric": `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`,
	} {
		if keys, err := verify.ParseKeys([]byte(set)); err == nil || keys != nil {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}

// A set is read up to its hundredth key.
func TestParseKeysIsBounded(t *testing.T) {
	t.Parallel()
	var signers []signer
	for i := range 100 { // one of another kind stands in front
		signers = append(signers, newSigner(fmt.Sprint(i), byte(i)))
	}
	if keys := keysOf(t, signers...); len(keys) != 99 || keys["98"] == nil {
		t.Errorf("%d keys are read", len(keys))
	}
}

// FuzzEnvelope demands that nothing but what was signed passes.
func FuzzEnvelope(f *testing.F) {
	s := newSigner("k", 5)
	good := with(s.sign(s.header(), unsigned))
	f.Add([]byte(good))
	f.Add([]byte(unsigned))
	f.Add([]byte(`{"specversion":"1.0","signature":".."`))
	keys := verify.Keys{"k": s.private.Public().(ed25519.PublicKey)}
	f.Fuzz(func(t *testing.T, message []byte) {
		_, err := keys.Envelope(message)
		if same := string(bytes.TrimRight(message, "\r\n")) == good; same != (err == nil) {
			t.Errorf("%q: %v", message, err)
		}
	})
}
