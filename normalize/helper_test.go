package normalize_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

var receivedAt = time.Date(2024, 7, 1, 9, 0, 0, 0, time.UTC)

func reader(t testing.TB, provider string, o normalize.Options) hookgate.Reader {
	t.Helper()
	r, err := normalize.New(provider, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(body string) *hookgate.Request {
	return &hookgate.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), ReceivedAt: receivedAt}
}

// signedBy is the verdict of a scheme; stamp is the time that it signs, if it signs one.
func signedBy(scheme, stamp string) hookgate.Verdict {
	return hookgate.Verdict{{Scheme: scheme, SignedTime: stamp}}
}

// one reads a body that is one event and seals it for the source "test".
func one(t testing.TB, provider, body string) *hookgate.Event {
	t.Helper()
	return seal(t, provider, "test", request(body), signedBy("none", ""))
}

func seal(t testing.TB, provider, source string, req *hookgate.Request, v hookgate.Verdict) *hookgate.Event {
	t.Helper()
	return sealed(t, reader(t, provider, normalize.Options{}), provider, source, req, v)
}

func sealed(t testing.TB, r hookgate.Reader, provider, source string, req *hookgate.Request, v hookgate.Verdict) *hookgate.Event {
	t.Helper()
	events := r.Normalize(req, v)
	if len(events) != 1 {
		t.Fatalf("%d events, want one, of %s", len(events), req.Body)
	}
	events[0].Seal(&hookgate.Source{Name: source, Provider: provider}, req, v)
	return events[0]
}

// is compares an attribute; "" means that it is absent.
func is(t testing.TB, e *hookgate.Event, name, want string) {
	t.Helper()
	got := ""
	e.Attributes(func(n, v string) {
		if n == name {
			got = v
		}
	})
	if got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// identity lists an event's identity as name and value in turn.
func identity(e *hookgate.Event) (list []string) {
	for _, f := range e.Identity {
		list = append(list, f.Name, f.Value)
	}
	return list
}
