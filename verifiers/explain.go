package verifiers

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// Diagnosis is what is found to be wrong with a delivery that failed authentication. The list is fixed, so that it can be a
// metric label.
type Diagnosis string

// The diagnoses. All but the first are certain: with that one thing changed the delivery verifies.
const (
	Unexplained    Diagnosis = "unexplained"     // no change that was tried makes it verify: another key, or other bytes
	HeaderAbsent   Diagnosis = "header_absent"   // the header that carries the proof is not there at all
	HeaderTwice    Diagnosis = "header_twice"    // it is there more than once
	HeaderRenamed  Diagnosis = "header_renamed"  // the proof is good, and stands in another header
	KeyEnded       Diagnosis = "key_ended"       // made by a key of ours after its not_after
	KeySpace       Diagnosis = "key_space"       // the key has white space around it, or lacks what the provider has
	KeyEncoding    Diagnosis = "key_encoding"    // the key is used encoded where it must be decoded, or the reverse
	KeyElsewhere   Diagnosis = "key_elsewhere"   // the key is that of another source
	SignatureForm  Diagnosis = "signature_form"  // the right signature, written in another encoding
	BodyRewritten  Diagnosis = "body_rewritten"  // the body was read and written again on its way
	BodyCompressed Diagnosis = "body_compressed" // the body was compressed after it was signed
	URLDiffers     Diagnosis = "url_differs"     // another public URL was signed
	ClockOff       Diagnosis = "clock_off"       // the signed time is outside the window
)

// Diagnoses lists every diagnosis, for metrics that must exist before they happen.
func Diagnoses() []Diagnosis {
	return []Diagnosis{
		Unexplained, HeaderAbsent, HeaderTwice, HeaderRenamed, KeyEnded, KeySpace, KeyEncoding, KeyElsewhere, SignatureForm,
		BodyRewritten, BodyCompressed, URLDiffers, ClockOff,
	}
}

// Explanation is a diagnosis in words for the operator. It holds no secret.
type Explanation struct {
	Diagnosis Diagnosis
	Detail    string
	Hint      string
}

// The bounds of what is tried: the largest body, in bytes, and the most headers in which a proof is looked for.
const (
	maxExplained = 256 << 10
	maxHeaders   = 64
)

