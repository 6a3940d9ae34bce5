package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/outbound"
	"github.com/hookgate/hookgate/verifiers"
)

// emulateSecrets are what the tests of emulate sign with; the canary must be in no output.
var emulateSecrets = map[string]string{
	"SECRET": "c4n4ry-secret-0123456789", "NEXT": "c4n4ry-next-0123456789", "PAIR": "hook:c4n4ry-pass-0123", "PASSWORD": "c4n4ry-word-0123",
}

func emulateEnv(name string) (string, bool) { v, ok := emulateSecrets[name]; return v, ok }

// runEmulate runs the command to its end and sees to it that it tells no secret.
func runEmulate(t *testing.T, args ...string) commandResult {
	t.Helper()
	var stdout, stderr bytes.Buffer
	m := &Main{Args: append([]string{"emulate"}, args...), Stdout: &stdout, Stderr: &stderr, Env: emulateEnv, Now: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := m.Run(ctx)
	if ctx.Err() != nil {
		t.Fatalf("%v runs on and on:\n%s", args, stderr.String())
	}
	if strings.Contains(stdout.String()+stderr.String(), "c4n4ry") {
		t.Errorf("%v tells a secret:\n%s%s", args, stdout.String(), stderr.String())
	}
	return commandResult{code, stdout.String(), stderr.String()}
}

// emulateReport runs the command and reads its report, which must have every member and no other.
func emulateReport(t *testing.T, args ...string) outbound.EmulationReport {
	t.Helper()
	got := runEmulate(t, append(args, "--report", "json")...)
	if got.code != exitDone || !onlyProgress.MatchString(got.stderr) {
		t.Fatalf("%v: code %d, standard error %q", args, got.code, got.stderr)
	}
	var report outbound.EmulationReport
	d := json.NewDecoder(strings.NewReader(got.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return report
}

// onlyProgress is what a busy machine makes an emulation write beside its report.
var onlyProgress = regexp.MustCompile(`^([0-9]+ s: sent [^\n]*\n)*$`)

// keyFiles are a private key and its public half as files.
type keyFiles struct {
	private string
	public  hookgate.Secret
}

func newKeyFiles(t *testing.T) keyFiles {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "private.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		t.Fatal(err)
	}
	return keyFiles{file, hookgate.NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "file:"+file)}
}

// verifying is a receiver that checks every request as the gateway does, and counts.
type verifying struct {
	*httptest.Server
	mu      sync.Mutex
	by      map[string]int // accepted, by key
	reasons map[hookgate.Reason]int
}

func newVerifying(t *testing.T, entries ...hookgate.AuthSettings) *verifying {
	t.Helper()
	v := &verifying{by: make(map[string]int), reasons: make(map[hookgate.Reason]int)}
	v.Server = httptest.NewUnstartedServer(nil)
	var schemes []verifiers.Scheme
	for _, entry := range entries {
		entry.PublicURL = "http://" + v.Listener.Addr().String()
		scheme, err := verifiers.New(entry)
		if err != nil {
			t.Fatal(err)
		}
		schemes = append(schemes, scheme)
	}
	v.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		key, err := "", error(nil)
		for _, scheme := range schemes {
			var proof hookgate.Proof
			if proof, err = scheme.Verify(&hookgate.Request{Method: r.Method, Target: r.RequestURI, Header: r.Header, Body: body}, time.Now()); err != nil {
				break
			}
			key = proof.KeyID
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		var refused *hookgate.Error
		if errors.As(err, &refused) {
			v.reasons[refused.Reason]++
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		v.by[key]++
	})
	v.Start()
	t.Cleanup(v.Close)
	return v
}

func emulateSecret(name string) hookgate.Secret {
	return hookgate.NewSecret([]byte(emulateSecrets[name]), "env:"+name)
}

// emulateProof is a scheme as the receiver has it and the flags of the sender.
func emulateProof(scheme string, key keyFiles) (entry hookgate.AuthSettings, flags []string) {
	entry.Scheme = scheme
	switch scheme {
	case "basic":
		entry.Users, flags = []hookgate.Secret{emulateSecret("PAIR")}, []string{"--user", "env:PAIR"}
	case "siq-signature", "bearer":
		entry.Keys, flags = []hookgate.Secret{key.public}, []string{"--key", "file:" + key.private}
	case "none":
	default:
		entry.Secrets, flags = []hookgate.Secret{emulateSecret("SECRET")}, []string{"--secret", "env:SECRET"}
	}
	return entry, append(flags, "--scheme", scheme)
}

// TestEmulateSignatures: what each provider proves itself by is accepted by a verifier of the gateway, and spoilt ones are
// refused, as many as the report says.
func TestEmulateSignatures(t *testing.T) {
	t.Parallel()
	key := newKeyFiles(t)
	ran := 0
	for _, provider := range outbound.Providers() {
		for _, scheme := range outbound.Schemes(provider) {
			if !slices.Contains(verifiers.Names(), scheme) || scheme == "client-certificate" { // an emulation shows none
				got := runEmulate(t, provider, "--to", "http://127.0.0.1:1/", "--scheme", scheme)
				if got.code != exitUsage || !strings.Contains(got.stderr, "--scheme: ") {
					t.Errorf("%s: code %d, %s", scheme, got.code, got.stderr)
				}
				continue
			}
			ran++
			t.Run(provider+" "+scheme, func(t *testing.T) {
				t.Parallel()
				entry, flags := emulateProof(scheme, key)
				v := newVerifying(t, entry)
				if scheme != "none" {
					flags = append(flags, "--bad-signature", "0.3")
				}
				report := emulateReport(t, append(flags, provider, "--to", v.URL+"/hooks/in?team=a%20b", "--events", "60", "--batch", "1", "--seed", "1")...)
				refused := 0
				for reason, n := range v.reasons {
					if refused += n; reason != hookgate.Mismatch {
						t.Errorf("%d are refused for %s, want a mismatch", n, reason)
					}
				}
				if refused != report.BadSignatures || report.Answers["401"] != refused || report.Answers["200"] != 60-refused || report.Sent != 60 || (scheme == "none") != (refused == 0) {
					t.Errorf("%d are refused, accepted %v, the report says %+v", refused, v.by, report)
				}
			})
		}
	}
	if ran < 12 {
		t.Errorf("only %d pairs of provider and scheme", ran)
	}
}

// TestEmulateRotation: from an event on the next secret signs, and the others before.
func TestEmulateRotation(t *testing.T) {
	t.Parallel()
	first, second := newKeyFiles(t), newKeyFiles(t)
	pair := hookgate.NewSecret([]byte("hook:"+emulateSecrets["PASSWORD"]), "env:PASSWORD")
	for scheme, c := range map[string]struct {
		provider string
		next     hookgate.Secret
		flags    []string
	}{
		"hub-signature": {"sprinklr", emulateSecret("NEXT"), []string{"--next-secret", "env:NEXT"}},
		"siq-signature": {"salesiq", second.public, []string{"--next-key", "file:" + second.private}},
		"basic":         {"netcore", pair, []string{"--next-password", "env:PASSWORD"}},
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			entry, flags := emulateProof(scheme, first)
			for _, list := range []*[]hookgate.Secret{&entry.Secrets, &entry.Keys, &entry.Users} {
				if len(*list) > 0 {
					*list = append(*list, c.next)
				}
			}
			v := newVerifying(t, entry)
			report := emulateReport(t, slices.Concat(flags, c.flags, []string{c.provider, "--to", v.URL, "--events", "50", "--batch", "1", "--rotate-at", "31"})...)
			if report.Rotated != 20 || v.by[c.next.Ref()] != 20 || len(v.by) != 2 || len(v.reasons) > 0 || report.Succeeded != 50 {
				t.Errorf("accepted %v, refused %v, the report says %+v", v.by, v.reasons, report)
			}
		})
	}
}

