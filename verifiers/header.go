package verifiers

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hookgate/hookgate"
)

// canonicalBase64 decodes text into dst's spare room if it is standard base64, padded, in its only form. Go's decoders,
// the strict one too, skip CR and LF, so that those are refused first.
func canonicalBase64(dst []byte, text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(dst[:0], []byte(text))
	return raw, err == nil
}

// credentials gives what follows the scheme word and one space in the only Authorization header. The word may be in any
// case (RFC 9110, section 11.1), and what follows must not be empty or begin with another space.
func credentials(req *hookgate.Request, word string) (string, error) {
	value, err := req.One("Authorization")
	if err != nil {
		return "", err
	}
	head, rest, found := strings.Cut(value, " ")
	// The lengths are compared because EqualFold takes the long s, two bytes, for an s.
	if !found || len(head) != len(word) || !strings.EqualFold(head, word) || rest == "" || rest[0] == ' ' {
		return "", hookgate.Refuse(hookgate.HeaderGrammar, "Authorization is not %s, one space and credentials", word)
	}
	return rest, nil
}

// set replaces a header by exactly one value. The name must be in canonical form.
func set(req *hookgate.Request, name, value string) {
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header[name] = []string{value}
}
