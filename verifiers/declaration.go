package verifiers

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// CheckDeclaration judges a declaration: whether it is consistent, and whether each of its vectors comes out as it says. The
// error is a hookgate.Problems whose fields lie below the declaration, with everything that is wrong. It never holds what a
// signature should have been.
func CheckDeclaration(d hookgate.Declaration) error {
	_, problems := compile(&d)
	if len(problems) > 0 {
		return problems
	}
	return checkVectors(&d).Err()
}

// compile makes the scheme of a declaration, but for its keys.
func compile(of *hookgate.Declaration) (*declared, hookgate.Problems) {
	var problems hookgate.Problems
	d := &declared{header: http.CanonicalHeaderKey(of.Header), prefix: of.Prefix, pair: of.Pair, time: timeOf(of), idHeader: http.CanonicalHeaderKey(of.ID)}
	var known bool
	if d.digest, known = digests()[cmp.Or(of.Algorithm, "sha256")]; !known {
		problems.Add("algorithm", "sha256, sha512 or sha1", "unknown algorithm %q", of.Algorithm)
		d.digest = digests()["sha256"]
	}
	d.size = d.digest().Size()
	if d.form, known = forms()[cmp.Or(of.Encoding, "hex")]; !known {
		problems.Add("encoding", "hex, HEX, base64, base64url or base64url-padded", "unknown encoding %q", of.Encoding)
	}
	if of.Key != "" && !slices.Contains(decodings, of.Key) {
		problems.Add("key", "raw, base64, hex or whsec", "unknown way to decode the key %q", of.Key)
	}
	text, wrong := compileSigned(cmp.Or(of.Signed, string(bodyWord)))
	if wrong != nil {
		problems.Add("signed", wrong.Hint, "%s", wrong.Message)
		return d, append(problems, checkHeaders(of, d)...)
	}
	d.text = text
	if d.time.counts() != text.holds(timestampWord) {
		problems.Add("signed", "a time counts only where it is signed: name it in both places, or in none",
			"{timestamp} and timestamp: belong together, and only one of them is there")
	}
	if (d.idHeader != "") != text.holds(idWord) {
		problems.Add("signed", "an id counts only where it is signed: name it in both places, or in none",
			"{id} and id: belong together, and only one of them is there")
	}
	return d, append(problems, checkHeaders(of, d)...)
}

func timeOf(of *hookgate.Declaration) declaredTime {
	t := of.Timestamp
	return declaredTime{header: headerOfTime(of), pair: t.Pair, milli: t.Unit == "ms", tolerance: cmp.Or(t.Tolerance, defaultTolerance)}
}

// headerOfTime is empty where the time stands in the header of the signature, which may be written out.
func headerOfTime(of *hookgate.Declaration) string {
	if of.Timestamp.Pair != "" && strings.EqualFold(of.Timestamp.Header, of.Header) {
		return ""
	}
	return http.CanonicalHeaderKey(of.Timestamp.Header)
}

// checkHeaders judges where the parts of the proof stand.
func checkHeaders(of *hookgate.Declaration, d *declared) (problems hookgate.Problems) {
	for _, h := range [][2]string{{"header", of.Header}, {"timestamp.header", of.Timestamp.Header}, {"id", of.ID}} {
		switch field, name := h[0], h[1]; {
		case name == "" && field != "header":
		case !isWord(name):
			problems.Add(field, "write its name, such as X-Signature", "this is not the name of a header")
		case strings.EqualFold(name, "Host"):
			problems.Add(field, "sign {url}, which is public_url", "a sender can write any Host")
		}
	}
	for _, p := range [][2]string{{"pair", of.Pair}, {"timestamp.pair", of.Timestamp.Pair}} {
		if p[1] != "" && !isWord(p[1]) {
			problems.Add(p[0], "write the name before the =, such as v1", "this is not the name of a pair")
		}
	}
	switch t := d.time; {
	case t.pair != "" && of.Pair == "":
		problems.Add("timestamp.pair", "set pair: to the name before the signature", "the time is in a list of pairs, and the signature is not")
	case t.pair != "" && t.header != "":
		problems.Add("timestamp.header", "leave it out", "a pair is looked for in the header of the signature alone")
	case t.pair != "" && t.pair == of.Pair:
		problems.Add("timestamp.pair", "the two have names of their own", "this is the pair of the signature")
	case t.header != "" && t.header == d.header:
		problems.Add("timestamp.header", "set pair: and timestamp.pair: where one header holds both", "this is the header of the signature")
	}
	if d.idHeader != "" && (d.idHeader == d.header || d.idHeader == d.time.header) {
		problems.Add("id", "name the header that holds the id alone", "this header holds something else")
	}
	if t := of.Timestamp; t.Unit != "" && t.Unit != "s" && t.Unit != "ms" {
		problems.Add("timestamp.unit", "s or ms", "unknown unit %q", t.Unit)
	}
	if t := of.Timestamp.Tolerance; t < 0 || t > maxTolerance || t > 0 && t < time.Second {
		problems.Add("timestamp.tolerance", "a few minutes are usual", "the tolerance is not between 1s and 7d")
	}
	problems = append(problems, checkPrefix(of)...)
	return problems
}

// checkPrefix wants a prefix that names no other algorithm than the one that is used.
func checkPrefix(of *hookgate.Declaration) (problems hookgate.Problems) {
	if of.Prefix == "" {
		return nil
	}
	if of.Pair != "" {
		problems.Add("prefix", "leave it out", "a list of pairs has no prefix")
	}
	if strings.TrimLeft(of.Prefix, " ") != of.Prefix || strings.ContainsFunc(of.Prefix, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		problems.Add("prefix", "write it as it stands in the header", "the prefix begins with a blank, or holds more than plain ASCII")
	}
	algorithm := cmp.Or(of.Algorithm, "sha256")
	for _, name := range []string{"sha1", "sha256", "sha512"} {
		if name != algorithm && strings.Contains(strings.ToLower(of.Prefix), name) {
			problems.Add("prefix", "set algorithm: to what the provider uses", "the prefix names %s, and the algorithm is %s", name, algorithm)
		}
	}
	return problems
}
