package verifiers

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

const (
	maxPairs         = 16 // in a header of name=value pairs
	maxMilliDigits   = 15 // reaches as far as maxSecondDigits
	defaultTolerance = 5 * time.Minute
	maxTolerance     = 7 * 24 * time.Hour // a time that is good for longer proves no freshness
)

// digests are the hashes that an HMAC may use. SHA-1 is no weakness in an HMAC that anybody has shown, but is warned of.
func digests() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}
}

// declared is the scheme hmac: an HMAC as a declaration describes it. It computes the text that must be there and compares
// it, so that nothing of the request but what the declaration names decides anything.
type declared struct {
	keys      []hmacKey
	form      form
	digest    func() hash.Hash
	size      int // of the digest, in bytes
	header    string
	prefix    string
	pair      string
	text      signedText
	time      declaredTime
	idHeader  string // empty where no id is signed
	publicURL string
}

// declaredTime is where the signed time stands. Without header and pair there is none.
type declaredTime struct {
	header, pair string
	milli        bool
	tolerance    time.Duration
}

func (t declaredTime) counts() bool { return t.header != "" || t.pair != "" }

func newDeclared(s *settings) Scheme {
	if s.Declared == nil {
		if s.Declaration != "" {
			s.problems.Add("declaration", "name one that is under declarations, or that is shipped", "there is no such declaration")
		}
		return nil
	}
	d, problems := compile(s.Declared)
	if len(problems) > 0 {
		s.problems.Add("declaration", "hookgate check says what", "the declaration %s is not in order: %s", s.Declared.Name, problems[0].Message)
		return nil
	}
	if d.text.holds(urlWord) {
		d.publicURL = s.publicURL("what " + s.Declared.Name + " signs")
	}
	d.keys = s.hmacSecrets(cmp.Or(s.Declared.Key, "raw"), d.digest)
	return d
}

func warnDeclared(s *settings) {
	if s.Declared != nil && s.Declared.Algorithm == "sha1" {
		s.problems.Add("declaration", "choose sha256 where the provider offers it", "%s signs with HMAC-SHA1", s.Declared.Name)
	}
}

