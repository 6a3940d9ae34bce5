package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/verifiers"
)

// vector is one case of testdata/vectors; README.md there says what the members mean.
type vector struct {
	Name    string
	Auth    []map[string]any
	Source  map[string]any
	Now     *int64
	Wire    *bool
	Request struct {
		Method, Path, URL string
		Headers           [][2]string
		Body              []byte `json:"body_b64"`
	}
	Expect struct {
		Status     int
		Outcome    string
		Events     []map[string]any
		Duplicates []struct{ ID, Class string }
		CheckExit  *int `json:"check_exit"`
	}
	Provider string
}

// TestVectors sends every case through the running program, over real sockets, into a file, into a real Redis stream, and
// in both HTTP modes to a receiver that reads with the CloudEvents SDK.
// HOOKGATE_TEST_VECTORS names another folder of cases of the same kind.
func TestVectors(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("HOOKGATE_TEST_VECTORS")
	if dir == "" {
		dir = "../../testdata/vectors"
	}
	server := startRedis(t)
	for _, provider := range rules().Providers {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(filepath.Join(dir, provider+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var cases []vector
			if err := json.Unmarshal(b, &cases); err != nil {
				t.Fatal(err)
			}
			if len(cases) < 10 {
				t.Fatalf("only %d cases", len(cases))
			}
			runVectors(t, provider, cases, server)
		})
	}
}

// runVectors gives all cases of a provider to one program with one journal, in order. The sources change between cases as
// a reload changes them, and the clock is the case's.
func runVectors(t *testing.T, provider string, cases []vector, server *redisServer) {
	dir := t.TempDir()
	var clock atomic.Pointer[time.Time]
	v := &vectorRun{
		server: server, sdk: startSDK(t), provider: provider, dir: dir, file: filepath.Join(dir, "events"), redis: server.url, stream: server.fresh(t, provider),
		want: make(map[string]map[string]any), now: func() time.Time { return *clock.Load() },
	}
	for i, c := range cases {
		now := time.Now()
		if c.Now != nil {
			now = time.Unix(*c.Now, 0)
		}
		clock.Store(&now)
		v.env = make(map[string]string)
		config := v.config(c)
		path := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		switch {
		case c.Expect.CheckExit != nil:
			m := &Main{Args: []string{"check", "--config", path}, Stdout: new(syncBuffer), Stderr: new(syncBuffer), Env: v.lookup, Now: v.now}
			if got := m.Run(t.Context()); got != *c.Expect.CheckExit {
				t.Errorf("%s: check ends with %d, want %d\n%s%s", c.Name, got, *c.Expect.CheckExit, m.Stderr, config)
			}
			continue
		case !v.load(t, c, path):
			continue
		case c.Wire != nil && !*c.Wire:
			v.direct(t, c)
			continue
		}
		v.send(t, c)
	}
	v.compare(t)
	if err := v.program.stop(); err != nil {
		t.Error(err)
	}
}

type vectorRun struct {
	server                             *redisServer
	sdk                                *sdkReceiver
	provider, dir, file, redis, stream string
	env                                map[string]string
	now                                func() time.Time
	program                            *program
	sources                            []*hookgate.Source
	want                               map[string]map[string]any // by event id
}

func (v *vectorRun) lookup(name string) (string, bool) { s, ok := v.env[name]; return s, ok }

