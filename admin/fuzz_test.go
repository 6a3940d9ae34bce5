package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookgate/hookgate/admin"
)

// FuzzOrder: whatever an operator sends is done, or refused with a reason that is short JSON; a selection stays within its
// bounds.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{
		`{"destination":"events","all":true}`, `{"destination":"events","id":["0123456789abcdef0123456789abcdef"],"from":"2h","to":"2026-05-01T12:00:00Z","dry_run":true}`,
		`{"seqs":[1,2]}`, `{"all":true,"rate":1e3}`, `{"ids":["a"],"source":"b"}`, `{"source":"a"}`, ``, `{}{}`, `[`, `{"destination":"events","destination":"other","all":true}`,
		"{\"destination\":\"\xff\u2028\"}", `{"from":"-1h","all":true}`, `{"rate":-1}`, `{"seqs":[9223372036854775808]}`, `{"DESTINATION":"events","All":true}`,
	} {
		for n := range byte(4) {
			f.Add(n, seed)
		}
	}
	paths := []string{"/v1/replays", "/v1/dead-letters/events/replay", "/v1/failed/verify", "/v1/dead-letters/%2e%2e/replay"}
	f.Fuzz(func(t *testing.T, which byte, body string) {
		d := &desk{}
		rec := send(withFailures(d), http.MethodPost, paths[int(which)%len(paths)], body)
		switch rec.Code {
		case http.StatusOK, http.StatusAccepted, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
		default:
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if !utf8.Valid(rec.Body.Bytes()) || rec.Body.Len() > 2048 {
			t.Errorf("%d bytes: %q", rec.Body.Len(), rec.Body)
		}
		for _, o := range d.orders {
			if o.Destination != "events" || len(o.IDs) > 1000 || len(o.Match.Type) > 100 || o.Rate < 1 || o.Rate > 10_000 {
				t.Errorf("%q is the order %+v", body, o)
			}
			if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) {
				t.Errorf("%q is from %v to %v", body, o.From, o.To)
			}
		}
	})
}

// nothing is an empty quarantine, no dead letter and no failed delivery.
type nothing struct{ admin.Operator }

func (nothing) Quarantined(context.Context, int64, int) ([]admin.QuarantinedPart, error) {
	return nil, nil
}
func (nothing) DeadLetters(_ context.Context, destination string, _ int64, _ int) ([]admin.DeadLetter, error) {
	return nil, fmt.Errorf("%w: %s", admin.ErrUnknownDestination, destination[:min(len(destination), 64)])
}
func (nothing) List(string) []admin.FailedDelivery { return nil }
func (nothing) Show(string) (admin.FailedDelivery, error) {
	return admin.FailedDelivery{}, admin.ErrUnknownFailure
}
func (nothing) Verify(context.Context, []string, string) admin.FailedAgain {
	return admin.FailedAgain{Failing: []admin.FailedDelivery{}}
}

// withFailures has nothing that failed.
func withFailures(d *desk) admin.Options {
	o := withReplays(d)
	o.Failures = nothing{}
	return o
}

// FuzzQuestion: the same for the parameters of lists, and for paths.
func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{
		"/v1/events?limit=10&before=1-2&data=true", "/v1/events?id=0123456789abcdef0123456789abcdef&from=2h", "/v1/events?%zz", "/v1/events?limit=-1", "/v1/events?a;b=c",
		"/v1/events/..%2f", "/v1/dead-letters/%00?after=9223372036854775808", "/v1/quarantine?before=x", "/v1/failed?source=%0a", "/v1/failed/%e2%80%a8", "/v1/replays/x?x=y", "//v1//events",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return // net/http refuses it
		}
		o := withFailures(&desk{})
		o.Events, o.Operator = &shelf{}, nothing{}
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Authorization": {"Bearer " + token}}, Host: "localhost", RemoteAddr: "192.0.2.1:1", Body: http.NoBody}
		rec := httptest.NewRecorder()
		admin.Handler(o).ServeHTTP(rec, r)
		if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable || rec.Code/100 == 3 || (rec.Code/100 == 4 && rec.Body.Len() > 2048) {
			t.Errorf("%q: %d %.200q", target, rec.Code, rec.Body)
		}
	})
}

// FuzzHost: on loopback, only the names of this machine are served, and no Host panics.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"localhost", "localhost:1", "[::1]:8081", "127.0.0.1", "evil.example", "[::ffff:127.0.0.1]", "", "]:[", "localhost.:x", "0x7f.1", "a@localhost", "localhost\x00", "LOCALHOST.."} {
		f.Add(seed)
	}
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		rec := httptest.NewRecorder()
		admin.Own("127.0.0.1:8081", nil, served).ServeHTTP(rec, arrived(r, "127.0.0.1:8081"))
		if rec.Code == http.StatusMisdirectedRequest {
			return
		}
		plain := strings.ToLower(host)
		for _, own := range []string{"localhost", "127.", "[::1", "::1", "::ffff:7f", "[::ffff:127.", "::ffff:127.", "[::ffff:7f", "0:0:0:0:0", "[0:0"} {
			if strings.HasPrefix(plain, own) {
				return
			}
		}
		if host != "" && !strings.Contains(host, "::") && !strings.Contains(host, "0:") {
			t.Errorf("%q is served", host)
		}
	})
}
