package outbound

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

const (
	birdOrg = "cb28a94e-8557-4394-80ea-4bbd50ce0434"
	birdWS  = "b4e02c85-c6d2-4b15-8885-e09671799c61"
	birdOne = "/workspaces/" + birdWS + "/webhook-subscriptions"
	birdTwo = "/organizations/" + birdOrg + birdOne
)

func birdCreation(n int) string {
	return fmt.Sprintf(`{"service":"channels","event":"sms.outbound","url":"https://example.com/webhook","eventFilters":[{"key":"channelId","value":"c%d"}]}`, n)
}

// TestBirdAPI sends the documented requests by both path forms and holds the answers to the documented members, in their order.
func TestBirdAPI(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]string{"with organization": birdTwo, "workspace alone": birdOne} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newBirdHost(t)
			const create = `{"service":"channels","event":"email.interaction","url":"https://example.com/webhook","eventFilters":[{"key":"channelId","value":"3e3a68da-1111-4222-8333-444455556666"},{"key":"interactionType","value":"opened"}],"template":"text","signingKey":"secureSigningKey"}`
			status, made := h.call(t, http.MethodPost, base, create)
			var object birdWebhook
			if err := json.Unmarshal([]byte(made), &object); err != nil || status != http.StatusCreated {
				t.Fatalf("%d %s: %v", status, made, err)
			}
			if id, err := uuid.Parse(object.ID); err != nil || id.Version() != 4 {
				t.Errorf("id %q is no UUID v4", object.ID)
			}
			organization := birdOrganization
			if base == birdTwo {
				organization = birdOrg
			}
			shown := func(key, url, status string) string {
				return `{"id":"` + object.ID + `","organizationId":"` + organization + `","workspaceId":"` + birdWS +
					`","service":"channels","event":"email.interaction","eventFilters":[{"key":"channelId","value":"3e3a68da-1111-4222-8333-444455556666"},{"key":"interactionType","value":"opened"}],` +
					`"template":"text","url":"` + url + `",` + key + `"status":"` + status + `","createdAt":"2026-01-31T10:00:00.000Z","updatedAt":"2026-01-31T10:00:00.000Z"}`
			}
			// answers compares with the text of an answer as it is.
			answers := func(method, path, body string, wantStatus int, want string) {
				t.Helper()
				status, got := h.call(t, method, base+path, body)
				if status != wantStatus || strings.TrimSpace(got) != want {
					t.Errorf("%s %s: %d %s\nwant %d %s", method, path, status, got, wantStatus, want)
				}
			}
			if want := shown(`"signingKey":"secureSigningKey",`, "https://example.com/webhook", "active"); strings.TrimSpace(made) != want {
				t.Errorf("created %s\nwant %s", made, want)
			}
			const hook = "https://example.com/webhook"
			answers(http.MethodGet, "/"+object.ID, "", 200, shown("", hook, "active"))
			answers(http.MethodGet, "", "", 200, `{"results":[`+shown("", hook, "active")+`],"nextPageToken":""}`)
			answers(http.MethodGet, "?limit=100", "", 200, `{"results":[`+shown("", hook, "active")+`],"nextPageToken":""}`)
			answers(http.MethodPatch, "/"+object.ID, `{"status":"inactive"}`, 200, shown("", hook, "inactive"))
			answers(http.MethodPatch, "/"+object.ID, `{"url":"https://example.com:8443/other?a=<b>"}`, 200, shown("", "https://example.com:8443/other?a=<b>", "inactive"))
			answers(http.MethodPatch, "/"+object.ID, `{"signingKey":"another signing key","status":"active"}`, 200, shown("", "https://example.com:8443/other?a=<b>", "active"))
			answers(http.MethodGet, "/"+object.ID+"/logs", "", 200, `{"results":[],"nextPageToken":""}`)
			sub, err := h.Get(t.Context(), "bird", object.ID)
			if err != nil || birdKey(sub) != "another signing key" {
				t.Errorf("the key was not changed: %v", err)
			}
			h.want(t, 200, http.MethodPatch, base+"/"+object.ID, `{"eventFilters":null,"template":null,"signingKey":null}`, nil)
			var bare map[string]json.RawMessage
			h.want(t, 200, http.MethodGet, base+"/"+object.ID, "", &bare)
			if _, ok := bare["template"]; ok || string(bare["eventFilters"]) != "[]" {
				t.Errorf("null took nothing away: %s", bare)
			}
			answers(http.MethodDelete, "/"+object.ID, "", 204, "")
			const gone = `{"code":"not_found","message":"this workspace has no such webhook subscription or delivery"}`
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				answers(method, "/"+object.ID, "", 404, gone)
			}
			answers(http.MethodPatch, "/"+object.ID, `{"status":"active"}`, 404, gone)
			answers(http.MethodGet, "/"+object.ID+"/logs", "", 404, gone)
			answers(http.MethodGet, "/"+object.ID+"/logs/details?requestId=x", "", 404, gone)
		})
	}
}

