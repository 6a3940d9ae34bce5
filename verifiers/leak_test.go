package verifiers_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// canary stands for a secret. It may show up in no text that a person or a log could see.
const canary = "cAnArY-7f3a91c2-sEcReT"

func demandSilence(t *testing.T, where string, values ...any) {
	t.Helper()
	traces := []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), fmt.Sprintf("%x", canary), fmt.Sprint([]byte(canary))}
	for _, value := range values {
		texts := []string{fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%s", value), fmt.Sprintf("%q", value), fmt.Sprintf("%x", value), fmt.Sprintf("%d", value)}
		if encoded, err := json.Marshal(value); err == nil {
			texts = append(texts, string(encoded))
		}
		if err, ok := value.(error); ok {
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				texts = append(texts, cause.Error(), fmt.Sprintf("%+v", cause))
			}
		}
		for _, text := range texts {
			for _, trace := range traces {
				if strings.Contains(text, trace) {
					t.Errorf("%s: the canary shows in %.300s", where, text)
				}
			}
		}
	}
}

// Settings and the errors of broken settings.
func TestNoSecretInConfigurationErrors(t *testing.T) {
	t.Parallel()
	secret := func(value string) []hookgate.Secret {
		return []hookgate.Secret{hookgate.NewSecret([]byte(value), "env:CANARY"), hookgate.NewSecret([]byte(value), "")}
	}
	values := []string{
		canary, canary + "\n", "${" + canary + "}", canary + ":", ":" + canary, "user:" + canary, "user:" + canary + "\xff", canary[:10],
		"-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----", "-----BEGIN " + canary + "-----\nQUJD\n-----END " + canary + "-----\n",
		`{"keys":[{"kty":"oct","k":"` + canary + `","alg":"HS256"}]}`, `{"keys":[{"kty":"RSA","alg":"RS256","n":"` + canary + `","e":"AQAB"}]}`,
		"whsec_" + canary, "whsec_" + base64.StdEncoding.EncodeToString([]byte("--"+canary)), fmt.Sprintf("%x", canary),
		"-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString([]byte(canary)) + "\n-----END CERTIFICATE-----\n",
		`{"kty":"RSA","alg":"RS256","d":"` + canary + `"}`, `{"keys":"` + canary + `"}`, `{"` + canary, base64.StdEncoding.EncodeToString([]byte(canary)),
	}
	made := make(map[string]int)
	for _, name := range append(verifiers.Names(), "kerberos") {
		for _, value := range values {
			entry := hookgate.AuthSettings{Scheme: name, Secrets: secret(value), Keys: secret(value), Users: secret(value), Encoding: "x"}
			if name == "none" {
				entry.Encoding = ""
			}
			_, err := verifiers.New(entry)
			_, signErr := verifiers.NewSigner(entry, secret(value)[0])
			if err == nil || signErr == nil {
				t.Fatalf("%s takes every option", name)
			}
			demandSilence(t, name, entry, err, signErr, verifiers.Warnings(entry))
			entry = hookgate.AuthSettings{Scheme: name, PublicURL: "https://hooks.example.com"}
			declarations := []*hookgate.Declaration{nil}
			switch name {
			case "basic":
				entry.Users = secret(value)
			case "bearer", "siq-signature":
				entry.Keys = secret(value)
			case "client-certificate":
				entry.CA = secret(value)
			case "hmac":
				declarations = nil
				for _, key := range []string{"raw", "base64", "hex", "whsec"} {
					declarations = append(declarations, &hookgate.Declaration{Name: "made-up", Header: sumHeader, Key: key})
				}
				entry.Secrets = secret(value)
			default:
				entry.Secrets = secret(value)
			}
			for _, d := range declarations {
				entry.Declared = d
				if s, err := verifiers.New(entry); err != nil {
					demandSilence(t, name, err)
				} else {
					made[name]++
					refusal(t, name, s)
				}
			}
		}
	}
	for _, name := range []string{"access-token", "basic", "bird-signature", "hmac", "hub-signature", "standard-webhooks"} {
		if made[name] == 0 {
			t.Errorf("%s: no value made a scheme whose refusals could be looked at", name)
		}
	}
}

// refusal looks at the errors of a working scheme that holds the canary.
func refusal(t *testing.T, name string, s verifiers.Scheme) {
	t.Helper()
	for _, h := range []string{"", "x", "Basic eDp5", "Bearer x", "Bearer a.b.c", "sha256=" + strings.Repeat("0", 64)} {
		req := delivery()
		for _, header := range []string{"Authorization", hubHeader, siqHeader, birdHeader, standardSignature, standardID, sumHeader, sumID} {
			req.Header[header] = []string{h}
		}
		for _, header := range []string{birdTime, standardTime, sumTime} {
			req.Header[header] = []string{"1719823264"}
		}
		if _, err := s.Verify(req, receipt); err != nil {
			demandSilence(t, name, err)
		}
	}
}

// What a sender shows, right or nearly right, is a credential too and stays out of the refusal.
func TestNoSecretInRefusals(t *testing.T) {
	t.Parallel()
	overRegistry(t, false, func(t *testing.T, f fixture) {
		entry := f.one
		switch {
		case len(entry.Secrets) > 0:
			entry.Secrets = []hookgate.Secret{hookgate.NewSecret([]byte(canary), "env:CANARY")}
		case len(entry.Users) > 0:
			entry.Users = []hookgate.Secret{hookgate.NewSecret([]byte("user:"+canary), "env:CANARY")}
		}
		if entry.Scheme == "standard-webhooks" {
			entry.Secrets = []hookgate.Secret{hookgate.NewSecret([]byte("whsec_"+base64.StdEncoding.EncodeToString([]byte("--"+canary))), "env:CANARY")}
		}
		s, v := signer(t, entry, f.privateOne), verifier(t, entry)
		refusal(t, entry.Scheme, v)
		good := signedBy(t, s)
		for _, h := range f.headers {
			value := good.Header[h][0]
			for _, bad := range []string{value + "x", "x" + value, strings.TrimPrefix(value, "Bearer "), canary, "Bearer " + canary, "Basic " + canary, "Bearer " + canary + ".b.c",
				"Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+canary+"x")), "Basic " + base64.StdEncoding.EncodeToString([]byte(canary))} {
				_, err := v.Verify(with(good, h, bad), receipt)
				if bad == value {
					continue // some of the list are the good value for one scheme or another
				}
				if err == nil {
					t.Fatalf("%s: accepted", h)
				}
				demandSilence(t, entry.Scheme, err)
				if token := strings.TrimPrefix(value, "Bearer "); entry.Scheme == "bearer" && strings.Contains(err.Error(), token[len(token)/2:]) {
					t.Errorf("the refusal holds the token: %v", err)
				}
			}
		}
		_, err := v.Verify(good, receipt.Add(48*time.Hour))
		if err != nil {
			demandSilence(t, entry.Scheme, err)
		}
	})
}
