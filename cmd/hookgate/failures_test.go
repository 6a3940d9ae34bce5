package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/middleware"
)

// mendable refuses until it is mended.
type mendable struct {
	mended atomic.Bool
}

func (m *mendable) Verify(*hookgate.Request, time.Time) (hookgate.Proof, error) {
	if !m.mended.Load() {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "not mended")
	}
	return hookgate.Proof{Scheme: "mendable"}, nil
}

// plainReader makes one event of a body.
type plainReader struct{}

func (plainReader) Normalize(req *hookgate.Request, _ hookgate.Verdict) []*hookgate.Event {
	return []*hookgate.Event{{Type: "test", Data: req.Body}}
}

// digesting is a journal that reads a request as ours do. It waits for a second request before it does.
type digesting struct{ arrived chan struct{} }

func (d digesting) Accept(ctx context.Context, req *hookgate.Request, events []*hookgate.Event) ([]hookgate.Result, error) {
	select {
	case d.arrived <- struct{}{}:
	case <-d.arrived:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	req.BodySHA256()
	return make([]hookgate.Result, len(events)), nil
}

// newFailing makes a source whose deliveries fail until its verifier is mended, and what keeps them.
func newFailing(t *testing.T, journal hookgate.Journal, count func(source, diagnosis string)) (*failures, *hookgate.Source, *mendable) {
	t.Helper()
	v := new(mendable)
	src := &hookgate.Source{
		Name: "care", Path: "/hooks/care", Verifiers: []hookgate.Verifier{v}, Reader: plainReader{},
		KeepFailed: middleware.NewBudget(1000, time.Hour), MaxBody: 1 << 30,
	}
	g := &hookgate.Gateway{Journal: journal, Now: time.Now}
	f := newFailures(g, zerolog.Nop(), count)
	f.set([]configs.Source{{Name: src.Name, Auth: []hookgate.AuthSettings{{Scheme: "none"}}}})
	t.Cleanup(f.stop)
	g.Failures = f
	g.SetSources([]*hookgate.Source{src})
	return f, src, v
}

func uncounted(string, string) {}

// fail has a delivery fail.
func fail(t *testing.T, f *failures, src *hookgate.Source, id string, body []byte) {
	t.Helper()
	req := &hookgate.Request{ID: id, Method: http.MethodPost, Target: src.Path, Header: http.Header{}, Body: body, ReceivedAt: time.Now()}
	if _, err := f.gateway.Receive(t.Context(), src, req); err == nil {
		t.Fatal("it is accepted")
	}
}

func kept(f *failures, n int) func() (bool, string) {
	return func() (bool, string) {
		list := f.List("")
		return len(list) == n, ids(list)
	}
}

func ids(list []admin.FailedDelivery) (all string) {
	for _, d := range list {
		all += d.ID + " "
	}
	return all
}

// TestFailedVerifiedByTwoAtOnce: two operators may have the same delivery judged again. The race detector is what tells.
func TestFailedVerifiedByTwoAtOnce(t *testing.T) {
	t.Parallel()
	f, src, v := newFailing(t, digesting{make(chan struct{})}, uncounted)
	fail(t, f, src, "one", []byte("{}"))
	eventually(t, "it is kept", kept(f, 1))
	v.mended.Store(true)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if again := f.Verify(t.Context(), nil, "care"); again.Accepted+again.Duplicate != 1 {
				t.Errorf("%+v", again)
			}
		})
	}
	both.Wait()
	if list := f.List(""); len(list) != 0 {
		t.Errorf("still kept: %s", ids(list))
	}
}

// TestFailedLargerThanAllThatIsKept: one body for which there can be no room pushes nothing out.
func TestFailedLargerThanAllThatIsKept(t *testing.T) {
	t.Parallel()
	f, src, _ := newFailing(t, nil, uncounted)
	fail(t, f, src, "first", []byte("{}"))
	eventually(t, "the first is kept", kept(f, 1))
	fail(t, f, src, "huge", make([]byte, keptBytes+1))
	fail(t, f, src, "last", []byte("{}"))
	eventually(t, "the last is kept, too", kept(f, 2))
	if list := f.List(""); list[0].ID != "last" || list[1].ID != "first" {
		t.Errorf("kept are %s", ids(list))
	}
}

// TestFailedIsKeptWhileNothingIsExplained: explanations that take long cost no delivery that is to be kept.
func TestFailedIsKeptWhileNothingIsExplained(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	f, src, _ := newFailing(t, nil, func(string, string) { <-goOn })
	defer close(goOn)
	for n := range 3 * waitingFailures {
		fail(t, f, src, fmt.Sprint(n), []byte("{}"))
	}
	if n := len(f.List("")); n != 3*waitingFailures {
		t.Errorf("%d are kept", n)
	}
}
