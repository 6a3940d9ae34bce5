package configs

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the file. It never holds a line of the file or the value of a secret.
type Problem struct {
	Rule    Rule
	File    string // as the caller named it
	Line    int    // from 1
	Column  int    // from 1, in characters
	Path    string // such as sources[0].auth[1].keys[0]; empty for the file as a whole
	Message string
	Hint    string // what to write instead; may be empty
}

func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Problems is everything that is wrong with the file, in the order of the file.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// position is a place in the file, both counted from 1.
type position struct{ line, column int }

// sorted puts problems into the order of the file and says nothing twice.
func sorted(ps Problems) Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

// above is the path of the value that holds the one at path.
func above(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// join is the path of a key, or of a field such as auth[0].keys[1], below parent.
func join(parent, field string) string {
	switch {
	case field == "":
		return parent
	case parent == "" || field[0] == '[':
		return parent + field
	}
	return parent + "." + field
}
