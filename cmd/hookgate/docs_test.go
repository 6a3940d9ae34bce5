package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/normalize"
	"github.com/hookgate/hookgate/verifiers"
)

var update = flag.Bool("update", false, "rewrite the table of metrics in docs/operating.md and testdata/help")

const repository = "../.."

// pages are the documents of the repository, by their paths from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "DECISIONS.md"}
	found, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(found) < 5 {
		t.Fatalf("docs holds %v, %v", found, err)
	}
	for _, path := range found {
		names = append(names, "docs/"+filepath.Base(path))
	}
	all := make(map[string]string, len(names))
	for _, name := range names {
		all[name] = page(t, name)
	}
	return all
}

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced are the code blocks of a page in one language; the empty language is a block without one.
func fenced(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		if m[1] == language {
			blocks = append(blocks, m[3])
		}
	}
	return blocks
}

var (
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```$")
)

// inline is what stands between single backticks outside of the blocks.
func inline(text string) []string {
	var all []string
	for _, m := range inlineCode.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		all = append(all, m[1])
	}
	return all
}

// tableAfter gives the cells of the first table after a text, without its two head rows.
func tableAfter(t *testing.T, text, after string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(text, after)
	if !ok {
		t.Fatalf("the page does not hold %q", after)
	}
	var rows [][]string
	for line := range strings.Lines(rest[max(0, strings.Index(rest, "\n|")+1):]) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("no table after %q", after)
	}
	return rows[2:]
}

// metricRow is one line of the table of metrics.
type metricRow struct {
	name   string
	labels []string
	help   string
}

// gatherMetrics scrapes metrics in which every vector has a child, and gives our own lines of it.
func gatherMetrics(t *testing.T) (text string, all []metricRow) {
	t.Helper()
	m := admin.NewMetrics(func() admin.Snapshot {
		return admin.Snapshot{Destinations: []admin.DestinationSnapshot{{Name: "events"}}, Outbound: []admin.OutboundSnapshot{{Provider: "bird"}}}
	}, nil)
	m.Diagnosed("care", "unexplained")
	m.Expect(&hookgate.Source{Name: "care", Keys: []hookgate.Proof{{Scheme: "hub-signature", KeyID: "env:CARE"}}})
	m.Observe(&hookgate.Report{Source: "care", Outcome: hookgate.Outcome{
		Kind:    hookgate.Accepted,
		Events:  []*hookgate.Event{{}, {Quarantine: "unreadable"}},
		Results: []hookgate.Result{{Class: hookgate.First, Conflict: true}, {}},
	}}, time.Millisecond)
	m.Observe(&hookgate.Report{Source: "care", Err: hookgate.Refuse(hookgate.Mismatch, "forged")}, time.Millisecond)
	m.ExpectClient(hookgate.UnknownClient)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var ours strings.Builder
	label := regexp.MustCompile(`([a-z_]+)="`)
	for line := range strings.Lines(answer.Body.String()) {
		name, help, isHelp := strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
		switch {
		case !strings.Contains(line, "hookgate_"):
			continue
		case isHelp && strings.HasPrefix(line, "# HELP "):
			all = append(all, metricRow{name: name, help: strings.TrimSpace(help)})
		case !strings.HasPrefix(line, "#"):
			last := &all[len(all)-1]
			for _, l := range label.FindAllStringSubmatch(line, -1) {
				if l[1] != "le" && !slices.Contains(last.labels, l[1]) { // le is the histogram's own
					last.labels = append(last.labels, l[1])
				}
			}
		}
		ours.WriteString(line)
	}
	return ours.String(), all
}

