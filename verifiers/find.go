package verifiers

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// Search is what is known of a captured delivery whose scheme is not.
type Search struct {
	Request *hookgate.Request
	// Secret is the shared secret, token, user:password or public key; for a sender that shows a certificate that of its
	// authority, its own, or the fingerprint of its own.
	Secret hookgate.Secret
	// PublicURLs are the addresses that the provider may have been given, without the target.
	PublicURLs []string
	Known      []hookgate.Declaration // declarations to try before others are made up
	Now        time.Time              // of the receipt, as far as it is known
}

// Found is an entry that the delivery verifies under, as of At.
type Found struct {
	Entry hookgate.AuthSettings
	At    time.Time
}

// The work of a search is bounded by the bytes that it hashes: our default, a few seconds of it.
const (
	maxHashed = 2 << 30
	tryCosts  = 1 << 10 // of one try, beside the body
)

// Find looks for entries under which the delivery verifies: our own schemes, the known declarations, and then every HMAC that
// a declaration can describe, over the headers that look like a signature, a time and an id. It gives all of our own that fit
// and the first declaration, which is made up only where nothing else fits.
func Find(s Search) []Found {
	f := finder{Search: s, left: maxHashed}
	times := f.candidateTimes()
	var found []Found
	for _, entry := range f.own() {
		if at, ok := f.verifies(entry, times); ok {
			found = append(found, Found{entry, at})
		}
	}
	for _, entry := range f.certified() {
		if at, ok := f.verifies(entry, times[:1]); ok { // as of the receipt: nothing in the request says when else
			found = append(found, Found{entry, at})
			break
		}
	}
	for i := range s.Known {
		for _, public := range f.publicURLs() {
			entry := hookgate.AuthSettings{Scheme: "hmac", Declaration: s.Known[i].Name, Declared: &s.Known[i], Secrets: f.secrets(), PublicURL: public}
			if at, ok := f.verifies(entry, times); ok {
				return append(found, Found{entry, at})
			}
		}
	}
	if len(found) == 0 {
		if one, ok := f.declared(); ok {
			found = append(found, one)
		}
	}
	return found
}

// finder is one search.
type finder struct {
	Search
	left int // bytes that may still be hashed
}

func (f *finder) secrets() []hookgate.Secret { return []hookgate.Secret{f.Secret} }

func (f *finder) publicURLs() []string { return append(slices.Clone(f.PublicURLs), "") }

// verifies tries an entry as of each of some times.
func (f *finder) verifies(entry hookgate.AuthSettings, times []time.Time) (time.Time, bool) {
	scheme, err := build(&settings{AuthSettings: entry, tried: true})
	if err != nil {
		return time.Time{}, false
	}
	for _, at := range times {
		if f.left -= len(f.Request.Body) + tryCosts; f.left < 0 {
			return time.Time{}, false
		}
		if _, err := scheme.Verify(f.Request, at); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// candidateTimes are the time of the receipt and whatever in the headers looks like one: a signed time counts only near it.
func (f *finder) candidateTimes() []time.Time {
	times := []time.Time{f.Now}
	for _, v := range f.values() {
		if at, _, ok := unixTime(v.text); ok {
			times = append(times, at)
		}
	}
	return append(times, tokenTimes(f.Request.Header)...)
}

// tokenTimes are when a JWT says that it was made and that it ends. Nothing in it is believed: it only says when to look.
func tokenTimes(header http.Header) (times []time.Time) {
	for _, value := range header["Authorization"] {
		parts := strings.Split(value, ".")
		if len(parts) != 3 {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		var claims struct{ Iat, Nbf, Exp float64 }
		if err != nil || json.Unmarshal(raw, &claims) != nil {
			continue
		}
		times = append(times, time.Unix(int64(claims.Iat), 0), time.Unix(int64(claims.Nbf), 0), time.Unix(int64(claims.Exp)-1, 0))
	}
	return times
}

// own are entries of our own schemes that could fit the secret.
func (f *finder) own() (entries []hookgate.AuthSettings) {
	add := func(entry hookgate.AuthSettings) { entries = append(entries, entry) }
	for encoding := range forms() {
		add(hookgate.AuthSettings{Scheme: "hub-signature", Secrets: f.secrets(), Encoding: encoding})
	}
	for _, public := range f.PublicURLs {
		add(hookgate.AuthSettings{Scheme: "bird-signature", Secrets: f.secrets(), PublicURL: public})
	}
	word, _, _ := strings.Cut(f.Request.Header.Get("Authorization"), " ")
	for _, prefix := range slices.Compact([]string{word, ""}) {
		add(hookgate.AuthSettings{Scheme: "access-token", Secrets: f.secrets(), Prefix: &prefix})
	}
	add(hookgate.AuthSettings{Scheme: "basic", Users: f.secrets()})
	add(hookgate.AuthSettings{Scheme: "standard-webhooks", Secrets: f.secrets()})
	for _, scheme := range []string{"siq-signature", "bearer"} {
		add(hookgate.AuthSettings{Scheme: scheme, Keys: f.secrets()})
	}
	return entries
}

// value is a text in a header, alone, behind a prefix, or as one of several name=value pairs.
type value struct{ header, prefix, pair, text string }

// values takes the headers apart in every way in which providers put a signature or a time there.
func (f *finder) values() (all []value) {
	for _, name := range slices.Sorted(maps.Keys(f.Request.Header)) {
		values := f.Request.Header[name]
		if len(values) != 1 {
			continue
		}
		whole := values[0]
		all = append(all, value{header: name, text: whole})
		for _, end := range []string{"=", " ", ":", ","} {
			if i := strings.Index(whole, end); i > 0 && i < maxPrefix {
				all = append(all, value{header: name, prefix: whole[:i+1], text: whole[i+1:]})
			}
		}
		if pairs := strings.Split(whole, ","); strings.Contains(whole, "=") && len(pairs) <= maxFoundPairs {
			for _, pair := range pairs {
				if key, text, ok := strings.Cut(pair, "="); ok {
					all = append(all, value{header: name, pair: key, text: text})
				}
			}
		}
	}
	return all
}

const (
	maxPrefix     = 24 // bytes
	maxFoundPairs = 8
)

// unixTime reads seconds or milliseconds of the present.
func unixTime(text string) (at time.Time, unit string, ok bool) {
	n, plain := plainNumber(text, 13)
	switch {
	case plain && len(text) == 10:
		return time.Unix(n, 0), "s", true
	case plain && len(text) == 13:
		return time.UnixMilli(n), "ms", true
	}
	return time.Time{}, "", false
}

// digestForm says how a text may be the digest of which algorithm; none where it is none. No text has the length of two.
func digestForm(text string) (encodings []string, algorithm string) {
	for encoding, form := range forms() {
		for name, digest := range digests() {
			if form.fits(text, digest().Size()) {
				encodings, algorithm = append(encodings, encoding), name
			}
		}
	}
	slices.Sort(encodings)
	return encodings, algorithm
}
