package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a connection on which a test writes the frames of HTTP/2 itself.
type frames struct {
	*http2.Framer
	conn    *tls.Conn
	host    string
	text    bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // the last one used
}

// dialFrames has a minute.
func dialFrames(t *testing.T, address string, config *tls.Config) *frames {
	t.Helper()
	f, err := openFrames(address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.conn.Close() })
	f.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	return f
}

// open begins a request; its body follows unless it has ended.
func (f *frames) open(path string, ended bool, headers ...string) error {
	f.text.Reset()
	fields := append([]string{":method", "POST", ":scheme", "https", ":authority", f.host, ":path", path}, headers...)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := f.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	if f.stream += 2; f.stream == 2 {
		f.stream = 1
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.text.Bytes(), EndStream: ended, EndHeaders: true})
}

// TestH06_RapidReset opens 100,000 streams and resets each at once, over as many connections as that takes, while an
// authentic sender delivers. The program's memory stays bounded, and the sender never notices.
func TestH06_RapidReset(t *testing.T) {
	t.Parallel()
	const resets, connections = 100_000, 4
	s := &secured{dir: t.TempDir(), ca: newAuthority(t, "server-ca")}
	s.certify(t)
	c := startChild(t, scenario(filepath.Join(s.dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(s.dir, "events")+"}\n")+
		"tls: {certificate: file:"+filepath.Join(s.dir, "server.pem")+", key: file:"+filepath.Join(s.dir, "server.key")+"}\nlog: {level: error}\n")
	s.running = &running{Addresses: Addresses{Hooks: c.hooks}, stderr: c.stderr}
	sender := s.client(t, nil, nil)
	var n bodies
	deliver := func() {
		t.Helper()
		body := n.next()
		resp, err := s.deliver(t.Context(), sender, "/hooks/care", body, sign(body))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("a delivery: %v, %v", resp, err)
		}
	}
	for range 50 {
		deliver()
	}
	before := resident(t, c.cmd.Process.Pid)
	var left, dials atomic.Int64
	left.Store(resets)
	done := make(chan struct{}, connections)
	for range connections {
		go func() {
			defer func() { done <- struct{}{} }()
			for left.Load() > 0 {
				f, err := openFrames(c.hooks, &tls.Config{RootCAs: s.ca.pool()})
				if err != nil {
					t.Error(err)
					return
				}
				dials.Add(1)
				go func() { _, _ = io.Copy(io.Discard, f.conn) }()
				for left.Load() > 0 {
					ended := f.stream%4 == 1
					if f.open("/hooks/care", ended, "x-hub-signature", "sha256="+strings.Repeat("0", 64)) != nil || f.WriteRSTStream(f.stream, http2.ErrCodeCancel) != nil {
						break // the server has closed it, as it may
					}
					left.Add(-1)
				}
				_ = f.conn.Close()
			}
		}()
	}
	delivered := 0
	for ended := 0; ended < connections; {
		select {
		case <-done:
			ended++
		default:
			deliver()
			delivered++
		}
	}
	peak := resident(t, c.cmd.Process.Pid)
	if delivered == 0 {
		t.Error("nothing was delivered meanwhile")
	}
	t.Logf("%d resets over %d connections, %d deliveries meanwhile; the most memory was %d MiB before and %d MiB after", resets, dials.Load(), delivered, before>>20, peak>>20)
	if grown := peak - before; grown > 192<<20 {
		t.Errorf("the program grew by %d MiB", grown>>20)
	}
	deliver()
}

// openFrames is dialFrames for a goroutine that is not the test's own.
func openFrames(address string, config *tls.Config) (*frames, error) {
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	f := &frames{conn: conn, host: address, Framer: http2.NewFramer(conn, conn)}
	f.encoder = hpack.NewEncoder(&f.text)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return f, f.WriteSettings()
}