// config writes the case's source into a whole configuration, each literal secret behind a reference.
func (v *vectorRun) config(c vector) string {
	source := map[string]any{"name": "test", "provider": v.provider}
	for name, value := range c.Source {
		source[name] = value
	}
	var auth []any
	for _, entry := range c.Auth {
		e := make(map[string]any)
		for option, value := range entry {
			e[option] = value
			literals, ok := value.([]any)
			if !ok || (option != "secrets" && option != "keys" && option != "users") {
				continue
			}
			refs := make([]string, len(literals))
			for i, literal := range literals {
				name := fmt.Sprintf("V%d", len(v.env))
				v.env[name] = fmt.Sprint(literal)
				if text, ok := literal.(string); !ok {
					b, _ := json.Marshal(literal) // a JWK set may stand there as an object
					v.env[name] = string(b)
				} else {
					v.env[name] = text
				}
				refs[i] = "env:" + name
			}
			e[option] = refs
		}
		auth = append(auth, e)
	}
	source["auth"] = auth
	publicURL := "https://hooks.example.com"
	if u, err := url.Parse(c.Request.URL); err == nil && u.Host != "" {
		publicURL = u.Scheme + "://" + u.Host
	}
	b, _ := json.Marshal(map[string]any{ // JSON is YAML
		"listen": "127.0.0.1:0", "admin": map[string]any{"listen": "127.0.0.1:0"}, "public_url": publicURL,
		"journal": map[string]any{"url": "sqlite://" + v.dir + "/journal.db"},
		"sources": []any{source},
		"destinations": []any{
			map[string]any{"name": "file", "type": "file", "path": v.file},
			map[string]any{"name": "stream", "type": "redis-stream", "url": v.redis, "stream": v.stream},
			map[string]any{"name": "structured", "type": "http", "url": v.sdk.url + "/structured"},
			map[string]any{"name": "binary", "type": "http", "url": v.sdk.url + "/binary", "mode": "binary"},
		},
	})
	return string(b)
}

// load puts the case's source in place, and starts the program with the first one.
func (v *vectorRun) load(t *testing.T, c vector, path string) bool {
	config, _, err := configs.Load(path, v.lookup, rules())
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return false
	}
	if v.sources, err = buildSources(config, verifiers.NewParties(v.now, nil)); err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return false
	}
	if v.program == nil {
		log, buffer := newLogger(t.Output(), configs.Log{Level: "error"}, v.now)
		t.Cleanup(buffer.Close)
		m := &Main{Now: v.now}
		if v.program, err = start(m, config, log, buffer, nil); err != nil {
			t.Fatal(err)
		}
		go func() { _ = v.program.hooks.serve() }()
	}
	// A failed authentication must not be told from the one before by its count.
	v.program.gateway.Strangers = nil
	v.program.gateway.SetSources(v.sources)
	return true
}

// direct judges a case that HTTP cannot carry.
func (v *vectorRun) direct(t *testing.T, c vector) {
	req := &hookgate.Request{Method: c.Request.Method, Target: c.Request.Path, Header: make(http.Header), Body: c.Request.Body}
	for _, h := range c.Request.Headers {
		req.Header.Add(h[0], h[1])
	}
	_, err := hookgate.Authenticate(t.Context(), v.sources[0].Verifiers, req, v.now())
	status := http.StatusOK
	if err != nil {
		status = hookgate.AsError(err).Code.Status()
	}
	if status != c.Expect.Status {
		t.Errorf("%s: %v, want status %d", c.Name, err, c.Expect.Status)
	}
}

// send delivers the case byte for byte and compares the answer.
func (v *vectorRun) send(t *testing.T, c vector) {
	conn, err := net.Dial("tcp", v.program.hooks.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: hooks.example.com\r\nConnection: close\r\n", c.Request.Method, c.Request.Path)
	for _, h := range c.Request.Headers {
		fmt.Fprintf(&raw, "%s: %s\r\n", h[0], h[1])
	}
	fmt.Fprintf(&raw, "Content-Length: %d\r\n\r\n", len(c.Request.Body))
	raw.Write(c.Request.Body)
	if _, err := conn.Write(raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.Request.Method})
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	answer.Body.Close()
	if answer.StatusCode != c.Expect.Status || answer.Header.Get("Hookgate-Outcome") != c.Expect.Outcome {
		t.Errorf("%s: answered %d %q, want %d %q", c.Name, answer.StatusCode, answer.Header.Get("Hookgate-Outcome"), c.Expect.Status, c.Expect.Outcome)
	}
	if len(c.Expect.Events)+len(c.Expect.Duplicates) == 1 {
		want := ""
		for _, e := range c.Expect.Events {
			want = e["id"].(string)
		}
		for _, d := range c.Expect.Duplicates {
			want = d.ID
		}
		if got := answer.Header.Get("Hookgate-Event-Id"); got != want {
			t.Errorf("%s: event id %q, want %q", c.Name, got, want)
		}
	} else if got := answer.Header.Get("Hookgate-Event-Id"); got != "" {
		t.Errorf("%s: event id %q for %d events", c.Name, got, len(c.Expect.Events)+len(c.Expect.Duplicates))
	}
	for _, e := range c.Expect.Events {
		e["case"] = c.Name
		v.want[e["id"].(string)] = e
	}
	for _, d := range c.Expect.Duplicates {
		h, _, ok, err := v.program.journals.history(t.Context(), d.ID)
		if err != nil || !ok {
			t.Errorf("%s: no history of %s: %v", c.Name, d.ID, err)
			continue
		}
		if got := string(h.Attempts[len(h.Attempts)-1].Class); got != d.Class {
			t.Errorf("%s: %s is a %s, want %s", c.Name, d.ID, got, d.Class)
		}
	}
}

