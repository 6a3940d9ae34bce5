package issuer

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// refusal is a request that gets no token.
type refusal struct {
	outcome hookgate.TokenOutcome
	status  int             // 0 for that of the error's code
	basic   bool            // name the scheme that the client has tried
	err     *hookgate.Error // for the log alone
}

func invalidRequest(code hookgate.Code, format string, args ...any) *refusal {
	return &refusal{outcome: hookgate.TokenInvalidRequest, err: hookgate.Errorf(code, format, args...)}
}

func invalidClient(basic bool, reason hookgate.Reason, format string, args ...any) *refusal {
	return &refusal{outcome: hookgate.TokenInvalidClient, basic: basic, err: hookgate.Refuse(reason, format, args...)}
}

func overLimit(wait time.Duration, detail, hint string) *refusal {
	return &refusal{outcome: hookgate.TokenOverLimit, err: &hookgate.Error{Code: hookgate.OverLimit, Detail: detail, Hint: hint, RetryAfter: wait}}
}

// word is the error in the answer. The standard has none for a limit and for a fault of ours at this endpoint, so those get
// the nearest of its others.
func (r *refusal) word() string {
	if r.outcome == hookgate.TokenOverLimit || r.outcome == hookgate.TokenUnavailable {
		return "temporarily_unavailable"
	}
	return string(r.outcome)
}

// refuse answers as RFC 6749, section 5.2 has it, and no word more: the detail is in the log.
func refuse(w http.ResponseWriter, report *hookgate.Report, r *refusal) {
	report.Token.Outcome, report.Err = r.outcome, r.err
	if r.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="hookgate"`)
	}
	r.err.SetRetryAfter(w.Header())
	answer(w, cmp.Or(r.status, r.err.Code.Status()), struct {
		Error string `json:"error"`
	}{r.word()})
}

// issue answers with the token, as RFC 6749, section 5.1 has it.
func issue(w http.ResponseWriter, token string, lasts time.Duration, scopes []string) {
	answer(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
		Scope       string `json:"scope,omitempty"`
	}{token, "Bearer", int64(lasts / time.Second), strings.Join(scopes, " ")})
}

// answer writes JSON that nobody on the way may keep.
func answer(w http.ResponseWriter, status int, members any) {
	body, err := json.Marshal(members)
	if err != nil { // text and numbers alone: it cannot fail
		status, body = http.StatusServiceUnavailable, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever has gone asks again
}
