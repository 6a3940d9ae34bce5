package issuer

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/hookgate/hookgate"
)

// credentials are what a request shows of its client. Nothing of it is believed yet.
type credentials struct {
	id, secret string
	basic      bool // by the Authorization header, so that a refusal names the scheme
}

// shownBy reads the client's credentials from the header or from the form (RFC 6749, section 2.3.1), never from both.
func shownBy(header http.Header, f form) (credentials, *refusal) {
	values := header["Authorization"]
	if len(values) > 1 {
		return credentials{}, invalidRequest(hookgate.Malformed, "Authorization is there %d times", len(values))
	}
	if len(values) == 0 {
		shown := credentials{id: f["client_id"], secret: f["client_secret"]}
		if shown.id == "" || shown.secret == "" {
			return credentials{}, invalidClient(false, hookgate.HeaderMissing, "client_id and client_secret are in neither the header nor the form")
		}
		return shown, nil
	}
	if f["client_secret"] != "" {
		return credentials{}, invalidRequest(hookgate.Malformed, "the client's secret is in the form, and there is an Authorization header beside it")
	}
	shown, ok := readBasic(values[0])
	if !ok {
		return credentials{}, invalidClient(true, hookgate.HeaderGrammar, "the Authorization header is not Basic with id and secret, each encoded as in a form")
	}
	// Some senders repeat the bare id in the form, which proves nothing and must only not contradict.
	if id := f["client_id"]; id != "" && id != shown.id {
		return credentials{}, invalidRequest(hookgate.Malformed, "the header and the form name different clients")
	}
	return shown, nil
}

// readBasic reads Basic credentials, whose two halves are encoded as in a form before they are joined.
func readBasic(value string) (credentials, bool) {
	scheme, text, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return credentials{}, false
	}
	pair, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return credentials{}, false
	}
	before, after, _ := strings.Cut(string(pair), ":")
	id, ok := unescape(before)
	secret, ok2 := unescape(after)
	return credentials{id: id, secret: secret, basic: true}, ok && ok2 && id != "" && secret != ""
}