func TestBirdAPIRefusals(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var sub birdWebhook
	h.want(t, 201, http.MethodPost, birdTwo, birdCreation(1), &sub)
	one := birdTwo + "/" + sub.ID
	with := func(members string) string {
		return `{"service":"channels","event":"sms.outbound","url":"https://example.com/webhook"` + members + `}`
	}
	tests := []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"unknown member", "POST", birdTwo, with(`,"status":"active"`), 400, "status"},
		{"no service", "POST", birdTwo, `{"event":"sms.outbound","url":"https://example.com/"}`, 400, "give service"},
		{"nothing", "POST", birdTwo, `{}`, 400, "give service and event and url"},
		{"dotted service", "POST", birdTwo, `{"service":"channels.sms","event":"outbound","url":"https://example.com/"}`, 400, "service is one of"},
		{"other service", "POST", birdTwo, `{"service":"mail","event":"sms.outbound","url":"https://example.com/"}`, 400, "not a service"},
		{"other event", "POST", birdTwo, `{"service":"channels","event":"sms.read","url":"https://example.com/"}`, 400, "not an event"},
		{"http", "POST", birdTwo, `{"service":"channels","event":"sms.outbound","url":"http://example.com/"}`, 400, "url"},
		{"loopback", "POST", birdTwo, `{"service":"channels","event":"sms.outbound","url":"https://127.0.0.1/"}`, 400, "url"},
		{"url of another kind", "POST", birdTwo, `{"service":"channels","event":"sms.outbound","url":7}`, 400, ""},
		{"second channel", "POST", birdTwo, with(`,"eventFilters":[{"key":"channelId","value":"a"},{"key":"channelId","value":"b"}]`), 400, "eventFilters: name channelId 2 times"},
		{"filter of another event", "POST", birdTwo, with(`,"eventFilters":[{"key":"interactionType","value":"opened"}]`), 400, "cannot be filtered"},
		{"member of a filter", "POST", birdTwo, with(`,"eventFilters":[{"key":"channelId","value":"a","op":"eq"}]`), 400, "eventFilters is a list"},
		{"filters of another kind", "POST", birdTwo, with(`,"eventFilters":{"key":"channelId"}`), 400, "eventFilters is a list"},
		{"filter of numbers", "POST", birdTwo, `{"service":"numbers","event":"endpoint","url":"https://example.com/","eventFilters":[{"key":"channelId","value":"a"}]}`, 400, "takes no filters"},
		{"template", "POST", birdTwo, with(`,"template":"xml"`), 400, "template"},
		{"short key", "POST", birdTwo, with(`,"signingKey":"hunter2"`), 400, "signingKey"},
		{"key of another kind", "POST", birdTwo, with(`,"signingKey":["hunter2"]`), 400, "signingKey is text"},
		{"no JSON", "POST", birdTwo, `{"service":`, 400, ""},
		{"two values", "POST", birdTwo, with("") + "{}", 400, ""},
		{"no body", "POST", birdTwo, "", 400, ""},
		{"any_url by this API", "POST", birdTwo, with(`,"any_url":true`), 400, "any_url"},
		{"nothing to change", "PATCH", one, `{}`, 400, "at least one"},
		{"what cannot change", "PATCH", one, `{"event":"sms.inbound"}`, 400, "event"},
		{"what cannot change beside what can", "PATCH", one, `{"status":"active","service":"numbers"}`, 400, "service"},
		{"other status", "PATCH", one, `{"status":"paused"}`, 400, "active or inactive"},
		{"no status", "PATCH", one, `{"status":null}`, 400, "status is text"},
		{"no url", "PATCH", one, `{"url":null}`, 400, "url is text"},
		{"other url", "PATCH", one, `{"url":"https://localhost/"}`, 400, "url"},
		{"limit 0", "GET", birdTwo + "?limit=0", "", 400, "1 to 100"},
		{"limit 101", "GET", birdTwo + "?limit=101", "", 400, "1 to 100"},
		{"limit in words", "GET", birdTwo + "?limit=ten", "", 400, "1 to 100"},
		{"empty limit", "GET", birdTwo + "?limit=", "", 400, "1 to 100"},
		{"made-up token", "GET", birdTwo + "?pageToken=abc", "", 400, "pageToken"},
		{"long token", "GET", birdTwo + "?pageToken=" + strings.Repeat("A", 8001), "", 400, "pageToken"},
		{"made-up token of the logs", "GET", one + "/logs?pageToken=abc", "", 400, "pageToken"},
		{"other executionStatus", "GET", one + "/logs?executionStatus=ok", "", 400, "executionStatus"},
		{"no request id", "GET", one + "/logs/details", "", 400, "requestId"},
		{"unknown request id", "GET", one + "/logs/details?requestId=" + uuid.NewString(), "", 404, ""},
		{"unknown id", "GET", birdTwo + "/" + uuid.NewString(), "", 404, ""},
		{"another workspace", "GET", "/workspaces/other/webhook-subscriptions/" + sub.ID, "", 404, ""},
		{"another organization", "GET", "/organizations/other" + birdOne + "/" + sub.ID, "", 404, ""},
		{"change from another workspace", "PATCH", "/workspaces/other/webhook-subscriptions/" + sub.ID, `{"status":"inactive"}`, 404, ""},
		{"delete from another workspace", "DELETE", "/workspaces/other/webhook-subscriptions/" + sub.ID, "", 404, ""},
		{"logs of another workspace", "GET", "/workspaces/other/webhook-subscriptions/" + sub.ID + "/logs", "", 404, ""},
		{"method", "PUT", one, `{}`, 405, "PUT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, text := h.call(t, tt.method, tt.path, tt.body)
			var answer map[string]string
			if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer) != 2 || answer["code"] == "" || answer["message"] == "" {
				t.Errorf("answer %s: %v", text, err)
			}
			if status != tt.status || !strings.Contains(answer["message"], tt.says) {
				t.Errorf("%d %s, want %d and %q", status, text, tt.status, tt.says)
			}
			if strings.Contains(text, "hunter2") || strings.Contains(text, "outbound.") {
				t.Errorf("the answer shows a secret or an internal name: %s", text)
			}
		})
	}
}

