package verifiers_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hookgate/hookgate"
)

const standardSecret = "whsec_bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ=="

// signStandard signs with any text as id and time, which Sign would never do.
func signStandard(req *hookgate.Request, id, timestamp string) *hookgate.Request {
	req = copyOf(req)
	req.Header[standardID], req.Header[standardTime] = []string{id}, []string{timestamp}
	sum := mac(sha256.New, []byte("made-up-secret-number-one"), []byte(id+"."+timestamp+"."+string(req.Body)))
	req.Header[standardSignature] = []string{"v1," + base64.StdEncoding.EncodeToString(sum)}
	return req
}

// The reference library signs what we verify, and verifies what we sign.
func TestStandardWebhooksLibrary(t *testing.T) {
	t.Parallel()
	oracle, err := standardwebhooks.NewWebhook(standardSecret)
	if err != nil {
		t.Fatal(err)
	}
	f := fixtures(t)["standard-webhooks"]
	s, v := signer(t, f.one, hookgate.Secret{}), verifier(t, f.both)
	for i, body := range []string{"", "{}", `{"a":"é\u00e9","b":1.0}`, "\xff\x00\r\n", strings.Repeat("x", 100_000)} {
		ours := delivery()
		ours.Body = []byte(body)
		if err := s.Sign(ours, receipt); err != nil {
			t.Fatal(err)
		}
		if err := oracle.VerifyIgnoringTimestamp(ours.Body, ours.Header); err != nil {
			t.Errorf("the library refuses %.20q: %v", body, err)
		}
		if oracle.VerifyIgnoringTimestamp(append(ours.Body, 'x'), ours.Header) == nil {
			t.Error("the library verifies anything")
		}
		id := fmt.Sprintf("msg_%d", i)
		signature, err := oracle.Sign(id, receipt, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		theirs := &hookgate.Request{Method: http.MethodPost, Body: []byte(body), Header: http.Header{
			standardID: {id}, standardTime: {strconv.FormatInt(receipt.Unix(), 10)}, standardSignature: {signature},
		}}
		want := hookgate.Proof{Scheme: "standard-webhooks", KeyID: "env:ONE", SignedTime: "1719823264", SignedID: id}
		if got := accepted(t, v, theirs, receipt); got != want {
			t.Errorf("proof %+v", got)
		}
	}
}

// A list of signatures is passed when one of them fits; other versions are skipped, whatever they claim.
func TestStandardWebhooksLists(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "standard-webhooks")
	value := good.Header[standardSignature][0]
	other := "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32))
	digest := strings.TrimPrefix(value, "v1,")
	for _, list := range []string{value, other + " " + value, value + " " + other, "v2,x " + value, "azAZ09-_,x " + value, value + " v1a," + strings.Repeat("A", 88),
		strings.Repeat("v2,x ", 15) + value, value + strings.Repeat(" "+other, 15)} {
		accepted(t, v, with(good, standardSignature, list), receipt)
	}
	for _, list := range []string{
		strings.Repeat("v2,x ", 16) + value, value + strings.Repeat(" v2,x", 16), value + strings.Repeat(" "+other, 16), strings.Repeat("v2,x ", 3000) + value,
		"v2," + digest, "V1," + digest, "v1a," + digest, "v1=" + digest, "v1 " + digest, "v1,," + digest, ",", ",x", "v1,", "v1", digest, value + ",", value + " ", " " + value, value + "  " + other,
		value + " ,x", value + " v.2,x", value + " v2,", value + " v2,\x7f", value + " v\xff,x",
		value + "\t" + other, value + ";" + other, value + " v1,x", value + " v2", "v1," + digest[:43], "v1," + strings.Repeat("A", 44), "v1," + hex.EncodeToString([]byte(digest)[:16]),
	} {
		refusedFor(t, v, with(good, standardSignature, list), receipt, hookgate.HeaderGrammar)
	}
	refusedFor(t, v, with(good, standardSignature, other), receipt, hookgate.Mismatch)
	refusedFor(t, v, with(good, standardSignature, "v2,"+digest+" "+other), receipt, hookgate.Mismatch)
}

// v1 is HMAC-SHA256 and nothing else.
func TestS03_StandardWebhooks(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "standard-webhooks")
	signed := []byte(good.Header[standardID][0] + "." + good.Header[standardTime][0] + "." + string(good.Body))
	key := []byte("made-up-secret-number-one")
	long := mac(sha512.New, key, signed)
	for _, sum := range [][]byte{long, long[:32], mac(sha256.New, []byte(standardSecret), signed), mac(sha256.New, []byte(strings.TrimPrefix(standardSecret, "whsec_")), signed)} {
		refusedFor(t, v, with(good, standardSignature, "v1,"+base64.StdEncoding.EncodeToString(sum)), receipt, hookgate.HeaderGrammar, hookgate.Mismatch)
	}
}

