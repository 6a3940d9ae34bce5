package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
)

// FuzzCapture: whatever a file of a captured request holds is a request whose body is the end of the file, byte for byte, or an
// error that quotes nothing of it. (The search for its verifier is bounded by what it hashes, which is too long for a fuzzer.)
func FuzzCapture(f *testing.F) {
	for _, seed := range []string{
		"POST /hooks/care HTTP/1.1\r\nHost: a\r\nX-Hub-Signature: sha256=00\r\n\r\n{}", "POST /a\nA:b\n\n", "POST /", "POST / HTTP/1.1\n\n", "\n", "GET x\n\n", "POST /a HTTP/1.1\nA b: c\n\n",
		"POST /a HTTP/1.1\n: c\n\n", "POST /a HTTP/1.1\nA: b\n folded\n\nx", "POST /a HTTP/1.1\nClient-Cert: ::\nX-Cert: -----BEGIN%20CERTIFICATE-----\n\n", "POST /a HTTP/1.1\r\nA: \xff\x00\r\n\r\n\r\n", `{"method":"POST","target":"/a","header":{"A":["b"]},"body_base64":"e30="}`, `{"method":"POST","header":null}`, "{",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		if failed, err := parseFailed("file", data); err == nil && failed.Method == "" {
			t.Error("a delivery without a method")
		}
		req, err := parseCapture("file", data)
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "file:") || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 250 {
				t.Errorf("%q is told as %q", data, text)
			}
			return
		}
		if !bytes.HasSuffix(data, req.Body) || req.Method == "" || !strings.HasPrefix(req.Target, "/") {
			t.Errorf("%q is %+v", data, req)
		}
		for name := range req.Header {
			if name == "" || strings.ContainsAny(name, " \t:") {
				t.Errorf("%q has the header %q", data, name)
			}
		}
		readable, unreadable := passedOn(req.Header)
		for _, p := range readable {
			if len(p.certificates) == 0 {
				t.Errorf("%q holds no certificate in %q", data, p.header)
			}
		}
		if len(readable) > maxPassed || len(unreadable) > maxPassed {
			t.Errorf("%q is looked at in %d and %d headers", data, len(readable), len(unreadable))
		}
	})
}

// FuzzPlainLines: whatever is logged, the lines stay as many, and nothing in them can be taken for something else.
func FuzzPlainLines(f *testing.F) {
	f.Add([]byte("{\"a\":\"\u2028\u202e\x85\xff\"}\n{\"b\":\"\u00e9\"}\n"))
	f.Add([]byte("\n\n\xe2\x80"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		plain := plainLines(bytes.Clone(lines))
		if bytes.Count(plain, []byte{'\n'}) != bytes.Count(lines, []byte{'\n'}) {
			t.Errorf("%q became %q", lines, plain)
		}
		for _, r := range string(plain) {
			if r >= 0x80 && r != unicode.ReplacementChar && !unicode.IsPrint(r) {
				t.Errorf("%q is in %q", r, plain)
			}
		}
	})
}

// FuzzHidden: a secret of ours is never shown, wherever in a text it stands, and other texts are left as they are.
func FuzzHidden(f *testing.F) {
	f.Add("", "")
	f.Add("token=", "; x=1")
	f.Add("Bearer \xff", "\x00")
	const secret = "canary-token-0011223344"
	h := hidden(nil).with(secret)
	f.Fuzz(func(t *testing.T, before, after string) {
		if shown := h.text(before + secret + after); strings.Contains(shown, secret) {
			t.Errorf("%q is shown", shown)
		}
		if other := before + after; !strings.Contains(other, "canary") && !strings.Contains(other, "Y2FuYXJ5") && h.text(other) != other {
			t.Errorf("%q is hidden as %q", other, h.text(other))
		}
	})
}