func TestBirdAPIAuthorization(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var sub birdWebhook
	h.want(t, 201, http.MethodPost, birdTwo, birdCreation(1), &sub)
	for name, headers := range map[string][]string{
		"none": {"X-Nothing: 1"}, "other token": {"Authorization: AccessKey wrong"}, "other scheme": {"Authorization: Bearer " + birdTestToken},
		"token alone": {"Authorization: " + birdTestToken}, "empty": {"Authorization: AccessKey "},
	} {
		for _, path := range []string{birdOne, birdTwo, birdTwo + "/" + sub.ID, birdTwo + "/" + sub.ID + "/logs", birdTwo + "/" + sub.ID + "/logs/details?requestId=x"} {
			status, text := h.call(t, http.MethodGet, path, "", headers...)
			if status != http.StatusUnauthorized || !strings.Contains(text, `"code":"unauthorized"`) {
				t.Errorf("%s, %s: %d %s", name, path, status, text)
			}
		}
		if status, _ := h.call(t, http.MethodDelete, birdTwo+"/"+sub.ID, "", headers...); status != http.StatusUnauthorized {
			t.Errorf("%s: deleted with %d", name, status)
		}
	}
	h.want(t, 200, http.MethodGet, birdTwo+"/"+sub.ID, "", nil)
}

