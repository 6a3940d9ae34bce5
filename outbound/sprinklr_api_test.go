package outbound

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

const (
	sprinklrToken = "token-of-the-test"
	sprinklrKey   = "ключ-7f3a91c2-é"
)

// sprinklrSigner proves deliveries with openssl and the standard library, so that nothing of ours makes the proof.
type sprinklrSigner struct {
	t     *testing.T
	entry hookgate.AuthSettings
}

func (s sprinklrSigner) Sign(req *hookgate.Request, _ time.Time) error {
	switch s.entry.Scheme {
	case "hub-signature":
		key := string(s.entry.Secrets[0].Reveal())
		req.Header.Set("X-Hub-Signature", opensslHub(s.t.Context(), s.t, key, req.Body))
	case "basic":
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(s.entry.Users[0].Reveal()))
	}
	return nil
}

// sprinklrAPITest is a server with the management API on it.
type sprinklrAPITest struct {
	*testing.T
	s    *Server
	base string
}

func newSprinklrAPITest(t *testing.T, clock Clock) *sprinklrAPITest {
	t.Helper()
	a := &sprinklrAPITest{T: t}
	s, err := New(Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), AllowPrivate: true, Token: hookgate.NewSecret([]byte(sprinklrToken), "test"), Clock: clock,
		Signers: func(entry hookgate.AuthSettings, _ hookgate.Secret) (Signer, error) {
			return sprinklrSigner{t, entry}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	a.s, a.base = s, server.URL+"/prod2/api/v2"
	return a
}

// call sends a request as the provider's pages show it.
func (a *sprinklrAPITest) call(method, path, body string) (int, string) {
	a.Helper()
	return sprinklrCurl(a.T, method, a.base+path, body, "Authorization: Bearer "+sprinklrToken, "Key: any-api-key")
}

// sprinklrCurl sends by curl, or where there is none the same bytes by net/http.
func sprinklrCurl(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	if body != "" {
		headers = append(headers, "Content-Type: application/json")
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		return sprinklrHTTP(t, method, url, body, headers)
	}
	args := []string{"--silent", "--show-error", "--max-time", "30", "--request", method, "--write-out", "\n%{http_code}", url}
	for _, h := range headers {
		args = append(args, "--header", h)
	}
	if body != "" {
		args = append(args, "--data-binary", "@-")
	}
	cmd := exec.CommandContext(t.Context(), curl, args...)
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", method, url, err, out)
	}
	text := string(out)
	i := strings.LastIndexByte(text, '\n')
	status, err := strconv.Atoi(text[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	return status, text[:i]
}

func sprinklrHTTP(t *testing.T, method, url, body string, headers []string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// want compares an answer with the documented one; the text after the status may hold <id> for any id.
func (a *sprinklrAPITest) want(method, path, body string, status int, answer string) {
	a.Helper()
	gotStatus, got := a.call(method, path, body)
	form := strings.ReplaceAll(regexp.QuoteMeta(answer), "<id>", "[0-9a-f]{24}")
	if gotStatus != status || !regexp.MustCompile("^"+form+"$").MatchString(strings.TrimSuffix(got, "\n")) {
		a.Errorf("%s %s: %d %s\nwant %d %s", method, path, gotStatus, got, status, answer)
	}
}

// create makes a subscription to url and gives its id.
func (a *sprinklrAPITest) create(url string, events ...string) string {
	a.Helper()
	body, err := json.Marshal(map[string]any{"name": "n", "subscriptions": events, "url": url, "preSharedKey": sprinklrKey})
	if err != nil {
		a.Fatal(err)
	}
	status, answer := a.call("POST", "/webhook-subscriptions/", string(body))
	var out struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 || len(out.Data.ID) != 24 {
		a.Fatalf("created: %d %s", status, answer)
	}
	return out.Data.ID
}

func TestSprinklrAPI_Documented(t *testing.T) {
	t.Parallel()
	receiver := newReceiver(t, nil, status(200))
	object := func(id, name, description, events, verified, active string) string {
		return `{"id":"` + id + `","name":"` + name + `","description":"` + description + `","subscriptions":[` + events + `],"url":"` + receiver.URL +
			`","preSharedKey":"` + sprinklrKey + `","verified":` + verified + `,"active":` + active + `,"lastSuccessTimestamp":0,"lastFailedTimestamp":0}`
	}
	for _, env := range []string{"/api/v2", "/prod2/api/v2", "/p0/api/v2"} {
		t.Run(env, func(t *testing.T) {
			t.Parallel()
			a := newSprinklrAPITest(t, nil)
			a.base = strings.TrimSuffix(a.base, "/prod2/api/v2") + env
			a.want("GET", "/webhook-subscriptions", "", 200, `{"data":[],"errors":[]}`)

			body := `{"name":"API test","description":"a & b","subscriptions":["CASE_CREATED"],"filteredSubscriptions":[{"webhookType":"CASE_CREATED","filters":` +
				`[{"id":"ACCOUNT_TYPE","type":"ACCOUNT_TYPE","checkCondition":"IS","values":["Whatsapp_Business"]}]}],"url":"` + receiver.URL + `","preSharedKey":"` + sprinklrKey + `"}`
			created := object("<id>", "API test", "a & b", `"CASE_CREATED"`, "false", "false")
			a.want("POST", "/webhook-subscriptions", body, 200, `{"data":`+created+`,"errors":[]}`)
			a.want("POST", "/webhook-subscriptions/", body, 200, `{"data":`+created+`,"errors":[]}`)
			a.want("GET", "/webhook-subscriptions", "", 200, `{"data":[`+created+`,`+created+`],"errors":[]}`)

			id := a.create(receiver.URL, "CASE_CREATED")
			one := "/webhook-subscriptions/" + id
			a.want("GET", one, "", 200, object(id, "n", "", `"CASE_CREATED"`, "false", "false"))
			a.want("PUT", one, `{"name":"Renamed","description":"new","addSubscriptions":["MESSAGE_CREATED","PROFILES_MERGED"],"removeSubscriptions":["CASE_CREATED"]}`, 200,
				object(id, "Renamed", "new", `"MESSAGE_CREATED","PROFILES_MERGED"`, "false", "false"))
			a.want("POST", one+"/activate", "", 200, `{"data":false,"errors":[]}`)
			a.want("POST", one+"/verify", "", 200, `{"data":true,"errors":[]}`)
			a.want("POST", one+"/activate", "", 200, `{"data":true,"errors":[]}`)
			a.want("GET", one, "", 200, object(id, "Renamed", "new", `"MESSAGE_CREATED","PROFILES_MERGED"`, "true", "true"))
			inactive := object(id, "Renamed", "new", `"MESSAGE_CREATED","PROFILES_MERGED"`, "true", "false")
			a.want("POST", one+"/deactivate", "", 200, inactive)
			a.want("POST", one+"/activate", "", 200, `{"data":true,"errors":[]}`)
			a.want("POST", "/webhook-subscriptions/deactivate", `{"subscriptionId":"`+id+`"}`, 200, inactive)
			a.want("DELETE", one, "", 204, "")
			a.want("GET", one, "", 404, `{"errors":[{"message":"there is no subscription with this id"}]}`)
		})
	}
}

func TestSprinklrAPI_Types(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	status, answer := a.call("GET", "/webhook-subscriptions/webhook-types", "")
	if status != 200 || !strings.HasPrefix(answer, `{"data":[{"type":"CASE_CREATED","label":"Case Created","category":"Case"},`) ||
		!strings.HasSuffix(strings.TrimSuffix(answer, "\n"), `],"errors":[]}`) {
		t.Fatalf("%d %s", status, answer)
	}
	var out struct {
		Data []struct{ Type, Label, Category string }
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil || len(out.Data) != 31 {
		t.Fatalf("%d types: %v", len(out.Data), err)
	}
	for _, kind := range out.Data {
		if e, ok := sprinklrFind(kind.Type); !ok || kind.Label == "" || kind.Category == "" || e.constant != kind.Type {
			t.Errorf("%+v", kind)
		}
	}
}

func TestSprinklrAPI_Refuses(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	id := a.create("https://hooks.example.com/a", "CASE_CREATED")
	const all = "/webhook-subscriptions"
	const good = `"url":"https://hooks.example.com/a"`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"no JSON", "POST", all, `{"name":`, 400, "the body"},
		{"another type", "POST", all, `{"subscriptions":"CASE_CREATED"}`, 400, "the body"},
		{"too long", "POST", all, `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "more than 1048576 bytes"},
		{"no URL", "POST", all, `{"name":"n","subscriptions":["CASE_CREATED"]}`, 400, "url"},
		{"a URL with a password", "POST", all, `{"subscriptions":["CASE_CREATED"],"url":"https://u:canary@example.com"}`, 400, "url"},
		{"no events", "POST", all, `{"name":"n",` + good + `}`, 400, "events"},
		{"an unknown event", "POST", all, `{"subscriptions":["CASE_CLOSED"],` + good + `}`, 400, "CASE_CLOSED"},
		{"a key that is too long", "POST", all, `{"subscriptions":["CASE_CREATED"],"preSharedKey":"` + strings.Repeat("canary", 50) + `",` + good + `}`, 400, "256 bytes"},
		{"a filter on drafts", "POST", all, `{"subscriptions":["DRAFT_CREATED"],"filteredSubscriptions":[{"webhookType":"DRAFT_CREATED","filters":` +
			`[{"id":"A","type":"A","checkCondition":"IS","values":["b"]}]}],` + good + `}`, 400, "no filters for Draft"},
		{"an update to an unknown event", "PUT", all + "/" + id, `{"addSubscriptions":["CASE_CLOSED"]}`, 400, "CASE_CLOSED"},
		{"an update to none", "PUT", all + "/" + id, `{"removeSubscriptions":["CASE_CREATED"]}`, 400, "events"},
		{"read nothing", "GET", all + "/66aa00000000000000000009", "", 404, "no subscription"},
		{"update nothing", "PUT", all + "/66aa00000000000000000009", `{}`, 404, "no subscription"},
		{"verify nothing", "POST", all + "/66aa00000000000000000009/verify", "", 404, "no subscription"},
		{"activate nothing", "POST", all + "/66aa00000000000000000009/activate", "", 404, "no subscription"},
		{"deactivate nothing", "POST", all + "/66aa00000000000000000009/deactivate", "", 404, "no subscription"},
		{"deactivate nothing, in the body", "POST", all + "/deactivate", `{"subscriptionId":""}`, 404, "no subscription"},
		{"delete nothing", "DELETE", all + "/66aa00000000000000000009", "", 404, "no subscription"},
	} {
		status, answer := a.call(tc.method, tc.path, tc.body)
		if status != tc.status || !strings.HasPrefix(answer, `{"errors":[{"message":"`) || !strings.Contains(answer, tc.says) || strings.Contains(answer, "canary") {
			t.Errorf("%s: %d %s", tc.name, status, answer)
		}
	}
	if status, answer := a.call("GET", all+"/"+id, ""); status != 200 || !strings.Contains(answer, `"subscriptions":["CASE_CREATED"]`) {
		t.Errorf("a refused update changed it: %d %s", status, answer)
	}
}

func TestSprinklrAPI_Credentials(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	const key, token = "Key: k", "Authorization: Bearer " + sprinklrToken
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"both", []string{key, token}, 200},
		{"no token", []string{key}, 401},
		{"another token", []string{key, token + "x"}, 401},
		{"Basic", []string{key, "Authorization: Basic " + sprinklrToken}, 401},
		{"no key", []string{token}, 401},
		{"neither", nil, 401},
	} {
		for _, path := range []string{"/webhook-subscriptions", "/webhook-subscriptions/webhook-types", "/webhook-subscriptions/66aa00000000000000000009", "/webhook-replay?cursor=66aa00000000000000000009"} {
			status, answer := sprinklrCurl(t, "GET", a.base+path, "", tc.headers...)
			if (status == 401) != (tc.status == 401) || strings.Contains(answer, sprinklrToken) {
				t.Errorf("%s: %s: %d %s", tc.name, path, status, answer)
			}
		}
	}
}

func TestSprinklrAPI_Verification(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	for _, tc := range []struct {
		status int
		want   bool
	}{{200, true}, {201, true}, {202, true}, {203, true}, {204, true}, {205, false}, {301, false}, {308, false}, {400, false}, {401, false}, {500, false}} {
		t.Run(fmt.Sprint(tc.status), func(t *testing.T) {
			t.Parallel()
			a := &sprinklrAPITest{T: t, s: a.s, base: a.base}
			receiver := newReceiver(t, nil, status(tc.status))
			id := a.create(receiver.URL+"/hook", "CASE_CREATED")
			a.want("POST", "/webhook-subscriptions/"+id+"/verify", "", 200, fmt.Sprintf(`{"data":%v,"errors":[]}`, tc.want))
			a.want("POST", "/webhook-subscriptions/"+id+"/activate", "", 200, fmt.Sprintf(`{"data":%v,"errors":[]}`, tc.want))
			calls := receiver.requests()
			if len(calls) != 1 {
				t.Fatalf("%d calls", len(calls))
			}
			c := calls[0]
			if c.Method != "POST" || c.Target != "/hook" || c.Body != "{}" || c.Header.Get("Content-Type") != "application/json" ||
				c.Header.Get("X-Hub-Signature") != opensslHub(t.Context(), t, sprinklrKey, []byte("{}")) {
				t.Errorf("called with %+v", c)
			}
			sub, err := a.s.Get(t.Context(), "sprinklr", id)
			if err != nil {
				t.Fatal(err)
			}
			if st := decode[sprinklrSettings](sub); (st.VerificationError == "") != tc.want {
				t.Errorf("settings %+v", st)
			}
		})
	}
}

func TestSprinklrAPI_VerificationWithoutAnswer(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	silent := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(silent) })
	for name, url := range map[string]string{"refused": gone.URL, "silent": slow.URL} {
		id := a.create(url, "CASE_CREATED")
		if _, err := a.s.Update(t.Context(), "sprinklr", id, func(s *Subscription) error {
			s.Timeout = 100 * time.Millisecond
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		a.want("POST", "/webhook-subscriptions/"+id+"/verify", "", 200, `{"data":false,"errors":[]}`)
		if err := sprinklr().test(t.Context(), a.s, id); err == nil || !strings.Contains(err.Error(), "did not answer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSprinklrAPI_VerificationSwitch(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	receiver := newReceiver(t, nil, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusNoContent)
		} else {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	id := a.create(receiver.URL, "CASE_CREATED")
	off := false
	if _, err := a.s.Update(t.Context(), "sprinklr", id, func(s *Subscription) error {
		s.encode(sprinklrSettings{SignVerification: &off})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := sprinklr().test(t.Context(), a.s, id); err != nil {
		t.Fatal(err)
	}
	if c := receiver.requests(); len(c) != 1 || c[0].Body != "{}" || c[0].Header["X-Hub-Signature"] != nil {
		t.Errorf("called with %+v", c)
	}
	// What was verified stays so, and another URL is not verified by it.
	if err := sprinklr().test(t.Context(), a.s, id); err == nil {
		t.Error("500 passed")
	}
	a.want("POST", "/webhook-subscriptions/"+id+"/activate", "", 200, `{"data":true,"errors":[]}`)
	if _, err := a.s.Update(t.Context(), "sprinklr", id, func(s *Subscription) error {
		s.URL, s.Active = receiver.URL+"/moved", false
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	a.want("POST", "/webhook-subscriptions/"+id+"/activate", "", 200, `{"data":false,"errors":[]}`)
}

// A filter goes with its event, and comes not back with it.
func TestSprinklrAPI_UpdateTakesFilters(t *testing.T) {
	t.Parallel()
	a := newSprinklrAPITest(t, nil)
	status, answer := a.call("POST", "/webhook-subscriptions", `{"name":"n","subscriptions":["CASE_CREATED","CASE_UPDATED"],"url":"https://hooks.example.com","filteredSubscriptions":[`+
		`{"webhookType":"CASE_CREATED","filters":[{"id":"STATUS","type":"STATUS","checkCondition":"IS_NOT","values":["New"]}]},`+
		`{"webhookType":"CASE_UPDATED","filters":[{"id":"STATUS","type":"STATUS","checkCondition":"IS","values":["New"]}]}]}`)
	if status != 200 || strings.Contains(answer, "preSharedKey") {
		t.Fatalf("%d %s", status, answer)
	}
	id := regexp.MustCompile(`[0-9a-f]{24}`).FindString(answer)
	if status, answer = a.call("PUT", "/webhook-subscriptions/"+id, `{"removeSubscriptions":["case.create"]}`); status != 200 || !strings.Contains(answer, `"subscriptions":["CASE_UPDATED"]`) {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer = a.call("PUT", "/webhook-subscriptions/"+id, `{"addSubscriptions":["CASE_CREATED","CASE_CREATED","case.create"]}`); status != 200 || !strings.Contains(answer, `"subscriptions":["CASE_UPDATED","CASE_CREATED"]`) {
		t.Fatalf("%d %s", status, answer)
	}
	sub, err := a.s.Get(t.Context(), "sprinklr", id)
	if err != nil {
		t.Fatal(err)
	}
	if st := decode[sprinklrSettings](sub); len(st.Filters) != 1 || st.Filters[0].WebhookType != "CASE_UPDATED" {
		t.Errorf("filters %+v", st.Filters)
	}
}
