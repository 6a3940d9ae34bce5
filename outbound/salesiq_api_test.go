package outbound

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

const salesiqNow = "1772597167891" // where the tests' clock begins

// TestSalesiqDocumentedRequests sends the requests of the API's pages and compares whole answers.
func TestSalesiqDocumentedRequests(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	url := p.receiver.URL + "/siq"

	created := p.ok("POST", "/harbour/webhooks", `{"type":"data","url":"`+url+`","events":["conversation.created"],"app_ids":["19367000000002043"],"secured":true,"version":1,"expiry_time_for_executions_data":"5184000000"}`)
	id := created.data.ID
	if !regexp.MustCompile(`^[1-9]\d{16,19}$`).MatchString(id) {
		t.Errorf("id %q is no number of 17 to 20 digits", id)
	}
	who := regexp.MustCompile(`"creator":\{"id":"(\d{17})"\}`).FindStringSubmatch(created.body)
	if who == nil || len(created.data.Keys) != 1 {
		t.Fatalf("creator or key missing: %s", created.body)
	}
	object := func(path, events, apps, keys string) string {
		return fmt.Sprintf(`{"url":"/api/v2/harbour/webhooks%s","object":"webhook","data":{"modified_time":"%s","url":"%s","expiry_time_for_executions_data":"5184000000","id":"%s","modifier":{"id":"%s"},"creator":{"id":"%s"},"status":"enabled","failures_count":"0","secured":true,"app_ids":[%s],"version":1,"type":"data","public_keys":[%s],"created_time":"%s","events":[%s]},"sync_time":"%s"}`,
			path, salesiqNow, url, id, who[1], who[1], apps, keys, salesiqNow, events, salesiqNow)
	}
	key := func(r salesiqReplied, i int, ms string) string {
		return fmt.Sprintf(`{"key":"%s","creator":{"id":"%s"},"created_time":"%s","id":"%s"}`, r.data.Keys[i].Key, who[1], ms, ms)
	}
	compare := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	first := key(created, 0, salesiqNow)
	compare("create", created.body, object("", `"conversation.created"`, `"19367000000002043"`, first))

	compare("read", p.ok("GET", "/harbour/webhooks/"+id, "").body, object("/"+id, `"conversation.created"`, `"19367000000002043"`, first))
	list := p.ok("GET", "/harbour/webhooks", "").body
	inner := strings.SplitN(object("", `"conversation.created"`, `"19367000000002043"`, first), `"data":`, 2)[1]
	compare("list", list, `{"url":"/api/v2/harbour/webhooks","object":"list","data":[`+strings.TrimSuffix(inner, `,"sync_time":"`+salesiqNow+`"}`)+`],"sync_time":"`+salesiqNow+`"}`)

	compare("update", p.ok("PUT", "/harbour/webhooks/"+id, `{"events":["conversation.missed","visitor.updated"],"app_ids":[19367000000002047]}`).body,
		object("/"+id, `"conversation.missed","visitor.updated"`, `"19367000000002047"`, first))

	second := p.ok("POST", "/harbour/webhooks/"+id+"/keys", "")
	if len(second.data.Keys) != 2 || second.data.Keys[0].Key != created.data.Keys[0].Key {
		t.Fatalf("keys: %s", second.body)
	}
	// The clock stands still, and an id belongs to one key.
	compare("second key", second.body, object("/"+id+"/keys", `"conversation.missed","visitor.updated"`, `"19367000000002047"`, first+","+key(second, 1, "1772597167892")))
	p.refused(400, "limit_reached", "POST", "/harbour/webhooks/"+id+"/keys", "")
	compare("delete the oldest key", p.ok("DELETE", "/harbour/webhooks/"+id+"/keys/"+salesiqNow, "").body,
		object("/"+id+"/keys/"+salesiqNow, `"conversation.missed","visitor.updated"`, `"19367000000002047"`, key(second, 1, "1772597167892")))
	p.refused(404, "not_found", "DELETE", "/harbour/webhooks/"+id+"/keys/"+salesiqNow, "")

	p.ok("POST", "/harbour/webhooks", `{"type":"administration","url":"`+url+`","events":["operator.created"]}`)
	p.ok("PUT", "/harbour/webhooks/"+id, `{"status":"disabled"}`)
	p.ok("POST", "/dock/webhooks", `{"type":"data","url":"`+url+`"}`)
	compare("summary", p.ok("GET", "/harbour/webhooks?mode=meta", "").body,
		`{"url":"/api/v2/harbour/webhooks","object":"summary","data":{"administration":"1","disabled":"1","enabled":"1","data":"1"}}`)

	compare("failures", p.ok("GET", "/harbour/webhooks/"+id+"/executions?pageno=1&limit=10&events=conversation.missed&from_time=1772590000000&to_time=1772599999999", "").body,
		`{"url":"/api/v2/harbour/webhooks/`+id+`/executions","object":"list","data":[],"sync_time":"`+salesiqNow+`"}`)
	compare("failures counted", p.ok("GET", "/harbour/webhooks/"+id+"/executions?mode=meta", "").body, `{"object":"summary","data":{"all":"0","app_based":{}}}`)
	none := "00000000-0000-4000-8000-000000000000"
	compare("retry", p.ok("POST", "/harbour/webhooks/"+id+"/executions", `{"ids":["`+none+`"]}`).body,
		`{"url":"/api/v2/harbour/webhooks/`+id+`/executions","object":"webhook","data":{"skipped":["`+none+`"]},"sync_time":"`+salesiqNow+`"}`)

	compare("delete", p.ok("DELETE", "/harbour/webhooks/"+id, "").body,
		`{"url":"/api/v2/harbour/webhooks/`+id+`","object":"webhook","data":{"id":"`+id+`"},"sync_time":"`+salesiqNow+`"}`)
	p.refused(404, "not_found", "GET", "/harbour/webhooks/"+id, "")
}