// TestBirdPathForms makes a subscription by one form and uses it by the other.
func TestBirdPathForms(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var long, short birdWebhook
	h.want(t, 201, http.MethodPost, birdTwo, birdCreation(1), &long)
	h.want(t, 201, http.MethodPost, birdOne, birdCreation(2), &short)
	h.want(t, 200, http.MethodPatch, birdOne+"/"+long.ID, `{"status":"inactive"}`, nil)
	h.want(t, 200, http.MethodGet, birdTwo+"/"+long.ID, "", &long)
	if long.Status != "inactive" {
		t.Error("the change by the short form is not seen by the long one")
	}
	var list birdList[birdWebhook]
	h.want(t, 200, http.MethodGet, birdOne, "", &list)
	if len(list.Results) != 2 {
		t.Errorf("the short form lists %d", len(list.Results))
	}
	h.want(t, 200, http.MethodGet, birdTwo, "", &list)
	if len(list.Results) != 1 || list.Results[0].ID != long.ID {
		t.Errorf("the long form lists %v", list.Results)
	}
	h.want(t, 200, http.MethodGet, "/organizations/"+short.OrganizationID+birdOne+"/"+short.ID, "", nil)
	h.want(t, 204, http.MethodDelete, birdOne+"/"+long.ID, "", nil)
	h.want(t, 404, http.MethodGet, birdTwo+"/"+long.ID, "", nil)
}