// declaredHeaders are the headers that a declared proof is in.
func declaredHeaders(entry hookgate.AuthSettings) (names []string) {
	of := entry.Declared
	if of == nil {
		return nil
	}
	for _, name := range []string{of.Header, headerOfTime(of), of.ID} {
		if name != "" {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names
}

// freshDeclared is the span of signed times that a declaration accepts, back plus ahead.
func freshDeclared(entry hookgate.AuthSettings) time.Duration {
	if entry.Declared == nil {
		return 0
	}
	t := timeOf(entry.Declared)
	if !t.counts() {
		return 0
	}
	return 2 * t.tolerance
}

// signed is a key's signature of a request, without what stands around it in the header.
func (d *declared) signed(key hmacKey, p parts) []byte {
	var room [sha512.Size]byte
	before, after := d.text.write(p)
	return d.form.append(nil, key.appendSum(room[:0], before, p.req.Body, after))
}

// Sign keeps an id that the request has, as a retry must, and makes one of the body and the time where it has none.
func (d *declared) Sign(req *hookgate.Request, now time.Time) error {
	p := parts{publicURL: d.publicURL, req: req}
	value := d.prefix
	if d.time.counts() {
		p.timestamp = strconv.FormatInt(now.Unix(), 10)
		if d.time.milli {
			p.timestamp = strconv.FormatInt(now.UnixMilli(), 10)
		}
		if d.time.pair != "" {
			value += d.time.pair + "=" + p.timestamp + ","
		} else {
			set(req, d.time.header, p.timestamp)
		}
	}
	if d.idHeader != "" {
		p.id = signedID(req, d.idHeader, d.text.idStops, p.timestamp)
		set(req, d.idHeader, p.id)
	}
	if d.pair != "" {
		value += d.pair + "="
	}
	set(req, d.header, value+string(d.signed(d.keys[0], p)))
	return nil
}

func (d *declared) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	value, err := req.One(d.header)
	if err != nil {
		return hookgate.Proof{}, err
	}
	p := parts{publicURL: d.publicURL, req: req}
	var room [1]string
	signatures := room[:0]
	if d.pair == "" {
		text, ok := strings.CutPrefix(value, d.prefix)
		if !ok || !d.form.fits(text, d.size) {
			return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not %q and %s", d.header, d.prefix, d.form.means(d.size))
		}
		signatures = append(signatures, text)
	} else if p.timestamp, signatures, err = d.pairs(value, signatures); err != nil {
		return hookgate.Proof{}, err
	}
	if d.time.header != "" {
		if p.timestamp, err = req.One(d.time.header); err != nil {
			return hookgate.Proof{}, err
		}
	}
	at, err := d.timeOf(p.timestamp)
	if err != nil {
		return hookgate.Proof{}, err
	}
	if d.idHeader != "" {
		if p.id, err = req.One(d.idHeader); err != nil {
			return hookgate.Proof{}, err
		}
		if !isSignedID(p.id, d.text.idStops) {
			return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not 1 to %d visible ASCII characters, or holds one of %q, which end it where it is signed", d.idHeader, maxSignedID, d.text.idStops)
		}
	}
	key, err := d.matches(p, signatures)
	if err != nil {
		return hookgate.Proof{}, err
	}
	if d.time.counts() {
		if err := fresh(at, now, d.time.tolerance, d.time.tolerance); err != nil {
			return hookgate.Proof{}, err
		}
	}
	proof, err := key.proves("hmac", now)
	if err == nil {
		proof.SignedTime, proof.SignedID = p.timestamp, p.id
	}
	return proof, err
}

// matches finds the key that one of the signatures was made by.
func (d *declared) matches(p parts, signatures []string) (hmacKey, error) {
	if !d.text.unmistakable(p.req.Target) {
		return hmacKey{}, hookgate.Refuse(hookgate.Mismatch, "the query could be taken for another part of the signed text, in which nothing keeps the two apart")
	}
	for _, key := range d.keys {
		if anySame(d.signed(key, p), signatures) {
			return key, nil
		}
	}
	return hmacKey{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d secrets for this request", d.header, len(d.keys))
}

// pairs reads name=value pairs with a comma between: exactly one time where the declaration names one, one or more
// signatures, which are alternatives, and others, which are passed over but count.
func (d *declared) pairs(value string, signatures []string) (timestamp string, _ []string, err error) {
	times := 0
	for n, rest, more := 1, value, true; more; n++ {
		var entry string
		entry, rest, more = strings.Cut(rest, ",")
		name, text, _ := strings.Cut(entry, "=") // without it the text is empty
		switch {
		case n > maxPairs:
			return "", nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds more than %d pairs", d.header, maxPairs)
		case !isWord(name) || !isVisible(text):
			return "", nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a list of name=value with a comma between", d.header)
		case name == d.time.pair:
			timestamp = text
			times++
		case name != d.pair:
		case !d.form.fits(text, d.size):
			return "", nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s in %s is not %s", d.pair, d.header, d.form.means(d.size))
		default:
			signatures = append(signatures, text)
		}
	}
	switch {
	case len(signatures) == 0:
		return "", nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds no %s", d.header, d.pair)
	case times > 1 || times == 0 && d.time.pair != "":
		return "", nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds %d of %s, expected exactly one", d.header, times, d.time.pair)
	}
	return timestamp, signatures, nil
}

// timeOf reads the signed time; the zero time where none is signed.
func (d *declared) timeOf(text string) (time.Time, error) {
	if !d.time.counts() {
		return time.Time{}, nil
	}
	most, unit := maxSecondDigits, "seconds"
	if d.time.milli {
		most, unit = maxMilliDigits, "milliseconds"
	}
	n, ok := plainNumber(text, most)
	switch {
	case !ok:
		return time.Time{}, hookgate.Refuse(hookgate.HeaderGrammar, "the signed time is not a number of %s in 1 to %d digits", unit, most)
	case d.time.milli:
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}
