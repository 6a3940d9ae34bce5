package verifiers_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// vector is a delivery that something else than Hookgate signed; testdata/make.py says how.
type vector struct {
	Name    string
	Origin  string
	Command string
	Auth    struct {
		Scheme, Issuer, Audience, Encoding string
		Secrets, Keys, Users               []string
		CA, Names, Fingerprints            []string
		Prefix                             *string
		PublicURL                          string `json:"public_url"`
		Declaration                        *hookgate.Declaration
	}
	Now        int64
	Target     string
	Headers    [][2]string
	Body       []byte `json:"body_b64"`
	KeyID      string
	SignedTime string `json:"signed_time"`
	SignedID   string `json:"signed_id"`

	Certificates []string // PEM, as shown in the handshake
}

func (v vector) entry() hookgate.AuthSettings {
	secrets := func(field string, texts []string) (list []hookgate.Secret) {
		for i, text := range texts {
			list = append(list, hookgate.NewSecret([]byte(text), field+"["+strconv.Itoa(i)+"]"))
		}
		return list
	}
	a := v.Auth
	return hookgate.AuthSettings{
		Scheme: a.Scheme, Issuer: a.Issuer, Audience: a.Audience, Encoding: a.Encoding, Prefix: a.Prefix, PublicURL: a.PublicURL, Declared: a.Declaration,
		Secrets: secrets("secrets", a.Secrets), Keys: secrets("keys", a.Keys), Users: secrets("users", a.Users),
		CA: secrets("ca", a.CA), Names: a.Names, Fingerprints: a.Fingerprints,
	}
}

func (v vector) request() *hookgate.Request {
	req := &hookgate.Request{Method: http.MethodPost, Target: v.Target, Header: http.Header{}, Body: v.Body}
	for _, h := range v.Headers {
		req.Header.Add(h[0], h[1])
	}
	for _, text := range v.Certificates {
		req.Certificates = append(req.Certificates, parsed([]byte(text))...)
	}
	return req
}

func vectors(t testing.TB, scheme string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", scheme+".json"))
	if err != nil {
		return nil
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s.json: %v", scheme, err)
	}
	return list
}

// Every scheme must agree with somebody else about the bytes, or Sign and Verify could share a mistake.
func TestIndependentVectors(t *testing.T) {
	t.Parallel()
	for _, name := range verifiers.Names() {
		list := vectors(t, name)
		if len(list) == 0 {
			t.Errorf("%s: no independent vector", name)
		}
		for _, v := range list {
			t.Run(name+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				if v.Origin == "" || v.Command == "" || v.Auth.Scheme != name {
					t.Fatalf("origin %q, command %q, scheme %q: the vector does not say where it is from", v.Origin, v.Command, v.Auth.Scheme)
				}
				s, now := verifier(t, v.entry()), time.Unix(v.Now, 0)
				want := hookgate.Proof{Scheme: name, KeyID: v.KeyID, SignedTime: v.SignedTime, SignedID: v.SignedID}
				if got := accepted(t, s, v.request(), now); got != want {
					t.Errorf("proof %+v, want %+v", got, want)
				}
				tamperedTwins(t, v, s, now)
			})
		}
	}
}

// tamperedTwins alters, one at a time, what coverage.txt says is covered.
func tamperedTwins(t *testing.T, v vector, s verifiers.Scheme, now time.Time) {
	t.Helper()
	covered := golden(t)[v.Auth.Scheme]
	twins := 0
	if covered["body"] {
		twin := v.request()
		twin.Body = append([]byte(" "), twin.Body...)
		refusedFor(t, s, twin, now, hookgate.Mismatch)
		twins++
	}
	for _, h := range v.Headers {
		if covered[h[0]] {
			end := max(0, len(h[1])-24) // in front of it may stand what is no part of the proof
			refusedFor(t, s, with(v.request(), h[0], h[1][:end]+flipped(h[1][end:])), now)
			twins++
		}
	}
	if covered["certificate"] {
		twin := v.request()
		twin.Certificates = nil
		refusedFor(t, s, twin, now, hookgate.HeaderMissing)
		twins++
	}
	if twins == 0 && v.Auth.Scheme != "none" {
		t.Errorf("no tampered twin")
	}
}