func TestBirdAPIPaging(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var want []string
	for n := range 23 {
		sub := birdSub("channels.sms.outbound", birdSettings{Organization: birdOrg, Workspace: birdWS, Filters: []birdFilter{{"channelId", fmt.Sprint(n)}}})
		other := birdSub("channels.sms.outbound", birdSettings{Organization: birdOrg, Workspace: "other"})
		for _, s := range []*Subscription{sub, other} {
			if err := h.Create(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if n != 9 { // the tenth and the eleventh are of one millisecond
			h.clock.set(h.clock.Now().Add(1e9))
		}
		want = append(want, sub.ID)
	}
	for _, limit := range []int{0, 1, 7, 22, 23, 100} {
		var got []string
		token, pages := "", 0
		for {
			query := url.Values{}
			size := birdPage
			if limit > 0 {
				query.Set("limit", fmt.Sprint(limit))
				size = limit
			}
			if token != "" {
				query.Set("pageToken", token)
			}
			var list birdList[birdWebhook]
			h.want(t, 200, http.MethodGet, birdTwo+"?"+query.Encode(), "", &list)
			if n := len(list.Results); n > size || (n < size && list.NextPageToken != "") {
				t.Fatalf("limit %d: a page of %d", limit, n)
			}
			for _, sub := range list.Results {
				got = append(got, sub.ID)
			}
			pages++
			if token = list.NextPageToken; token == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %d subscriptions on %d pages", limit, len(got), pages)
		}
	}
	// The one that a page ends with is deleted before the next page is asked for.
	var first, second birdList[birdWebhook]
	h.want(t, 200, http.MethodGet, birdTwo, "", &first)
	h.want(t, 204, http.MethodDelete, birdTwo+"/"+want[9], "", nil)
	h.want(t, 200, http.MethodGet, birdTwo+"?pageToken="+first.NextPageToken, "", &second)
	if len(second.Results) != 10 || second.Results[0].ID != want[10] {
		t.Errorf("after a deletion the next page holds %d", len(second.Results))
	}
}

func TestBirdFiveOfACombination(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var last birdWebhook
	for range 5 {
		h.want(t, 201, http.MethodPost, birdTwo, birdCreation(1), &last)
	}
	status, text := h.call(t, http.MethodPost, birdOne, birdCreation(1))
	if status != http.StatusConflict || !strings.Contains(text, `"code":"limit_reached"`) || !strings.Contains(text, "5 subscriptions") {
		t.Errorf("the sixth: %d %s", status, text)
	}
	h.want(t, 200, http.MethodPatch, birdTwo+"/"+last.ID, `{"status":"inactive","eventFilters":[{"key":"channelId","value":"c1"}]}`, nil)
	h.want(t, 409, http.MethodPost, birdTwo, birdCreation(1), nil) // an inactive one counts
	var other birdWebhook
	h.want(t, 201, http.MethodPost, birdTwo, birdCreation(2), &other)
	h.want(t, 201, http.MethodPost, "/workspaces/other/webhook-subscriptions", birdCreation(1), nil)
	h.want(t, 409, http.MethodPatch, birdTwo+"/"+other.ID, `{"eventFilters":[{"key":"channelId","value":"c1"}]}`, nil)
	h.want(t, 200, http.MethodGet, birdTwo+"/"+other.ID, "", &other)
	if other.EventFilters[0].Value != "c2" {
		t.Errorf("a refused change was made: %v", other.EventFilters)
	}
	h.want(t, 204, http.MethodDelete, birdTwo+"/"+last.ID, "", nil)
	h.want(t, 200, http.MethodPatch, birdTwo+"/"+other.ID, `{"eventFilters":[{"key":"channelId","value":"c1"}]}`, nil)

	var group sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for range 20 {
		group.Go(func() {
			status, _ := birdCall(t, http.MethodPost, h.URL+birdTwo, birdCreation(3), []string{"Authorization: AccessKey " + birdTestToken})
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	group.Wait()
	if counts[201] != 5 || counts[409] != 15 {
		t.Errorf("twenty at once: %v", counts)
	}
}

// TestBirdEchoKey shows the key in every answer, as the pages do, where a subscription is told to.
func TestBirdEchoKey(t *testing.T) {
	t.Parallel()
	h := newBirdHost(t)
	var sub birdWebhook
	h.want(t, 201, http.MethodPost, birdTwo, `{"service":"channels","event":"sms.inbound","url":"https://example.com/webhook","signingKey":"secureSigningKey"}`, &sub)
	echo := func(s *Subscription) error {
		settings := decode[birdSettings](s)
		settings.EchoKey = true
		s.encode(settings)
		return nil
	}
	var got birdWebhook
	if h.want(t, 200, http.MethodGet, birdTwo+"/"+sub.ID, "", &got); got.SigningKey != "" {
		t.Errorf("shown without being told to: %q", got.SigningKey)
	}
	if _, err := h.Update(t.Context(), "bird", sub.ID, echo); err != nil {
		t.Fatal(err)
	}
	if h.want(t, 200, http.MethodGet, birdTwo+"/"+sub.ID, "", &got); got.SigningKey != "secureSigningKey" {
		t.Errorf("not shown: %q", got.SigningKey)
	}
	var list birdList[birdWebhook]
	if h.want(t, 200, http.MethodGet, birdTwo, "", &list); list.Results[0].SigningKey != "secureSigningKey" {
		t.Errorf("not listed: %q", list.Results[0].SigningKey)
	}
}
