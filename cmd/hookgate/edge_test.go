package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// edgeEnv has a secret for each of the sources of edge, so that none opens another one.
func edgeEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SCENARIO_SECRET": scenarioSecret,
		"OTHER_SECRET":    "other-secret-0123456789",
		"BIRD_SECRET":     "bird-secret-0123456789",
		"BOTH_USER":       "both:password-0123456789",
	}[name]
	return v, ok
}

// edge runs the program with sources for every edge; rest is added to the file.
func edge(t *testing.T, rest string) *running {
	t.Helper()
	dir := t.TempDir()
	config := strings.Replace(scenario(filepath.Join(dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(dir, "events")+"}\n"), "destinations:\n", `
  - name: other
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:OTHER_SECRET]}]
  - name: messages
    provider: bird
    auth: [{scheme: bird-signature, secrets: [env:BIRD_SECRET]}]
  - name: both
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}, {scheme: basic, users: [env:BOTH_USER]}]
  - name: limited
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]
    rate: 2/h
  - name: strict
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]
    malformed: reject
  - name: small
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]
    max_body: 4KiB
destinations:
`, 1) + rest
	return serve(t, config, func(m *Main) { m.Env = edgeEnv })
}

// stored is the sequence of the newest event in the journal.
func (r *running) stored(t *testing.T) int {
	t.Helper()
	return r.metric(t, "hookgate_journal_last_sequence")
}

// metric is the value of one series, 0 where it is not there.
func (r *running) metric(t *testing.T, series string) int {
	t.Helper()
	_, rest, ok := strings.Cut(r.get(t, "/metrics"), "\n"+series+" ")
	if !ok {
		return 0
	}
	text, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(v)
}

// message is a request as it goes over the wire.
func message(method, path string, headers []string, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: hooks.example.com\r\n", method, path)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// post is a delivery with its length.
func post(path, body string, headers ...string) string {
	return message("POST", path, append(headers, fmt.Sprintf("Content-Length: %d", len(body))), body)
}

// chunked is a delivery in chunks of at most size bytes, with trailers behind the last one.
func chunked(path, body string, size int, headers []string, trailers ...string) string {
	var b strings.Builder
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n")
	for _, trailer := range trailers {
		b.WriteString(trailer + "\r\n")
	}
	return message("POST", path, append(headers, "Transfer-Encoding: chunked"), b.String()+"\r\n")
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "X-Hub-Signature: sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func signed(body string) string { return signature(scenarioSecret, body) }

// wire is a connection on which a test writes what no client would.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{conn, bufio.NewReader(conn)}
}

func (w *wire) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(w.Conn, text); err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err) // the server may have answered and gone before it has read all
	}
}

// read is the next answer with its body.
func (w *wire) read(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp, string(body)
}

// send writes one request on a connection of its own and gives the answer.
func (r *running) send(t *testing.T, text string) *http.Response {
	t.Helper()
	w := dial(t, r.Hooks)
	w.write(t, text)
	method, _, _ := strings.Cut(text, " ")
	resp, _ := w.read(t, method)
	_ = w.Close()
	return resp
}

// exchange is one row of a table of requests.
type exchange struct {
	name, request string
	status        int
	outcome       string
}

// runExchanges sends every row; only those that are accepted may store anything.
func runExchanges(t *testing.T, r *running, rows []exchange) {
	t.Helper()
	for _, x := range rows {
		before := r.stored(t)
		resp := r.send(t, x.request)
		if got := resp.Header.Get("Hookgate-Outcome"); resp.StatusCode != x.status || got != x.outcome {
			t.Errorf("%s: %d %q, want %d %q", x.name, resp.StatusCode, got, x.status, x.outcome)
		}
		if grown := r.stored(t) - before; (grown > 0) != (x.outcome == "accepted" || x.outcome == "quarantined") {
			t.Errorf("%s: %d events were stored", x.name, grown)
		}
	}
}

// bodies counts up, so that no test meets its own duplicates.
type bodies int

