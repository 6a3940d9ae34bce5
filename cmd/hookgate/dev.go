package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate/configs"
)

type devCommand struct {
	Listen string `default:"127.0.0.1:8080" help:"Where deliveries are taken."`
	Admin  string `default:"127.0.0.1:8081" help:"Where health, readiness and metrics are shown."`
	Keep   string `type:"path" placeholder:"DIR" help:"Keep configuration and journal in this folder; without it they go when the program ends."`
}

// devConfig is the configuration of hookgate dev: what a newcomer would write, with one source a provider.
var devConfig = template.Must(template.New("dev").Parse(`# The configuration that hookgate dev runs with. To go on from here, put real references in place of the env: ones.
listen: {{.Listen}}
admin: {listen: "{{.Admin}}"}
public_url: {{.PublicURL}}
journal: {url: "sqlite://{{.Journal}}"}
log: {level: warn}
sources:
  - name: care
    provider: sprinklr
    auth: [{scheme: hub-signature, secrets: [env:SPRINKLR_PSK]}]
  - name: support-chat
    provider: salesiq
    auth: [{scheme: siq-signature, keys: [env:SALESIQ_PUBLIC_KEY]}]
  - name: inbox
    provider: commbox
    auth: [{scheme: access-token, secrets: [env:COMMBOX_TOKEN]}]
  - name: campaigns
    provider: netcore
    auth: [{scheme: basic, users: [env:NETCORE_USER]}]
  - name: messages
    provider: bird
    auth: [{scheme: bird-signature, secrets: [env:BIRD_SIGNING_KEY]}]
destinations:
  - {name: terminal, type: stdout}
`))

// Run serves the sample sources until ctx ends, through the same loader and the same program as serve.
func (c devCommand) Run(ctx context.Context, m *Main) (err error) {
	dir := c.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "hookgate-dev-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	samples, secrets, err := makeSamples(m.Now())
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := devConfig.Execute(&text, map[string]string{"Listen": c.Listen, "PublicURL": devPublicURL, "Admin": c.Admin, "Journal": filepath.Join(dir, "hookgate.db")}); err != nil {
		return err
	}
	file := filepath.Join(dir, "hookgate.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	env := func(name string) (string, bool) { v, ok := secrets[name]; return v, ok }
	config, _, err := configs.Load(file, env, rules())
	if err != nil {
		return err
	}
	log, buffer := newLogger(m.Stderr, config.Log, m.Now)
	defer buffer.Close()
	log = log.Output(zerolog.ConsoleWriter{Out: buffer, TimeFormat: time.TimeOnly, NoColor: true}) // for people
	p, err := start(m, config, log, buffer, &terminal{out: m.Stdout})
	if err != nil {
		return err
	}
	c.greet(m.Stdout, file, p.hooks.addr(), p.admin.addr(), samples, secrets)
	return p.run(ctx, func() {})
}

// greet says what runs and what to try next.
func (c devCommand) greet(w io.Writer, file, hooks, admin string, samples []sample, secrets map[string]string) {
	fmt.Fprintf(w, "Hookgate takes deliveries at http://%s and shows each event here.\n", hooks)
	fmt.Fprintf(w, "Readiness: http://%s/readyz   metrics: http://%s/metrics   configuration: %s\n\n", admin, admin, file)
	fmt.Fprintln(w, "Secrets made up for this run:")
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if name != "SALESIQ_PUBLIC_KEY" { // it is no secret, and its private half is gone
			fmt.Fprintf(w, "  %s=%s\n", name, secrets[name])
		}
	}
	fmt.Fprintln(w, "\nTry these in another terminal; sent twice, the second is answered as a duplicate and not shown again:")
	for _, s := range samples {
		fmt.Fprintf(w, "\n# %s, %s, %s\n%s\n", s.provider, s.scheme, s.about, s.curl(hooks))
	}
	fmt.Fprintf(w, "\n# a hundred different ones, signed, some of them twice\nSPRINKLR_PSK=%s %s emulate sprinklr --to http://%s/hooks/care --secret env:SPRINKLR_PSK --duplicate 0.1\n",
		secrets["SPRINKLR_PSK"], typed(), hooks)
	fmt.Fprintln(w)
}

// typed is how this program can be called again from the same folder. What go run has built is gone when it ends.
func typed() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/hookgate"
	}
	return os.Args[0]
}

// terminal shows each envelope, which arrives as a line, over several lines under its type.
type terminal struct{ out io.Writer }

func (t *terminal) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		var head struct{ Type, ID, VerifiedBy, KeyID string }
		if err := json.Unmarshal(line, &head); err != nil {
			return 0, err
		}
		var shown bytes.Buffer
		fmt.Fprintf(&shown, "--- %s, verified by %s with %s\n", head.Type, head.VerifiedBy, head.KeyID)
		if err := json.Indent(&shown, bytes.TrimSpace(line), "", "  "); err != nil {
			return 0, err
		}
		shown.WriteByte('\n')
		if _, err := t.out.Write(shown.Bytes()); err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}