func TestSalesiqAPIRefuses(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	url := p.receiver.URL
	id := p.create(`,"events":["conversation.created"]`).data.ID
	for _, c := range []struct{ name, body string }{
		{"no JSON", `{`},
		{"no type", `{"url":"` + url + `"}`},
		{"an unknown type", `{"type":"portal","url":"` + url + `"}`},
		{"no URL", `{"type":"data"}`},
		{"an address of another kind", `{"type":"data","url":"ftp://hooks.example.com"}`},
		{"apps for administration", `{"type":"administration","url":"` + url + `","app_ids":["1"]}`},
		{"an unknown event", `{"type":"data","url":"` + url + `","events":["conversation.creatd"]}`},
		{"an event of the other module", `{"type":"data","url":"` + url + `","events":["operator.created"]}`},
		{"kept for two days", `{"type":"data","url":"` + url + `","expiry_time_for_executions_data":"180000000"}`},
		{"an unknown status", `{"type":"data","url":"` + url + `","status":"on"}`},
		{"an unknown option", `{"type":"data","url":"` + url + `","hookgate":{"profil":"live"}}`},
		{"a wrong option", `{"type":"data","url":"` + url + `","hookgate":{"profile":"real"}}`},
	} {
		p.refused(400, "invalid", "POST", "/harbour/webhooks", c.body)
	}
	if heads, _ := p.receiver.got(); heads != 1 {
		t.Errorf("%d HEAD requests, want the one of the webhook that was made", heads)
	}
	p.refused(400, "invalid", "PUT", "/harbour/webhooks/"+id, `{"type":"administration"}`)
	p.refused(400, "invalid", "GET", "/harbour/webhooks?mode=all", "")
	p.refused(404, "not_found", "GET", "/dock/webhooks/"+id, "")
	p.refused(404, "not_found", "PUT", "/dock/webhooks/"+id, `{"status":"disabled"}`)
	p.refused(404, "not_found", "DELETE", "/dock/webhooks/"+id, "")
	p.refused(404, "not_found", "POST", "/dock/webhooks/"+id+"/keys", "")
	p.refused(404, "not_found", "GET", "/dock/webhooks/"+id+"/executions", "")
	for _, authorization := range []string{"", "Bearer " + salesiqToken, "Zoho-oauthtoken wrong", "Zoho-oauthtoken"} {
		p.refused(401, "unauthorized", "GET", "/harbour/webhooks", "", "Authorization;", "Authorization: "+authorization)
	}
	if got := p.ok("GET", "/harbour/webhooks", "").list; len(got) != 1 {
		t.Errorf("%d webhooks, want the one that was made", len(got))
	}
}

