package verifiers

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// maxVectors bounds what a load checks for one declaration.
const maxVectors = 64

// checkVectors holds a declaration against its vectors: at least one that verifies, and one whose signature does not fit.
func checkVectors(d *hookgate.Declaration) (problems hookgate.Problems) {
	if len(d.Vectors) > maxVectors {
		problems.Add("vectors", "keep those that differ", "there are %d vectors, and at most %d are checked", len(d.Vectors), maxVectors)
		return problems
	}
	good, bad := 0, 0
	for i, v := range d.Vectors {
		field := fmt.Sprintf("vectors[%d]", i)
		if v.Verifies {
			good++
		}
		wrong, err := tryVector(d, v)
		switch {
		case wrong != nil:
			problems.Add(join(field, wrong.Field), wrong.Hint, "%s", wrong.Message)
			bad++ // it is spoken of already
		case v.Verifies && err != nil:
			problems.Add(field, explain(d, v), "it must verify and does not: %s", told(err))
		case !v.Verifies && err == nil:
			problems.Add(field, "alter its body, or another part that is signed", "it must not verify and does")
		case !v.Verifies && hookgate.AsError(err).Reason == hookgate.Mismatch:
			bad++
		}
	}
	if good == 0 {
		problems.Add("vectors", "take one from the provider's page, or record a delivery", "there is no vector that verifies, so nothing shows that the declaration is right")
	}
	if bad == 0 {
		problems.Add("vectors", "copy a vector that verifies, alter its body and leave verifies out", "there is no vector whose signature does not fit, so nothing shows that the declaration refuses anything")
	}
	return problems
}

func join(field, below string) string {
	if below == "" {
		return field
	}
	return field + "." + below
}

// told is a refusal in words, reason first.
func told(err error) string {
	e := hookgate.AsError(err)
	return string(e.Reason) + ": " + e.Detail
}

// tryVector verifies a vector; err is the refusal, wrong is what keeps it from being tried.
func tryVector(d *hookgate.Declaration, v hookgate.Vector) (wrong *hookgate.Problem, err error) {
	compiled, problems := compile(d)
	if len(problems) > 0 {
		return &problems[0], nil
	}
	req, publicURL, wrong := vectorRequest(compiled, v)
	if wrong != nil {
		return wrong, nil
	}
	now, wrong := vectorTime(compiled, v)
	if wrong != nil {
		return wrong, nil
	}
	s := &settings{AuthSettings: hookgate.AuthSettings{
		Scheme: "hmac", Declared: d, PublicURL: publicURL, Secrets: []hookgate.Secret{hookgate.NewSecret([]byte(v.Secret), "")},
	}, tried: true} // a page's sample may be short
	scheme := newDeclared(s)
	if len(s.problems) > 0 {
		return &hookgate.Problem{Field: "secret", Message: s.problems[0].Message, Hint: s.problems[0].Hint}, nil
	}
	_, err = scheme.Verify(req, now)
	return nil, err
}

// vectorTime is the time of receipt, which counts only where a time is signed.
func vectorTime(d *declared, v hookgate.Vector) (time.Time, *hookgate.Problem) {
	if v.At == "" && !d.time.counts() {
		return time.Time{}, nil
	}
	now, err := time.Parse(time.RFC3339, v.At)
	if err != nil {
		return now, &hookgate.Problem{Field: "at", Message: "this is not the time of receipt", Hint: "write it as 2026-01-31T12:00:00Z"}
	}
	return now, nil
}

// vectorRequest is the request of a vector, and the public URL in front of its target.
func vectorRequest(d *declared, v hookgate.Vector) (req *hookgate.Request, publicURL string, wrong *hookgate.Problem) {
	req = &hookgate.Request{Method: cmp.Or(v.Method, http.MethodPost), Target: "/", Header: make(http.Header), Body: []byte(v.Body)}
	if v.URL != "" {
		u, err := url.Parse(v.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
			return nil, "", &hookgate.Problem{Field: "url", Message: "this is not a URL that a provider could call", Hint: "write it as https://hooks.example.com/hooks/name"}
		}
		publicURL = u.Scheme + "://" + u.Host
		if rest := strings.TrimPrefix(v.URL, publicURL); rest != v.URL && strings.HasPrefix(rest, "/") {
			req.Target = rest
		} else {
			return nil, "", &hookgate.Problem{Field: "url", Message: "the URL has no path", Hint: "write it as https://hooks.example.com/hooks/name"}
		}
	} else if d.text.holds(urlWord) || d.text.holds(targetWord) {
		return nil, "", &hookgate.Problem{Field: "url", Message: "the URL is signed, and the vector has none", Hint: "write the URL that the provider called"}
	}
	if v.Base64 != "" {
		if v.Body != "" {
			return nil, "", &hookgate.Problem{Field: "body_base64", Message: "the body is here twice", Hint: "keep body or body_base64"}
		}
		body, err := base64.StdEncoding.Strict().DecodeString(v.Base64)
		if err != nil {
			return nil, "", &hookgate.Problem{Field: "body_base64", Message: "this is not padded standard base64", Hint: "make it with: base64 -w0 < body"}
		}
		req.Body = body
	}
	for i, line := range v.Headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isWord(name) {
			return nil, "", &hookgate.Problem{Field: fmt.Sprintf("headers[%d]", i), Message: "this is not a header", Hint: "write it as name: value, in quotes"}
		}
		req.Header.Add(name, strings.TrimSpace(value))
	}
	return req, publicURL, nil
}

// explain says under which declaration close to this one a vector verifies. It is empty where there is none.
func explain(d *hookgate.Declaration, v hookgate.Vector) string {
	for _, n := range nearby(d) {
		if wrong, err := tryVector(&n.declaration, v); err == nil && wrong == nil {
			return "it does with " + n.changed
		}
	}
	return ""
}

// near is a declaration with other settings, and which those are.
type near struct {
	declaration hookgate.Declaration
	changed     string
	count       int
}

// nearby are the declarations that differ from one in algorithm, encoding or key, those with the fewest differences first.
func nearby(d *hookgate.Declaration) (all []near) {
	for _, algorithm := range []string{"sha256", "sha512", "sha1"} {
		for _, encoding := range []string{"hex", "HEX", "base64", "base64url", "base64url-padded"} {
			for _, key := range decodings {
				var changed []string
				for _, c := range [][3]string{{"algorithm", cmp.Or(d.Algorithm, "sha256"), algorithm}, {"encoding", cmp.Or(d.Encoding, "hex"), encoding}, {"key", cmp.Or(d.Key, "raw"), key}} {
					if c[1] != c[2] {
						changed = append(changed, c[0]+": "+c[2])
					}
				}
				if len(changed) > 0 {
					other := *d
					other.Algorithm, other.Encoding, other.Key = algorithm, encoding, key
					all = append(all, near{other, strings.Join(changed, ", "), len(changed)})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.count - b.count })
	return all
}
