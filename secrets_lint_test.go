package hookgate_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The lint follows, within a function, what comes out of a Secret or a MAC, and complains about every comparison of it that
// stops at the first difference. It does not know types, so that it goes by names at the edges.
type secretLint struct {
	files    *token.FileSet
	tainted  map[string]bool // names in the function at hand
	findings []string
}

var (
	// secretFields are members that hold a secret's bytes or a MAC of ours.
	secretFields = []string{"value", "secret", "secrets", "password", "private"}
	// secretNames are parameters that do.
	secretNames = []string{"secret", "password", "token", "ours", "mac", "expected"}
	// makers give a secret or a MAC; passing are packages and conversions whose results are as secret as what they are given.
	makers  = []string{"Reveal", "Sum", "sum", "signed"}
	passing = []string{"bytes", "strings", "base64", "hex", "sha256", "sha512", "append", "string", "url", "fmt"}
	leaking = map[string][]string{
		"bytes":   {"Equal", "Compare", "HasPrefix", "HasSuffix", "Contains", "Index", "EqualFold"},
		"strings": {"Compare", "EqualFold", "HasPrefix", "HasSuffix", "Contains", "Index", "CutPrefix"},
		"slices":  {"Equal", "Compare", "Contains", "Index"},
		"reflect": {"DeepEqual"},
		"hmac":    {"Equal"}, // returns at once where the lengths differ
	}
	// plainAfterAll are the functions that may compare: those that judge an operator's own file, before anybody has sent
	// anything.
	plainAfterAll = []string{"resolved", "isOwnName"}
)

func (l *secretLint) secret(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return l.tainted[e.Name]
	case *ast.ParenExpr:
		return l.secret(e.X)
	case *ast.StarExpr:
		return l.secret(e.X)
	case *ast.UnaryExpr:
		return l.secret(e.X)
	case *ast.SliceExpr:
		return l.secret(e.X)
	case *ast.IndexExpr:
		return l.secret(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.ADD && (l.secret(e.X) || l.secret(e.Y))
	case *ast.SelectorExpr:
		return slices.Contains(secretFields, e.Sel.Name)
	case *ast.CallExpr:
		name := ""
		switch fun := e.Fun.(type) {
		case *ast.Ident:
			name = fun.Name
		case *ast.ArrayType:
			name = "string" // a conversion to bytes
		case *ast.SelectorExpr:
			if slices.Contains(makers, fun.Sel.Name) && (fun.Sel.Name != "signed" || len(e.Args) > 0) {
				return true // signed() without a word asks whether something is
			}
			if pkg, ok := fun.X.(*ast.Ident); ok {
				name = pkg.Name
			}
		}
		return slices.Contains(passing, name) && slices.ContainsFunc(e.Args, l.secret)
	}
	return false
}

// constant reports what an attacker learns nothing by.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	case *ast.CallExpr: // []byte("constant")
		_, conversion := e.Fun.(*ast.ArrayType)
		return conversion && constant(e.Args[0])
	}
	return false
}

func (l *secretLint) complain(at ast.Node, format string, args ...any) {
	l.findings = append(l.findings, l.files.Position(at.Pos()).String()+": "+fmt.Sprintf(format, args...))
}

