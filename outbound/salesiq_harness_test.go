package outbound

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

const salesiqToken = "1000.b7e1canary"

// rsaSigner is written from what the provider's page says, and not from the gateway's own scheme.
type rsaSigner struct{ key *rsa.PrivateKey }

func (s rsaSigner) Sign(req *hookgate.Request, _ time.Time) error {
	if s.key == nil {
		return nil // none
	}
	digest := sha256.Sum256(req.Body)
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return err
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("X-Siqsignature", base64.StdEncoding.EncodeToString(signature))
	return nil
}

func salesiqSigners(entry hookgate.AuthSettings, private hookgate.Secret) (Signer, error) {
	switch entry.Scheme {
	case "none":
		if len(private.Reveal()) > 0 {
			return nil, errors.New("none does not take a private key")
		}
		return rsaSigner{}, nil
	case "siq-signature":
		block, _ := pem.Decode(private.Reveal())
		if block == nil {
			return nil, errors.New("siq-signature signs with a private key, and none is given")
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		return rsaSigner{key.(*rsa.PrivateKey)}, nil
	}
	return nil, fmt.Errorf("no scheme %q", entry.Scheme)
}

// salesiqReceiver answers with a status that a test changes, and remembers what it got.
type salesiqReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls atomic.Int64 // that have arrived, answered or not
	head  int
	post  int
	heads []http.Header
	posts []salesiqGot
}

type salesiqGot struct {
	path   string
	header http.Header
	body   []byte
}

func newSalesiqReceiver(t *testing.T) *salesiqReceiver {
	t.Helper()
	r := &salesiqReceiver{head: 200, post: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("receiver: %v", err)
		}
		r.calls.Add(1)
		r.mu.Lock()
		defer r.mu.Unlock()
		if req.Method == http.MethodHead {
			r.heads = append(r.heads, req.Header.Clone())
			if r.head == 301 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(r.head)
			return
		}
		r.posts = append(r.posts, salesiqGot{req.Method + " " + req.URL.Path, req.Header.Clone(), body})
		w.WriteHeader(r.post)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *salesiqReceiver) answers(head, post int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head, r.post = head, post
}

func (r *salesiqReceiver) got() (heads int, posts []salesiqGot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.heads), append([]salesiqGot(nil), r.posts...)
}

// salesiqPortalTest is a running server, a portal of it and a receiver.
type salesiqPortalTest struct {
	*Server
	t        *testing.T
	base     string // of the API
	clock    *fakeClock
	receiver *salesiqReceiver
	noted    func() []string
}

func newSalesiqPortal(t *testing.T) *salesiqPortalTest {
	t.Helper()
	var mu sync.Mutex
	var noted []string
	clock := newFakeClock()
	clock.now = time.UnixMilli(1772597167891)
	p := &salesiqPortalTest{t: t, clock: clock, receiver: newSalesiqReceiver(t), noted: func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), noted...)
	}}
	s, err := New(Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), Retention: time.Hour, AllowPrivate: true,
		Token: hookgate.NewSecret([]byte(salesiqToken), "env:TOKEN"), Signers: salesiqSigners, Clock: p.clock,
		Log: func(message string, about map[string]string) {
			mu.Lock()
			defer mu.Unlock()
			noted = append(noted, fmt.Sprint(message, about))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	api := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		api.Close()
		cancel()
		if err := <-ran; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	p.Server, p.base = s, api.URL
	return p
}

// salesiqReplied is an answer of the API.
type salesiqReplied struct {
	status int
	body   string
	data   struct {
		ID       string `json:"id"`
		URL      string
		Status   string
		Secured  bool
		Failures string `json:"failures_count"`
		Last     string `json:"last_triggered_time"`
		Skipped  []string
		All      string
		ByApp    map[string]string `json:"app_based"`
		Keys     []struct {
			Key string `json:"key"`
			ID  string `json:"id"`
		} `json:"public_keys"`
	}
	list []map[string]any
	code string
}

