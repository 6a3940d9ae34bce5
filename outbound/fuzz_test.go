package outbound

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzManagementAPI demands that no request to any of the management APIs makes the server panic or fail by itself, and that
// what is answered as JSON is JSON. Nothing is delivered, since the engine does not run, and nothing may be inside.
func FuzzManagementAPI(f *testing.F) {
	seeds := map[string][]string{
		"/v1/subscriptions/commbox":           {`{"name":"a","url":"https://127.0.0.1/","auth":[{"scheme":"bearer","oauth":{"grant":"client_credentials"}}],"settings":{"activities":[1]}}`, `{"url":"x","timeout":"1h"}`},
		"/v1/subscriptions/netcore":           {`{"url":"https://127.0.0.1/","headers":{"a b":"c"},"retries":["1s"],"settings":{}}`, `{"url":"https://u:p@127.0.0.1/"}`},
		"/v1/subscriptions/commbox/1":         {`{"name":"b"}`, `null`},
		"/v1/events":                          {`{"provider":"sprinklr","type":"case.create","account":"a","payload":{}}`, `{"provider":"bird","type":"sms.inbound","sample":true}`},
		"/v1/deliveries?limit=1&state=x":      {"", "{}"},
		"/v1/deliveries/retry":                {`{"ids":["a"]}`, `{"ids":[1]}`},
		"/v1/providers":                       {"", "x"},
		"/api/v2/webhook-subscriptions":       {`{"name":"a","url":"https://127.0.0.1/","webhookTypes":["CASE_CREATE"],"filter":{"filterType":"AND","filters":[]}}`, `[]`},
		"/prod/api/v2/webhook-replay":         {`{"from":1,"to":2}`, `{"from":-1}`},
		"/api/v2/acme/webhooks":               {`{"name":"a","url":"https://127.0.0.1/","event_types":["conversation.created"]}`, `{"name":null}`},
		"/api/v2/acme/webhooks/1/keys":        {`{}`, ``},
		"/workspaces/w/webhook-subscriptions": {`{"service":"channels","event":"sms.inbound","url":"https://127.0.0.1/","signingKey":"k"}`, `{"eventFilters":[{"key":"a","value":1}]}`},
	}
	for path, bodies := range seeds {
		for n, body := range bodies {
			f.Add(byte(n), path, body)
			f.Add(byte(n+1), path, body)
		}
	}
	f.Add(byte(2), "/v1/subscriptions/bird/1?x=%zz", "{")
	f.Add(byte(3), "/api/v2/acme/webhooks/18446744073709551616", `{"a":"a","a":1}`)
	s, err := New(Options{Path: storePath(f), Log: func(message string, about map[string]string) {
		if about["error"] != "" {
			f.Log(message, about)
		}
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	handler := s.Handler()
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method byte, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return // net/http refuses it
		}
		r := &http.Request{Method: methods[int(method)%len(methods)], URL: u, Host: "localhost", Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), RemoteAddr: "127.0.0.1:1"}
		rec := httptest.NewRecorder()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // some call the receiver to set it up
		defer cancel()
		handler.ServeHTTP(rec, r.WithContext(ctx))
		if rec.Code == http.StatusInternalServerError {
			t.Errorf("%s %q with %q: %d %s", r.Method, target, body, rec.Code, rec.Body)
		}
		if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") && rec.Body.Len() > 0 && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %q with %q: %q is no JSON", r.Method, target, body, rec.Body)
		}
	})
}

// FuzzSettings: what a subscription says in a provider's own terms is understood or refused.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{`{}`, `{"types":[1]}`, `{"channelTypes":["FACEBOOK"],"filters":[{"field":"a","values":["b"]}]}`, `"1h"`, `["1s","2h"]`, `[1e400]`, `null`, `{"a":{"a":{"a":[]}}}`, `"-1h"`, `12345678901234567890`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = readSprinklrPayload(raw)
		_, _ = readCommboxEntity(raw)
		var d duration
		_ = json.Unmarshal(raw, &d)
		var w waits
		_ = json.Unmarshal(raw, &w)
		var digits salesiqDigits
		_ = json.Unmarshal(raw, &digits)
		var activity commboxActivityType
		_ = json.Unmarshal(raw, &activity)
		_, _ = parseSalesiqKey(string(raw))
	})
}
