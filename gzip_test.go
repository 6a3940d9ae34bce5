package hookgate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

func zip(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// keeper is a verifier, a reader and a journal that remember what each was shown.
type keeper struct {
	verified, read, stored []byte
	events                 []*hookgate.Event
}

func (k *keeper) Verify(req *hookgate.Request, _ time.Time) (hookgate.Proof, error) {
	k.verified = req.Body
	if _, err := req.One("Word"); err != nil {
		return hookgate.Proof{}, err
	}
	return hookgate.Proof{Scheme: "word"}, nil
}

func (k *keeper) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	k.read = req.Body
	return []*hookgate.Event{{Type: "keeper.all", Attempt: 1, Identity: hookgate.DigestIdentity(req.Body), Data: req.Body, ContentType: hookgate.JSON}}
}

func (k *keeper) Reply(req *hookgate.Request) (string, []byte) { return "text/plain", req.Body }

func (k *keeper) Accept(_ context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	k.stored, k.events = req.Body, events
	return []hookgate.Result{{Class: hookgate.First}}, nil
}

// deliver posts a body to a source that takes gzip and gives what came of it.
func (k *keeper) deliver(body []byte, most int64, header http.Header) *httptest.ResponseRecorder {
	g := &hookgate.Gateway{Journal: k, Now: time.Now}
	g.SetSources([]*hookgate.Source{{
		Name: "test", Provider: "keeper", Path: "/hooks/test", Verifiers: []hookgate.Verifier{k}, Reader: k, MaxBody: most, Gzip: true,
	}})
	r := httptest.NewRequest("POST", "/hooks/test", bytes.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func zipped() http.Header { return http.Header{"Word": {"open"}, "Content-Encoding": {"gzip"}} }

// TestB01_VerifiedAsSentAndReadDecompressed: what is signed and what is kept are the bytes of the wire, what is read is what
// they unfold to.
func TestB01_VerifiedAsSentAndReadDecompressed(t *testing.T) {
	t.Parallel()
	const text = `{"id":1}`
	for _, coding := range []string{"gzip", "GZIP", " gzip\t"} {
		k, wire, header := new(keeper), zip(t, text), zipped()
		header["Content-Encoding"] = []string{coding}
		w := k.deliver(wire, 1024, header)
		if w.Code != http.StatusOK || w.Header().Get("Hookgate-Outcome") != "accepted" || w.Body.String() != text {
			t.Fatalf("%q: %d %v %q", coding, w.Code, w.Header(), w.Body)
		}
		if !bytes.Equal(k.verified, wire) || !bytes.Equal(k.stored, wire) || string(k.read) != text || string(k.events[0].Data) != text {
			t.Errorf("%q: verified %q, stored %q, read %q", coding, k.verified, k.stored, k.read)
		}
		if sum := sha256.Sum256(wire); k.events[0].RawSHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%q: the digest is not that of the wire's bytes", coding)
		}
	}
}

// TestB01_WhatDoesNotUnfold is authentic, so it is kept, and as it was sent.
func TestB01_WhatDoesNotUnfold(t *testing.T) {
	t.Parallel()
	good := zip(t, strings.Repeat("abcdefgh", 8))
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	end := len(good)
	const most = 4096
	for name, body := range map[string][]byte{
		"no gzip":                 []byte(`{"id":1}`),
		"empty":                   {},
		"the head alone":          good[:10],
		"half a head":             good[:5],
		"cut":                     good[:end-9],
		"without its length":      good[:end-4],
		"without its last byte":   good[:end-1],
		"another checksum":        changed(end-8, good[end-8]^1),
		"another length":          changed(end-4, good[end-4]^1),
		"another method":          changed(2, 7),
		"reserved flags":          changed(3, 0x20),
		"a flag for a name":       changed(3, 0x08),
		"a second member":         append(bytes.Clone(good), good...),
		"an empty second member":  append(bytes.Clone(good), zip(t, "")...),
		"zeros behind":            append(bytes.Clone(good), 0, 0),
		"a byte behind":           append(bytes.Clone(good), 'x'),
		"a byte in front":         append([]byte{'x'}, good...),
		"one over the limit":      zip(t, noise(most+1)),
		"a zlib stream":           {0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01},
		"a deflate block of kind": append(bytes.Clone(good[:10]), 0x07),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := new(keeper)
			w := k.deliver(body, most, zipped())
			if len(body) > most {
				t.Fatalf("%d bytes are too many for this test", len(body))
			}
			if w.Code != http.StatusOK || w.Header().Get("Hookgate-Outcome") != "quarantined" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			if k.read != nil || !bytes.Equal(k.stored, body) || !bytes.Equal(k.events[0].Data, body) {
				t.Errorf("read %q, stored %q", k.read, k.stored)
			}
			if strings.Contains(k.events[0].Quarantine, "abcdefgh") || k.events[0].Quarantine == "" {
				t.Errorf("the reason is %q", k.events[0].Quarantine)
			}
		})
	}
}