// TestEmulateSkew: a signed time that is off is refused as too old or too early, for the right reason.
func TestEmulateSkew(t *testing.T) {
	t.Parallel()
	for skew, want := range map[string]hookgate.Reason{"-25h": hookgate.TooOld, "10m": hookgate.TooEarly, "-10m": ""} {
		entry, flags := emulateProof("bird-signature", keyFiles{})
		v := newVerifying(t, entry)
		report := emulateReport(t, append(flags, "bird", "--to", v.URL+"/in", "--events", "5", "--skew="+skew)...)
		if report.Skewed != 5 || (want == "" && v.by["env:SECRET"] != 5) || (want != "" && v.reasons[want] != 5) {
			t.Errorf("%s: accepted %v, refused %v", skew, v.by, v.reasons)
		}
	}
}

// TestEmulateGateway: events of every provider through a real gateway. Duplicates are found, each event comes out once, and
// what is spoilt or broken off does not.
func TestEmulateGateway(t *testing.T) {
	t.Parallel()
	key := newKeyFiles(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "events")
	public := filepath.Join(dir, "public.pem")
	if err := os.WriteFile(public, key.public.Reveal(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://%s"}
sources:
  - {name: sprinklr, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SECRET]}]}
  - {name: salesiq, provider: salesiq, auth: [{scheme: siq-signature, keys: ["file:%s"]}]}
  - {name: commbox, provider: commbox, auth: [{scheme: access-token, secrets: [env:SECRET]}]}
  - {name: netcore, provider: netcore, auth: [{scheme: basic, users: [env:PAIR]}]}
  - {name: bird, provider: bird, auth: [{scheme: bird-signature, secrets: [env:SECRET]}]}
