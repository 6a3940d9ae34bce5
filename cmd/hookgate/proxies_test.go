package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// walled runs the program with the source walled, which takes deliveries of some networks only. The tests speak from
// addresses of the loopback network: what our proxies are is said by more.
func walled(t *testing.T, more string) (r *running, config string) {
	t.Helper()
	dir := t.TempDir()
	config = strings.Replace(scenario(filepath.Join(dir, "j.db"), fileAt(filepath.Join(dir, "events"))), "destinations:\n", `
  - name: walled
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]
    allow: [203.0.113.0/24, '2001:db8:7::/48', 127.0.0.3]
destinations:
`, 1)
	return serve(t, config+more, func(m *Main) { m.Env = scenarioEnv }), config
}

// dialFrom is dial from an address of this machine.
func dialFrom(t *testing.T, from, to string) *wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{conn, bufio.NewReader(conn)}
}

// sendFrom is send from an address of this machine.
func (r *running) sendFrom(t *testing.T, from, text string) *http.Response {
	t.Helper()
	w := dialFrom(t, from, r.Hooks)
	defer w.Close()
	w.write(t, text)
	method, _, _ := strings.Cut(text, " ")
	resp, _ := w.read(t, method)
	return resp
}

const walledDenied = `hookgate_authentication_failures_total{reason="address_denied",source="walled"}`

// TestH09_TheAllowListGoesByTheWalk: who may send is decided by the address that our own proxies vouch for, whatever else is
// claimed.
func TestH09_TheAllowListGoesByTheWalk(t *testing.T) {
	t.Parallel()
	r, _ := walled(t, "proxies: {trusted: [127.0.0.1, '10.0.0.0/8']}\n")
	var n bodies
	const proxy, stranger = "127.0.0.1", "127.0.0.2"
	denied := 0
	for _, c := range []struct {
		name, from string
		headers    []string
		allowed    bool
	}{
		{"an allowed sender", proxy, []string{"X-Forwarded-For: 203.0.113.7"}, true},
		{"an allowed sender with a port", proxy, []string{"X-Forwarded-For: 203.0.113.7:4711"}, true},
		{"an allowed sender in IPv6", proxy, []string{"X-Forwarded-For: 2001:db8:7::1"}, true},
		{"an allowed sender, mapped", proxy, []string{"X-Forwarded-For: ::ffff:203.0.113.7"}, true},
		{"an allowed sender behind two proxies", proxy, []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.1"}, true},
		{"an allowed sender in lines", proxy, []string{"X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.1"}, true},
		{"an allowed one that is no proxy", "127.0.0.3", nil, true},
		{"an allowed one whose headers are not read", "127.0.0.3", []string{"X-Forwarded-For: 198.51.100.1"}, true},
		{"another sender", proxy, []string{"X-Forwarded-For: 198.51.100.1"}, false},
		{"a forged one in front", proxy, []string{"X-Forwarded-For: 203.0.113.7, 198.51.100.1"}, false},
		{"a forged chain in front", proxy, []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.1, 198.51.100.1, 10.0.0.2"}, false},
		{"a forged line in front", proxy, []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.1"}, false},
		{"the other header", proxy, []string{"Forwarded: for=203.0.113.7"}, false},
		{"other headers of others", proxy, []string{"X-Real-IP: 203.0.113.7", "CF-Connecting-IP: 203.0.113.7", "True-Client-IP: 203.0.113.7"}, false},
		{"a zone", proxy, []string{"X-Forwarded-For: 2001:db8:7::1%eth0"}, false},
		{"what cannot be read", proxy, []string{"X-Forwarded-For: 203.0.113.7, unknown"}, false},
		{"a proxy that says nothing", proxy, nil, false},
		{"a stranger who claims it", stranger, []string{"X-Forwarded-For: 203.0.113.7"}, false},
		{"a stranger who names a proxy", stranger, []string{"X-Forwarded-For: 203.0.113.7, 127.0.0.1"}, false},
	} {
		body := n.next()
		before := r.stored(t)
		resp := r.sendFrom(t, c.from, post("/hooks/walled", body, append(c.headers, signed(body))...))
		status, grown := http.StatusUnauthorized, 0
		if c.allowed {
			status, grown = http.StatusOK, 1
		} else {
			denied++
		}
		if resp.StatusCode != status || r.stored(t)-before != grown {
			t.Errorf("%s: %d, and %d stored", c.name, resp.StatusCode, r.stored(t)-before)
		}
	}
	// A set-up call is no way in, either, and other sources have no list.
	if resp := r.sendFrom(t, stranger, message("HEAD", "/hooks/walled", nil, "")); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("HEAD of a stranger: %d", resp.StatusCode)
	}
	if resp := r.sendFrom(t, stranger, post("/hooks/walled", "{}")); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a set-up call of a stranger: %d", resp.StatusCode)
	}
	denied += 2
	body := n.next()
	if resp := r.sendFrom(t, stranger, post("/hooks/care", body, signed(body))); resp.StatusCode != http.StatusOK {
		t.Errorf("at another source: %d", resp.StatusCode)
	}
	if got := r.metric(t, walledDenied); got != denied {
		t.Errorf("%d are counted as denied, want %d", got, denied)
	}
}

// TestH09_ADeniedBodyIsNotRead: who may not send is not asked for its body, and what it sends all the same is no request.
func TestH09_ADeniedBodyIsNotRead(t *testing.T) {
	t.Parallel()
	r, _ := walled(t, "")
	var n bodies
	body := n.next()
	w := dialFrom(t, "127.0.0.2", r.Hooks)
	w.write(t, message("POST", "/hooks/walled", []string{signed(body), "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", len(body))}, ""))
	if resp, _ := w.read(t, "POST"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("asked first: %d", resp.StatusCode)
	}
	_ = w.Close()
	// The answer comes while the body is still out, and well before the server gives up waiting for it.
	for _, headers := range []string{fmt.Sprintf("Content-Length: %d", 1<<20), "Content-Length: 1000", "Transfer-Encoding: chunked"} {
		w = dialFrom(t, "127.0.0.2", r.Hooks)
		_ = w.SetDeadline(time.Now().Add(8 * time.Second))
		w.write(t, message("POST", "/hooks/walled", []string{signed(body), headers}, "5\r\nbegin"))
		if resp, _ := w.read(t, "POST"); resp.StatusCode != http.StatusUnauthorized || !resp.Close {
			t.Errorf("%s: %d, closing %v", headers, resp.StatusCode, resp.Close)
		}
	}
	if got := r.metric(t, walledDenied); got != 4 || r.stored(t) != 0 {
		t.Errorf("%d denied, %d stored", got, r.stored(t))
	}
}

