package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shop is a module with something of everything. Its tests are good in some places and bad in others.
var shop = map[string]string{
	"go.mod": "module shop.example\n\ngo 1.26\n",
	"price/price.go": `package price

import "os"

type Flag bool

const small = 1 < 2

var fine = len(os.Args) >= 0

type item struct{ sold bool }

type Till[T comparable] struct{ open T }

func (t *Till[T]) Is(v T) bool { return t.open == v }

func Sold(i *item) bool {
	return i != nil &&
		i.sold
}

func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func Wait(a, b int) {
	for a == b {
		if fine {
			b++
		}
	}
}

func Careless(a, b int) bool { return a < b || (a == b && a < 0) }

func Never(a int) bool { return a != 1 }

func Same(a int) int {
	if a > 0 { // known
		return max(a, 0)
	}
	if a > 0 { // the second
		return 7
	}
	return max(a, 0)
}

func Named(a, b Flag) Flag {
	var c Flag = a == b
	return c && a
}
`,
	"price/untouched.go": "package price\n\nfunc Untouched(a int) bool { return a == 1 }\n",
	"price/price_test.go": `package price

import (
	"os"
	"os/exec"
	"testing"
)

func TestMax(t *testing.T) {
	if Max(1, 2) != 2 || Max(2, 1) != 2 {
		t.Error("not the larger")
	}
}

func TestSold(t *testing.T) {
	if Sold(nil) || Sold(&item{}) || !Sold(&item{sold: true}) {
		t.Error("not what is sold")
	}
	if till := (&Till[string]{"a"}); !till.Is("a") || till.Is("b") {
		t.Error("not what is open")
	}
	if !Named(true, true) || Named(true, false) {
		t.Error("not both")
	}
}

func TestWait(t *testing.T)     { Wait(1, 2) }
func TestCareless(t *testing.T) { Careless(1, 2) }
func TestSame(t *testing.T)     { Same(-1) }

func TestLeavesAChild(t *testing.T) {
	pipe, err := os.OpenFile(os.Getenv("SHOP_PIPE"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "600")
	child.Stdout = pipe
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if Max(1, 2) != 2 {
		t.Error("not the larger, and a child is left")
	}
}
`,
	"good/even.go": `package good

func Even(a int) bool {
	if a == 0 {
		return 0%2 == a%2
	}
	return a%2 == 0
}
`,
	"good/odd.go": "package good\n\nfunc Odd(a int) bool { return a < 0 && a > 0 }\n",
	"good/good_test.go": `package good

import (
	"os"
	"testing"
)

func TestEven(t *testing.T) {
	if _, err := os.Stat("even.go"); err != nil {
		t.Error(err) // the tests run in their folder
	}
	if !Even(0) || Even(1) || !Even(2) {
		t.Error("odd")
	}
}
`,
	"good.txt":        "good/even.go: Even: a == 0 # 0 | 2 are even & so is 0\ngood/odd.go: Odd: a == 7 # of another file\n",
	"bad/bad.go":      "package bad\n\nfunc Zero(a int) bool { return a == 0 }\n",
	"bad/bad_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestZero(t *testing.T) {\n\tif !Zero(1) {\n\t\tt.Error(\"a flaw\")\n\t}\n}\n",
	"known.txt": `# what may be
price/price.go: Same: a > 0 # max gives the same
price/price.go: Careless: a == b # a test that does not look
price/price.go: Max: a > b # wrongly
price/price.go: Gone: a > b # gone
`,
}

// tried runs the tool over a target of the shop.
func tried(t *testing.T, o options) (found, progress, dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range shop {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SHOP_PIPE", pipe)
	t.Setenv("MUTANT", "1") // of somebody else
	o.targets, o.patience = []string{filepath.Join(dir, o.targets[0])}, 4*time.Second
	if o.known != "" {
		o.known = filepath.Join(dir, o.known)
	}
	var out, steps strings.Builder
	err = run(t.Context(), o, &out, &steps)
	t.Logf("%s\n%s%v", steps.String(), out.String(), err)
	nobodyHolds(t, pipe)
	return out.String(), steps.String(), dir, err
}

// nobodyHolds waits until all who could write to a pipe have ended.
func nobodyHolds(t *testing.T, pipe string) {
	t.Helper()
	p, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a child of a test is left: %v", err)
	}
}

