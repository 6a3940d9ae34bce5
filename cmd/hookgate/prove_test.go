package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/configs"
)

// prove runs the command in a process of its own, since it starts others of the same program, and gives its report.
func prove(t *testing.T, config string, args ...string) (code int, r proofReport, stderr string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "hookgate.yaml")
	writeFile(t, file, []byte(config))
	_, public := newKeyPair(t)
	writeFile(t, filepath.Join(dir, "public.pem"), []byte(public))
	made := filepath.Join(dir, "made")
	if err := os.Mkdir(made, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"prove", "--config", file, "--json", "--dir", made}, args...)...)
	cmd.Env = append(os.Environ(), "HOOKGATE_TEST_AS_PROGRAM=1", "SCENARIO_SECRET="+scenarioSecret, "USER_SECRET="+twinUser)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run() // the code tells
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v:\n%s", err, out.String())
		}
	}
	code = cmd.ProcessState.ExitCode()
	left, err := os.ReadDir(made)
	if err != nil || (code == exitDone || slices.Contains(args, "--running")) && len(left) > 0 {
		t.Errorf("code %d, and the folder holds %v, %v", code, left, err)
	}
	return code, r, said.String()
}

// proveSources are the five providers, with keys of which only they have the private half, and one that cannot be emulated.
const proveSources = `public_url: https://hooks.example.com
sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}], allow: [203.0.113.0/24]}
  - {name: care-token, provider: sprinklr, auth: [{scheme: bearer, jwks_url: "https://issuer.example.com/keys", issuer: "https://issuer.example.com", scopes: [hooks]}]}
  - {name: chat, provider: salesiq, auth: [{scheme: siq-signature, keys: [file:public.pem]}]}
  - {name: inbox, provider: commbox, auth: [{scheme: access-token, secrets: [env:SCENARIO_SECRET]}]}
  - {name: campaigns, provider: netcore, auth: [{scheme: basic, users: [env:USER_SECRET]}]}
  - {name: messages, provider: bird, auth: [{scheme: bird-signature, secrets: [env:SCENARIO_SECRET]}]}
  - {name: code, provider: github, auth: [{scheme: hmac, declaration: github, secrets: [env:SCENARIO_SECRET]}]}
`

// TestProve: every provider, every destination that can be read; nothing real is touched, and nothing is left behind.
func TestProve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := fmt.Sprintf(`journal: {url: "sqlite://%s/real.db", spill: "sqlite://%s/spill.db"}
%sdestinations:
  - {name: events, type: file, path: %s/real.jsonl}
  - {name: posted, type: http, url: "https://consumer.example.com/", match: {provider: [sprinklr, netcore]}}
  - {name: binary, type: http, url: "https://consumer.example.com/", mode: binary, match: {provider: [commbox, bird]}}
  - {name: some, type: file, path: %s/some.jsonl, when: 'provider == "salesiq" && type.startsWith("salesiq.conversation.")'}
`, dir, dir, proveSources, dir, dir)
	code, r, stderr := prove(t, config, "--for", "3s", "--rate", "120")
	if code != exitDone || !r.Kept || r.Interrupted || r.Acknowledged == 0 || r.Unreadable != 0 || r.Latency.Count == 0 {
		t.Fatalf("code %d, %+v\n%s", code, r, stderr)
	}
	if len(r.Destinations) != 4 {
		t.Fatalf("%+v", r.Destinations)
	}
	for _, d := range r.Destinations {
		if d.Verdict.Acknowledged == 0 || d.Delivered != d.Verdict.Acknowledged || d.Doubled+d.OutOfOrder > 0 {
			t.Errorf("%s: %+v", d.Name, d)
		}
	}
	if all := r.Destinations[0]; all.Verdict.Acknowledged <= r.Destinations[1].Verdict.Acknowledged {
		t.Errorf("%+v", r.Destinations)
	}
	for _, says := range []string{"source code is left out: prove can be ", "source chat has a made-up key", "source care-token has a made-up key"} {
		if !strings.Contains(stderr, says) {
			t.Errorf("standard error does not say %q:\n%s", says, stderr)
		}
	}
	if real, err := os.ReadDir(dir); err != nil || len(real) > 0 {
		t.Errorf("beside the proof there are %v, %v", real, err)
	}
}