destinations:
  - {name: events, type: file, path: %s}
`, filepath.Join(dir, "j.db"), public, out), func(m *Main) { m.Env = emulateEnv })
	flags := map[string][]string{
		"sprinklr": {"--secret", "env:SECRET"}, "salesiq": {"--key", "file:" + key.private},
		"commbox": {"--scheme", "access-token", "--secret", "env:SECRET"}, "netcore": {"--user", "env:PAIR", "--batch", "7"},
		"bird": {"--secret", "env:SECRET", "--public-url", "https://hooks.example.com"},
	}
	want := make(map[string]int)
	for _, provider := range outbound.Providers() {
		report := emulateReport(t, append(flags[provider], provider, "--to", "http://"+r.Hooks+"/hooks/"+provider,
			"--events", "210", "--duplicate", "0.2", "--reorder", "0.1", "--concurrency", "4")...)
		want[provider] = 210
		if report.Events != 210 || report.Duplicates == 0 || report.Outcomes["duplicate"] != report.Duplicates ||
			report.Outcomes["accepted"] != report.Deliveries || report.Answers["200"] != report.Sent || len(report.Failures) > 0 || report.Latency.Count != int64(report.Sent) {
			t.Errorf("%s: %+v", provider, report)
		}
	}
	faulty := emulateReport(t, append(flags["sprinklr"], "sprinklr", "--to", "http://"+r.Hooks+"/hooks/sprinklr",
		"--events", "100", "--bad-signature", "0.1", "--truncate", "0.1", "--attempts", "2", "--retry-wait", "1ms")...)
	// A delivery that broke off succeeds at its second attempt; one with a bad signature never does.
	want["sprinklr"] += faulty.Succeeded
	if faulty.Truncated == 0 || faulty.GivenUp == 0 || faulty.Succeeded+faulty.GivenUp != 100 || faulty.Outcomes["accepted"] != faulty.Succeeded || faulty.Retries < faulty.Truncated {
		t.Errorf("%+v", faulty)
	}
	all := 0
	for _, n := range want {
		all += n
	}
	eventually(t, "all events are forwarded", func() (bool, string) { n := len(lines(t, out)); return n >= all, fmt.Sprint(n, " of ", all) })
	got := make(map[string]int)
	ids := make(map[string]bool)
	unknown := make(map[string]bool)
	for _, line := range lines(t, out) {
		var envelope struct{ ID, Provider, Type, EntityType string }
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			t.Fatal(err)
		}
		if ids[envelope.ID] {
			t.Errorf("%s of %s came out twice", envelope.Type, envelope.Provider)
		}
		ids[envelope.ID] = true
		got[envelope.Provider]++
		if envelope.EntityType == "unknown" {
			unknown[envelope.Type] = true
		}
	}
	if !maps.Equal(got, want) || len(unknown) > 0 {
		t.Errorf("came out: %v, want %v; not known: %v", got, want, unknown)
	}
}

// TestEmulateRepeat: a run is repeated by what its report shows, and then the gateway has seen all of it.
func TestEmulateRepeat(t *testing.T) {
	t.Parallel()
	r := serve(t, scenario(filepath.Join(t.TempDir(), "j.db"), "  - {name: events, type: stdout}\n"), func(m *Main) {
		m.Env = func(name string) (string, bool) { return emulateSecrets["SECRET"], name == "SCENARIO_SECRET" }
	})
	args := []string{"sprinklr", "--to", "http://" + r.Hooks + "/hooks/care", "--secret", "env:SECRET", "--events", "50"}
	first := emulateReport(t, args...)
	again := emulateReport(t, append(args, "--seed", fmt.Sprint(first.Seed), "--start", first.Start.Format(time.RFC3339Nano))...)
	other := emulateReport(t, args...)
	if first.Outcomes["accepted"] != 50 || again.Outcomes["duplicate"] != 50 || other.Outcomes["accepted"] != 50 || first.Seed == other.Seed || again.Bytes != first.Bytes {
		t.Errorf("first %v, again %v, other %v", first.Outcomes, again.Outcomes, other.Outcomes)
	}
}

// TestEmulateReport: the table and the object say the same, and the object has every member, zero or not.
func TestEmulateReport(t *testing.T) {
	t.Parallel()
	entry, flags := emulateProof("hub-signature", keyFiles{})
	v := newVerifying(t, entry)
	flags = append(flags, "sprinklr", "--to", v.URL, "--events", "40", "--duplicate", "0.2", "--bad-signature", "0.2", "--seed", "3")
	object := runEmulate(t, append(flags, "--report", "json")...)
	var members map[string]any
	if err := json.Unmarshal([]byte(object.stdout), &members); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(members)), reportNames(); !slices.Equal(got, want) {
		t.Errorf("the report has %v, want %v", got, want)
	}
	table := runEmulate(t, flags...)
	report := emulateReport(t, flags...)
	rows := make(map[string]string)
	for line := range strings.Lines(table.stdout) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "  ")
		rows[name] = strings.TrimSpace(value)
	}
	for name, want := range map[string]string{
		"provider": "sprinklr", "to": v.URL, "events": "40 in 40 deliveries", "succeeded": fmt.Sprintf("%d of 40", report.Succeeded),
		"answered 200 OK": fmt.Sprint(report.Answers["200"]), "answered 401 Unauthorized": fmt.Sprint(report.Answers["401"]),
		"duplicates sent": fmt.Sprint(report.Duplicates), "bad signatures sent": fmt.Sprint(report.BadSignatures), "truncated sent": "0",
	} {
		if rows[name] != want {
			t.Errorf("%s: %q, want %q\n%s", name, rows[name], want, table.stdout)
		}
	}
	if table.code != exitDone || !strings.HasPrefix(rows["seed, start"], "3, 20") || !strings.HasPrefix(rows["sent"], fmt.Sprint(report.Sent, " in ")) || !strings.HasPrefix(rows["latency"], "p50 ") {
		t.Errorf("code %d\n%s", table.code, table.stdout)
	}
}

// reportNames are the members that a report always has.
func reportNames() []string {
	var names []string
	for f := range reflect.TypeFor[outbound.EmulationReport]().Fields() {
		if name, rest, _ := strings.Cut(f.Tag.Get("json"), ","); rest != "omitempty" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestEmulateErrors: what is wrong is one line, names the flag and the way out, and nothing is sent.
func TestEmulateErrors(t *testing.T) {
	t.Parallel()
	sent := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent++ }))
	defer s.Close()
	for name, c := range map[string]struct {
		args string
		says string
	}{
		"provider":        {"sprinkler", `there is no provider "sprinkler"; did you mean sprinklr?`},
		"type":            {"sprinklr --secret env:SECRET --type case.craete", `--type: sprinklr has no event "case.craete"; did you mean case.create, `},
		"literal":         {"sprinklr --secret c4n4ry-0123456789", "--secret is written out; secrets are references: write env:NAME or file:PATH"},
		"literal pair":    {"netcore --user hook:c4n4ry", "--user holds a colon, and so perhaps a password that is written out; give the user alone and --password"},
		"no variable":     {"sprinklr --secret env:GONE", "--secret refers to the environment variable GONE, which is not set"},
		"no file":         {"salesiq --key file:gone.pem", "--key refers to a file that cannot be read: no such file or directory; a relative path starts at the working folder"},
		"no secret":       {"sprinklr", "--secret: hub-signature needs secrets; write env:NAME or file:PATH"},
		"no key":          {"salesiq", "--key: siq-signature signs with a private key, and none is given; write env:NAME or file:PATH"},
		"no user":         {"netcore", "--user is missing, which basic needs; give a reference"},
		"no password":     {"netcore --user hook", "--password is missing, which --user needs"},
		"no key at all":   {"salesiq --key env:SECRET", "--key: "},
		"scheme":          {"bird --scheme hub-signature --secret env:SECRET", `--scheme: bird does not use "hub-signature"; it knows bird-signature`},
		"other's secret":  {"salesiq --key env:SECRET --secret env:SECRET", "--secret is not taken by siq-signature; leave it out, or choose another --scheme"},
		"share":           {"sprinklr --secret env:SECRET --slow 2", "--slow: is no share; write a share from 0 to 1"},
		"rotation":        {"sprinklr --secret env:SECRET --rotate-at 5", "--rotate-at: there is nothing to change to; give --next-secret"},
		"next":            {"sprinklr --secret env:SECRET --rotate-at 5 --next-secret env:GONE", "--next-secret refers to the environment variable GONE"},
		"other's next":    {"sprinklr --secret env:SECRET --rotate-at 5 --next-key env:NEXT", "--next-key is not taken by hub-signature"},
		"public address":  {"bird --secret env:SECRET --public-url hooks", "--public-url: is not an http or https address"},
		"settings":        {"sprinklr --secret env:SECRET --settings 5", "--settings: is no JSON object"},
		"unknown setting": {`salesiq --key env:SECRET --settings {"colour":1}`, "--settings: "},
		"report":          {"sprinklr --secret env:SECRET --report xml", "--report must be one of"},
		"no provider":     {"--secret env:SECRET", `expected "<provider>"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := runEmulate(t, append(strings.Fields(c.args), "--to", s.URL)...)
			if got.code != exitUsage || got.stdout != "" || !strings.Contains("\n"+got.stderr, "\nhookgate: ") || !strings.Contains(got.stderr, c.says) {
				t.Errorf("code %d, standard output %q, standard error %q, want %q", got.code, got.stdout, got.stderr, c.says)
			}
		})
	}
	if sent > 0 {
		t.Errorf("%d requests were sent", sent)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	got := runEmulate(t, "sprinklr", "--to", gone.URL+"/?token=c4n4ry", "--scheme", "none", "--events", "3", "--report", "json")
	if strings.Contains(got.stderr, "token") || got.code != exitFailed || !strings.Contains(got.stderr, "hookgate: nothing could be sent to "+gone.URL+"/: ") || !strings.Contains(got.stdout, `"refused": 3`) {
		t.Errorf("nobody listens: code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// TestEmulateInterrupted: an end by signal is an end with the table.
func TestEmulateInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { once.Do(cancel) }))
	defer s.Close()
	var stdout, stderr bytes.Buffer
	m := &Main{Args: []string{"emulate", "sprinklr", "--to", s.URL, "--scheme", "none", "--events", "1000000"}, Stdout: &stdout, Stderr: &stderr, Env: emulateEnv, Now: time.Now}
	if code := m.Run(ctx); code != exitDone || !strings.Contains(stdout.String(), "ended early") || !strings.Contains(stdout.String(), "answered 200 OK") {
		t.Errorf("code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}

// TestEmulateProgress: a line every five seconds, or every second where it is asked for.
func TestEmulateProgress(t *testing.T) {
	t.Parallel()
	report := outbound.EmulationReport{Seconds: 2, Sent: 100, Answers: map[string]int{"401": 2, "200": 97}, Failures: map[string]int{"timeout": 1}, Latency: outbound.Latency{P50: 1.25, P99: 8}}
	for asked, want := range map[bool]int{true: 10, false: 2} {
		var out bytes.Buffer
		p := newProgress(&out, asked)
		for range 10 {
			p.tell(sofar(&report))
		}
		p.end()
		line := "2 s: sent 100, 50/s, 200: 97, 401: 2, no answer: 1, p50 1.2 ms, p99 8.0 ms\n"
		if out.String() != strings.Repeat(line, want) {
			t.Errorf("asked %v: %q", asked, out.String())
		}
	}
}
