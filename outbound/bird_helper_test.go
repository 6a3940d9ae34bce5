package outbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

const (
	birdTestToken = "a token of this test"
	birdTestKey   = "KeV+/HGoIQrxuE5YPCRR6AuQOJveldYNNhbVi1i22qk="
)

// birdSigner signs as the provider's page says, written apart from the scheme of the verifiers: key raw, digest binary.
type birdSigner struct{ key, public string }

func (s birdSigner) Sign(req *hookgate.Request, now time.Time) error {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	digest := sha256.Sum256(req.Body)
	mac := hmac.New(sha256.New, []byte(s.key))
	mac.Write([]byte(timestamp + "\n" + s.public + req.Target + "\n"))
	mac.Write(digest[:])
	req.Header.Set("Messagebird-Request-Timestamp", timestamp)
	req.Header.Set("Messagebird-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

func birdSigners(entry hookgate.AuthSettings, _ hookgate.Secret) (Signer, error) {
	if entry.Scheme != "bird-signature" || len(entry.Secrets) != 1 {
		return nil, fmt.Errorf("no signer of this test for %s with %d secrets", entry.Scheme, len(entry.Secrets))
	}
	return birdSigner{string(entry.Secrets[0].Reveal()), strings.TrimSuffix(entry.PublicURL, "/")}, nil
}

// birdVerifier is a receiver's check in Python, by the rules of public ones: argument 1 is the key, argument 2 the URL that
// was registered, the input a raw request. It prints the header names as they came.
const birdVerifier = `
import base64, hashlib, hmac, sys
head, body = sys.stdin.buffer.read().split(b"\r\n\r\n", 1)
lines = head.decode().split("\r\n")
headers = [line.split(": ", 1) for line in lines[1:]]
named = dict(headers)
message = named["messagebird-request-timestamp"].encode() + b"\n" + sys.argv[2].encode() + b"\n" + hashlib.sha256(body).digest()
want = base64.b64encode(hmac.new(sys.argv[1].encode(), message, hashlib.sha256).digest()).decode()
if not hmac.compare_digest(want, named["messagebird-signature"]):
    sys.exit("signature " + named["messagebird-signature"] + ", computed " + want)
print(" ".join(name for name, _ in headers))
`

// birdPython lets Python verify a raw request and gives the names of its headers.
func birdPython(t *testing.T, key, url string, raw []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "-c", birdVerifier, key, url)
	cmd.Stdin = bytes.NewReader(raw)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 does not verify it: %v: %s", err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

func newBirdClock() *fakeClock { return &fakeClock{now: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)} }

// birdReceiver keeps the bytes of every request and answers by a script, whose last status repeats.
type birdReceiver struct {
	URL    string
	clock  *fakeClock
	mu     sync.Mutex
	script []int
	raw    [][]byte
	at     []time.Time
}

func newBirdReceiver(t *testing.T, clock *fakeClock, script ...int) *birdReceiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &birdReceiver{URL: "http://" + l.Addr().String(), clock: clock, script: script}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *birdReceiver) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	var raw bytes.Buffer
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		raw.WriteString(line)
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if textproto.CanonicalMIMEHeaderKey(name) == "Content-Length" {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	if _, err := io.CopyN(&raw, in, int64(length)); err != nil {
		return
	}
	r.mu.Lock()
	status := r.script[min(len(r.raw), len(r.script)-1)]
	r.raw = append(r.raw, raw.Bytes())
	r.at = append(r.at, r.clock.Now())
	r.mu.Unlock()
	answer := "answer " + strconv.Itoa(status)
	fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(answer), answer)
}

func (r *birdReceiver) got() ([][]byte, []time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.raw...), append([]time.Time(nil), r.at...)
}

// birdHost is a running server with its address.
type birdHost struct {
	*Server
	URL   string
	clock *fakeClock
}

func newBirdHost(t *testing.T) *birdHost {
	t.Helper()
	h := newIdleBirdHost(t)
	h.run(t)
	return h
}

// newIdleBirdHost makes a server that delivers nothing yet.
func newIdleBirdHost(t *testing.T) *birdHost {
	t.Helper()
	clock := newBirdClock()
	s, err := New(Options{
		Path: filepath.Join(t.TempDir(), "outbound.db"), AllowPrivate: true, Clock: clock, Signers: birdSigners,
		Token: hookgate.NewSecret([]byte(birdTestToken), ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &birdHost{s, web.URL, clock}
}

// run delivers until the test ends.
func (h *birdHost) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// birdEventually waits until f is true, at most half a minute.
func birdEventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// call makes a request with curl, or with Go's client on a machine without it.
func (h *birdHost) call(t *testing.T, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	if len(headers) == 0 {
		headers = []string{"Authorization: AccessKey " + birdTestToken}
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		return birdCall(t, method, h.URL+path, body, headers)
	}
	args := []string{"--silent", "--show-error", "--max-time", "30", "--request", method, "--write-out", "\n%{http_code}", h.URL + path}
	for _, header := range headers {
		args = append(args, "--header", header)
	}
	if body != "" {
		args = append(args, "--header", "Content-Type: application/json", "--data-binary", body)
	}
	cmd := exec.CommandContext(t.Context(), curl, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %s %s: %v: %s", method, path, err, &stderr)
	}
	i := bytes.LastIndexByte(out, '\n')
	status, err := strconv.Atoi(string(out[i+1:]))
	if err != nil {
		t.Fatalf("curl wrote %q", out)
	}
	return status, string(out[:i])
}

func birdCall(t *testing.T, method, url, body string, headers []string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// want makes a call and reads what it must answer with.
func (h *birdHost) want(t *testing.T, status int, method, path, body string, into any) {
	t.Helper()
	got, text := h.call(t, method, path, body)
	if got != status {
		t.Fatalf("%s %s: %d, not %d: %s", method, path, got, status, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}