// compare waits until both destinations have everything, and holds each envelope against its case.
func (v *vectorRun) compare(t *testing.T) {
	client := v.server.client(t)
	var fromFile, fromStream []string
	eventually(t, "all events in the file and in the stream", func() (bool, string) {
		fromFile, fromStream = lines(t, v.file), nil
		for _, entry := range v.server.stream(t, client, v.stream) {
			fromStream = append(fromStream, entry.Values["event"].(string))
		}
		return len(fromFile) >= len(v.want) && len(fromStream) >= len(v.want), fmt.Sprintf("%d and %d of %d", len(fromFile), len(fromStream), len(v.want))
	})
	v.sdk.compare(t, v.want)
	for where, envelopes := range map[string][]string{"file": fromFile, "stream": fromStream} {
		seen := make(map[string]int)
		for _, envelope := range envelopes {
			var got map[string]any
			decoder := json.NewDecoder(strings.NewReader(envelope))
			decoder.UseNumber()
			if err := decoder.Decode(&got); err != nil {
				t.Fatalf("%s: %v\n%s", where, err, envelope)
			}
			id := got["id"].(string)
			seen[id]++
			want, ok := v.want[id]
			if !ok {
				t.Errorf("%s: an event that no case expects: %s", where, envelope)
				continue
			}
			compareEvent(t, fmt.Sprintf("%s in the %s", want["case"], where), got, want, envelope)
		}
		for id, want := range v.want {
			if seen[id] != 1 {
				t.Errorf("%s: %d copies of %s of %s, want 1", where, seen[id], id, want["case"])
			}
		}
	}
}

func compareEvent(t *testing.T, name string, got, want map[string]any, envelope string) {
	t.Helper()
	for attribute, value := range want {
		switch attribute {
		case "identity", "case", "data_b64":
		case "time":
			if value == nil {
				value = got["receivedtime"]
			}
			if got["time"] != value {
				t.Errorf("%s: time %v, want %v", name, got["time"], value)
			}
		default:
			if fmt.Sprint(got[attribute]) != fmt.Sprint(value) {
				t.Errorf("%s: %s is %v, want %v", name, attribute, got[attribute], value)
			}
		}
	}
	for _, attribute := range []string{"subject", "tenant", "entityid", "nativeid"} {
		if _, wanted := want[attribute]; !wanted && got[attribute] != nil {
			t.Errorf("%s: %s is %v, want none", name, attribute, got[attribute])
		}
	}
	part := func(attribute string) string {
		s, _ := want[attribute].(string)
		return s
	}
	if key := part("tenant") + "/" + part("entitytype") + "/" + part("entityid"); got["partitionkey"] != key {
		t.Errorf("%s: partitionkey %v, want %s", name, got["partitionkey"], key)
	}
	data, err := base64.StdEncoding.DecodeString(part("data_b64"))
	if err != nil {
		t.Fatal(err)
	}
	compareData(t, name, got, data, envelope)
}

// compareData holds the payload against the event's own bytes: the same text, or for JSON the same tokens.
func compareData(t *testing.T, name string, got map[string]any, want []byte, envelope string) {
	t.Helper()
	if encoded, ok := got["data_base64"].(string); ok {
		if b, err := base64.StdEncoding.DecodeString(encoded); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: data_base64 is %q, want %q", name, b, want)
		}
		return
	}
	if text, ok := got["data"].(string); ok && got["datacontenttype"] != hookgate.JSON {
		if text != string(want) {
			t.Errorf("%s: data is %q, want %q", name, text, want)
		}
		return
	}
	var members struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(envelope), &members); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if json.Compact(&a, members.Data) != nil || json.Compact(&b, want) != nil || !reflect.DeepEqual(a.Bytes(), b.Bytes()) {
		t.Errorf("%s: data is %s, want %s", name, members.Data, want)
	}
}