// TestProveKills: gateway and Redis are killed; both, and what they hold, are of the run's own.
func TestProveKills(t *testing.T) {
	t.Parallel()
	config := `journal: {url: "redis+sentinel://redis.example.com:26379/0?master_name=main", replicas: 1}
sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SCENARIO_SECRET]}]}
destinations:
  - {name: events, type: redis-stream, url: "redis://redis.example.com:6379/0", stream: webhooks, max_len: 10}
`
	code, r, stderr := prove(t, config, "--kill", "gateway,redis", "--kills", "2", "--rate", "150")
	if code != exitDone || !r.Kept || r.Kills["gateway"].Times != 2 || r.Kills["redis"].Times != 2 || r.Again == 0 || r.Answers[noAnswer]+r.Answers["503"] == 0 {
		t.Fatalf("code %d, %+v\n%s", code, r, stderr)
	}
	if d := r.Destinations[0]; d.Verdict.Acknowledged == 0 || d.OutOfOrder > 0 {
		t.Errorf("%+v", d)
	}
}

// TestProveConfiguredRedis leaves nothing behind in it, and touches nothing that was there.
func TestProveConfiguredRedis(t *testing.T) {
	t.Parallel()
	server := startOwnRedis(t)
	client := server.client(t)
	for _, key := range []string{"hookgate:other", "webhooks-other"} {
		must(client.Set(t.Context(), key, "1", 0).Result())(t)
	}
	must(client.XAdd(t.Context(), &redis.XAddArgs{Stream: "webhooks", Values: []string{"id", "other"}}).Result())(t)
	config := onRedis(server.url, "", streamOf(server, "webhooks"))
	code, r, stderr := prove(t, config, "--configured-redis", "--for", "1s", "--rate", "50", "--source", "care")
	if code != exitDone || !r.Kept || r.Destinations[0].Delivered == 0 {
		t.Fatalf("code %d, %+v\n%s", code, r, stderr)
	}
	keys := must(client.Keys(t.Context(), "*").Result())(t)
	slices.Sort(keys)
	if want := []string{"hookgate:other", "webhooks", "webhooks-other"}; !slices.Equal(keys, want) || must(client.XLen(t.Context(), "webhooks").Result())(t) != 1 {
		t.Errorf("it holds %v", keys)
	}
}

