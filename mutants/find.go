package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one comparison to be turned round.
type mutant struct {
	file      string // below the module's folder
	line, col int
	function  string // that it stands in; "var" outside of all
	text      string // the comparison, on one line
	again     int    // how often the same text stood in the function before
	why       string // of a known one, or of one that is left alone

	end ending
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.file, m.line, m.col, m.text)
}

// key names a mutant without its line, which every change of a file moves.
func (m *mutant) key() string {
	key := m.file + ": " + m.function + ": " + m.text
	if m.again > 0 {
		key += fmt.Sprintf(" (%d)", m.again+1)
	}
	return key
}

// goPackage is a package under trial.
type goPackage struct {
	dir, name string
	mutants   []*mutant         // number n is the one at n-1
	left      []*mutant         // what the compiler settles, or could not take
	rewritten map[string][]byte // by absolute path
}

// listed is what `go list` says of a package.
type listed struct {
	Dir, ImportPath, Name, Export string
	GoFiles                       []string
	DepOnly                       bool
	Module                        struct{ Dir string }
}

// find reads the targets, single files of one folder together, and rewrites what is in them.
func find(ctx context.Context, targets []string) ([]*goPackage, error) {
	files := make(map[string][]string) // by folder; none is all
	var dirs []string
	for _, target := range targets {
		path, err := filepath.Abs(target)
		if err != nil {
			return nil, err
		}
		dir := path
		if strings.HasSuffix(path, ".go") {
			dir = filepath.Dir(path)
			files[dir] = append(files[dir], filepath.Base(path))
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	var all []*goPackage
	for _, dir := range dirs {
		p, err := findIn(ctx, dir, files[dir])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func findIn(ctx context.Context, dir string, only []string) (*goPackage, error) {
	about, exports, err := list(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, name := range only {
		if !slices.Contains(about.GoFiles, name) {
			return nil, fmt.Errorf("%s is no file of package %s as it is built here", name, about.Name)
		}
	}
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range about.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	if _, err := config.Check(about.ImportPath, set, parsed, info); err != nil {
		return nil, err
	}
	p := &goPackage{dir: dir, name: about.Name, rewritten: make(map[string][]byte)}
	for i, file := range parsed {
		if len(only) > 0 && !slices.Contains(only, about.GoFiles[i]) {
			continue
		}
		if err := p.rewrite(set, file, info, about.Module.Dir); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// list asks the go command for a package and for where the types of all that it imports are.
func list(ctx context.Context, dir string) (about listed, exports map[string]string, err error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-export", "-deps", "-json=Dir,ImportPath,Name,Export,GoFiles,DepOnly,Module", ".")
	var out, problem bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &problem
	if err := cmd.Run(); err != nil {
		return about, nil, fmt.Errorf("go list: %w: %s", err, problem.String())
	}
	exports = make(map[string]string)
	for answer := json.NewDecoder(&out); ; {
		var one listed
		if err := answer.Decode(&one); errors.Is(err, io.EOF) {
			return about, exports, nil
		} else if err != nil {
			return about, nil, err
		}
		exports[one.ImportPath] = one.Export
		if !one.DepOnly {
			about = one
		}
	}
}
