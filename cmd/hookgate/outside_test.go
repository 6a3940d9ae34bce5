package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/verifiers"
)

// TestOutsideVerifiers sends deliveries of every scheme to a receiver in Python, which verifies them by its own library and
// openssl: all as they should be, then all with a spoilt proof.
func TestOutsideVerifiers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, public := newKeyPair(t)
	for name, text := range map[string]string{"private.pem": private, "public.pem": public} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := "file:" + filepath.Join(dir, "private.pem")
	schemes := map[string][]string{
		"hub-signature":  {"sprinklr", "--secret", "env:SECRET"},
		"siq-signature":  {"salesiq", "--key", key},
		"bird-signature": {"bird", "--secret", "env:SECRET"},
		"basic":          {"netcore", "--user", "env:USER", "--batch", "1"},
		"access-token":   {"commbox", "--secret", "env:SECRET", "--prefix", "Token"},
		"bearer":         {"commbox", "--key", key, "--issuer", "outside"},
	}
	// No emulated provider sends these: openssl and the reference library prove them in verifiers, and openssl judges the
	// certificates of the handshake in TestH11_OpensslAgrees.
	elsewhere := []string{"none", "hmac", "standard-webhooks", "client-certificate"}
	for _, scheme := range verifiers.Names() {
		if _, ok := schemes[scheme]; !ok && !slices.Contains(elsewhere, scheme) {
			t.Errorf("%s is verified by nobody else", scheme)
		}
	}
	secrets := map[string]string{"SECRET": twinShared, "USER": twinUser}
	for scheme, args := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			secret := secrets["SECRET"]
			if scheme == "basic" {
				secret = secrets["USER"]
			}
			receiver := exec.CommandContext(t.Context(), "python3", "testdata/receiver.py", scheme, secret, filepath.Join(dir, "public.pem"), "outside")
			out, err := receiver.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := receiver.Start(); err != nil {
				t.Fatalf("%v; make tools installs python3", err)
			}
			t.Cleanup(func() { _ = receiver.Process.Kill(); _ = receiver.Wait() })
			port, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			const n = 40
			for _, c := range []struct{ bad, want string }{{"0", fmt.Sprint(n)}, {"1", "0"}} {
				stdout, stderr := new(syncBuffer), new(syncBuffer)
				m := &Main{
					Args: slices.Concat([]string{"emulate"}, args, []string{
						"--scheme", scheme, "--to", "http://127.0.0.1:" + strings.TrimSpace(port) + "/hooks/outside?a=b%20c",
						"--events", fmt.Sprint(n), "--bad-signature", c.bad, "--report", "json",
					}),
					Stdout: stdout, Stderr: stderr, Now: time.Now,
					Env: func(name string) (string, bool) { v, ok := secrets[name]; return v, ok },
				}
				if code := m.Run(t.Context()); code != exitDone {
					t.Fatalf("ends with %d:\n%s", code, stderr)
				}
				var report struct{ Succeeded json.Number }
				if err := json.Unmarshal([]byte(stdout.String()), &report); err != nil || report.Succeeded.String() != c.want {
					t.Errorf("with a share of %s spoilt, %s of %d verify, want %s (%v)\n%s", c.bad, report.Succeeded, n, c.want, err, stdout)
				}
			}
		})
	}
}