// curl sends a request of the documented API, under /api/v2/, by the curl command, or by net/http where there is none.
func (p *salesiqPortalTest) curl(method, path, body string, headers ...string) salesiqReplied {
	p.t.Helper()
	headers = append([]string{"Authorization: Zoho-oauthtoken " + salesiqToken, "Content-Type: application/json"}, headers...)
	url := p.base + "/api/v2" + path
	var r salesiqReplied
	if curl, err := exec.LookPath("curl"); err == nil {
		r.status, r.body = p.byCurl(curl, method, url, body, headers)
	} else {
		r.status, r.body = p.byClient(method, url, body, headers)
	}
	if strings.Contains(r.body, "PRIVATE KEY") || strings.Contains(r.body, salesiqToken) {
		p.t.Fatalf("%s %s: a secret in the answer", method, path)
	}
	var answer struct {
		Data  json.RawMessage
		Error struct{ Code string }
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		p.t.Fatalf("%s %s: %d %v: %s", method, path, r.status, err, r.body)
	}
	r.code = answer.Error.Code
	if bytes.HasPrefix(answer.Data, []byte("[")) {
		if err := json.Unmarshal(answer.Data, &r.list); err != nil {
			p.t.Fatal(err)
		}
	} else if len(answer.Data) > 0 {
		if err := json.Unmarshal(answer.Data, &r.data); err != nil {
			p.t.Fatalf("%v: %s", err, r.body)
		}
	}
	return r
}

func (p *salesiqPortalTest) byCurl(curl, method, url, body string, headers []string) (int, string) {
	p.t.Helper()
	args := []string{"-sS", "-g", "-X", method, "-w", "\n%{http_code}"}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	if body != "" {
		args = append(args, "--data-binary", "@-")
	}
	c := exec.CommandContext(p.t.Context(), curl, append(args, url)...)
	c.Stdin = strings.NewReader(body)
	out, err := c.CombinedOutput()
	i := bytes.LastIndexByte(out, '\n')
	if err != nil || i < 0 {
		p.t.Fatalf("curl: %v: %s", err, out)
	}
	status, err := strconv.Atoi(string(out[i+1:]))
	if err != nil {
		p.t.Fatal(err)
	}
	return status, strings.TrimSuffix(string(out[:i]), "\n")
}

func (p *salesiqPortalTest) byClient(method, url, body string, headers []string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSuffix(string(b), "\n")
}

// ok is curl that wants a status of 200.
func (p *salesiqPortalTest) ok(method, path, body string) salesiqReplied {
	p.t.Helper()
	r := p.curl(method, path, body)
	if r.status != 200 {
		p.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

// refused is curl that wants an error.
func (p *salesiqPortalTest) refused(status int, code, method, path, body string, headers ...string) {
	p.t.Helper()
	if r := p.curl(method, path, body, headers...); r.status != status || r.code != code {
		p.t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, r.status, r.body, status, code)
	}
}

// create makes a webhook of the portal harbour for the receiver; more are further members of the body.
func (p *salesiqPortalTest) create(more string) salesiqReplied {
	p.t.Helper()
	return p.ok("POST", "/harbour/webhooks", `{"type":"data","url":"`+p.receiver.URL+`/siq","version":1`+more+`}`)
}

// trigger publishes an event and gives the deliveries' ids.
func (p *salesiqPortalTest) trigger(native, app string) []string {
	p.t.Helper()
	e := Event{Type: native, Account: "20011223", Payload: json.RawMessage(`{"id":"8000000000004009"}`), Attributes: map[string]string{}}
	if app != "" {
		e.Attributes["app_id"] = app
	}
	ids, err := p.Publish(p.t.Context(), "salesiq", e)
	if err != nil {
		p.t.Fatal(err)
	}
	return ids
}

// attempted waits for the attempt of a delivery and gives it as it is then.
func (p *salesiqPortalTest) attempted(id string, attempts int) (*Delivery, []Attempt) {
	p.t.Helper()
	var d *Delivery
	var made []Attempt
	eventually(p.t, fmt.Sprintf("attempt %d of %s", attempts, id), func() bool {
		var err error
		if d, made, err = p.Delivery(p.t.Context(), id); err != nil {
			p.t.Fatal(err)
		}
		return len(made) >= attempts
	})
	return d, made
}

// fail makes all automatic attempts of a delivery fail, a minute apart.
func (p *salesiqPortalTest) fail(ids ...string) {
	p.t.Helper()
	for attempt := 1; attempt <= 4; attempt++ {
		for _, id := range ids {
			p.attempted(id, attempt)
		}
		if attempt < 4 {
			p.clock.Advance(time.Minute)
		}
	}
}

// signature is the one header of a delivery that must be there.
func (g salesiqGot) signature(t *testing.T) string {
	t.Helper()
	values := g.header.Values("X-Siqsignature")
	if len(values) != 1 {
		t.Fatalf("%d signatures", len(values))
	}
	return values[0]
}