func (l *secretLint) function(f *ast.FuncDecl) {
	if f.Body == nil || slices.Contains(plainAfterAll, f.Name.Name) {
		return
	}
	l.tainted = make(map[string]bool)
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if slices.Contains(secretNames, name.Name) {
				l.tainted[name.Name] = true
			}
		}
	}
	for range 3 { // what is assigned further on may be used further up, in a loop
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if name, ok := left.(*ast.Ident); ok && l.secret(n.Rhs[min(i, len(n.Rhs)-1)]) && name.Name != "_" && name.Name != "ok" && name.Name != "found" {
						l.tainted[name.Name] = true
					}
				}
			case *ast.RangeStmt:
				if name, ok := n.Value.(*ast.Ident); ok && l.secret(n.X) {
					l.tainted[name.Name] = true
				}
			}
			return true
		})
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			switch n.Op {
			case token.EQL, token.NEQ, token.LSS, token.GTR, token.LEQ, token.GEQ:
				if (l.secret(n.X) && !constant(n.Y)) || (l.secret(n.Y) && !constant(n.X)) {
					l.complain(n, "a secret is compared by %s", n.Op)
				}
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && l.secret(n.Tag) {
				l.complain(n, "a secret is switched on")
			}
		case *ast.IndexExpr:
			if l.secret(n.Index) {
				l.complain(n, "a secret is looked up")
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.SelectorExpr); ok {
				pkg, _ := fun.X.(*ast.Ident)
				if pkg != nil && slices.Contains(leaking[pkg.Name], fun.Sel.Name) && slices.ContainsFunc(n.Args, l.secret) && !slices.ContainsFunc(n.Args, constant) {
					l.complain(n, "a secret is compared by %s.%s", pkg.Name, fun.Sel.Name)
				}
			}
		}
		return true
	})
}

// lint gives what is wrong with a file.
func lint(t *testing.T, name, source string) (functions int, findings []string) {
	t.Helper()
	l := secretLint{files: token.NewFileSet()}
	f, err := parser.ParseFile(l.files, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			functions++
			l.function(d)
		}
	}
	return functions, l.findings
}

// TestS10_NoPlainComparisonOfSecrets: wherever secrets are judged, they are compared by hookgate.SecretEqual or by subtle on
// values of one length.
func TestS10_NoPlainComparisonOfSecrets(t *testing.T) {
	t.Parallel()
	functions := 0
	for _, folder := range []string{".", "verifiers", "admin", "middleware", "issuer", "verify"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n, findings := lint(t, file, string(source))
			functions += n
			for _, finding := range findings {
				t.Error(finding)
			}
		}
	}
	if functions < 200 {
		t.Errorf("only %d functions were read", functions)
	}
}

// TestS10_TheLintFinds what it is there for, and leaves alone what is no comparison of secrets.
func TestS10_TheLintFinds(t *testing.T) {
	t.Parallel()
	for body, found := range map[string]bool{
		`return string(a.Reveal()) == given`:                                                 true,
		`x := a.Reveal(); return string(x) != given`:                                         true,
		`x := string(a.Reveal()); y := strings.ToLower(x); return given == y`:                true,
		`user, password, _ := strings.Cut(string(a.Reveal()), ":"); return password == user`: true,
		`return bytes.Equal(a.Reveal(), []byte(given))`:                                      true,
		`return bytes.Equal([]byte(given), m.Sum(nil))`:                                      true,
		`sum := m.Sum(nil); return hex.EncodeToString(sum) == given`:                         true,
		`for _, k := range a.secrets { if bytes.Equal(k, b) { return true } }`:               true,
		`return a.token.value == given`:                                                      true,
		`return hmac.Equal(m.Sum(nil), b)`:                                                   true,
		`return known[string(a.Reveal())]`:                                                   true,
		`switch string(a.Reveal()) { case given: return true }`:                              true,
		`return strings.EqualFold(string(a.value), given)`:                                   true,
		`return slices.Equal(a.Reveal(), b)`:                                                 true,
		`return reflect.DeepEqual(a.Reveal(), b)`:                                            true,
		`if x := sha256.Sum256(a.Reveal()); x == y { return true }`:                          true,
		`return secret == given`:                                                             true,
		`return hookgate.SecretEqual(a.Reveal(), []byte(given))`:                             false,
		`x := sha256.Sum256(a.Reveal()); return subtle.ConstantTimeCompare(x[:], y[:]) == 1`: false,
		`return len(a.Reveal()) == 0`:                                                        false,
		`return string(a.Reveal()) == ""`:                                                    false,
		`return a.Reveal()[0] == '{'`:                                                        false,
		`return given == "x" && name != given`:                                               false,
		`_, err := parse(a.Reveal()); return err == wanted`:                                  false,
	} {
		_, findings := lint(t, "x.go", "package x\nfunc f(secret string) bool {\n"+body+"\n}")
		if len(findings) > 0 != found {
			t.Errorf("%s: found %v", body, findings)
		}
	}
}
