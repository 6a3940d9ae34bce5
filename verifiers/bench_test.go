package verifiers_test

import (
	"bytes"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// BenchmarkVerify is one delivery of 900 bytes a scheme, which is about what the providers send.
func BenchmarkVerify(b *testing.B) {
	all := fixtures(b)
	for _, name := range verifiers.Names() {
		f := all[name]
		s, v := signer(b, f.one, f.privateOne), verifier(b, f.one)
		good := delivery()
		good.Body = bytes.Repeat([]byte("x"), 900)
		if err := s.Sign(good, receipt); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req := hookgate.Request{Method: good.Method, Target: good.Target, Header: good.Header, Body: good.Body, Certificates: good.Certificates}
				if _, err := v.Verify(&req, receipt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