// TestProveRunning sends to a gateway that runs already, past what its destination had before. What stands in front of it
// breaks the promise in one way or another, and the verdict and the exit code say so.
func TestProveRunning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		front func(pass func(body string) int, n int, body string) int
		args  []string
		kept  bool
		found func(d destinationReport) bool
	}{
		"passes on": {kept: true, found: func(d destinationReport) bool { return d.Delivered == d.Verdict.Acknowledged }},
		"answers before anything is durable": {
			args: []string{"--wait", "1s"},
			front: func(pass func(string) int, n int, body string) int {
				if n%5 != 0 { // the others die with it
					go pass(body)
				}
				return http.StatusOK
			},
			found: func(d destinationReport) bool {
				return d.Lost > 0 && d.Wrong+d.Forged == 0 && len(d.Examples["lost"]) > 0
			},
		},
		"changes": {
			front: func(pass func(string) int, _ int, body string) int { return pass(body + " ") },
			found: func(d destinationReport) bool { return d.Wrong == d.Delivered && d.Lost+d.Forged == 0 },
		},
		"forges": {
			front: func(pass func(string) int, n int, body string) int {
				if n%10 == 0 {
					pass(caseBody(n, 50))
				}
				return pass(body)
			},
			found: func(d destinationReport) bool { return d.Forged > 0 && d.Lost+d.Wrong == 0 },
		},
		"others send to it": {
			args: []string{"--others"}, kept: true,
			front: func(pass func(string) int, n int, body string) int {
				if n%10 == 0 {
					pass(caseBody(n, 50))
				}
				return pass(body)
			},
			found: func(d destinationReport) bool { return d.Others > 0 && d.Forged == 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config := strings.Replace(scenario(filepath.Join(dir, "j.db"), fileAt(filepath.Join(dir, "events"))), "hub-signature, secrets: [env:SCENARIO_SECRET]", "none", 1)
			gateway := serve(t, config, func(m *Main) { m.Env = scenarioEnv })
			s := newSender(t, gateway.Hooks)
			if a := s.deliver(t.Context(), caseBody(1_000_000, 50)); a.status != http.StatusOK {
				t.Fatal(a)
			}
			eventually(t, "an event is there before", func() (bool, string) { return len(lines(t, filepath.Join(dir, "events"))) == 1, "" })
			pass := func(body string) int { return s.post(t.Context(), "/hooks/care", body, "").status }
			var n atomic.Int64
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.URL.Path != "/hooks/care" {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				if c.front == nil {
					w.WriteHeader(pass(string(body)))
					return
				}
				w.WriteHeader(c.front(pass, int(n.Add(1)), string(body)))
			}))
			t.Cleanup(front.Close)
			args := append([]string{"--running", front.URL + "/", "--source", "care", "--for", "1s", "--rate", "60"}, c.args...)
			code, r, stderr := prove(t, config, args...)
			if (code == exitDone) != c.kept || r.Kept != c.kept || len(r.Destinations) != 1 || !c.found(r.Destinations[0]) {
				t.Errorf("code %d, %+v\n%s", code, r, stderr)
			}
		})
	}
}

// TestProveHopeless ends soon where nothing is taken, and says what to look at.
func TestProveHopeless(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	config := scenario("j.db", fileAt(filepath.Join(t.TempDir(), "events")))
	code, _, stderr := prove(t, config, "--running", stranger.URL, "--for", "10m", "--rate", "100")
	if code != exitFailed || !strings.Contains(stderr, "the first 20 deliveries were answered 404") {
		t.Errorf("code %d\n%s", code, stderr)
	}
}

// TestProveUsage: what cannot be proved is said before anything runs.
func TestProveUsage(t *testing.T) {
	t.Parallel()
	file := fileAt("/nowhere/events")
	for name, c := range map[string]struct {
		destinations string
		args         []string
		want         string
	}{
		"a queue that cannot be read": {"  - {name: bus, type: nats, url: \"nats://bus.example.com\", subject: hooks}\n", nil, "destination bus is of type nats, and prove can read back file, redis-stream and, without --running, http"},
		"http of a running one":       {"  - {name: post, type: http, url: \"https://consumer.example.com\"}\n", []string{"--running", "http://127.0.0.1:1"}, "destination post is of type http"},
		"no such source":              {file, []string{"--source", "cares"}, `has no source "cares"`},
		"no such destination":         {file, []string{"--destination", "bus"}, `has no destination "bus"`},
		"kills of a running one":      {file, []string{"--running", "http://127.0.0.1:1", "--kill", "gateway"}, "leave out --running"},
		"kills of nothing":            {file, []string{"--kills", "3"}, "write --kill gateway"},
		"a Redis that is not there":   {file, []string{"--kill", "redis"}, "neither the journal nor a destination is on Redis"},
		"a foreign Redis":             {file, []string{"--kill", "redis", "--configured-redis"}, "kills only a Redis that prove has started"},
		"a URL that is none":          {file, []string{"--running", "127.0.0.1:8080"}, "--running is a URL"},
		"others without a gateway":    {file, []string{"--others"}, "--others is for --running"},
		"too many":                    {file, []string{"--rate", "5000", "--for", "1h"}, "lower --rate, --for or --kills"},
		"no rate":                     {file, []string{"--rate", "0"}, "--rate is above 0"},
		"nothing under way":           {file, []string{"--in-flight", "1"}, "--in-flight is from 2"},
		"something else to kill":      {file, []string{"--kill", "postgres"}, "must be one of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := prove(t, scenario("j.db", c.destinations), c.args...)
			if code != exitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("code %d, want %q:\n%s", code, c.want, stderr)
			}
		})
	}
}