// TestSalesiqHead: a URL must answer HEAD with exactly 200 when a webhook is made and whenever its URL changes.
func TestSalesiqHead(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	for _, status := range []int{201, 204, 301, 401, 404, 405, 500} {
		p.receiver.answers(status, 200)
		p.refused(400, "url_not_verified", "POST", "/harbour/webhooks", `{"type":"data","url":"`+p.receiver.URL+`/siq"}`)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	p.refused(400, "url_not_verified", "POST", "/harbour/webhooks", `{"type":"data","url":"`+gone.URL+`"}`)
	if got := p.ok("GET", "/harbour/webhooks", "").list; len(got) != 0 {
		t.Errorf("%d webhooks were made without a 200", len(got))
	}
	heads, _ := p.receiver.got()
	if heads != 7 {
		t.Errorf("%d HEAD requests, want 7: redirects are not followed", heads)
	}

	p.receiver.answers(200, 200)
	id := p.create(`,"secured":true`).data.ID
	p.receiver.answers(500, 200)
	p.ok("PUT", "/harbour/webhooks/"+id, `{"events":["conversation.missed"],"url":"`+p.receiver.URL+`/siq"}`)
	if now, _ := p.receiver.got(); now != heads+1 {
		t.Errorf("%d HEAD requests, want %d: none for the same URL", now, heads+1)
	}
	p.refused(400, "url_not_verified", "PUT", "/harbour/webhooks/"+id, `{"url":"`+p.receiver.URL+`/other"}`)
	if got := p.ok("GET", "/harbour/webhooks/"+id, "").data.URL; got != p.receiver.URL+"/siq" {
		t.Errorf("the URL became %s without a 200", got)
	}
	if err := salesiq().test(t.Context(), p.Server, id); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("the set-up call: %v", err)
	}
	p.receiver.answers(200, 200)
	if got := p.ok("PUT", "/harbour/webhooks/"+id, `{"url":"`+p.receiver.URL+`/other"}`).data.URL; got != p.receiver.URL+"/other" {
		t.Errorf("the URL stayed %s", got)
	}
	if err := salesiq().test(t.Context(), p.Server, id); err != nil {
		t.Errorf("the set-up call: %v", err)
	}
	p.receiver.mu.Lock()
	defer p.receiver.mu.Unlock()
	for _, h := range p.receiver.heads {
		if h.Get("X-Siqsignature") != "" {
			t.Error("a HEAD request was signed")
		}
	}
}

func TestSalesiqThreeAdministrationWebhooksAPortal(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	body := `{"type":"administration","url":"` + p.receiver.URL + `","events":["tag.created"]}`
	var mu sync.Mutex
	statuses := make(map[int]int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			status, _ := p.byClient("POST", p.base+"/api/v2/harbour/webhooks", body, []string{"Authorization: Zoho-oauthtoken " + salesiqToken})
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	all.Wait()
	if statuses[200] != 3 || statuses[400] != 5 {
		t.Errorf("answers %v, want 3 of 200 and 5 of 400", statuses)
	}
	p.refused(400, "invalid", "POST", "/harbour/webhooks", body)
	p.ok("POST", "/dock/webhooks", body)
	p.create("")
	one, _ := p.ok("GET", "/harbour/webhooks", "").list[0]["id"].(string)
	p.ok("PUT", "/harbour/webhooks/"+one, `{"events":["tag.deleted"]}`)
	p.ok("DELETE", "/harbour/webhooks/"+one, "")
	p.ok("POST", "/harbour/webhooks", body)

	var ps hookgate.Problems
	fourth := &Subscription{ID: "1", Settings: json.RawMessage(`{"portal":"harbour","type":"administration"}`)}
	if err := salesiq().admit(t.Context(), p.Server, &Subscription{}, fourth); err == nil {
		t.Error("a fourth one was admitted")
	} else if ps, _ = err.(hookgate.Problems); len(ps) != 1 || ps[0].Field != "settings.type" {
		t.Errorf("%v", err)
	}
}

func TestSalesiqOptions(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	r := p.curl("POST", "/harbour/webhooks", `{"type":"data","url":"`+p.receiver.URL+`","secured":true,"hookgate":{"created_status":201,"key_format":"pem","profile":"live","charset":true,"org_id":20011223}}`)
	if r.status != 201 || len(r.data.Keys) != 1 || !strings.HasPrefix(r.data.Keys[0].Key, "-----BEGIN PUBLIC KEY-----\n") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if ids, err := p.Publish(t.Context(), "salesiq", Event{Type: "conversation.created", Account: "20011224", Payload: json.RawMessage(`{"id":"1"}`)}); err != nil || len(ids) != 0 {
		t.Errorf("another account's event went to %v, %v", ids, err)
	}
	p.attempted(p.trigger("conversation.created", "70318000000002051")[0], 1)
	_, posts := p.receiver.got()
	want := `{"entity_type":"conversation","org_id":"20011223","event":"conversation.created","entity_id":"8000000000004009","attempt":1,"version":1,"app_id":"70318000000002051","entity":{"id":"8000000000004009"},"event_time":"` + salesiqNow + `","webhook":{"id":"` + r.data.ID + `"}}`
	if len(posts) != 1 || string(posts[0].body) != want || posts[0].header.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Fatalf("%+v\nwant\n%s", posts, want)
	}
	if !opensslVerifies(t, r.data.Keys[0].Key, posts[0].signature(t), posts[0].body) {
		t.Error("openssl refuses the signature under the PEM key")
	}
	// An update changes the options that it names and leaves the others.
	p.ok("PUT", "/harbour/webhooks/"+r.data.ID, `{"hookgate":{"profile":"docs"}}`)
	p.attempted(p.trigger("conversation.created", "70318000000002051")[0], 1)
	_, posts = p.receiver.got()
	if last := posts[1]; last.header.Get("Content-Type") != "application/json;charset=UTF-8" || !strings.Contains(string(last.body), `"version":"1","app_id":70318000000002051,`) {
		t.Errorf("%v %s", last.header, last.body)
	}
}

