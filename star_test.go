package hookgate_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/hookgate/hookgate"

// TestStar holds the shape of the house: the root imports nothing of this module, a folder imports the root and no
// sibling, and only cmd and bench wire folders together.
func TestStar(t *testing.T) {
	t.Parallel()
	for pkg, imports := range imports(t, "{{.ImportPath}} {{join .Imports \" \"}}") {
		folder := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		top, _, _ := strings.Cut(folder, "/")
		for _, imported := range imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			switch {
			case top == "cmd" || top == "bench":
			case folder == "":
				t.Errorf("the root imports %s", imported)
			case imported != module:
				t.Errorf("%s imports its sibling %s", folder, imported)
			}
		}
	}
}

// TestC02_NothingNeedlessIsLinked keeps out of the binary what modules name in their go.mod only.
func TestC02_NothingNeedlessIsLinked(t *testing.T) {
	t.Parallel()
	out := list(t, "-deps", "./cmd/hookgate")
	for _, unwanted := range []string{"gin-gonic", "fasthttp", "cloudevents", "lestrrat-go/jwx/v2"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("the program links %s", unwanted)
		}
	}
}

// TestNoInit keeps registries in map literals.
func TestNoInit(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "grep", "-nE", `^func init\(\)`, "--", "*.go").CombinedOutput()
	if err == nil {
		t.Errorf("init functions:\n%s", out)
	}
}

func imports(t *testing.T, format string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for line := range strings.Lines(list(t, "-f", format, "./...")) {
		fields := strings.Fields(line)
		found[fields[0]] = fields[1:]
	}
	if len(found) < 8 {
		t.Fatalf("go list found only %d packages", len(found))
	}
	return found
}

func list(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return string(out)
}