// TestStandIns: with them a configuration leads nowhere real, and keeps what is to be proved.
func TestStandIns(t *testing.T) {
	t.Parallel()
	text := proveSources + `journal: {url: "redis://user:pass@redis.example.com/0", spill: "sqlite:///var/lib/hookgate/spill.db", replicas: 2, shards: 4}
limits: {in_flight: 77}
log: {level: debug}
outbound: {listen: "127.0.0.1:9090", token: env:TOKEN, store: outbound.db}
destinations:
  - {name: kept, type: http, url: "https://consumer.example.com", window: 32}
  - {name: gone, type: http, url: "https://other.example.com"}
`
	text = strings.Replace(text, `"redis://user:pass@redis.example.com/0"`, "env:URL", 1)
	dir := t.TempDir()
	_, public := newKeyPair(t)
	writeFile(t, filepath.Join(dir, "public.pem"), []byte(public))
	env := map[string]string{"SCENARIO_SECRET": scenarioSecret, "USER_SECRET": twinUser, "TOKEN": twinToken, "URL": "redis://user:pass@redis.example.com/0"}
	c, _, err := configs.Parse(filepath.Join(dir, "hookgate.yaml"), []byte(text), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, rules())
	if err != nil {
		t.Fatal(err)
	}
	_, other := newKeyPair(t)
	(&standIns{
		Listen: "127.0.0.1:1", Admin: "127.0.0.1:2", Journal: "redis://127.0.0.1:3/0", Spill: "sqlite:///tmp/spill.db", Alone: true,
		Keys: map[string]string{"care-token": other}, Sources: []string{"care", "care-token"},
		Destinations: map[string]standIn{"kept": {URL: "http://127.0.0.1:4/"}},
	}).apply(c)
	said := fmt.Sprintf("%+v", c)
	if strings.Contains(said, "example.com/keys") || strings.Contains(said, "/var/lib") || c.Outbound.Listen != "" || c.Journal.Replicas != 0 ||
		string(c.Journal.URL.Reveal()) != "redis://127.0.0.1:3/0" || string(c.Destinations[0].URL.Reveal()) != "http://127.0.0.1:4/" {
		t.Errorf("something real is left: %s", said)
	}
	if len(c.Sources) != 2 || len(c.Destinations) != 1 || c.Destinations[0].Window != 32 || c.Limits.InFlight != 77 || c.Journal.Shards != 4 || len(c.Sources[0].Allow) > 0 ||
		!slices.Equal(c.Sources[1].Auth[0].Scopes, []string{"hooks"}) || string(c.Sources[1].Auth[0].Keys[0].Reveal()) != other {
		t.Errorf("what is proved has changed: %s", said)
	}
}

// TestProveInterrupted: what was sent until then is judged all the same.
func TestProveInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hookgate.yaml")
	writeFile(t, file, []byte(scenario("j.db", fileAt("events"))))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "prove", "--config", file, "--json", "--source", "care", "--for", "10m", "--progress")
	cmd.Env = append(os.Environ(), "HOOKGATE_TEST_AS_PROGRAM=1", "SCENARIO_SECRET="+scenarioSecret)
	stdout, stderr := new(syncBuffer), new(syncBuffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "something is acknowledged", func() (bool, string) {
		said := stderr.String()
		return strings.Contains(said, "sent ") && !strings.Contains(said, "acknowledged 0"), said
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code tells
	var r proofReport
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitDone || !r.Interrupted || !r.Kept || r.Acknowledged == 0 {
		t.Errorf("code %d, %+v\n%s", code, r, stderr)
	}
}
