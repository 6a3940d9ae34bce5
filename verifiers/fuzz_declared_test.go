package verifiers_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

func FuzzStandardWebhooks(f *testing.F) {
	fuzzScheme(f, "standard-webhooks", standardSignature, standardTime)
}
func FuzzStandardWebhooksID(f *testing.F) {
	fuzzScheme(f, "standard-webhooks", standardSignature, standardID)
}
func FuzzHMAC(f *testing.F)   { fuzzScheme(f, "hmac", sumHeader, sumTime) }
func FuzzHMACID(f *testing.F) { fuzzScheme(f, "hmac", sumHeader, sumID) }

// FuzzPairs: whatever stands in a header of pairs, only the one signature of this time and body is accepted.
func FuzzPairs(f *testing.F) {
	v := verifier(f, declaring(hookgate.Declaration{Pair: "v1", Signed: "{timestamp}.{body}", Timestamp: hookgate.DeclaredTime{Pair: "t"}}))
	sum := sumOf("1719823264." + string(delivery().Body))
	for _, value := range []string{"t=1719823264,v1=" + sum, "v1=" + sum + ",v1=" + strings.Repeat("0", 64) + ",t=1719823264,v0=x", "t=1,v1=" + sum, "t=,v1=", ",,,=", "v1=v1=" + sum, "t=1719823264,t=1719823264,v1=" + sum} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		proof, err := v.Verify(headers(sumHeader, value), receipt)
		if err != nil {
			if e := hookgate.AsError(err); e.Code != hookgate.Unauthenticated || e.Reason == "" || proof != (hookgate.Proof{}) {
				t.Fatalf("proof %+v, error %#v", proof, err)
			}
			return
		}
		list := "," + value + ","
		if proof.SignedTime != "1719823264" || !strings.Contains(list, ",v1="+sum+",") || strings.Count(list, ",t=") != 1 || !strings.Contains(list, ",t=1719823264,") {
			t.Fatalf("accepted %q as %+v", value, proof)
		}
	})
}