// resident is the most memory that a process has had, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestH06_Streams: a connection has 64 streams at most, says so, and whoever opens more is refused those alone.
func TestH06_Streams(t *testing.T) {
	t.Parallel()
	s := secure(t, "")
	f := dialFrames(t, s.Hooks, &tls.Config{RootCAs: s.ca.pool()})
	const opened = 70
	for range opened {
		if err := f.open("/hooks/care", false); err != nil {
			t.Fatal(err)
		}
	}
	settings, refused := map[http2.SettingID]uint32{}, 0
	for refused < opened-64 {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%v, after %d refused", err, refused)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			_ = frame.ForeachSetting(func(s http2.Setting) error { settings[s.ID] = s.Val; return nil })
		case *http2.RSTStreamFrame:
			if frame.StreamID <= 2*64-1 {
				t.Errorf("stream %d is reset: %s", frame.StreamID, frame.ErrCode)
			}
			refused++
		case *http2.GoAwayFrame:
			t.Fatalf("the connection ends: %s", frame.ErrCode)
		}
	}
	if settings[http2.SettingMaxConcurrentStreams] != 64 || settings[http2.SettingMaxFrameSize] > 16<<10 {
		t.Errorf("the settings are %v", settings)
	}
}

// TestH06_Hooks: a delivery over HTTP/2 is one like any other, with its answers.
func TestH06_Hooks(t *testing.T) {
	t.Parallel()
	s := secure(t, "  - {name: small, provider: sprinklr, max_body: 4KiB, auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]}\n")
	c := s.client(t, nil, nil)
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	var n bodies
	good := n.next()
	for _, x := range []struct {
		path, body, signature string
		status                int
		outcome               string
	}{
		{"/hooks/care", good, sign(good), 200, "accepted"},
		{"/hooks/care", good, sign(good), 200, "duplicate"},
		{"/hooks/care", good, sign("other"), 401, ""},
		{"/hooks/care", good, "", 401, ""},
		{"/hooks/none", good, sign(good), 404, ""},
		{"/hooks/care", "{}", "", 200, "probe"},
		{"/hooks/care", "not JSON", sign("not JSON"), 200, "quarantined"},
		{"/hooks/small", strings.Repeat("x", 5<<10), "", 413, ""},
		{"/hooks/small", good, sign(good), 200, "accepted"},
	} {
		resp, err := s.deliver(t.Context(), c, x.path, x.body, x.signature)
		if err != nil {
			t.Errorf("%+v: %v", x, err)
			continue
		}
		if resp.ProtoMajor != 2 || resp.StatusCode != x.status || resp.Header.Get("Hookgate-Outcome") != x.outcome {
			t.Errorf("%s %.20q: %s %d %q, want %d %q", x.path, x.body, resp.Proto, resp.StatusCode, resp.Header.Get("Hookgate-Outcome"), x.status, x.outcome)
		}
	}
	// The proof in a trailer is none, announced or not.
	for _, announced := range []bool{true, false} {
		f := dialFrames(t, s.Hooks, &tls.Config{RootCAs: s.ca.pool()})
		body := n.next()
		var headers []string
		if announced {
			headers = []string{"trailer", "x-hub-signature"}
		}
		if err := f.open("/hooks/care", false, headers...); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteData(f.stream, false, []byte(body)); err != nil {
			t.Fatal(err)
		}
		f.text.Reset()
		if err := f.encoder.WriteField(hpack.HeaderField{Name: "x-hub-signature", Value: sign(body)}); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.text.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
		if status := f.status(t); status != "401" {
			t.Errorf("announced %v: %s", announced, status)
		}
	}
}

// status is that of the next answer.
func (f *frames) status(t *testing.T) string {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			return h.PseudoValue("status")
		}
	}
}

// TestH06_NoHTTP2InTheClear: neither by prior knowledge nor by an upgrade, with TLS or without.
func TestH06_NoHTTP2InTheClear(t *testing.T) {
	t.Parallel()
	plain, withTLS := edge(t, ""), secure(t, "")
	for name, address := range map[string]string{"plain": plain.Hooks, "TLS": withTLS.Hooks} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // a reset may cut it
		if len(answer) >= 9 && answer[3] == byte(http2.FrameSettings) {
			t.Errorf("%s: settings are answered: %q", name, answer)
		}
	}
	good := caseBody(1, 1)
	resp := plain.send(t, post("/hooks/care", good, signed(good), "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"))
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 1 {
		t.Errorf("an upgrade is answered %d %s", resp.StatusCode, resp.Proto)
	}
}
