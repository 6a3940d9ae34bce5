package issuer

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/hookgate/hookgate"
)

// Bounds of a token request, ours: a long one has a tenth of each.
const (
	maxBody       = 8 << 10 // bytes
	maxParameters = 64
)

const formType = "application/x-www-form-urlencoded"

// form is the parameters of a token request. One without a value is as good as absent (RFC 6749, section 3.2).
type form map[string]string

// readForm reads the body, and nothing else: parameters in the URL would be written down wherever URLs are.
func readForm(w http.ResponseWriter, r *http.Request, report *hookgate.Report) (form, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, invalidRequest(hookgate.WrongMethod, "method %q", r.Method)
	}
	for _, coding := range r.Header["Content-Encoding"] {
		if !strings.EqualFold(coding, "identity") {
			return nil, invalidRequest(hookgate.WrongEncoding, "the body is encoded")
		}
	}
	if kinds := r.Header["Content-Type"]; len(kinds) != 1 || !isForm(kinds[0]) {
		return nil, invalidRequest(hookgate.Malformed, "the Content-Type is not "+formType)
	}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // the rest is not read
		return nil, invalidRequest(hookgate.TooLarge, "the body announces %d bytes, the limit is %d", r.ContentLength, maxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.Header().Set("Connection", "close")
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return nil, invalidRequest(hookgate.TooLarge, "the body is larger than %d bytes", maxBody)
		}
		return nil, invalidRequest(hookgate.BrokenBody, "the body broke off: %w", err)
	}
	report.Bytes = len(body)
	f, err := parseForm(body)
	if err != nil {
		return nil, invalidRequest(hookgate.Malformed, "%w", err)
	}
	return f, nil
}

func isForm(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == formType
}

// parseForm reads a form strictly: a name twice, a broken escape or a character that no parameter may hold is an error.
// Only & separates. No error quotes the form, which holds secrets.
func parseForm(body []byte) (form, error) {
	f := make(form)
	for n := 0; len(body) > 0; n++ {
		if n == maxParameters {
			return nil, errors.New("the form has too many parameters")
		}
		var pair []byte
		pair, body, _ = bytes.Cut(body, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		before, after, _ := bytes.Cut(pair, []byte("="))
		name, ok := unescape(string(before))
		value, ok2 := unescape(string(after))
		if !ok || !ok2 {
			return nil, errors.New("the form has a broken escape, or a character that no parameter may hold")
		}
		if _, there := f[name]; there {
			return nil, errors.New("the form has a parameter twice")
		}
		f[name] = value
	}
	return f, nil
}

// unescape undoes the encoding of forms. Neither control characters but the tab nor anything but UTF-8 can stand in a
// parameter (RFC 6749, appendix A).
func unescape(s string) (string, bool) {
	plain, err := url.QueryUnescape(s)
	return plain, err == nil && utf8.ValidString(plain) && !strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
