package configs

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/hookgate/hookgate"
)

// decode walks the file against the structs once: it fills them, notes where each value stands, and reports everything
// that does not fit. The parser's own decoder stops at the first problem, and turns 0123 into the text 83.
func (l *loader) decode(n ast.Node, v reflect.Value, f field, path string) {
	l.where[path] = at(n)
	switch n.(type) {
	case *ast.NullNode:
		l.bad(NullValue, path, "has no value", "give it one, or remove the key")
		return
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		l.fail(YAMLAlias, path, "anchors, aliases and merge keys are not read", "write the value out")
		return
	case *ast.TagNode:
		l.fail(YAMLTag, path, "tags are not read", "write the value without !, and quote it if it is text")
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *hookgate.Secret:
		*p = l.secret(n, f, path)
	case *time.Duration:
		*p = l.duration(n, path)
	case *Size:
		*p = l.size(n, path)
	case *Rate:
		*p = l.rate(n, path)
	case *string:
		*p = l.choice(n, f, path)
	case **string:
		if s, ok := l.text(n, f, path); ok {
			*p = &s
		}
	case *bool:
		*p = l.boolean(n, path)
	case *int:
		*p = int(l.number(n, path, strconv.IntSize))
	case *int64:
		*p = l.number(n, path, 64)
	default:
		if v.Kind() == reflect.Slice {
			l.list(n, v, f, path)
			return
		}
		l.mapping(n, v, path)
	}
}

// mapping fills a struct. Its defaults are already there.
func (l *loader) mapping(n ast.Node, v reflect.Value, path string) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		l.bad(WrongType, path, "is "+kind(n)+", where keys with values are meant", "write key: value lines below it")
		return
	}
	l.members(pairs, l.rules.fields(v.Type()), v, path)
}

// members fills a struct by its fields.
func (l *loader) members(pairs []*ast.MappingValueNode, fields []field, v reflect.Value, path string) {
	seen := make(map[string]bool, len(pairs))
	for _, pair := range pairs {
		f, ok := l.key(pair, fields, seen, path)
		if ok {
			seen[f.key] = true
			l.decode(pair.Value, v.Field(f.index), f, join(path, f.key))
		}
	}
	for _, f := range fields {
		if f.needed && !seen[f.key] {
			l.missing(f, path)
		}
	}
}

// key finds the field that a pair is for. An unknown key is shown only where it has a value: a key without one may be a
// secret that lost its place.
func (l *loader) key(pair *ast.MappingValueNode, fields []field, seen map[string]bool, path string) (field, bool) {
	pos := at(pair.Key)
	name, isText := pair.Key.(*ast.StringNode)
	if _, ok := pair.Key.(*ast.MergeKeyNode); ok {
		l.failAt(pos, YAMLAlias, path, "anchors, aliases and merge keys are not read", "write the value out")
		return field{}, false
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
		if !isText || f.key != name.Value {
			continue
		}
		if seen[f.key] {
			l.failAt(pos, RepeatedKey, path, fmt.Sprintf("the key %q is here twice", f.key), "keep one of them")
			return field{}, false
		}
		return f, true
	}
	_, empty := pair.Value.(*ast.NullNode)
	if !isText || empty || len(name.Value) > maxShown {
		l.failAt(pos, UnknownKey, path, "unknown key", "known here: "+strings.Join(known, ", "))
		return field{}, false
	}
	l.failAt(pos, UnknownKey, path, fmt.Sprintf("unknown key %q", name.Value), suggest(name.Value, known))
	return field{}, false
}

// missing reports a key that must be there, in words of its own where more can be said than that.
func (l *loader) missing(f field, path string) {
	switch {
	case path == "" && f.key == "sources":
		l.fail(NoSources, path, "there are no sources, so nothing could ever arrive", "list who sends webhooks under sources:")
	case path == "" && f.key == "destinations":
		l.fail(NoDestinations, path, "there are no destinations, so events would only gather in the journal", "list where events go under destinations:, such as {name: events, type: stdout}")
	case f.key == "auth":
		l.fail(NoAuth, path, "the source has no auth, so it could accept nothing", "list a scheme under auth:; to accept everybody, write {scheme: none}")
	default:
		l.fail(RequiredKey, path, fmt.Sprintf("the key %q is missing", f.key), "it says: "+f.doc)
	}
}

// list fills a slice. A list that is written out is never empty: leaving the key out is how to say nothing.
func (l *loader) list(n ast.Node, v reflect.Value, f field, path string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		l.bad(WrongType, path, "is "+kind(n)+", where a list is meant", "write it as [item, item], or as lines that start with -")
		return
	}
	if len(s.Values) == 0 {
		l.bad(EmptyValue, path, "is an empty list", "give it an item, or remove the key")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	first := make(map[string]bool, len(s.Values))
	for i, item := range s.Values {
		at := path + "[" + strconv.Itoa(i) + "]"
		l.fill(v.Index(i))
		f.typ = v.Type().Elem()
		l.decode(item, v.Index(i), f, at)
		text, ok := item.(*ast.StringNode)
		if !ok {
			continue
		}
		if first[text.Value] {
			l.bad(RepeatedItem, at, "is in the list twice", "keep one of them")
		}
		first[text.Value] = true
	}
}

// text is a scalar that YAML itself reads as text.
func (l *loader) text(n ast.Node, f field, path string) (string, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		switch n.(type) {
		case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.LiteralNode:
			l.bad(WrongType, path, "is "+kind(n)+", where text is meant", "write one line of text")
		default:
			l.bad(UnquotedText, path, "is "+kind(n)+", where text is meant", "put it in quotes")
		}
		return "", false
	}
	switch {
	case s.Value == "" && !f.optional():
		l.bad(EmptyValue, path, "is empty", "give it a value, or remove the key")
	case strings.ContainsFunc(s.Value, unicode.IsControl):
		l.bad(ControlCharacter, path, "holds a control character", "write one line of plain text")
	case placeholder.MatchString(s.Value):
		l.bad(Placeholder, path, "holds ${...}, which is not filled in here", "write the value out; a secret is env:NAME or file:PATH")
	default:
		return s.Value, true
	}
	return "", false
}

// choice is text, and where the field lists its values, one of them.
func (l *loader) choice(n ast.Node, f field, path string) string {
	s, ok := l.text(n, f, path)
	if !ok || len(f.values) == 0 || f.also != "" {
		return s
	}
	for _, v := range f.values {
		if v == s {
			return s
		}
	}
	l.fail(NotListed, path, fmt.Sprintf("unknown %s %s", f.key, shown(s)), suggest(s, f.values))
	return ""
}

func (l *loader) boolean(n ast.Node, path string) bool {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		l.bad(WrongType, path, "is "+kind(n)+", where true or false is meant", "write true or false, without quotes")
		return false
	}
	return b.Value
}

// fill sets the defaults of a struct and of the structs in it. An auth entry gets none: its defaults belong to its
// scheme, which refuses what was given without need and so must see what was given.
func (l *loader) fill(v reflect.Value) {
	if v.Kind() != reflect.Struct || v.Type() == authType {
		return
	}
	if _, ok := v.Interface().(hookgate.Secret); ok {
		return
	}
	for _, f := range l.rules.fields(v.Type()) {
		fv := v.Field(f.index)
		if f.def == "" {
			l.fill(fv)
			continue
		}
		setDefault(fv, f.def)
	}
}

// kind says in words what a node is.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return "text"
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "something else"
}
