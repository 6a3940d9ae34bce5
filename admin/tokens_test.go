package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// TestMetrics_TokenRequests: they are counted by client and outcome, apart from what comes to a source, and a client's first
// failure is a rise.
func TestMetrics_TokenRequests(t *testing.T) {
	t.Parallel()
	m := admin.NewMetrics(func() admin.Snapshot { return admin.Snapshot{} }, nil)
	m.ExpectClient("sprinklr")
	m.Observe(&hookgate.Report{Token: hookgate.TokenRequest{Client: "sprinklr", Outcome: hookgate.TokenIssued}}, time.Millisecond)
	refused := hookgate.TokenRequest{Client: hookgate.UnknownClient, Outcome: hookgate.TokenInvalidClient}
	m.Observe(&hookgate.Report{Token: refused, Err: hookgate.Refuse(hookgate.Mismatch, "no")}, time.Millisecond)
	m.Observe(&hookgate.Report{}, time.Millisecond) // a key set
	got := scrape(t, m)
	for series, want := range map[string]float64{
		`hookgate_token_requests_total{client="sprinklr",outcome="issued"}`: 1, `hookgate_token_requests_total{client="sprinklr",outcome="invalid_client"}`: 0,
		`hookgate_token_requests_total{client="unknown",outcome="invalid_client"}`: 1, `hookgate_requests_total{outcome="served",source="none"}`: 1,
	} {
		if n, ok := got[series]; !ok || n != want {
			t.Errorf("%s is %v (there: %v), want %v", series, n, ok, want)
		}
	}
	for series := range got {
		if strings.Contains(series, "_authentication_failures_") || strings.Contains(series, "_requests_total") && strings.Contains(series, `outcome="unauthenticated"`) {
			t.Errorf("a token request counts as %s", series)
		}
	}
}
