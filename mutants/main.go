// Command mutants turns round every comparison of a package, one at a time, and runs the package's tests on what comes of
// it. A comparison that can be turned round without a test noticing proves nothing; it is listed, and the exit code is 1.
//
//	go run ./mutants ./verifiers
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// turned is what becomes of an operator.
var turned = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.GEQ: "<", token.GTR: "<=", token.LEQ: ">", token.LAND: "||", token.LOR: "&&",
}

// testLimit bounds one run of the tests: a loop that never ends is noticed, too.
const testLimit = 3 * time.Minute

// mutant is one change of one file.
type mutant struct {
	file       string
	line       int
	from, to   string // the operator
	text       string // the line before the change
	start, end int    // of the operator, in bytes
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s -> %s: %s", m.file, m.line, m.from, m.to, m.text)
}

// The ends that a mutant can come to.
const (
	noticed  = "noticed"
	survived = "SURVIVED"
	unbuilt  = "does not compile"
)

func main() {
	list := flag.Bool("list", false, "only list the mutants")
	known := flag.String("known", "", "file of `file: line text` of mutants that are no fault, each with a reason behind #")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./mutants [-list] [-known FILE] PACKAGE")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *known, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(pkg, known string, list bool) error {
	mutants, err := find(pkg)
	if err != nil {
		return err
	}
	excused, err := excuses(known)
	if err != nil {
		return err
	}
	if list {
		for _, m := range mutants {
			fmt.Println(m)
		}
		return nil
	}
	counts, bad := tryAll(pkg, mutants, excused)
	for _, end := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%d %s\n", counts[end], end)
	}
	if bad > 0 {
		return fmt.Errorf("%d comparisons can be turned round unnoticed", bad)
	}
	return nil
}

// find lists every comparison of the package's own files.
func find(pkg string) ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, name, source, 0)
		if err != nil {
			return nil, err
		}
		lines := bytes.Split(source, []byte{'\n'})
		ast.Inspect(parsed, func(n ast.Node) bool {
			add := func(pos token.Pos, from token.Token, to string) {
				at := files.Position(pos)
				all = append(all, mutant{
					file: name, line: at.Line, from: from.String(), to: to, text: strings.TrimSpace(string(lines[at.Line-1])),
					start: at.Offset, end: at.Offset + len(from.String()),
				})
			}
			switch e := n.(type) {
			case *ast.BinaryExpr:
				if to, ok := turned[e.Op]; ok {
					add(e.OpPos, e.Op, to)
				}
			case *ast.UnaryExpr:
				if e.Op == token.NOT {
					add(e.OpPos, e.Op, "")
				}
			}
			return true
		})
	}
	return all, nil
}

// excuses reads the mutants that change nothing that could be noticed: file, line text and operator, then # and why.
func excuses(name string) (map[string]bool, error) {
	excused := make(map[string]bool)
	if name == "" {
		return excused, nil
	}
	text, err := os.ReadFile(name)
	for line := range strings.Lines(string(text)) {
		if what, why, ok := strings.Cut(line, " # "); ok && strings.TrimSpace(why) != "" {
			excused[strings.TrimSpace(what)] = true
		}
	}
	return excused, err
}

// key names a mutant without its line number, which every change of a file moves.
func (m mutant) key() string {
	return fmt.Sprintf("%s: %s -> %s: %s", filepath.Base(m.file), m.from, m.to, m.text)
}

// tryAll tests the mutants side by side and prints each as it ends.
func tryAll(pkg string, mutants []mutant, excused map[string]bool) (counts map[string]int, bad int) {
	counts = make(map[string]int)
	var mu sync.Mutex
	var workers sync.WaitGroup
	work := make(chan mutant)
	for range max(1, runtime.NumCPU()) {
		workers.Go(func() {
			for m := range work {
				end, err := try(pkg, m)
				mu.Lock()
				switch {
				case err != nil:
					end = "failed: " + err.Error()
					bad++
				case end == survived && excused[m.key()]:
					end = "survived, as it may"
				case end == survived:
					bad++
				}
				counts[end]++
				fmt.Printf("%-20s %s\n", end, m)
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		work <- m
	}
	close(work)
	workers.Wait()
	return counts, bad
}

// try runs the package's tests with one file replaced by its mutant.
func try(pkg string, m mutant) (string, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, slices.Concat(source[:m.start], []byte(m.to), source[m.end:]), 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testLimit+time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "test", "-vet=off", "-failfast", "-count=1", "-timeout", testLimit.String(), "-overlay", overlayFile, pkg).CombinedOutput()
	switch {
	case err == nil:
		return survived, nil
	case bytes.Contains(out, []byte("[build failed]")):
		return unbuilt, nil
	}
	return noticed, nil
}