// noise is text that hardly compresses to less than half.
func noise(n int) string {
	var b strings.Builder
	sum := sha256.Sum256(nil)
	for b.Len() < n {
		sum = sha256.Sum256(sum[:])
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}

func TestB01_TheLimitCountsWhatItUnfoldsTo(t *testing.T) {
	t.Parallel()
	const most = 4096
	for name, c := range map[string]struct {
		text string
		most int64
		want string
	}{
		"at the limit":     {noise(most), most, "accepted"},
		"one over":         {noise(most + 1), most, "quarantined"},
		"within the ratio": {strings.Repeat("a", 2000), 1 << 20, "accepted"},
		"over the ratio":   {strings.Repeat("a", 100_000), 1 << 20, "quarantined"},
		"nothing at all":   {"", most, "accepted"},
	} {
		k := new(keeper)
		if w := k.deliver(zip(t, c.text), c.most, zipped()); w.Header().Get("Hookgate-Outcome") != c.want {
			t.Errorf("%s: %v", name, w.Header())
		}
		if c.want == "accepted" && string(k.read) != c.text {
			t.Errorf("%s: %d bytes were read of %d", name, len(k.read), len(c.text))
		}
	}
}

// TestB01_NothingUnfoldsBeforeItIsVerified, and of any other coding nothing does at all.
func TestB01_NothingUnfoldsBeforeItIsVerified(t *testing.T) {
	t.Parallel()
	k := new(keeper)
	if w := k.deliver(zip(t, "a"), 1024, http.Header{"Content-Encoding": {"gzip"}}); w.Code != http.StatusUnauthorized || k.read != nil || k.stored != nil {
		t.Errorf("unsigned: %d, read %q", w.Code, k.read)
	}
	for _, codings := range [][]string{
		{"gzip, gzip"}, {"gzip", "gzip"}, {"identity, gzip"}, {"gzip, identity"}, {"identity", "gzip"}, {"gzip,"}, {",gzip"}, {"gzip", ""}, {"x-gzip"},
		{"deflate"}, {"br"}, {"zstd"}, {"gzip;q=1"}, {"gzip gzip"}, {"\u212ag\u017fip"}, {"g\x00zip"}, {"*"},
	} {
		k, header := new(keeper), zipped()
		header["Content-Encoding"] = codings
		if w := k.deliver(zip(t, "a"), 1024, header); w.Code != http.StatusUnsupportedMediaType || k.verified != nil {
			t.Errorf("%q: %d", codings, w.Code)
		}
	}
	for _, codings := range [][]string{nil, {""}, {"identity"}, {"Identity", "identity"}} {
		k, header, body := new(keeper), zipped(), zip(t, "a")
		header["Content-Encoding"] = codings
		if w := k.deliver(body, 1024, header); w.Code != http.StatusOK || !bytes.Equal(k.read, body) {
			t.Errorf("%q: %d, read %q", codings, w.Code, k.read)
		}
	}
}

// FuzzGzip: any body labelled gzip is read within the limit and the ratio, as the library reads its first member and only if
// that is all of it, or it is kept as it is.
func FuzzGzip(f *testing.F) {
	f.Add(zip(f, ""))
	f.Add(zip(f, `{"id":1}`))
	f.Add(zip(f, strings.Repeat("a", 5000)))
	f.Add(append(zip(f, "a"), zip(f, "b")...))
	f.Add(append(zip(f, "a"), 0))
	f.Add([]byte("\x1f\x8b\x08\x1f\x00\x00\x00\x00\x00\x03\x02\x00ab" + "name\x00comment\x00" + "\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, body []byte) {
		const most = 2048
		if len(body) > most {
			return
		}
		k := new(keeper)
		w := k.deliver(body, most, zipped())
		if w.Code != http.StatusOK || !bytes.Equal(k.stored, body) {
			t.Fatalf("%d, %d of %d bytes are kept", w.Code, len(k.stored), len(body))
		}
		want, ok := theirs(body)
		ok = ok && len(want) <= min(most, 100*len(body))
		switch w.Header().Get("Hookgate-Outcome") {
		case "accepted":
			if !ok || !bytes.Equal(k.read, want) {
				t.Errorf("%x was read as %x, want %v %x", body, k.read, ok, want)
			}
		case "quarantined":
			if k.read != nil || ok && body[3]&0xe0 == 0 {
				t.Errorf("%x was not read, though it unfolds to %x", body, want)
			}
		default:
			t.Errorf("%v", w.Header())
		}
	})
}

// theirs reads a body that is one member.
func theirs(body []byte) ([]byte, bool) {
	from := bytes.NewReader(body)
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, false
	}
	z.Multistream(false)
	out, err := io.ReadAll(z)
	return out, err == nil && from.Len() == 0
}
