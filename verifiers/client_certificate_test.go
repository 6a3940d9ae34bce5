package verifiers_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// certified is an entry of the scheme; ca are names of files.
func certified(t testing.TB, ca, names, fingerprints []string) hookgate.AuthSettings {
	t.Helper()
	entry := hookgate.AuthSettings{Scheme: "client-certificate", Names: names, Fingerprints: fingerprints}
	for _, name := range ca {
		entry.CA = append(entry.CA, hookgate.NewSecret(certificateFile(t, name), "file:"+name+".pem"))
	}
	return entry
}

func showing(list ...*x509.Certificate) *hookgate.Request {
	req := delivery()
	req.Certificates = list
	return req
}

func fingerprint(t testing.TB, name string) string {
	t.Helper()
	digest := sha256.Sum256(certificates(t, name)[0].Raw)
	return hex.EncodeToString(digest[:])
}

// TestH11_ClientCertificates is the table of who is let in, with what the operator reads about those who are not.
func TestH11_ClientCertificates(t *testing.T) {
	t.Parallel()
	one, host := []string{"ca-one"}, []string{"hooks.one.example"}
	print := func(names ...string) (list []string) {
		for _, name := range names {
			list = append(list, fingerprint(t, name))
		}
		return list
	}
	cases := []struct {
		name              string
		ca, names, prints []string
		shown             []string
		keyID, says       string // one of the two
	}{
		{"right", one, host, nil, []string{"client-one"}, "file:ca-one.pem", ""},
		{"right, its second name", one, []string{"nobody.example", "other.one.example"}, nil, []string{"client-one"}, "file:ca-one.pem", ""},
		{"right, of two authorities", []string{"ca-two", "ca-one"}, nil, nil, []string{"client-one"}, "file:ca-one.pem", ""},
		{"for both usages", one, host, nil, []string{"both-usages"}, "file:ca-one.pem", ""},
		{"for no usage in particular", one, host, nil, []string{"no-usage"}, "file:ca-one.pem", ""},
		{"with a stranger's behind it", one, host, nil, []string{"client-one", "self-made"}, "file:ca-one.pem", ""},
		{"with the intermediate one", one, host, nil, []string{"behind", "between"}, "file:ca-one.pem", ""},
		{"the intermediate one trusted by itself", []string{"between"}, host, nil, []string{"behind"}, "file:between.pem", ""},
		{"without the intermediate one", one, host, nil, []string{"behind"}, "", "issued by none of the 1 authorities"},
		{"with another intermediate one", one, host, nil, []string{"behind", "ca-two"}, "", "issued by none"},
		{"of another authority", one, host, nil, []string{"client-two"}, "", "issued by none of the 1 authorities"},
		{"self-made, of the same name", one, host, nil, []string{"self-made"}, "", "issued by none"},
		{"the right one behind a self-made one", one, host, nil, []string{"self-made", "client-one"}, "", "issued by none"},
		{"of an authority that took the name of ours", one, host, nil, []string{"impostor"}, "", "was not signed by its key"},
		{"the same, with that authority", one, host, nil, []string{"impostor", "ca-one-again"}, "", "was not signed by its key"},
		{"issued by a client", one, host, nil, []string{"by-client", "client-one"}, "", "issued by none"},
		{"the authority itself", one, nil, nil, []string{"ca-one"}, "", "not for client authentication by its key usage"},
		{"an authority below it", one, nil, nil, []string{"between"}, "", "not for client authentication by its key usage"},
		{"expired", one, host, nil, []string{"expired"}, "", "has expired: it ended 2024-06-30T23:59:59Z"},
		{"not yet valid", one, host, nil, []string{"future"}, "", "not yet valid: it begins 2024-07-02"},
		{"of an authority that has ended", []string{"ca-old"}, host, nil, []string{"by-old"}, "", "file:ca-old.pem is valid from 2020-01-01T00:00:00Z to 2024-06-30T00:00:00Z only"},
		{"behind an intermediate one that has ended", one, host, nil, []string{"behind-old", "between-old"}, "", "between it and its authority is valid from 2024-01-01T00:00:00Z to 2024-06-30T00:00:00Z only"},
		{"of a name that the authority may not give", []string{"ca-narrow"}, host, nil, []string{"by-narrow"}, "", "a name that its authority may not give"},
		{"behind more than the authority allows", []string{"ca-flat"}, host, nil, []string{"behind-flat", "between-flat"}, "", "no valid chain"},
		{"with a critical extension", one, host, nil, []string{"unknown-extension"}, "", "critical extension that is not known"},
		{"for servers only", one, host, nil, []string{"server"}, "", "not for client authentication"},
		{"a short key", one, host, nil, []string{"small"}, "", "RSA key of 1024 bit"},
		{"a short key behind it", one, host, nil, []string{"client-one", "small"}, "", "RSA key of 1024 bit"},

		{"another name", one, []string{"hooks.two.example"}, nil, []string{"client-one"}, "", `for ["hooks.one.example" "other.one.example"], and not`},
		{"the name in capitals", one, []string{"HOOKS.one.example"}, nil, []string{"client-one"}, "file:ca-one.pem", ""},
		{"the certificate in capitals", one, host, nil, []string{"upper"}, "file:ca-one.pem", ""},
		{"the name's parent", one, []string{"one.example"}, nil, []string{"client-one"}, "", "not for one of"},
		{"a name that begins so", one, []string{"hooks.one.example.com"}, nil, []string{"client-one"}, "", "not for one of"},
		{"a wildcard covers nothing", one, host, nil, []string{"wildcard"}, "", "not for one of"},
		{"a wildcard is its own name", one, []string{"*.one.example"}, nil, []string{"wildcard"}, "file:ca-one.pem", ""},
		{"a pattern is not matched", one, []string{"*.one.example"}, nil, []string{"client-one"}, "", "not for one of"},
		{"a URI", one, []string{"spiffe://one.example/hooks"}, nil, []string{"uri"}, "file:ca-one.pem", ""},
		{"a URI in another case", one, []string{"spiffe://one.example/Hooks"}, nil, []string{"uri"}, "", "not for one of"},
		{"an e-mail address", one, []string{"Hooks@ONE.example"}, nil, []string{"uri"}, "file:ca-one.pem", ""},
		{"an e-mail address in another case", one, []string{"hooks@one.example"}, nil, []string{"uri"}, "", "not for one of"},
		{"a common name", one, []string{"CommBox Hooks"}, nil, []string{"bare"}, "file:ca-one.pem", ""},
		{"a common name in another case", one, []string{"commbox hooks"}, nil, []string{"bare"}, "", `for ["CommBox Hooks"], and not`},
		{"a common name beside alternative ones", one, []string{"another.one.example"}, nil, []string{"named-twice"}, "", "not for one of"},
		{"a common name beside an address", one, host, nil, []string{"address"}, "", "not for one of"},
		{"two common names, the first", one, []string{"first"}, nil, []string{"doubled"}, "", "for no name"},
		{"two common names, the second", one, []string{"second"}, nil, []string{"doubled"}, "", "for no name"},

		{"pinned", nil, nil, print("client-one"), []string{"client-one"}, "sha256:" + fingerprint(t, "client-one")[:16], ""},
		{"pinned, self-made", nil, host, print("self-made"), []string{"self-made"}, "sha256:" + fingerprint(t, "self-made")[:16], ""},
		{"pinned, the old one of two", nil, nil, print("client-one", "both-usages"), []string{"client-one"}, "sha256:" + fingerprint(t, "client-one")[:16], ""},
		{"pinned, the new one of two", nil, nil, print("client-one", "both-usages"), []string{"both-usages"}, "sha256:" + fingerprint(t, "both-usages")[:16], ""},
		{"pinned is another", nil, nil, print("client-one"), []string{"both-usages"}, "", fingerprint(t, "both-usages") + " is none of the 1 listed"},
		{"pinned is what stands behind", nil, nil, print("client-one"), []string{"self-made", "client-one"}, "", "none of the 1 listed"},
		{"pinned is the authority", nil, nil, print("ca-one"), []string{"client-one", "ca-one"}, "", "none of the 1 listed"},
		{"pinned, but expired", nil, nil, print("expired"), []string{"expired"}, "", "has expired"},
		{"pinned, but for servers only", nil, nil, print("server"), []string{"server"}, "", "not for client authentication"},
		{"pinned, but of another name", nil, []string{"x.example"}, print("client-one"), []string{"client-one"}, "", "not for one of"},
		{"pinned, but of another authority", []string{"ca-two"}, nil, print("client-one"), []string{"client-one"}, "", "issued by none"},
		{"of the authority, but not pinned", one, host, print("both-usages"), []string{"client-one"}, "", "none of the 1 listed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, req := verifier(t, certified(t, c.ca, c.names, c.prints)), showing(certificates(t, c.shown...)...)
			if c.keyID != "" {
				if proof := accepted(t, v, req, receipt); proof.KeyID != c.keyID || proof.SignedTime != "" {
					t.Errorf("proof %+v, want the key %s", proof, c.keyID)
				}
				return
			}
			refusedFor(t, v, req, receipt, hookgate.CertificateRefused)
			if _, err := v.Verify(req, receipt); !strings.Contains(hookgate.AsError(err).Detail, c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// TestH11_OpensslAgrees asks openssl about each of the certificates, at times around the ends of all of them.
func TestH11_OpensslAgrees(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/certificates/*.pem")
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, certified(t, []string{"ca-one"}, nil, nil))
	agreed := map[bool]int{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		if strings.HasSuffix(name, ".key") || name == "small" { // openssl takes short keys
			continue
		}
		for _, at := range []int64{1719791000, receipt.Unix(), 1719878401} {
			between := []string{"between", "client-one", "ca-one-again"}
			args := []string{"verify", "-purpose", "sslclient", "-attime", strconv.FormatInt(at, 10), "-CAfile", "testdata/certificates/ca-one.pem"}
			for _, b := range between {
				args = append(args, "-untrusted", "testdata/certificates/"+b+".pem")
			}
			out, err := exec.CommandContext(t.Context(), "openssl", append(args, file)...).CombinedOutput()
			if ended := new(exec.ExitError); err != nil && !errors.As(err, &ended) {
				t.Fatalf("%v; apt-get install openssl", err)
			}
			_, refusal := v.Verify(showing(certificates(t, append([]string{name}, between...)...)...), time.Unix(at, 0))
			if (err == nil) != (refusal == nil) {
				t.Errorf("%s at %d: we say %v, openssl %s", name, at, refusal, out)
			}
			agreed[refusal == nil]++
		}
	}
	if agreed[true] < 20 || agreed[false] < 20 {
		t.Errorf("%d accepted and %d refused by both prove little", agreed[true], agreed[false])
	}
}

// The ends of a certificate count to the second, at the time of receipt.
func TestH11_CertificateEdges(t *testing.T) {
	t.Parallel()
	v := verifier(t, certified(t, []string{"ca-one"}, nil, nil))
	expired, future := showing(certificates(t, "expired")...), showing(certificates(t, "future")...)
	end, begin := expired.Certificates[0].NotAfter, future.Certificates[0].NotBefore
	accepted(t, v, expired, end)
	refusedFor(t, v, expired, end.Add(time.Second), hookgate.CertificateRefused)
	accepted(t, v, future, begin)
	refusedFor(t, v, future, begin.Add(-time.Second), hookgate.CertificateRefused)
}

func TestH11_NoCertificate(t *testing.T) {
	t.Parallel()
	for _, entry := range []hookgate.AuthSettings{certified(t, []string{"ca-one"}, nil, nil), certified(t, nil, nil, []string{fingerprint(t, "client-one")})} {
		v := verifier(t, entry)
		refusedFor(t, v, delivery(), receipt, hookgate.HeaderMissing)
		req := delivery() // a header is none
		req.Header["Client-Cert"] = []string{":" + "AAAA" + ":"}
		refusedFor(t, v, req, receipt, hookgate.HeaderMissing)
	}
}

// A sender that shows many certificates makes no work.
func TestH11_TooManyCertificates(t *testing.T) {
	t.Parallel()
	v := verifier(t, certified(t, []string{"ca-one"}, nil, nil))
	many := certificates(t, "client-one", "between", "uri", "bare", "server", "upper", "expired", "future")
	accepted(t, v, showing(many...), receipt)
	refusedFor(t, v, showing(append(many, many[1])...), receipt, hookgate.CertificateRefused)
}

// An authority with an end of its own proves nothing after it.
func TestH11_RetiredAuthority(t *testing.T) {
	t.Parallel()
	entry := certified(t, []string{"ca-one"}, nil, nil)
	entry.CA[0] = entry.CA[0].Until(receipt)
	v, req := verifier(t, entry), showing(certificates(t, "client-one")...)
	accepted(t, v, req, receipt.Add(-time.Second))
	refusedFor(t, v, req, receipt, hookgate.KeyRetired)
	entry.CA = append(entry.CA, certified(t, []string{"ca-two"}, nil, nil).CA...) // which has nothing to do with it
	refusedFor(t, verifier(t, entry), req, receipt, hookgate.KeyRetired)
	entry.CA = entry.CA[:1]
	entry.Fingerprints = []string{fingerprint(t, "client-one")}
	accepted(t, verifier(t, entry), req, receipt.Add(-time.Second))
	refusedFor(t, verifier(t, entry), req, receipt, hookgate.KeyRetired)
	entry.CA = append(entry.CA, certified(t, []string{"ca-one"}, nil, nil).CA...)
	accepted(t, verifier(t, entry), req, receipt)
}

// What proofs name is what is known of an entry before the first one.
func TestCertificateKeyIDs(t *testing.T) {
	t.Parallel()
	for _, entry := range []hookgate.AuthSettings{
		certified(t, []string{"ca-two", "ca-one"}, nil, nil), certified(t, []string{"ca-one"}, nil, []string{fingerprint(t, "client-one")}), certified(t, nil, nil, []string{fingerprint(t, "client-one")}),
	} {
		proof := accepted(t, verifier(t, entry), showing(certificates(t, "client-one")...), receipt)
		if ids := verifiers.KeyIDs(entry); !slices.Contains(ids, proof.KeyID) || len(ids) != max(len(entry.Fingerprints), len(entry.CA)) {
			t.Errorf("%s is none of %v", proof.KeyID, ids)
		}
	}
	for _, none := range []string{"", "00", strings.Repeat("00", 31), strings.Repeat("00", 33), strings.Repeat("zz", 32)} {
		if ids := verifiers.KeyIDs(certified(t, nil, nil, []string{none})); len(ids) > 0 {
			t.Errorf("%q is called %v", none, ids)
		}
	}
}

// A bundle of several authorities, with what openssl and people write between them, or on one line in a variable.
func TestH11_Bundles(t *testing.T) {
	t.Parallel()
	one, two := string(certificateFile(t, "ca-one")), string(certificateFile(t, "ca-two"))
	for name, text := range map[string]string{
		"two":           one + two,
		"with comments": "# ours\n" + one + "\nsubject=/CN=ca-two\n\n" + two + "\n the end\n",
		"in a variable": strings.ReplaceAll(one+two, "\n", `\n`),
		"of windows":    strings.ReplaceAll(one+two, "\n", "\r\n"),
	} {
		entry := hookgate.AuthSettings{Scheme: "client-certificate", CA: []hookgate.Secret{hookgate.NewSecret([]byte(text), "env:BUNDLE")}}
		v := verifier(t, entry)
		for _, client := range []string{"client-one", "client-two"} {
			if proof := accepted(t, v, showing(certificates(t, client)...), receipt); proof.KeyID != "env:BUNDLE" {
				t.Errorf("%s: %+v", name, proof)
			}
		}
	}
}

func TestH11_CertificateConfig(t *testing.T) {
	t.Parallel()
	file := func(name string) []hookgate.Secret {
		return []hookgate.Secret{hookgate.NewSecret(certificateFile(t, name), "file:"+name)}
	}
	type entry = hookgate.AuthSettings
	good := fingerprint(t, "client-one")
	one := file("ca-one")
	broken := strings.Replace(string(certificateFile(t, "ca-one")), "-----END", "----END", 1)
	colons := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			if b.WriteByte(s[i]); i%2 == 1 && i+1 < len(s) {
				b.WriteByte(':')
			}
		}
		return b.String()
	}
	cases := []struct {
		name  string
		entry entry
		field string
		says  string
	}{
		{"nothing", entry{}, "ca", "needs ca or fingerprints"},
		{"names alone", entry{Names: []string{"a.example"}}, "ca", "needs ca or fingerprints"},
		{"secrets", entry{CA: one, Secrets: lit(goodKey)}, "secrets", "client-certificate takes ca, names, fingerprints"},
		{"blank", entry{CA: lit(" ")}, "ca[0]", "blank"},
		{"no PEM", entry{CA: lit("MIIB")}, "ca[0]", "there is no certificate"},
		{"a key", entry{CA: file("client-one.key")}, "ca[0]", "there is a private key"},
		{"a public key", entry{CA: lit(string(keyFile(t, "siq.pub.pem")))}, "ca[0]", "no certificate"},
		{"no authority", entry{CA: file("client-one")}, "ca[0]", "list it under fingerprints instead: " + good},
		{"a short key", entry{CA: file("small")}, "ca[0]", "not that of an authority"},
		{"broken off", entry{CA: lit(broken)}, "ca[0]", "cannot be read"},
		{"broken before another", entry{CA: lit(broken + string(certificateFile(t, "ca-two")))}, "ca[0]", "cannot be read"},
		{"broken behind another", entry{CA: lit(string(certificateFile(t, "ca-two")) + broken)}, "ca[0]", "cannot be read"},
		{"spoilt", entry{CA: lit("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, "ca[0]", "the certificate cannot be read"},
		{"empty name", entry{CA: one, Names: []string{""}}, "names[0]", "is not a name"},
		{"blank around a name", entry{CA: one, Names: []string{"a.example", " b.example"}}, "names[1]", "is not a name"},
		{"host and port", entry{CA: one, Names: []string{"127.0.0.1:8080"}}, "names[0]", "is no URI"},
		{"URI in another form", entry{CA: one, Names: []string{"SPIFFE://a/b"}}, "names[0]", "write spiffe://a/b"},
		{"fingerprint too short", entry{Fingerprints: []string{good, good[:62]}}, "fingerprints[1]", "is not a SHA-256 digest"},
		{"fingerprint too long", entry{Fingerprints: []string{good + "00"}}, "fingerprints[0]", "is not a SHA-256 digest"},
		{"fingerprint by SHA-1", entry{Fingerprints: []string{good[:40]}}, "fingerprints[0]", "as long as a SHA-1 digest"},
		{"fingerprint by SHA-1 with colons", entry{Fingerprints: []string{colons(good[:40])}}, "fingerprints[0]", "as long as a SHA-1 digest"},
		{"fingerprint with some colons", entry{Fingerprints: []string{good[:2] + ":" + good[2:]}}, "fingerprints[0]", "is not a SHA-256 digest"},
		{"fingerprint ends with a colon", entry{Fingerprints: []string{colons(good) + ":"}}, "fingerprints[0]", "is not a SHA-256 digest"},
		{"fingerprint with a prefix", entry{Fingerprints: []string{"sha256 Fingerprint=" + colons(good)}}, "fingerprints[0]", "is not a SHA-256 digest"},
		{"fingerprint twice", entry{Fingerprints: []string{good, strings.ToUpper(colons(good))}}, "fingerprints[1]", "in the list twice"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.entry.Scheme = "client-certificate"
			demandProblem(t, c.entry, c.field, c.says)
		})
	}
	v := verifier(t, entry{Scheme: "client-certificate", Fingerprints: []string{strings.ToUpper(colons(good))}})
	if proof := accepted(t, v, showing(certificates(t, "client-one")...), receipt); proof.KeyID != "sha256:"+good[:16] {
		t.Errorf("proof %+v", proof)
	}
	ws := verifiers.Warnings(entry{Scheme: "client-certificate", CA: one})
	if len(ws) != 1 || ws[0].Field != "ca" {
		t.Errorf("an authority without names is warned of by %v", ws)
	}
	if ws := verifiers.Warnings(entry{Scheme: "client-certificate", CA: one, Names: []string{"a.example"}}); len(ws) != 0 {
		t.Errorf("warned of %v", ws)
	}
}

// What signs must be a certificate with its own key.
func TestCertificateSigner(t *testing.T) {
	t.Parallel()
	private := func(name string) hookgate.Secret {
		return hookgate.NewSecret(certificateFile(t, name), "file:"+name+".pem")
	}
	s := signer(t, hookgate.AuthSettings{Scheme: "client-certificate"}, private("behind.key"))
	req := signedBy(t, s)
	if len(req.Certificates) != 2 || len(req.Header) != 1 {
		t.Fatalf("%d certificates, headers %v", len(req.Certificates), req.Header)
	}
	accepted(t, verifier(t, certified(t, []string{"ca-one"}, []string{"hooks.one.example"}, nil)), req, receipt)
	// What is listed beside the private key counts, as in a verifier.
	for _, entry := range []hookgate.AuthSettings{certified(t, []string{"ca-two"}, nil, nil), certified(t, nil, nil, []string{fingerprint(t, "client-two")})} {
		s := signer(t, entry, private("client-one.key"))
		refusedFor(t, s, signedBy(t, s), receipt, hookgate.CertificateRefused)
	}
	for _, name := range []string{"no-pair.key", "client-one"} {
		if _, err := verifiers.NewSigner(hookgate.AuthSettings{Scheme: "client-certificate"}, private(name)); err == nil || !strings.Contains(err.Error(), "belong together") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzClientCertificate shows certificates that a stranger made: whatever they are, only the one that is listed is let in.
func FuzzClientCertificate(f *testing.F) {
	for _, name := range []string{"client-one", "client-two", "behind", "impostor", "doubled", "small", "rsa", "uri", "address"} {
		f.Add(certificates(f, name)[0].Raw, certificates(f, "between")[0].Raw, receipt.Unix())
	}
	one := verifier(f, certified(f, []string{"ca-one"}, []string{"hooks.one.example", "CommBox Hooks", "spiffe://one.example/hooks", "a@b"}, nil))
	pinned := verifier(f, certified(f, nil, nil, []string{fingerprint(f, "client-one")}))
	known := make(map[string]bool)
	for _, name := range []string{"client-one", "behind", "uri", "bare", "named-twice", "upper", "no-usage", "both-usages", "expired", "future", "rsa"} {
		known[string(certificates(f, name)[0].RawTBSCertificate)] = true
	}
	f.Fuzz(func(t *testing.T, leaf, between []byte, now int64) {
		own, err := x509.ParseCertificate(leaf)
		if err != nil {
			return
		}
		shown := []*x509.Certificate{own}
		if other, err := x509.ParseCertificate(between); err == nil {
			shown = append(shown, other)
		}
		for name, v := range map[string]verifiers.Scheme{"one": one, "pinned": pinned} {
			proof, err := v.Verify(showing(shown...), time.Unix(now, 0))
			if err != nil {
				if e := hookgate.AsError(err); e.Code != hookgate.Unauthenticated || e.Reason == "" || proof != (hookgate.Proof{}) {
					t.Fatalf("proof %+v, error %#v", proof, err)
				}
				continue
			}
			if !known[string(own.RawTBSCertificate)] || proof.KeyID == "" {
				t.Fatalf("%s accepted what no authority made, as %+v", name, proof)
			}
		}
	})
}

// FuzzCertificateSettings reads any text as authority, name and fingerprint: what is wrong is a list of problems, and what
// loads lets nobody in who shows nothing.
func FuzzCertificateSettings(f *testing.F) {
	f.Add(certificateFile(f, "ca-one"), "hooks.one.example", fingerprint(f, "client-one"))
	f.Add(certificateFile(f, "client-one.key"), "spiffe://a/b", "aa:bb")
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----"), "a@b", ":")
	f.Fuzz(func(t *testing.T, ca []byte, name, fingerprint string) {
		s, err := verifiers.New(hookgate.AuthSettings{Scheme: "client-certificate", CA: []hookgate.Secret{hookgate.NewSecret(ca, "file:ca")}, Names: []string{name}, Fingerprints: []string{fingerprint}})
		if err != nil {
			if ps, ok := err.(hookgate.Problems); !ok || len(ps) == 0 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if _, err := s.Verify(delivery(), receipt); err == nil {
			t.Fatal("accepted without a certificate")
		}
	})
}