func (b *bodies) next() string {
	*b++
	return caseBody(int(*b), 50)
}

func TestS06_ADoubledSignatureIsRefused(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	bad := "X-Hub-Signature: sha256=" + strings.Repeat("0", 64)
	runExchanges(t, r, []exchange{
		{"good and bad", post("/hooks/care", good, signed(good), bad), 401, ""},
		{"bad and good", post("/hooks/care", good, bad, signed(good)), 401, ""},
		{"good twice", post("/hooks/care", good, signed(good), signed(good)), 401, ""},
		{"good and empty", post("/hooks/care", good, signed(good), "X-Hub-Signature:"), 401, ""},
		{"in other letters", post("/hooks/care", good, signed(good), "x-hub-signature: sha256="+strings.Repeat("0", 64)), 401, ""},
		{"joined", post("/hooks/care", good, signed(good)+",sha256="+strings.Repeat("0", 64)), 401, ""},
		{"good alone", post("/hooks/care", good, signed(good)), 200, "accepted"},
	})
}

func TestS07_AFoldedHeaderIsRefused(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	s := signed(good)
	runExchanges(t, r, []exchange{
		{"in the middle", post("/hooks/care", good, s[:40]+"\r\n "+s[40:]), 401, ""},
		{"behind the prefix", post("/hooks/care", good, strings.Replace(s, "sha256=", "sha256=\r\n\t", 1)), 401, ""},
		{"with more behind", post("/hooks/care", good, s+"\r\n a"), 401, ""},
		{"within another header", post("/hooks/care", good, "X-A: a\r\n "+s), 401, ""},
	})
}

func TestS08_ATrailerIsNoHeader(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	runExchanges(t, r, []exchange{
		{"announced", chunked("/hooks/care", good, 10, []string{"Trailer: X-Hub-Signature"}, signed(good)), 401, ""},
		{"not announced", chunked("/hooks/care", good, 10, nil, signed(good)), 401, ""},
		{"beside a good header", chunked("/hooks/care", good, 10, []string{signed(good), "Trailer: X-Hub-Signature"}, signed(good)), 401, ""},
		{"without a trailer", chunked("/hooks/care", good, 10, []string{signed(good)}), 200, "accepted"},
	})
}

func TestS15_ASignatureOfAnotherSource(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	other := signature("other-secret-0123456789", good)
	runExchanges(t, r, []exchange{
		{"care's on other", post("/hooks/other", good, signed(good)), 401, ""},
		{"other's on care", post("/hooks/care", good, other), 401, ""},
		{"care's own", post("/hooks/care", good, signed(good)), 200, "accepted"},
		{"other's own: the same body is another event there", post("/hooks/other", good, other), 200, "accepted"},
	})
}

// birdHeaders sign a delivery as Bird does.
func birdHeaders(public, target, body string, at time.Time) []string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	digest := sha256.Sum256([]byte(body))
	mac := hmac.New(sha256.New, []byte("bird-secret-0123456789"))
	mac.Write([]byte(timestamp + "\n" + public + target + "\n"))
	mac.Write(digest[:])
	return []string{
		"MessageBird-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		"MessageBird-Request-Timestamp: " + timestamp,
	}
}

const (
	edgePublic = "https://hooks.example.com"
	birdTarget = "/hooks/messages"
)

func birdBody(n int) string {
	return fmt.Sprintf(`{"service":"channels","event":"whatsapp.inbound","payload":{"id":"m-%d","organizationId":"o-1"}}`, n)
}