func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("nothing says %q", line)
		}
	}
}

func TestEveryEnding(t *testing.T) {
	found, progress, _, err := tried(t, options{targets: []string{"price"}, known: "known.txt"})
	if err == nil || err.Error() != "8 comparisons can be turned round unnoticed; write a test that notices, or list them with a reason" {
		t.Errorf("ended with %v", err)
	}
	holds(t, progress, "ended by time-out: price/price.go:30:8: a == b\n")
	holds(t, found,
		"not turned round, a constant: price/price.go:7:17: 1 < 2\n",
		"not turned round, of type shop.example/price.Flag: price/price.go:53:11: c && a\n",
		"SURVIVED: price/price.go:37:41: a < b\n",
		"SURVIVED: price/price.go:37:45: a < b || (a == b && a < 0)\n\tprice/price.go: Careless: a < b || (a == b && a < 0)\n",
		"SURVIVED, reached by no test: price/price.go:39:35: a != 1\n",
		"SURVIVED, reached by no test: price/untouched.go:3:39: a == 1\n",
		"listed as known, but noticed: price/price.go: Max: a > b\n",
		"listed as known, but not there: price/price.go: Gone: a > b\n",
	)
	for _, quiet := range []string{": i != nil", "i.sold", "t.open == v", "a > b\n\t", "price.go:52", "price.go:41", "37:52"} {
		if strings.Contains(found, quiet) {
			t.Errorf("%q is said not to be noticed", quiet)
		}
	}
}

func TestOneFileAndItsPage(t *testing.T) {
	written := filepath.Join(t.TempDir(), "page.md")
	found, _, _, err := tried(t, options{targets: []string{"good/even.go"}, known: "good.txt", page: written})
	if err != nil {
		t.Error(err)
	}
	if want := "    2 noticed\n    1 unnoticed, as is known\n"; found != want {
		t.Errorf("found %q, want %q", found, want)
	}
	b, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, string(b),
		"| good/even.go | 3 | 2 | 1 |\n| **all** | 3 | 2 | 1 |\n",
		"| good/even.go, Even | <code>a == 0</code> | 0 &#124; 2 are even &amp; so is 0 |\n")
}

func TestNoPageOfSurvivors(t *testing.T) {
	written := filepath.Join(t.TempDir(), "page.md")
	if _, _, _, err := tried(t, options{targets: []string{"good"}, known: "good.txt", page: written}); err == nil {
		t.Error("what no test reaches is taken for noticed")
	}
	if _, err := os.Stat(written); err == nil {
		t.Error("a page was written of what a test must notice yet")
	}
}

func TestTestsThatFailAnyway(t *testing.T) {
	_, _, _, err := tried(t, options{targets: []string{"bad"}})
	if err == nil || !strings.Contains(err.Error(), "fail with nothing turned round") || !strings.Contains(err.Error(), "a flaw") {
		t.Errorf("ended with %v", err)
	}
}

func TestList(t *testing.T) {
	found, _, _, err := tried(t, options{targets: []string{"good"}, list: true})
	if want := "good/even.go:4:7: a == 0\n"; err != nil || !strings.HasPrefix(found, want) {
		t.Errorf("listed %q, %v", found, err)
	}
}

func TestKnownWithoutReason(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "known.txt")
	if err := os.WriteFile(list, []byte("# fine\n\na.go: F: a == b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKnown(list); err == nil || !strings.HasSuffix(err.Error(), "known.txt:3: no reason; write FILE: FUNCTION: COMPARISON # why") {
		t.Errorf("read with %v", err)
	}
}