// TestH09_TheBudgetOfStrangersIsTheSenders: behind one proxy each sender has a budget of its own, those who may not send as
// well, and nobody spends another's by writing headers.
func TestH09_TheBudgetOfStrangersIsTheSenders(t *testing.T) {
	t.Parallel()
	r, _ := walled(t, "proxies: {trusted: [127.0.0.1], header: Forwarded}\nlimits: {strangers: 2/h}\n")
	var n bodies
	body := n.next()
	forged := post("/hooks/care", body, signed(body+" "), "%s")
	denied := post("/hooks/walled", body, signed(body), "%s")
	for i, c := range []struct {
		request, header string
		status          int
	}{
		{forged, "Forwarded: for=198.51.100.1", 401},
		{denied, "Forwarded: for=198.51.100.1", 401},
		{forged, "Forwarded: for=198.51.100.1", 429},
		{denied, "Forwarded: for=198.51.100.1", 429},
		{forged, `Forwarded: for="[2001:db8::1]:80"`, 401},
		{forged, `Forwarded: for="[2001:db8::2]:81"`, 401},
		{forged, `Forwarded: for="[2001:db8::3]"`, 429},
		{forged, "Forwarded: for=198.51.100.2, for=198.51.100.1", 429},
		{forged, "X-A: a", 401},
		{post("/hooks/care", body, signed(body), "%s"), "Forwarded: for=198.51.100.1", 200},
	} {
		if resp := r.sendFrom(t, "127.0.0.1", fmt.Sprintf(c.request, c.header)); resp.StatusCode != c.status {
			t.Errorf("%d, %s: %d, want %d", i, c.header, resp.StatusCode, c.status)
		}
	}
}

// TestH09_TheSenderIsLoggedBesideThePeer, and it is what is kept with the event.
func TestH09_TheSenderIsLoggedBesideThePeer(t *testing.T) {
	t.Parallel()
	o := operate(t, fileAt(filepath.Join(t.TempDir(), "e"))+"proxies: {trusted: [127.0.0.1]}\n")
	var n bodies
	for _, c := range []struct{ from, client, remote string }{
		{"127.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"127.0.0.2", "", "127.0.0.2"},
	} {
		body := n.next()
		resp := o.sendFrom(t, c.from, post("/hooks/care", body, signed(body), "X-Forwarded-For: 192.0.2.1, 203.0.113.7"))
		id := resp.Header.Get("Hookgate-Event-Id")
		var line struct{ Event, Remote, Client string }
		eventually(t, "the line is there", func() (bool, string) {
			for text := range strings.Lines(o.stderr.String()) {
				if strings.Contains(text, id) && json.Unmarshal([]byte(text), &line) == nil && line.Event == id {
					return true, ""
				}
			}
			return false, o.stderr.String()
		})
		if host, _, _ := net.SplitHostPort(line.Remote); host != c.from || line.Client != c.client {
			t.Errorf("from %s: logged remote %s, client %s", c.from, line.Remote, line.Client)
		}
		record := o.objects(t, "events", "show", id)
		if head, _ := record[0]["request"].(map[string]any); head["remote"] != c.remote {
			t.Errorf("from %s: kept with %v", c.from, head["remote"])
		}
	}
}

// TestH09_ProxiesAndListsAreTakenOver by a reload.
func TestH09_ProxiesAndListsAreTakenOver(t *testing.T) {
	t.Parallel()
	r, config := walled(t, "")
	var n bodies
	want := func(when string, status int) {
		t.Helper()
		body := n.next()
		if resp := r.sendFrom(t, "127.0.0.1", post("/hooks/walled", body, signed(body), "X-Forwarded-For: 203.0.113.7")); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", when, resp.StatusCode, status)
		}
	}
	want("at first", 401)
	r.takeOver(t, config+"proxies: {trusted: [127.0.0.1]}\n")
	want("once the proxy is trusted", 200)
	r.takeOver(t, config+"proxies: {trusted: [127.0.0.1], header: Forwarded}\n")
	want("once it is asked another way", 401)
	r.takeOver(t, strings.Replace(config, "203.0.113.0/24", "127.0.0.1", 1))
	want("once it is allowed itself", 200)
}
