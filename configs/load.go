package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode"

	"github.com/hookgate/hookgate"
)

// maxFile is the largest configuration file, in bytes: room for ten thousand sources. The parser takes a tenth of a second for a
// thousand of them, a little less than that for each further thousand, and a reload waits for it.
const maxFile = 2 << 20

// Load reads the file at path. References to secrets are resolved through env, which is os.LookupEnv outside of tests,
// and through files relative to the folder of path. The error is a Problems with everything that is wrong, or says that
// the file cannot be read at all; the warnings come with either outcome.
func Load(path string, env func(string) (string, bool), rules Rules) (*Config, Problems, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("configuration: %s is larger than 2 MiB; a key or a secret belongs in a file of its own", path)
	}
	return Parse(path, data, env, rules)
}

// Parse is Load for a file that was read already; path gives its name and the folder that references start at.
func Parse(path string, data []byte, env func(string) (string, bool), rules Rules) (*Config, Problems, error) {
	l := &loader{
		file:  path,
		dir:   filepath.Dir(path),
		env:   env,
		rules: rules,
		where: map[string]position{"": {1, 1}},

		unsound:  make(map[string]bool),
		declared: make(map[string]*hookgate.Declaration),
	}
	c := new(Config)
	if n := l.parse(data); n != nil {
		v := reflect.ValueOf(c).Elem()
		l.fill(v)
		l.decode(n, v, field{typ: configType}, "")
		l.check(c)
	}
	l.warnings = sorted(l.warnings)
	if len(l.problems) > 0 {
		return nil, l.warnings, sorted(l.problems)
	}
	return c, l.warnings, nil
}

// loader is the state of one load.
type loader struct {
	file  string
	dir   string
	env   func(string) (string, bool)
	rules Rules

	where    map[string]position // of every value that was read, by its path
	problems Problems
	warnings Problems
	unsound  map[string]bool                  // the paths of problems, and all above them
	declared map[string]*hookgate.Declaration // that were looked at, by name; nil where one is not in order
}

// fail reports a problem with the value at path.
func (l *loader) fail(rule Rule, path, message, hint string) {
	l.failAt(l.position(path), rule, path, message, hint)
}

// bad is fail with a message that begins with the path.
func (l *loader) bad(rule Rule, path, message, hint string) {
	l.fail(rule, path, named(path)+" "+message, hint)
}

func (l *loader) failAt(pos position, rule Rule, path, message, hint string) {
	l.problems = append(l.problems, l.problem(pos, rule, path, message, hint))
	for l.unsound[path] = true; path != ""; l.unsound[path] = true {
		path = above(path)
	}
}

// warn reports what is allowed but unwise.
func (l *loader) warn(rule Rule, path, message, hint string) {
	l.warnings = append(l.warnings, l.problem(l.position(path), rule, path, message, hint))
}

func (l *loader) problem(pos position, rule Rule, path, message, hint string) Problem {
	return Problem{Rule: rule, File: l.file, Line: pos.line, Column: pos.column, Path: path, Message: oneLine(message), Hint: oneLine(hint)}
}

// theirs reports what a rule of another folder found at the entry, each problem at the line of the setting it names.
func (l *loader) theirs(rule Rule, entry string, err error) {
	var many hookgate.Problems
	var one hookgate.Problem
	switch {
	case err == nil:
		return
	case errors.As(err, &many):
	case errors.As(err, &one):
		many = hookgate.Problems{one}
	default:
		many = hookgate.Problems{{Message: err.Error()}}
	}
	for _, p := range many {
		path := join(entry, p.Field)
		l.fail(rule, path, named(path)+": "+p.Message, p.Hint)
	}
}

// position is where the value at path stands, or else the nearest value that holds it.
func (l *loader) position(path string) position {
	for {
		if pos, ok := l.where[path]; ok {
			return pos
		}
		path = above(path)
	}
}

// set reports whether the file says something at path.
func (l *loader) set(path string) bool {
	_, ok := l.where[path]
	return ok
}

// sound reports whether nothing is wrong at or below path, so that a check may rely on what was read there. A missing
// or unknown key is reported at the mapping that lacks it, and so counts against the whole mapping.
func (l *loader) sound(path string) bool { return !l.unsound[path] }

// oneLine keeps an error of another package, which may have several lines, from looking like several problems.
func oneLine(s string) string { return strings.Join(strings.FieldsFunc(s, unicode.IsControl), " ") }

func named(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