func TestS16_OnlyThePublicURLIsSigned(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	spoofed := []string{
		"X-Forwarded-Host: evil.example.net", "X-Forwarded-Proto: http", "X-Forwarded-Prefix: /evil", "X-Original-URL: /hooks/care",
		"X-Rewrite-URL: /hooks/care", "Forwarded: host=evil.example.net;proto=http", "X-HTTP-Method-Override: GET",
	}
	request := func(n int, public, target, line string, headers ...string) string {
		body := birdBody(n)
		return post(line, body, append(birdHeaders(public, target, body, time.Now()), headers...)...)
	}
	host := func(request, host string) string {
		return strings.Replace(request, "Host: hooks.example.com", "Host: "+host, 1)
	}
	runExchanges(t, r, []exchange{
		{"as it is", request(1, edgePublic, birdTarget, birdTarget), 200, "accepted"},
		{"another host", host(request(2, edgePublic, birdTarget, birdTarget), "evil.example.net"), 200, "accepted"},
		{"spoofed headers", request(3, edgePublic, birdTarget, birdTarget, spoofed...), 200, "accepted"},
		{"absolute form", request(4, edgePublic, birdTarget, "http://evil.example.net"+birdTarget), 200, "accepted"},
		{"signed for the spoofed host", host(request(5, "https://evil.example.net", birdTarget, birdTarget, spoofed...), "evil.example.net"), 401, ""},
		{"signed for the spoofed scheme", request(6, "http://hooks.example.com", birdTarget, birdTarget, spoofed...), 401, ""},
		{"signed for the absolute form", request(7, "http://evil.example.net", birdTarget, "http://evil.example.net"+birdTarget), 401, ""},
		{"another query than signed", request(8, edgePublic, birdTarget, birdTarget+"?a=1"), 401, ""},
		{"the query as signed", request(9, edgePublic, birdTarget+"?a=%20b&a=1", birdTarget+"?a=%20b&a=1"), 200, "accepted"},
		{"the query decoded and encoded again", request(10, edgePublic, birdTarget+"?a=%20b", birdTarget+"?a=+b"), 401, ""},
	})
}

func TestS17_EveryEntryMustPass(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	user := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("both:password-0123456789"))
	wrong := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("both:password-0123456780"))
	runExchanges(t, r, []exchange{
		{"no proof", post("/hooks/both", good), 401, ""},
		{"the signature alone", post("/hooks/both", good, signed(good)), 401, ""},
		{"the password alone", post("/hooks/both", good, user), 401, ""},
		{"a wrong password", post("/hooks/both", good, signed(good), wrong), 401, ""},
		{"a wrong signature", post("/hooks/both", good, signed(good+" "), user), 401, ""},
		{"two passwords", post("/hooks/both", good, signed(good), user, user), 401, ""},
		{"both", post("/hooks/both", good, signed(good), user), 200, "accepted"},
	})
}

func TestD02_AnIDOutsideTheSignatureIsNone(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	at := time.Now()
	request := func(n int, id string) string {
		return post(birdTarget, birdBody(n), append(birdHeaders(edgePublic, birdTarget, birdBody(n), at), "MessageBird-Request-Id: "+id)...)
	}
	runExchanges(t, r, []exchange{
		{"first", request(1, "r-1"), 200, "accepted"},
		{"the same body under a new id", request(1, "r-2"), 200, "duplicate"},
		{"another body under the old id", request(2, "r-1"), 200, "accepted"},
	})
}

func TestD09_TheSameIDWithOtherContent(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	first := caseBody(1, 1)
	changed := strings.Replace(first, `"version":1`, `"version":2`, 1)
	if changed == first {
		t.Fatal("nothing was changed")
	}
	runExchanges(t, r, []exchange{
		{"first", post("/hooks/care", first, signed(first)), 200, "accepted"},
		{"the very same", post("/hooks/care", first, signed(first)), 200, "duplicate"},
		{"changed", post("/hooks/care", changed, signed(changed)), 200, "duplicate"},
	})
	if n := r.metric(t, `hookgate_event_conflicts_total{source="care"}`); n != 1 {
		t.Errorf("%d conflicts are counted, want 1", n)
	}
}