// Explain finds out why an entry refused a request. It tries what commonly goes wrong, one thing at a time and then a key and a
// body together, by verifying again; the work is that of about a hundred verifications, so that the caller must bound how
// often strangers make it happen. others are the entries of other sources, by name. The entry must be one that New takes.
func Explain(entry hookgate.AuthSettings, req *hookgate.Request, now time.Time, refusal *hookgate.Error, others map[string]hookgate.AuthSettings) Explanation {
	x := explainer{entry: entry, req: req, now: now}
	switch refusal.Reason {
	case hookgate.HeaderDoubled:
		return Explanation{HeaderTwice, refusal.Detail, "see what in front of the gateway adds a second one"}
	case hookgate.KeyRetired:
		return Explanation{KeyEnded, refusal.Detail, "give the provider the new key, or move not_after"}
	case hookgate.TooOld, hookgate.TooEarly:
		return Explanation{ClockOff, refusal.Detail, "see whether this machine's clock is set by NTP, and whether something holds deliveries back for long"}
	case hookgate.HeaderMissing:
		return x.absent(refusal)
	case hookgate.TokenRefused, hookgate.CertificateRefused, hookgate.AddressDenied, hookgate.NoVerifier:
		return Explanation{Unexplained, refusal.Detail, refusal.Hint} // it says all there is to say
	}
	searches := []func() (Explanation, bool){x.keys, x.forms, x.urls}
	if len(req.Body) <= maxExplained {
		searches = append(searches, x.bodies)
	}
	for _, search := range searches {
		if found, ok := search(); ok {
			return found
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if other := others[name]; other.Scheme == entry.Scheme && x.passes(other, req) {
			return Explanation{KeyElsewhere, "made with a key of the source " + name, "see at the provider which URL goes with which key"}
		}
	}
	return Explanation{Unexplained, "no other reading of key, body, URL or signature verifies",
		"most likely the provider signs with another key than the configured one, or something on the way changes the body"}
}

// explainer tries variants of one delivery.
type explainer struct {
	entry hookgate.AuthSettings
	req   *hookgate.Request
	now   time.Time
}

// passes verifies a variant. A key that is too short for New is tried, too: it may be what the provider has.
func (x *explainer) passes(entry hookgate.AuthSettings, req *hookgate.Request) bool {
	scheme, err := build(&settings{AuthSettings: entry, tried: true})
	if err != nil {
		return false
	}
	_, err = scheme.Verify(req, x.now)
	return err == nil
}

// absent looks for a proof that stands in another header than it should.
func (x *explainer) absent(refusal *hookgate.Error) Explanation {
	headers := x.headers()
	if len(headers) == 0 { // a certificate
		return Explanation{HeaderAbsent, refusal.Detail, refusal.Hint}
	}
	for _, wanted := range headers {
		if len(x.req.Header[wanted]) > 0 {
			continue
		}
		for name, values := range x.req.Header {
			if len(values) != 1 || len(x.req.Header) > maxHeaders {
				continue
			}
			if x.passes(x.entry, x.withHeader(wanted, values)) {
				return Explanation{HeaderRenamed, "what belongs into " + wanted + " is in " + name, "see what in front of the gateway renames headers, or which version of its webhooks the provider sends"}
			}
		}
	}
	return Explanation{HeaderAbsent, refusal.Detail, "see whether the provider's console has this kind of authentication switched on, and whether a proxy strips the header"}
}

// headers are those that the entry's proof is in.
func (x *explainer) headers() []string {
	if k := registry[x.entry.Scheme]; k.headers != nil {
		return k.headers(x.entry)
	}
	return nil
}

func (x *explainer) withHeader(name string, values []string) *hookgate.Request {
	changed := *x.req
	changed.Header = maps.Clone(x.req.Header)
	changed.Header[name] = values
	return &changed
}

// keys tries the configured keys in other forms.
func (x *explainer) keys() (Explanation, bool) {
	for i := range x.entry.Secrets {
		for _, v := range keyForms(x.entry.Secrets[i].Reveal()) {
			entry := x.entry
			ref := entry.Secrets[i].Ref()
			entry.Secrets = []hookgate.Secret{hookgate.NewSecret(v.value, ref)}
			if x.passes(entry, x.req) {
				return Explanation{v.diagnosis, ref + ": " + v.detail, v.hint}, true
			}
		}
	}
	for i := range x.entry.Users {
		ref, value := x.entry.Users[i].Ref(), x.entry.Users[i].Reveal()
		entry := x.entry
		entry.Users = []hookgate.Secret{hookgate.NewSecret(bytes.TrimSpace(value), ref)}
		if x.passes(entry, x.req) {
			return Explanation{KeySpace, ref + ": the provider sends it without the white space around it", "take the white space out"}, true
		}
	}
	return Explanation{}, false
}

// forms tries other ways to write the right signature.
func (x *explainer) forms() (Explanation, bool) {
	if x.entry.Scheme == "hub-signature" {
		for encoding := range forms() {
			entry := x.entry
			entry.Encoding = encoding
			if x.passes(entry, x.req) {
				return Explanation{SignatureForm, "the signature is right, and written as " + encoding, "set encoding: " + encoding}, true
			}
		}
	}
	if x.entry.Declared != nil {
		for _, n := range nearby(x.entry.Declared) {
			entry := x.entry
			entry.Declared = &n.declaration
			if x.passes(entry, x.req) {
				return Explanation{SignatureForm, "the signature is right by a declaration with " + n.changed, "mend the declaration, and give it this delivery as a vector"}, true
			}
		}
	}
	if x.entry.Scheme == "access-token" {
		word, _, _ := strings.Cut(strings.Join(x.req.Header["Authorization"], ""), " ")
		for _, prefix := range []string{"", word} {
			entry := x.entry
			entry.Prefix = &prefix
			if x.passes(entry, x.req) {
				return Explanation{SignatureForm, "the token is right, and stands behind another prefix", "set prefix as the provider's console has it"}, true
			}
		}
	}
	for _, name := range x.headers() {
		values := x.req.Header[name]
		if len(values) != 1 {
			continue
		}
		for how, value := range headerForms(values[0]) {
			if x.passes(x.entry, x.withHeader(name, []string{value})) {
				return Explanation{SignatureForm, "the proof is right, but for its form: it verifies " + how, "see what in front of the gateway changes " + name}, true
			}
		}
	}
	return Explanation{}, false
}

// urls tries other addresses that the provider may have been given.
func (x *explainer) urls() (Explanation, bool) {
	if x.entry.PublicURL == "" {
		return Explanation{}, false
	}
	for _, public := range urlForms(x.entry.PublicURL, x.req.Header) {
		for _, target := range targetForms(x.req.Target) {
			entry, req := x.entry, *x.req
			entry.PublicURL, req.Target = public, target
			if x.passes(entry, &req) {
				return Explanation{URLDiffers, "signed for " + public + target, "set public_url to what the provider was given, or give the provider " + x.entry.PublicURL + x.req.Target}, true
			}
		}
	}
	return Explanation{}, false
}

// bodies tries what the body may have been when it was signed, also with keys in other forms.
func (x *explainer) bodies() (Explanation, bool) {
	for _, b := range bodyForms(x.req.Body) {
		req := hookgate.Request{Method: x.req.Method, Target: x.req.Target, Header: x.req.Header, Body: b.body, ReceivedAt: x.req.ReceivedAt}
		found := Explanation{b.diagnosis, "the signature is that of the body " + b.detail, "have what is in front of the gateway pass the body on untouched"}
		if x.passes(x.entry, &req) {
			return found, true
		}
		changed := explainer{entry: x.entry, req: &req, now: x.now}
		if key, ok := changed.keys(); ok {
			found.Detail, found.Hint = found.Detail+"; and "+key.Detail, found.Hint+"; and "+key.Hint
			return found, true
		}
	}
	return Explanation{}, false
}
