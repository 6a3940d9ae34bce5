package configs

import (
	"bytes"
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep brackets and dashes may nest. No configuration needs a tenth of it, and the parser's time grows
// with the square of the depth: a file of brackets would hold up a reload for minutes.
const maxDepth = 32

// parse gives the one document of the file, or reports why there is not exactly one.
func (l *loader) parse(data []byte) ast.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// The scanner counts a line twice where a comment ends in CR LF, and every position after it would be wrong.
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))

	file, err := tree(data)
	switch {
	case err != nil:
		l.syntax(err)
		return nil
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		l.fail(EmptyFile, "", "the file is empty", "start from configs/examples/minimal.yaml")
		return nil
	}
	for _, d := range file.Docs[1:] {
		if d.Body != nil {
			l.failAt(at(d.Body), SecondDocument, "", "a second document begins here, and only one would count", "keep one document a file, and remove the --- before this one")
			return nil
		}
	}
	return file.Docs[0].Body
}

// syntaxError is a form that the parser is not asked about, or cannot say anything about.
type syntaxError struct {
	rule    Rule
	pos     position
	message string
	hint    string
}

func (e *syntaxError) Error() string { return e.message }

// tree parses the file. A panic of the parser becomes an error: a reload must never end the process that serves.
func tree(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, &syntaxError{YAMLSyntax, position{1, 1}, "the file is not YAML that this program can read", "look for unusual constructs and write them plainly"}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := shallow(tokens); err != nil {
		return nil, err
	}
	// Repeated keys are allowed here because the walk reports them, all at once and without quoting the file.
	return parser.Parse(joined(tokens), 0, parser.AllowDuplicateMapKey())
}

// joined puts plain scalars together again that the scanner cuts in two: anywhere inside braces it takes env:NAME for a
// key and its value, though YAML wants white space behind the colon of a key.
func joined(tokens token.Tokens) token.Tokens {
	out := make(token.Tokens, 0, len(tokens))
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if i+2 < len(tokens) && t.Type == token.StringType && tokens[i+1].Type == token.MappingValueType && plainScalar(tokens[i+2]) &&
			adjacent(t, tokens[i+1], len([]rune(t.Value))) && adjacent(tokens[i+1], tokens[i+2], 1) {
			rest := tokens[i+2]
			t.Value += ":" + rest.Value
			t.Origin += ":" + rest.Origin
			t.Next = rest.Next
			if rest.Next != nil {
				rest.Next.Prev = t
			}
			i += 2
		}
		out = append(out, t)
	}
	return out
}

// adjacent reports whether b begins right where a, of the given length, ends.
func adjacent(a, b *token.Token, length int) bool {
	return a.Position.Line == b.Position.Line && a.Position.Column+length == b.Position.Column
}

// plainScalar reports whether the token is a scalar without quotes.
func plainScalar(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.BoolType, token.NullType, token.InfinityType, token.NanType, token.FloatType,
		token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType:
		return true
	}
	return false
}

// shallow refuses what nests deeper than maxDepth.
func shallow(tokens token.Tokens) error {
	brackets, dashes := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		}
		switch t.Type {
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		default:
			dashes = 0
		}
		if max(brackets, dashes) > maxDepth {
			return &syntaxError{YAMLDepth, position{t.Position.Line, t.Position.Column}, "nests too deeply", "a configuration needs fewer than ten levels"}
		}
	}
	return nil
}

// syntax reports the parser's objection by its position and, where that is one of the parser's fixed texts, its
// message. A message with double quotes may quote the file, and the error's own text always does.
func (l *loader) syntax(err error) {
	var own *syntaxError
	if errors.As(err, &own) {
		l.failAt(own.pos, own.rule, "", own.message, own.hint)
		return
	}
	pos, message := position{1, 1}, ""
	var theirs yaml.Error
	if errors.As(err, &theirs) {
		message = theirs.GetMessage()
		if t := theirs.GetToken(); t != nil && t.Position != nil {
			pos = position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
		}
	}
	if message == "" || strings.ContainsRune(message, '"') {
		message = "something is written in a way that YAML does not allow"
	}
	message = strings.ReplaceAll(message, "\t", "tab")
	l.failAt(pos, YAMLSyntax, "", "is not YAML: "+message, "check indentation, brackets and quotes around here")
}

// at is where a node begins: for a mapping its first key, because its own token is the first colon.
func at(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return at(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(m.Key)
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}