func TestSalesiqEnableAndDisable(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	id := p.create("").data.ID
	if r := p.ok("PUT", "/harbour/webhooks/"+id, `{"status":"disabled"}`); r.data.Status != "disabled" {
		t.Errorf("status %q", r.data.Status)
	}
	if ids := p.trigger("conversation.created", ""); len(ids) != 0 {
		t.Errorf("a disabled webhook was triggered: %v", ids)
	}
	if r := p.ok("PUT", "/harbour/webhooks/"+id, `{"status":"enabled"}`); r.data.Status != "enabled" || r.data.Last != "" {
		t.Errorf("status %q, last triggered %q", r.data.Status, r.data.Last)
	}
	p.clock.Advance(time.Second)
	ids := p.trigger("conversation.created", "")
	if len(ids) != 1 {
		t.Fatalf("deliveries %v", ids)
	}
	p.attempted(ids[0], 1)
	if r := p.ok("GET", "/harbour/webhooks/"+id, ""); r.data.Last != "1772597168891" || r.data.Failures != "0" {
		t.Errorf("last triggered %q, failures %q", r.data.Last, r.data.Failures)
	}
}

// TestSalesiqPlainAPI: what the documented API does not allow cannot be had through our own either.
func TestSalesiqPlainAPI(t *testing.T) {
	t.Parallel()
	p := newSalesiqPortal(t)
	plain := func(method, path, body string) (int, string) {
		t.Helper()
		return p.byClient(method, p.base+"/v1"+path, body, []string{"Authorization: Bearer " + salesiqToken, "Content-Type: application/json"})
	}
	administration := `{"url":"` + p.receiver.URL + `","active":true,"settings":{"portal":"harbour","type":"administration"}}`
	for i, want := range []int{201, 201, 201, 422} {
		if status, body := plain("POST", "/subscriptions/salesiq", administration); status != want {
			t.Errorf("administration webhook %d: %d %s, want %d", i+1, status, body, want)
		}
	}
	if status, body := plain("POST", "/subscriptions/salesiq", `{"url":"`+p.receiver.URL+`","settings":{"expiry_time_for_executions_data":"1"}}`); status != 422 || !strings.Contains(body, "settings.expiry_time_for_executions_data") {
		t.Errorf("%d %s", status, body)
	}
	id := p.create(`,"events":["conversation.created"]`).data.ID
	if status, body := plain("PATCH", "/subscriptions/salesiq/"+id, `{"events":[],"settings":{"type":"administration"}}`); status != 422 {
		t.Errorf("a fourth administration webhook by change: %d %s", status, body)
	}
	if status, body := plain("PATCH", "/subscriptions/salesiq/"+id, `{"settings":{"profile":"live"}}`); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := plain("POST", "/events", `{"provider":"salesiq","type":"conversation.created","sample":true,"seed":7}`); status != 202 || strings.Count(body, "-") != 4 {
		t.Errorf("%d %s, want one delivery", status, body)
	}
}