// TestH10_TheQuotaIsSpentByTheAuthenticatedAlone, and what it refuses is not stored and can be sent again.
func TestH10_TheQuotaIsSpentByTheAuthenticatedAlone(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	a, b, c := n.next(), n.next(), n.next()
	rows := []exchange{}
	for range 5 {
		rows = append(rows, exchange{"forged", post("/hooks/limited", a, signed(b)), 401, ""})
	}
	runExchanges(t, r, append(rows,
		exchange{"a set-up call", message("GET", "/hooks/limited", nil, ""), 200, "probe"},
		exchange{"the first", post("/hooks/limited", a, signed(a)), 200, "accepted"},
		exchange{"the second", post("/hooks/limited", b, signed(b)), 200, "accepted"},
		exchange{"one over", post("/hooks/limited", c, signed(c)), 429, ""},
		exchange{"forged, over", post("/hooks/limited", c, signed(a)), 401, ""},
		exchange{"another source", post("/hooks/care", c, signed(c)), 200, "accepted"},
	))
	wait, err := strconv.Atoi(r.send(t, post("/hooks/limited", c, signed(c))).Header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 3600 {
		t.Errorf("Retry-After is %d, %v; want seconds within the hour", wait, err)
	}
}

func TestAnswers_MalformedReject(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	runExchanges(t, r, []exchange{
		{"unreadable", post("/hooks/strict", "{", signed("{")), 400, ""},
		{"unreadable and forged", post("/hooks/strict", "{", signed("}")), 401, ""},
		{"readable", post("/hooks/strict", good, signed(good)), 200, "accepted"},
	})
	// Elsewhere it is kept, and nothing of it is forwarded as an event.
	resp := r.send(t, post("/hooks/care", "{", signed("{")))
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "quarantined" || resp.Header.Get("Hookgate-Event-Id") != "" {
		t.Errorf("kept in quarantine: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestH03_OneRequestIsOneRequest(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	hidden := post("/hooks/chat", `{"event":"smuggled"}`)
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	head := func(headers ...string) []string { return append([]string{signed(good)}, headers...) }
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	for _, x := range []struct {
		name, request string
		status        int
	}{
		{"unequal lengths", message("POST", "/hooks/care", head(length(len(good)), length(len(good)+len(hidden))), good+hidden), 400},
		{"a list of lengths", message("POST", "/hooks/care", head(length(len(good))+", 7"), good), 400},
		{"a length with a sign", message("POST", "/hooks/care", head("Content-Length: +5"), good), 400},
		{"a length that is none", message("POST", "/hooks/care", head("Content-Length: 0x10"), good), 400},
		{"a negative length", message("POST", "/hooks/care", head("Content-Length: -1"), good), 400},
		{"a blank before the colon", message("POST", "/hooks/care", []string{"X-Hub-Signature : sha256=00", length(len(good))}, good), 400},
		{"a length with a blank before the colon", message("POST", "/hooks/care", head("Content-Length : 5"), good), 400},
		{"a carriage return in a value", message("POST", "/hooks/care", head("X-A: a\rb", length(len(good))), good), 400},
		{"an unknown coding", message("POST", "/hooks/care", head("Transfer-Encoding: xchunked"), chunks), 501},
		{"a coding twice", message("POST", "/hooks/care", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), chunks), 501},
		{"a coding before chunked", message("POST", "/hooks/care", head("Transfer-Encoding: gzip, chunked"), chunks), 501},
		{"a chunk that is larger than a number", message("POST", "/hooks/care", head("Transfer-Encoding: chunked"), "fffffffffffffffff\r\n"+good), 400},
		{"a chunk without its end", message("POST", "/hooks/care", head("Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%sXX0\r\n\r\n", len(good), good)), 400},
		{"no host", strings.Replace(post("/hooks/care", good, signed(good)), "Host: hooks.example.com\r\n", "", 1), 400},
		{"two hosts", post("/hooks/care", good, signed(good), "Host: evil.example.net"), 400},
	} {
		before := r.stored(t)
		w := dial(t, r.Hooks)
		w.write(t, x.request)
		if resp, _ := w.read(t, "POST"); resp.StatusCode != x.status {
			t.Errorf("%s: %d, want %d", x.name, resp.StatusCode, x.status)
		}
		// Nothing that follows on this connection is read as a request.
		if rest, _ := io.ReadAll(w.in); len(rest) > 0 {
			t.Errorf("%s: another answer follows: %q", x.name, rest)
		}
		_ = w.Close()
		if grown := r.stored(t) - before; grown > 0 {
			t.Errorf("%s: %d events were stored", x.name, grown)
		}
	}
	// With both, the chunks count and the length is not looked at: the body ends with the last chunk, so that nothing
	// behind it is swallowed and nothing within it is taken for a request.
	inside := good[:len(good)-1] + " " + `,"x":"` + strings.NewReplacer("\r\n", " ", `"`, "'").Replace(hidden) + `"}`
	before := r.stored(t)
	w := dial(t, r.Hooks)
	w.write(t, message("POST", "/hooks/care", []string{signed(inside), length(4), "Transfer-Encoding: chunked"}, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inside), inside)))
	resp, _ := w.read(t, "POST")
	switch {
	case resp.StatusCode == http.StatusOK && resp.Header.Get("Hookgate-Outcome") == "accepted" && r.stored(t) == before+1:
	case resp.StatusCode == http.StatusBadRequest && r.stored(t) == before:
	default:
		t.Errorf("both lengths: %d %v, %d stored", resp.StatusCode, resp.Header, r.stored(t)-before)
	}
}