// FuzzTemplate: any template is refused with problems, or compiled; and then what is signed verifies, and none of it can move
// to a neighbour: a byte that leaves the body for the query, the id or the time, or comes from there, is refused.
func FuzzTemplate(f *testing.F) {
	for _, template := range []string{
		"{body}", "{timestamp}.{body}", "v0:{timestamp}:{body}", "{id}.{timestamp}.{body}", `{method}\n{url}\n{body}`, "{url}{body}", "{body}{url}", "{body}{timestamp}",
		"{timestamp}{body}", "{body}|{id}", "{target}.{body}", `\\{body}\\`, "{", "}", "{}", `\`, "{body}{body}", "{id}{body}", "{body}", "é{url}é{body}", "{method}{url}{body}{timestamp}", "{id}/{target}?{body}",
	} {
		f.Add(template, "evt-1", "/hooks/a?b=c", `{"a":1}`)
		f.Add(template, "a.1", "/hooks/a", "1719823264.x")
	}
	f.Fuzz(func(t *testing.T, template, id, target, body string) {
		if !strings.HasPrefix(target, "/hooks/a") || len(target) > len("/hooks/a") && target[len("/hooks/a")] != '?' {
			return // another source
		}
		entry := declaring(hookgate.Declaration{Signed: template})
		if strings.Contains(template, "{timestamp}") {
			entry.Declared.Timestamp.Header = sumTime
		}
		if strings.Contains(template, "{id}") {
			entry.Declared.ID = sumID
		}
		s, err := verifiers.New(entry)
		if err != nil {
			var problems hookgate.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || verifiers.CheckDeclaration(*entry.Declared) == nil {
				t.Fatalf("error %#v", err)
			}
			return
		}
		req := delivery()
		req.Target, req.Body = target, []byte(body)
		req.Header[sumID] = []string{id}
		if err := s.Sign(req, receipt); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(copyOf(req), receipt); err != nil {
			if reason := hookgate.AsError(err).Reason; reason != hookgate.Mismatch || !strings.Contains(target, "?") {
				t.Fatalf("what is signed is refused: %v", err)
			}
			return // a query that cannot be told from its neighbour
		}
		move(t, s, req, func(r *hookgate.Request) *string { return &r.Target })
		move(t, s, req, func(r *hookgate.Request) *string { return &r.Header[sumID][0] })
		if len(req.Header[sumTime]) == 1 {
			move(t, s, req, func(r *hookgate.Request) *string { return &r.Header[sumTime][0] })
		}
	})
}

// move shifts bytes between a part and either end of the body.
func move(t *testing.T, s verifiers.Scheme, good *hookgate.Request, part func(*hookgate.Request) *string) {
	t.Helper()
	for n := 1; n < 24; n++ {
		for way := range 4 {
			req := copyOf(good)
			p, body := part(req), string(req.Body)
			switch {
			case way == 0 && n <= len(body):
				*p, body = *p+body[:n], body[n:]
			case way == 1 && n <= len(*p):
				*p, body = (*p)[:len(*p)-n], (*p)[len(*p)-n:]+body
			case way == 2 && n <= len(body):
				*p, body = body[len(body)-n:]+*p, body[:len(body)-n]
			case way == 3 && n <= len(*p):
				*p, body = (*p)[n:], body+(*p)[:n]
			default:
				continue
			}
			if !strings.HasPrefix(req.Target, "/hooks/a") || len(req.Target) > len("/hooks/a") && req.Target[len("/hooks/a")] != '?' {
				continue // it would be another source's
			}
			if req.Body = []byte(body); string(good.Body) == body {
				continue
			}
			if _, err := s.Verify(req, receipt); err == nil {
				t.Fatalf("moved %d bytes: target %q, headers %v, body %q verify as well as target %q, headers %v, body %q", n, req.Target, req.Header, req.Body, good.Target, good.Header, good.Body)
			}
		}
	}
}

// FuzzDeclaration: any declaration is judged without a panic, and its problems hold no signature that would be right.
func FuzzDeclaration(f *testing.F) {
	f.Add("X-Sum", "sha256=", "", "hex", "sha256", "raw", "{body}", "", "", "s", int64(0), "", goodKey, "X-Sum: sha256="+sumOf("{}"), "{}", "2024-07-01T08:41:04Z", "https://a.example/b")
	f.Add("X-Sum", "", "v1", "base64", "sha512", "whsec", "{timestamp}.{body}", "", "t", "ms", int64(time.Minute), "", standardSecret, "X-Sum: t=1,v1=x", "{}", "2024-07-01T08:41:04Z", "")
	f.Add("x", "", "", "", "", "", "{id}.{url}{body}", "X-T", "", "", int64(-1), "X-Id", "", "nothing", "", "", "http://\x00")
	f.Fuzz(func(t *testing.T, header, prefix, pair, encoding, algorithm, key, signed, timeHeader, timePair, unit string, tolerance int64, id, secret, line, body, at, url string) {
		d := hookgate.Declaration{Header: header, Prefix: prefix, Pair: pair, Encoding: encoding, Algorithm: algorithm, Key: key, Signed: signed, ID: id,
			Timestamp: hookgate.DeclaredTime{Header: timeHeader, Pair: timePair, Unit: unit, Tolerance: time.Duration(tolerance)},
			Vectors: []hookgate.Vector{
				{Verifies: true, Secret: secret, Headers: []string{line}, Body: body, At: at, URL: url}, {Secret: secret, Headers: []string{line}, Body: body + "x", At: at, URL: url},
			}}
		err := verifiers.CheckDeclaration(d)
		var problems hookgate.Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("error %#v", err)
		}
		entry := hookgate.AuthSettings{Scheme: "hmac", Declared: &d, Secrets: lit(goodKey), PublicURL: "https://hooks.example.com"}
		verifiers.Freshness(entry)
		verifiers.Warnings(entry)
		s, newErr := verifiers.New(entry)
		if err == nil && newErr != nil && (key == "" || key == "raw") {
			t.Fatalf("it is in order, and still: %v", newErr)
		}
		if newErr == nil {
			refusedFor(t, s, &hookgate.Request{}, receipt)
		}
	})
}