func TestS12_StandardWebhooksTimestamps(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "standard-webhooks")
	for _, timestamp := range hostileTimes {
		refusedFor(t, v, signStandard(good, "msg_1", timestamp), receipt, hookgate.HeaderGrammar)
	}
	for _, timestamp := range []string{"0", "1", "999999999999"} {
		refusedFor(t, v, signStandard(good, "msg_1", timestamp), receipt, hookgate.TooOld, hookgate.TooEarly)
	}
	accepted(t, v, signStandard(good, "msg_1", "1719823264"), receipt)
	refusedFor(t, v, good, receipt.Add(300*time.Second+time.Millisecond), hookgate.TooOld)
	refusedFor(t, v, with(good, standardTime, "1719823265"), receipt, hookgate.Mismatch)
}

// hostileTimes are texts that some reader takes for 1719823264, or for a time at all.
var hostileTimes = []string{
	"+1719823264", "-1719823264", "1719823264000", "1719823264.0", "01719823264", "1.719823264e9", "0x66827a60", "1_719_823_264", "-0",
	"١٧١٩٨٢٣٢٦٤", "１７１９８２３２６４", "9223372036854775808", "18446744075429374880", "1719823264,1719823264", "2024-07-01T08:41:04Z", "NaN", "1719823264.",
}

func TestS13_StandardWebhooksShift(t *testing.T) {
	t.Parallel()
	v, good := pair(t, "standard-webhooks")
	for _, id := range []string{"a.1", ".", "a.", ".a", "msg 1", "msg\t1", "", "é", "msg\x00", "msg\x7f", "\xff", strings.Repeat("a", 257)} {
		refusedFor(t, v, signStandard(good, id, "1719823264"), receipt, hookgate.HeaderGrammar, hookgate.HeaderMissing)
	}
	accepted(t, v, signStandard(good, strings.Repeat("a", 256), "1719823264"), receipt)
	// One text, a.1719823264.1719823264.{}, cut in two ways: only the first is an id without a full stop.
	first := copyOf(good)
	first.Body = []byte("1719823264.{}")
	first = signStandard(first, "a", "1719823264")
	accepted(t, v, first, receipt)
	second := with(first, standardID, "a.1719823264")
	second.Body = []byte("{}")
	refusedFor(t, v, second, receipt, hookgate.HeaderGrammar)
}

func TestStandardWebhooksConfig(t *testing.T) {
	t.Parallel()
	encode := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for value, says := range map[string]string{
		"made-up-secret-number-one":             "does not begin with whsec_",
		"bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ==":  "does not begin with whsec_",
		"whsec_":                                "0 bytes",
		"whsec_not-base64!":                     "not padded standard base64",
		strings.TrimSuffix(standardSecret, "="): "not padded standard base64",
		standardSecret + "\n":                   "not padded standard base64",
		encode(23):                              "23 bytes after decoding, and 24 to 64",
		encode(65):                              "65 bytes after decoding, and 24 to 64",
		"":                                      "empty",
	} {
		demandProblem(t, hookgate.AuthSettings{Scheme: "standard-webhooks", Secrets: lit(standardSecret, value)}, "secrets[1]", says)
	}
	for _, n := range []int{24, 64} {
		verifier(t, hookgate.AuthSettings{Scheme: "standard-webhooks", Secrets: lit(encode(n))})
	}
	demandProblem(t, hookgate.AuthSettings{Scheme: "standard-webhooks"}, "secrets", "needs secrets")
	demandProblem(t, hookgate.AuthSettings{Scheme: "standard-webhooks", Secrets: lit(standardSecret), Declaration: "github"}, "declaration", "does not take declaration")
}

// A retry is signed with the id of the first attempt; without one, signing makes the same id of the same delivery.
func TestSignedIDs(t *testing.T) {
	t.Parallel()
	for scheme, header := range map[string]string{"standard-webhooks": standardID, "hmac": sumID} {
		f := fixtures(t)[scheme]
		s := signer(t, f.one, hookgate.Secret{})
		kept := with(delivery(), header, "evt-1")
		a, b, c := delivery(), delivery(), delivery()
		c.Body = []byte("another")
		for _, req := range []*hookgate.Request{kept, a, b, c} {
			if err := s.Sign(req, receipt); err != nil {
				t.Fatal(err)
			}
			accepted(t, s, req, receipt)
		}
		if got := kept.Header[header][0]; got != "evt-1" {
			t.Errorf("%s: the id became %q", scheme, got)
		}
		if a.Header[header][0] != b.Header[header][0] || a.Header[header][0] == c.Header[header][0] {
			t.Errorf("%s: ids %v, %v, %v", scheme, a.Header[header], b.Header[header], c.Header[header])
		}
	}
}

// What a key made is refused from its end on, by the time of receipt.
func TestRetiredSharedKeys(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"standard-webhooks", "hmac"} {
		f := fixtures(t)[scheme]
		entry := f.both
		entry.Secrets = []hookgate.Secret{f.one.Secrets[0].Until(receipt.Add(time.Minute)), f.two.Secrets[0]}
		v := verifier(t, entry)
		req := signedBy(t, signer(t, f.one, hookgate.Secret{}))
		accepted(t, v, req, receipt.Add(time.Minute-time.Nanosecond))
		refusedFor(t, v, req, receipt.Add(time.Minute), hookgate.KeyRetired)
		accepted(t, v, signedBy(t, signer(t, f.two, hookgate.Secret{})), receipt.Add(time.Minute))
	}
}