// TestH04_SlowHeaders: whoever does not finish the headers loses the connection after three seconds, dripping or silent,
// and nobody else notices.
func TestH04_SlowHeaders(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	start := time.Now()
	var wg sync.WaitGroup
	ended := make(chan struct{})
	for i := range 8 {
		w := dial(t, r.Hooks)
		w.write(t, "POST /hooks/care HTTP/1.1\r\nHost: hooks.example.com\r\nX-Slow: ")
		drips := i%2 == 0
		wg.Go(func() {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, w.in)
			}()
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-gone:
					if took := time.Since(start); took < 2*time.Second || took > 8*time.Second {
						t.Errorf("dripping %v: the connection was closed after %s, want about 3 s", drips, took)
					}
					return
				case <-tick.C:
					if drips {
						_, _ = io.WriteString(w.Conn, "a")
					}
				}
			}
		})
	}
	go func() { wg.Wait(); close(ended) }()
	for delivered := 0; ; delivered++ {
		body := n.next()
		if resp := r.send(t, post("/hooks/care", body, signed(body))); resp.StatusCode != http.StatusOK {
			t.Errorf("beside the slow ones: %d", resp.StatusCode)
		}
		select {
		case <-ended:
			if delivered == 0 {
				t.Error("nothing was delivered beside the slow ones")
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestH05_LargeHeaders(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	runExchanges(t, r, []exchange{
		{"17 KiB in one", post("/hooks/care", good, signed(good), "X-Large: "+strings.Repeat("a", 17<<10)), 431, ""},
		{"17 KiB in many", post("/hooks/care", good, append([]string{signed(good)}, strings.Fields(strings.Repeat("X-A:"+strings.Repeat("a", 60)+" ", 17<<10/66+1))...)...), 431, ""},
		{"17 KiB of path", post("/hooks/"+strings.Repeat("a", 17<<10), good, signed(good)), 431, ""},
		{"12 KiB", post("/hooks/care", good, signed(good), "X-Large: "+strings.Repeat("a", 12<<10)), 200, "accepted"},
	})
}

func TestH08_Methods(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	for _, method := range []string{"HEAD", "GET"} {
		for _, body := range []string{"", good} {
			w := dial(t, r.Hooks)
			w.write(t, strings.Replace(post("/hooks/care", body, signed(good)), "POST", method, 1))
			resp, got := w.read(t, method)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "probe" || got != "" || resp.Header.Get("Hookgate-Event-Id") != "" {
				t.Errorf("%s with %d bytes: %d %v %q", method, len(body), resp.StatusCode, resp.Header, got)
			}
			_ = w.Close()
		}
	}
	for _, method := range []string{"OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "post", "Post", "PROPFIND", "PRI"} {
		resp := r.send(t, strings.Replace(post("/hooks/care", good, signed(good)), "POST", method, 1))
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
		if resp := r.send(t, strings.Replace(post("/hooks/unknown", good), "POST", method, 1)); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s of an unknown source: %d", method, resp.StatusCode)
		}
	}
	if n := r.stored(t); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}

// TestH08_ExpectContinue: the body is asked for only where it will be read.
func TestH08_ExpectContinue(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	good := n.next()
	for _, c := range []struct {
		name, path, extra string
		length            int
		first             int
	}{
		{"wanted", "/hooks/care", "X-A: a", len(good), 100},
		{"an unknown source", "/hooks/unknown", "X-A: a", len(good), 404},
		{"too large", "/hooks/small", "X-A: a", 4<<10 + 1, 413},
		{"encoded", "/hooks/care", "Content-Encoding: gzip", len(good), 415},
	} {
		w := dial(t, r.Hooks)
		w.write(t, message("POST", c.path, []string{signed(good), "Expect: 100-continue", c.extra, fmt.Sprintf("Content-Length: %d", c.length)}, ""))
		resp, _ := w.read(t, "POST")
		if resp.StatusCode != c.first {
			t.Errorf("%s: %d first, want %d", c.name, resp.StatusCode, c.first)
		}
		if resp.StatusCode == http.StatusContinue {
			w.write(t, good)
			if resp, _ := w.read(t, "POST"); resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "accepted" {
				t.Errorf("%s: %d %v", c.name, resp.StatusCode, resp.Header)
			}
		}
		_ = w.Close()
	}
	if n := r.stored(t); n != 1 {
		t.Errorf("%d events were stored, want 1", n)
	}
}

// TestH08_Pipelining: requests in one segment are answered in order, each for itself.
func TestH08_Pipelining(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	a, b := n.next(), n.next()
	w := dial(t, r.Hooks)
	w.write(t, post("/hooks/care", a, signed(a))+post("/hooks/care", b, signed(a))+message("HEAD", "/hooks/care", nil, "")+
		chunked("/hooks/care", b, 7, []string{signed(b)})+post("/hooks/unknown", b)+post("/hooks/care", a, signed(a)))
	var got []string
	for _, method := range []string{"POST", "POST", "HEAD", "POST", "POST", "POST"} {
		resp, _ := w.read(t, method)
		got = append(got, fmt.Sprint(resp.StatusCode, resp.Header.Get("Hookgate-Outcome")))
	}
	if want := "200accepted 401 200probe 200accepted 404 200duplicate"; strings.Join(got, " ") != want {
		t.Errorf("answers %v, want %s", got, want)
	}
}

func TestB01_NoBodyIsDecoded(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	rows := []exchange{}
	for _, coding := range []string{"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip", "identity\r\nContent-Encoding: gzip", "none", "*"} {
		body := n.next()
		rows = append(rows, exchange{fmt.Sprintf("%q", coding), post("/hooks/care", body, signed(body), "Content-Encoding: "+coding), 415, ""})
	}
	body := n.next()
	runExchanges(t, r, append(rows, exchange{"identity", post("/hooks/care", body, signed(body), "Content-Encoding: Identity"), 200, "accepted"}))
}

// TestB01_ABombStaysFolded is not parallel, because it counts what all goroutines allocate.
func TestB01_ABombStaysFolded(t *testing.T) {
	r := edge(t, "")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(z, zeros{}, 64<<20); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	var twice bytes.Buffer
	z = gzip.NewWriter(&twice)
	if _, err := z.Write(bomb.Bytes()); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		coding string
		body   []byte
		status int
	}{"labelled": {"Content-Encoding: gzip", bomb.Bytes(), 415}, "nested": {"Content-Encoding: gzip, gzip", twice.Bytes(), 415}, "not labelled": {"X-A: a", bomb.Bytes(), 200}} {
		request := post("/hooks/care", string(c.body), signed(string(c.body)), c.coding)
		used := allocated(func() {
			if resp := r.send(t, request); resp.StatusCode != c.status {
				t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
			}
		})
		if used > 8<<20 {
			t.Errorf("%s: %d MiB were allocated for a bomb of %d bytes", name, used>>20, len(c.body))
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// allocated is how many bytes all goroutines have taken while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestB02_TheLargestBody(t *testing.T) {
	t.Parallel()
	r := edge(t, "")
	var n bodies
	const most = 4 << 10
	rows := []exchange{}
	for _, size := range []int{most - 1, most, most + 1, 16 * most} {
		status, outcome := http.StatusOK, "accepted"
		if size > most {
			status, outcome = http.StatusRequestEntityTooLarge, ""
		}
		pad := func(body string) string { return body + strings.Repeat(" ", size-len(body)) }
		body := pad(n.next())
		rows = append(rows, exchange{fmt.Sprintf("%d bytes", size), post("/hooks/small", body, signed(body)), status, outcome})
		for _, chunk := range []int{1, 1000, size} {
			body := pad(n.next())
			rows = append(rows, exchange{fmt.Sprintf("%d bytes in chunks of %d", size, chunk), chunked("/hooks/small", body, chunk, []string{signed(body)}), status, outcome})
		}
		if size > most {
			rows = append(rows, exchange{fmt.Sprintf("%d bytes, forged", size), post("/hooks/small", body), status, outcome})
		}
	}
	runExchanges(t, r, rows)
}

// TestB02_EndlessChunks is not parallel, because it counts what all goroutines allocate. The limit is the default, 1 MiB.
func TestB02_EndlessChunks(t *testing.T) {
	r := edge(t, "")
	w := dial(t, r.Hooks)
	w.write(t, message("POST", "/hooks/care", []string{signed("x"), "Transfer-Encoding: chunked"}, ""))
	chunk := []byte("8000\r\n" + strings.Repeat("a", 0x8000) + "\r\n")
	sent := 0
	used := allocated(func() {
		for sent < 256<<20 {
			n, err := w.Write(chunk)
			sent += n
			if err != nil {
				break
			}
		}
	})
	if sent >= 256<<20 {
		t.Errorf("%d MiB were taken without end", sent>>20)
	}
	if used > 32<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
	if resp, err := http.ReadResponse(w.in, &http.Request{Method: "POST"}); err == nil { // a reset may have overtaken it
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("answered %d, closing %v", resp.StatusCode, resp.Close)
		}
	}
	eventually(t, "the refusal is counted", func() (bool, string) {
		n := r.metric(t, `hookgate_requests_total{outcome="too_large",source="care"}`)
		return n == 1, fmt.Sprint(n)
	})
	if n := r.stored(t); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}

// TestH04_SlowSendersTakeNoSeat: whoever has not sent its body yet keeps nobody out, however few may be worked on at once.
func TestH04_SlowSendersTakeNoSeat(t *testing.T) {
	t.Parallel()
	r := edge(t, "limits: {in_flight: 1}\n")
	var n bodies
	a, b := n.next(), n.next()
	first := dial(t, r.Hooks)
	first.write(t, message("POST", "/hooks/care", []string{signed(a), "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", len(a))}, ""))
	if resp, _ := first.read(t, "POST"); resp.StatusCode != http.StatusContinue { // it is being read now
		t.Fatalf("the slow one: %d", resp.StatusCode)
	}
	if resp := r.send(t, post("/hooks/care", b, signed(b))); resp.StatusCode != http.StatusOK {
		t.Errorf("another one meanwhile: %d", resp.StatusCode)
	}
	first.write(t, a)
	if resp, _ := first.read(t, "POST"); resp.StatusCode != http.StatusOK {
		t.Errorf("the slow one at last: %d", resp.StatusCode)
	}
}
