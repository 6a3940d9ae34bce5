package verifiers

import (
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// templates are the signed texts that are tried, from the commonest to the rarest.
var templates = []string{
	"{body}",
	"{timestamp}.{body}", "{timestamp}{body}", "{timestamp}:{body}", `{timestamp}\n{body}`, "v0:{timestamp}:{body}", "v1:{timestamp}:{body}",
	"{body}{timestamp}", "{body}.{timestamp}", "{body}:{timestamp}",
	"{id}.{timestamp}.{body}", "{timestamp}.{id}.{body}", "{id}:{timestamp}:{body}", `{id}\n{timestamp}\n{body}`, "{id}{timestamp}{body}", "{timestamp}{id}{body}",
	"{id}.{body}", "{id}{body}",
	"{url}{body}", `{url}\n{body}`, "{url}.{body}", "{url}{timestamp}{body}", `{timestamp}\n{url}\n{body}`, "{timestamp}.{url}.{body}",
	"{target}{body}", `{target}\n{body}`, "{timestamp}{target}{body}", "{timestamp}.{target}.{body}", `{timestamp}\n{target}\n{body}`,
	"{method}{url}{body}", "{method}{target}{body}", `{method}\n{url}\n{body}`, `{method}\n{target}\n{body}`,
	"{timestamp}{method}{target}{body}", `{timestamp}\n{method}\n{target}\n{body}`, `{method}\n{target}\n{timestamp}\n{body}`, "{method}{target}{timestamp}{body}",
}

// The bounds of what is combined with each other.
const (
	maxProofs = 24
	maxStamps = 6
	maxIDs    = 6
)

// declared makes up declarations for all that the headers may hold.
func (f *finder) declared() (Found, bool) {
	var signatures, ids []value
	var stamps []value
	for _, v := range f.values() {
		encodings, _ := digestForm(v.text)
		_, _, isTime := unixTime(v.text)
		switch {
		case len(encodings) > 0 && len(signatures) < maxProofs:
			signatures = append(signatures, v)
		case isTime && v.prefix == "" && len(stamps) < maxStamps:
			stamps = append(stamps, v)
		case v.prefix == "" && v.pair == "" && strings.Contains(strings.ToLower(v.header), "id") && len(ids) < maxIDs:
			ids = append(ids, v)
		}
	}
	for _, template := range templates {
		for _, signature := range signatures {
			for _, stamp := range stampsOf(template, signature, stamps) {
				for _, d := range f.declarations(template, signature, stamp, ids) {
					if found, ok := f.fits(d, stamp); ok {
						return found, true
					}
				}
			}
		}
	}
	return Found{}, false
}

// stampsOf are the times that a signed text may hold; one of none where it holds none.
func stampsOf(template string, signature value, stamps []value) (fit []value) {
	if !strings.Contains(template, "{timestamp}") {
		return []value{{}}
	}
	for _, stamp := range stamps {
		if stamp.pair == "" || (signature.pair != "" && stamp.header == signature.header) {
			fit = append(fit, stamp)
		}
	}
	return fit
}

// declarations are those of one signed text, one signature and one time.
func (f *finder) declarations(template string, signature, stamp value, ids []value) (all []hookgate.Declaration) {
	encodings, algorithm := digestForm(signature.text)
	if !strings.Contains(template, "{id}") {
		ids = []value{{}}
	}
	var signed hookgate.DeclaredTime
	if stamp.text != "" {
		_, unit, _ := unixTime(stamp.text)
		signed = hookgate.DeclaredTime{Header: stamp.header, Pair: stamp.pair, Unit: unit, Tolerance: 5 * time.Minute}
		if stamp.pair != "" {
			signed.Header = ""
		}
	}
	for _, id := range ids {
		for _, encoding := range encodings {
			for _, key := range decodings {
				all = append(all, hookgate.Declaration{
					Name: "found", Header: signature.header, Prefix: signature.prefix, Pair: signature.pair, Encoding: encoding, Algorithm: algorithm,
					Key: key, Signed: template, Timestamp: signed, ID: id.header,
				})
			}
		}
	}
	return all
}

// fits tries a declaration as of the time that it signs, with every public URL where one is signed.
func (f *finder) fits(d hookgate.Declaration, stamp value) (Found, bool) {
	at, _, signed := unixTime(stamp.text)
	if !signed {
		at = f.Now
	}
	urls := []string{""}
	if strings.Contains(d.Signed, "{url}") {
		urls = f.PublicURLs
	}
	for _, public := range urls {
		entry := hookgate.AuthSettings{Scheme: "hmac", Declaration: d.Name, Declared: &d, Secrets: f.secrets(), PublicURL: public}
		if at, ok := f.verifies(entry, []time.Time{at}); ok {
			return Found{entry, at}, true
		}
	}
	return Found{}, false
}
