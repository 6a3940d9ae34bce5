package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/hookgate/hookgate/outbound"
)

// TestDocsEmulateFlags keeps the table of docs/emulate.md at what the command takes, and the help's list of providers at
// those that there are.
func TestDocsEmulateFlags(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == "emulate" })
	command := parser.Model.Children[i]
	for _, provider := range outbound.Providers() {
		if !strings.Contains(command.Positional[0].Help, provider) {
			t.Errorf("the help does not name %s", provider)
		}
	}
	var rows strings.Builder
	for _, f := range command.Flags {
		if f.Name == "help" {
			continue
		}
		without := ""
		if f.HasDefault {
			without = "`" + f.Default + "`"
		}
		fmt.Fprintf(&rows, "| `--%s` | %s | %s |\n", f.Name, without, strings.ReplaceAll(f.Help, "|", `\|`))
	}
	const head = "| flag | unless given | what it does |\n|---|---|---|\n"
	was := page(t, "docs/emulate.md")
	before, rest, ok := strings.Cut(was, head)
	if !ok {
		t.Fatal("docs/emulate.md has no table of flags")
	}
	_, after, _ := strings.Cut(rest, "\n## ")
	if want := before + head + rows.String() + "\n## " + after; was != want {
		if !*update {
			t.Error("docs/emulate.md is not what the command takes; run: go test ./cmd/hookgate -run Docs -update")
		} else if err := os.WriteFile(filepath.Join(repository, "docs/emulate.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDocsEmulateReport: the page lists every member of the report, and no other.
func TestDocsEmulateReport(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, row := range tableAfter(t, page(t, "docs/emulate.md"), "## The report for scripts") {
		for _, m := range inlineCode.FindAllStringSubmatch(row[0], -1) {
			listed = append(listed, m[1])
		}
	}
	slices.Sort(listed)
	if want := reportNames(); !slices.Equal(listed, want) {
		t.Errorf("docs/emulate.md lists %v, the report has %v", listed, want)
	}
}

// TestDocsEmulateRuns does what the page tells a newcomer to do, against a gateway that knows the secrets.
func TestDocsEmulateRuns(t *testing.T) {
	t.Parallel()
	blocks := fenced(page(t, "docs/emulate.md"), "sh")
	if len(blocks) != 3 {
		t.Fatalf("the page has %d examples", len(blocks))
	}
	dir := t.TempDir()
	private, public := filepath.Join(dir, "siq.pem"), filepath.Join(dir, "public.pem")
	makeKey(t, blocks[1], private, public)
	r := serve(t, fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
public_url: https://hooks.example.com
journal: {url: "sqlite://%s"}
limits: {strangers: 1000/s}
sources:
  - {name: care, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:SECRET]}]}
  - {name: support-chat, provider: salesiq, auth: [{scheme: siq-signature, keys: ["file:%s"]}]}
  - {name: messages, provider: bird, auth: [{scheme: bird-signature, secrets: [env:SECRET]}]}
destinations:
  - {name: events, type: file, path: %s}
`, filepath.Join(dir, "j.db"), public, filepath.Join(dir, "events")), func(m *Main) { m.Env = emulateEnv })
	place := strings.NewReplacer("127.0.0.1:8080", r.Hooks, "file:siq.pem", "file:"+private,
		"env:SPRINKLR_PSK", "env:SECRET", "env:BIRD_SIGNING_KEY", "env:SECRET")
	for i, want := range [][]string{
		{"events 200 in 200 deliveries", "answered 200 OK", "Hookgate-Outcome accepted 200", "Hookgate-Outcome duplicate"},
		{"events 100 in 100 deliveries", "answered 401 Unauthorized", "Hookgate-Outcome accepted", "broken off"},
		{`"accepted": 500`, `"seed": 42`, `"answers": {`},
	} {
		ran := false
		for line := range strings.Lines(blocks[i]) {
			rest, ours := strings.CutPrefix(line, "hookgate emulate ")
			if !ours {
				continue
			}
			ran = true
			got := runEmulate(t, shellWords(t, strings.TrimSpace(place.Replace(rest)))...)
			if got.code != exitDone || got.stderr != "" {
				t.Errorf("%s: code %d, %s", line, got.code, got.stderr)
			}
			for _, what := range want {
				if !strings.Contains(strings.Join(strings.Fields(got.stdout), " "), what) {
					t.Errorf("%s: %q is not in\n%s", line, what, got.stdout)
				}
			}
		}
		if !ran {
			t.Errorf("example %d runs nothing", i+1)
		}
	}
}

// makeKey runs the page's own command; on a machine without openssl it makes such a key by itself.
func makeKey(t *testing.T, block, private, public string) {
	t.Helper()
	command, _, _ := strings.Cut(block, "\n")
	if _, err := exec.LookPath("openssl"); err != nil || !strings.HasPrefix(command, "openssl genpkey ") {
		t.Logf("%q is not run: %v", command, err)
		key := newKeyFiles(t)
		copyFile(t, key.private, private)
		writeFile(t, public, key.public.Reveal())
		return
	}
	words := shellWords(t, strings.ReplaceAll(command, "siq.pem", private))
	if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	text, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	block64, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block64.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, b)
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
