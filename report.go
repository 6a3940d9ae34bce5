package hookgate

import (
	"net/http"
	"net/netip"
)

// Report collects the facts of one request for its one log line and its metrics. The outermost middleware makes it, the
// handler fills it in, and it travels with the ResponseWriter instead of a context key.
type Report struct {
	RequestID string
	Source    string // empty for an unknown path, so that a stranger cannot grow a label
	Provider  string
	Client    netip.Addr // who sent it, as far as that is known
	Bytes     int        // of the raw body
	Outcome   Outcome
	Token     TokenRequest // of a request to the token endpoint
	Err       *Error       // nil unless the request was refused
}

// Reporter is a ResponseWriter that carries a Report.
type Reporter interface {
	Report() *Report
}

// ReportOf finds the report that travels with w; without one the facts go nowhere.
func ReportOf(w http.ResponseWriter) *Report {
	for {
		switch t := w.(type) {
		case Reporter:
			return t.Report()
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return &Report{}
		}
	}
}