// TestDocsMetrics keeps the table of docs/operating.md at what the program serves.
func TestDocsMetrics(t *testing.T) {
	t.Parallel()
	text, all := gatherMetrics(t)
	if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("the linter says %v, %v", problems, err)
	}
	served := make(map[string]bool)
	var rows strings.Builder
	for _, m := range all {
		served[m.name] = true
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", m.name, labels, m.help)
	}
	declared := regexp.MustCompile(`"(hookgate_[a-z_]+)"`)
	sources, err := filepath.Glob(filepath.Join(repository, "admin", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllSubmatch(b, -1) {
			if !strings.HasSuffix(path, "_test.go") && !served[string(m[1])] {
				t.Errorf("%s of %s has no child in this test, so that it is missing on the page", m[1], path)
			}
		}
	}

	const head = "| metric | labels | meaning |\n|---|---|---|\n"
	was := page(t, "docs/operating.md")
	before, rest, ok := strings.Cut(was, head)
	if !ok {
		t.Fatal("docs/operating.md has no table of metrics")
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	if want := before + head + rows.String() + "\n" + after; was != want {
		if !*update {
			t.Error("docs/operating.md is not what the metrics say; run: go test ./cmd/hookgate -run Docs -update")
		} else if err := os.WriteFile(filepath.Join(repository, "docs/operating.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range pages(t) {
		for _, m := range regexp.MustCompile(`hookgate_[a-z_]+`).FindAllString(text, -1) {
			if !served[m] {
				t.Errorf("%s speaks of %s, which is not served", name, m)
			}
		}
	}
}

// TestDocsTests: a page may only call on tests that exist.
func TestDocsTests(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	walkSources(t, func(path, text string) {
		if strings.HasSuffix(path, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(text, -1) {
				known[m[1]] = true
			}
		}
	})
	named := 0
	for name, text := range pages(t) {
		for _, m := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(text, -1) {
			named++
			if !known[m] {
				t.Errorf("%s names %s, which does not exist", name, m)
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d tests are named", named)
	}
}

func walkSources(t *testing.T, see func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != repository:
			return fs.SkipDir
		case d.IsDir() || (filepath.Ext(path) != ".go" && d.Name() != "Makefile"):
			return nil
		}
		b, err := os.ReadFile(path)
		see(path, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// madeUp gives every reference that an example may hold a value of the right form.
func madeUp(t *testing.T) func(string) (string, bool) {
	t.Helper()
	_, secrets, err := makeSamples(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, signing := newPrivateKey(t)
	return func(name string) (string, bool) {
		switch {
		case strings.HasSuffix(name, "_PRIVATE_KEY"):
			return string(signing), true
		case strings.HasSuffix(name, "_KEY") && strings.Contains(name, "PUBLIC"):
			return secrets["SALESIQ_PUBLIC_KEY"], true
		case strings.HasSuffix(name, "_WHSEC"):
			return "whsec_bWFkZS11cC1zZWNyZXQtbnVtYmVyLW9uZQ==", true
		case strings.HasSuffix(name, "_USER"):
			return "hook:made-up-0123456789", true
		case name == "NATS_URL", name == "AMQP_URL", name == "KAFKA_URL":
			scheme, _, _ := strings.Cut(strings.ToLower(name), "_")
			return scheme + "://user:made-up@host", true
		case strings.HasSuffix(name, "_URL"), name == "HOOKGATE_REDIS":
			return "redis://127.0.0.1:6379/0", true
		}
		return "made-up-0123456789abcdef", true
	}
}

// TestDocsConfigurations loads every block of YAML on every page. A block that lacks sources or destinations is a fragment:
// it gets plain ones.
func TestDocsConfigurations(t *testing.T) {
	t.Parallel()
	env := madeUp(t)
	blocks := 0
	for name, text := range pages(t) {
		for i, block := range fenced(text, "yaml") {
			blocks++
			for key, plain := range map[string]string{
				"sources":      "sources: [{name: plain, provider: sprinklr, auth: [{scheme: hub-signature, secrets: [env:PLAIN]}]}]\n",
				"destinations": "destinations: [{name: plain, type: stdout}]\n",
			} {
				if !regexp.MustCompile(`(?m)^` + key + `:`).MatchString(block) {
					block += plain
				}
			}
			file := filepath.Join(t.TempDir(), "hookgate.yaml")
			referred(t, filepath.Dir(file), block)
			c, warnings, err := configs.Parse(file, []byte(block), env, rules())
			if err != nil {
				t.Errorf("%s, block %d of YAML: %v", name, i+1, err)
				continue
			}
			if len(warnings) > 0 {
				t.Errorf("%s, block %d of YAML is warned of: %v", name, i+1, warnings)
			}
			if _, err := buildSources(c, verifiers.NewParties(time.Now, nil)); err != nil {
				t.Errorf("%s, block %d of YAML: %v", name, i+1, err)
			}
		}
	}
	if blocks < 2 {
		t.Errorf("only %d blocks of YAML", blocks)
	}
}

// TestDocsReference: the schema and the reference page are those of the real registries.
func TestDocsReference(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]byte{
		"configs/schema.json":   configs.Schema(rules()),
		"docs/configuration.md": []byte(configs.Reference(rules())),
	} {
		if page(t, name) != string(want) {
			t.Errorf("%s does not fit the registries; mend the names in configs/load_test.go and run: go test ./configs -update", name)
		}
	}
}

// configOptions are the paths of every key of the configuration, and the values of those that have a list of them.
func configOptions(t *testing.T) map[string][]string {
	t.Helper()
	type schema struct {
		Properties map[string]*schema `json:"properties"`
		Items      *schema            `json:"items"`
		Enum       []string           `json:"enum"`
	}
	root := new(schema)
	if err := json.Unmarshal(configs.Schema(rules()), root); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	var walk func(prefix string, s *schema)
	walk = func(prefix string, s *schema) {
		if s.Items != nil {
			s = s.Items
		}
		all[prefix] = s.Enum
		for key, p := range s.Properties {
			walk(prefix+"."+key, p)
		}
	}
	walk("", root)
	return all
}

// TestDocsOptions: an option that a page writes as `a.b` or as `a: value` exists.
func TestDocsOptions(t *testing.T) {
	t.Parallel()
	all := configOptions(t)
	shaped := regexp.MustCompile(`^([a-z_]+(?:\.[a-z_]+)*)(?:: ?([a-z]+)?)?$`)
	first := make(map[string]bool)
	for path := range all {
		for _, key := range strings.Split(path, ".") {
			first[key] = true
		}
	}
	checked := 0
	for name, text := range pages(t) {
		for _, code := range inline(text) {
			m := shaped.FindStringSubmatch(code)
			key, _, dotted := strings.Cut(code, ".")
			if m == nil || (!strings.Contains(code, ":") && (!dotted || !first[key])) || slices.Contains([]string{".go", ".db"}, filepath.Ext(code)) { // names of files
				continue
			}
			checked++
			found := false
			for path, values := range all {
				if strings.HasSuffix(path, "."+m[1]) {
					found = found || m[2] == "" || values == nil || slices.Contains(values, m[2])
				}
			}
			if !found {
				t.Errorf("%s speaks of the option %q, which does not exist", name, code)
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d options are written out", checked)
	}
}

// TestDocsLinks: every relative link and every path in code leads to a file.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	exists := func(parts ...string) bool {
		_, err := os.Stat(filepath.Join(parts...))
		return err == nil
	}
	var files []string
	walkAll(t, func(path string) { files = append(files, path) })
	shaped := regexp.MustCompile(`^[\w./-]+(\.(go|md|yaml|json|csv|txt|py)|/)$`)
	generated := map[string]bool{"bin/hookgate": true}
	links := 0
	for name, text := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
			links++
			if !strings.Contains(m[1], "://") && !exists(repository, filepath.Dir(name), m[1]) {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
		for _, code := range inline(text) {
			if !shaped.MatchString(code) || strings.HasPrefix(code, "/") || generated[code] {
				continue
			}
			if !slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, "/"+strings.TrimSuffix(code, "/")) }) {
				t.Errorf("%s speaks of %s, which is not there", name, code)
			}
		}
	}
	if links < 8 {
		t.Errorf("only %d links", links)
	}
}

func walkAll(t *testing.T, see func(path string)) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		see(filepath.ToSlash(path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDocsCommands: every command line of ours on a page would be understood, every target of make exists, and so does
// every variable that README names.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	var line commands
	parser, err := kong.New(&line, kong.Name("hookgate"))
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string][]string) // by the words of the command
	var add func(of *kong.Node, before string)
	add = func(of *kong.Node, before string) {
		for _, c := range of.Children {
			name := before + c.Name
			flags[name] = nil
			for _, f := range append(c.Flags, parser.Model.Flags...) {
				flags[name] = append(flags[name], "--"+f.Name)
				if f.Short != 0 {
					flags[name] = append(flags[name], "-"+string(f.Short))
				}
			}
			add(c, name+" ")
		}
	}
	add(parser.Model.Node, "")
	makefile := page(t, "Makefile")
	ours := regexp.MustCompile(`^(?:\./|bin/|go run \./cmd/)?hookgate(?: ([a-z-]+))?((?: .*)?)$`)
	checked := 0
	check := func(name, command string) {
		command, _, _ = strings.Cut(command, " #")
		command = strings.TrimSpace(command)
		if target, ok := strings.CutPrefix(command, "make "); ok && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(target)+`:`).MatchString(makefile) {
			t.Errorf("%s: make has no target %q", name, target)
		}
		m := ours.FindStringSubmatch(command)
		if m == nil || m[1] == "" {
			return
		}
		checked++
		known, ok := flags[m[1]]
		if !ok {
			t.Errorf("%s: %q is no command", name, m[1])
		}
		if second, _, _ := strings.Cut(strings.TrimSpace(m[2]), " "); flags[m[1]+" "+second] != nil {
			known = flags[m[1]+" "+second]
		}
		for _, word := range strings.Fields(m[2]) {
			word, _, _ = strings.Cut(word, "=")
			if strings.HasPrefix(word, "-") && !slices.Contains(known, word) {
				t.Errorf("%s: %s has no flag %s", name, m[1], word)
			}
		}
	}
	for name, text := range pages(t) {
		for _, code := range inline(text) {
			check(name, code)
		}
		for _, language := range []string{"", "sh"} {
			for _, block := range fenced(text, language) {
				for command := range strings.Lines(block) {
					check(name, command)
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d command lines", checked)
	}
	variables := regexp.MustCompile(`HOOKGATE_[A-Z_]+`).FindAllString(page(t, "README.md"), -1)
	used := make(map[string]bool)
	walkSources(t, func(path, text string) {
		for _, v := range variables {
			used[v] = used[v] || strings.Contains(text, `os.Getenv("`+v+`")`) || strings.Contains(text, `os.LookupEnv("`+v+`")`)
		}
	})
	for v, ok := range used {
		if !ok {
			t.Errorf("README names %s, which no source reads", v)
		}
	}
}

// TestDocsProviders: the tables of providers, schemes and windows are those of the registries.
func TestDocsProviders(t *testing.T) {
	t.Parallel()
	first := regexp.MustCompile("^`?([a-z]+)")
	readme := page(t, "README.md")
	var providers []string
	schemes := map[string]bool{"none": strings.Contains(readme, "`none` must be written out")}
	for _, row := range tableAfter(t, readme, "## Providers") {
		if strings.Contains(row[0], "docs/declared.md") {
			var shipped []string
			for _, m := range inlineCode.FindAllStringSubmatch(row[0], -1) {
				shipped = append(shipped, m[1])
			}
			slices.Sort(shipped)
			if !slices.Equal(shipped, configs.Shipped()) {
				t.Errorf("README has the shipped declarations %v, there are %v", shipped, configs.Shipped())
			}
		} else {
			providers = append(providers, first.FindStringSubmatch(row[0])[1])
		}
		for _, m := range inlineCode.FindAllStringSubmatch(row[2], -1) {
			schemes[m[1]] = true
		}
	}
	slices.Sort(providers)
	if !slices.Equal(providers, normalize.Names()) {
		t.Errorf("README has the providers %v, the registry %v", providers, normalize.Names())
	}
	if got := slices.Sorted(maps.Keys(schemes)); !slices.Equal(got, verifiers.Names()) {
		t.Errorf("README has the schemes %v, the registry %v", got, verifiers.Names())
	}

	providers = nil
	for _, row := range tableAfter(t, page(t, "docs/envelope.md"), "## The id") {
		provider := first.FindStringSubmatch(row[0])[1]
		providers = append(providers, provider)
		number, unit, _ := strings.Cut(row[2], " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(row)
		}
		of := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(unit, "s")]
		if window := time.Duration(n) * of; window != normalize.Window(provider) {
			t.Errorf("docs/envelope.md has a window of %v for %s, the registry %v", window, provider, normalize.Window(provider))
		}
	}
	slices.Sort(providers)
	if !slices.Equal(providers, normalize.Names()) {
		t.Errorf("docs/envelope.md has the providers %v", providers)
	}
}

// TestDocsAnswers: the statuses of docs/answers.md are those of the codes, and no status is missing there.
func TestDocsAnswers(t *testing.T) {
	t.Parallel()
	codes := map[string][]hookgate.Code{ // by the beginning of the case
		"accepted, duplicate, quarantined":   nil,
		"set-up call: HEAD or GET":           nil,
		"set-up call of Netcore":             nil,
		"authentication failed":              {hookgate.Unauthenticated},
		"authentication failed, and":         {hookgate.OverLimit},
		"the issuer of a token":              {hookgate.Unavailable},
		"unknown path":                       {hookgate.UnknownSource},
		"other methods":                      {hookgate.WrongMethod},
		"larger than":                        {hookgate.TooLarge},
		"a `Content-Encoding`":               {hookgate.WrongEncoding},
		"the body broke off":                 {hookgate.BrokenBody},
		"authenticated but unreadable":       {hookgate.Malformed},
		"authenticated, over the source's":   {hookgate.OverLimit},
		"journal unavailable or full, or mo": {hookgate.Unavailable, hookgate.InternalMistake},
	}
	status := regexp.MustCompile(`\b[1-5][0-9]{2}\b`)
	seen := make(map[string]bool)
	for _, row := range tableAfter(t, page(t, "docs/answers.md"), "every cell of this table") {
		best := ""
		for begin := range codes {
			if strings.HasPrefix(row[0], begin) && len(begin) > len(best) {
				best = begin
			}
		}
		if best == "" || seen[best] {
			t.Errorf("the test does not know the case %q", row[0])
			continue
		}
		seen[best] = true
		said := status.FindAllString(row[1], -1)
		want := []string{"200"}
		if best == "authenticated but unreadable" {
			want = append(want, strconv.Itoa(hookgate.Malformed.Status()))
		} else if codes[best] != nil {
			want[0] = strconv.Itoa(codes[best][0].Status())
		}
		if !slices.Equal(said, want) {
			t.Errorf("%q: the page says %v, the codes %v", row[0], said, want)
		}
		for _, c := range codes[best] {
			if c.Status() != codes[best][0].Status() {
				t.Errorf("%q stands for codes of different statuses", row[0])
			}
		}
	}
	if len(seen) != len(codes) {
		t.Errorf("the page has %d of %d cases", len(seen), len(codes))
	}
}

// TestDocsBackup does what docs/reliability.md tells an operator: a backup while the gateway runs, the queries for dead
// letters and quarantine on it, a restore from it, and the replay of a dead letter.
func TestDocsBackup(t *testing.T) {
	t.Parallel()
	text := page(t, "docs/reliability.md")
	queries := fenced(text, "sql")
	command := strings.Join(fenced(text, "sh"), "")
	backup := regexp.MustCompile(`"(VACUUM INTO '/backup/hookgate.db')"`).FindStringSubmatch(command)
	if len(queries) != 3 || backup == nil {
		t.Fatalf("the page has %d queries and the command %q", len(queries), command)
	}
	var open atomic.Bool
	var delivered atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !open.Load() {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		delivered.Add(1)
	}))
	defer target.Close()
	dir := t.TempDir()
	db, copied := filepath.Join(dir, "hookgate.db"), filepath.Join(dir, "copy.db")
	destination := "  - {name: events, type: http, url: " + target.URL + ", retry: {attempts: 1}}\n"
	env := func(m *Main) { m.Env = scenarioEnv }

	r := serve(t, scenario(db, destination), env)
	s := newSender(t, r.Hooks)
	a := s.deliver(t.Context(), caseBody(1, 1))
	if a.outcome != "accepted" {
		t.Fatal(a)
	}
	if a := s.deliver(t.Context(), "unreadable"); a.outcome != "quarantined" {
		t.Fatal(a)
	}
	dead := func(r *running, n int) func() (bool, string) {
		return func() (bool, string) {
			said := r.get(t, "/metrics")
			return strings.Contains(said, fmt.Sprintf("hookgate_dead_letters{destination=\"events\"} %d\n", n)), said
		}
	}
	eventually(t, "the event is a dead letter", dead(r, 1))
	executeSQL(t, db, strings.Replace(backup[1], "/backup/hookgate.db", copied, 1))
	if a := s.deliver(t.Context(), caseBody(2, 1)); a.outcome != "accepted" {
		t.Errorf("after the backup: %v", a)
	}
	if code := r.stop(); code != exitDone {
		t.Fatalf("ended with %d:\n%s", code, r.stderr)
	}

	rows := queryRows(t, copied, queries[0])
	if len(rows) != 1 || !strings.HasPrefix(rows[0], "events|"+a.eventID+"|sprinklr.case.update|") || !strings.Contains(rows[0], "400") {
		t.Errorf("the dead letters are %q", rows)
	}
	rows = queryRows(t, copied, queries[1])
	if len(rows) != 1 || !strings.HasSuffix(rows[0], "|unreadable") || !strings.Contains(rows[0], "|care|") {
		t.Errorf("the quarantine is %q", rows)
	}

	executeSQL(t, copied, queries[2])
	open.Store(true)
	r = serve(t, scenario(copied, destination), env)
	eventually(t, "the dead letter is delivered", func() (bool, string) { n := delivered.Load(); return n == 1, fmt.Sprint(n) })
	eventually(t, "there is no dead letter", dead(r, 0))
	s = newSender(t, r.Hooks)
	if a := s.deliver(t.Context(), caseBody(1, 1)); a.outcome != "duplicate" {
		t.Errorf("from before the backup: %v", a)
	}
	if a := s.deliver(t.Context(), caseBody(2, 1)); a.outcome != "accepted" {
		t.Errorf("from after the backup: %v", a)
	}
}

func openDatabase(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func executeSQL(t *testing.T, path, statement string) {
	t.Helper()
	db := openDatabase(t, path)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// queryRows gives each row as text, its columns with bars between them.
func queryRows(t *testing.T, path, statement string) []string {
	t.Helper()
	db := openDatabase(t, path)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		cells := make([]sql.RawBytes, len(columns))
		places := make([]any, len(columns))
		for i := range cells {
			places[i] = &cells[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		line := make([][]byte, len(cells))
		for i, c := range cells {
			line[i] = c
		}
		all = append(all, string(bytes.Join(line, []byte("|"))))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDocsDiagnoses: the page has a row for every diagnosis and for nothing else.
func TestDocsDiagnoses(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "failed.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed = append(listed, m[1])
			}
		}
	}
	var known []string
	for _, d := range verifiers.Diagnoses() {
		known = append(known, string(d))
	}
	slices.Sort(listed)
	slices.Sort(known)
	if !slices.Equal(listed, known) {
		t.Errorf("the page has %q, the gateway %q", listed, known)
	}
}

// TestDocsSecurity sends what docs/security.md has others send to a running gateway: each is answered as it says there.
func TestDocsSecurity(t *testing.T) {
	t.Parallel()
	o := operate(t, fileAt(filepath.Join(t.TempDir(), "events")))
	blocks := fenced(page(t, "docs/security.md"), "sh")
	requests := 0
	for line := range strings.Lines(blocks[len(blocks)-1]) {
		requests++
		command, says, _ := strings.Cut(line, " # ")
		curl := exec.CommandContext(t.Context(), "bash", "-c", command)
		curl.Env = append(os.Environ(), "HOOKS=http://"+o.Hooks, "ADMIN=http://"+o.Admin)
		answer, err := curl.CombinedOutput()
		head, body, _ := strings.Cut(string(answer), "\r\n\r\n")
		if err != nil || len(says) < 3 || !strings.HasPrefix(head, "HTTP/1.1 "+says[:3]+" ") {
			t.Errorf("%s is answered %v\n%s", strings.TrimSpace(line), err, answer)
		}
		if strings.Contains(says, "no body") && body != "" {
			t.Errorf("%s is answered with the body %q", command, body)
		}
	}
	if requests < 6 {
		t.Errorf("the page has %d requests", requests)
	}
}
