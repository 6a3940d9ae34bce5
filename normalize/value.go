package normalize

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is one JSON value inside a body that parse has validated whole; the zero value is an absent one. It is only a
// place in the body: looking something up scans those bytes again, which costs less than building a tree would.
type value struct {
	raw []byte // its exact bytes, without white space around it
}

func (v value) present() bool  { return len(v.raw) > 0 }
func (v value) isObject() bool { return v.starts('{') }
func (v value) isArray() bool  { return v.starts('[') }
func (v value) isString() bool { return v.starts('"') }
func (v value) isNull() bool   { return v.starts('n') }

func (v value) starts(c byte) bool { return len(v.raw) > 0 && v.raw[0] == c }

// get finds a member by its exact name, step by step; it is absent when anything on the way is missing or no object.
func (v value) get(names ...string) value {
	for _, n := range names {
		v = v.member(n)
	}
	return v
}

// at is get with a dotted path, as the taxonomy writes it.
func (v value) at(path string) value {
	for more := true; more; {
		var n string
		n, path, more = strings.Cut(path, ".")
		v = v.member(n)
	}
	return v
}

// first is the text at the first of several dotted paths, separated by |, that has one.
func (v value) first(paths string) string {
	for more := true; more; {
		var path string
		path, paths, more = strings.Cut(paths, "|")
		if t := v.at(path).text(); t != "" {
			return t
		}
	}
	return ""
}

func (v value) member(name string) value {
	for n, m := range v.fields {
		if string(n) == name {
			return m
		}
	}
	return value{}
}

// members calls yield with each member of an object and its decoded name.
func (v value) members(yield func(name string, v value) bool) {
	for n, m := range v.fields {
		if !yield(string(n), m) {
			return
		}
	}
}

// fields is members without a new string for every name; the name is valid only during the call.
func (v value) fields(yield func(name []byte, v value) bool) {
	if !v.isObject() {
		return
	}
	for i := blank(v.raw, 1); v.raw[i] != '}'; {
		end := special(v.raw, i+1)
		n := v.raw[i+1 : end]
		if v.raw[end] != '"' {
			end = skipString(v.raw, i) - 1
			n, _ = unescape(v.raw[i+1 : end])
		}
		end++
		i = blank(v.raw, blank(v.raw, end)+1) // behind the colon
		end = skip(v.raw, i)
		if !yield(n, value{v.raw[i:end]}) {
			return
		}
		if i = blank(v.raw, end); v.raw[i] == ',' {
			i = blank(v.raw, i+1)
		}
	}
}

// each calls yield with each element of an array.
func (v value) each(yield func(v value) bool) {
	if !v.isArray() {
		return
	}
	for i := blank(v.raw, 1); v.raw[i] != ']'; {
		end := skip(v.raw, i)
		if !yield(value{v.raw[i:end]}) {
			return
		}
		if i = blank(v.raw, end); v.raw[i] == ',' {
			i = blank(v.raw, i+1)
		}
	}
}

// text is a string decoded, or the characters of a number as they are written: an id above 2^53 keeps its digits.
// Everything else, null and the absent value included, has no text. What is not UTF-8 becomes U+FFFD; see clean.
func (v value) text() string {
	switch {
	case v.isString():
		s := v.raw[1 : len(v.raw)-1]
		if special(s, 0) < len(s) && !isSimple(s) {
			s, _ = unescape(s)
		}
		return string(s)
	case v.starts('-') || (v.present() && isDigit(v.raw[0])):
		return string(v.raw)
	}
	return ""
}

// clean is false for a string with invalid UTF-8 or half a surrogate pair. Decoding makes U+FFFD of both, so two
// different ids could become one: an identity must not use it.
func (v value) clean() bool {
	if !v.isString() || special(v.raw, 1) == len(v.raw)-1 {
		return true
	}
	_, ok := unescape(v.raw[1 : len(v.raw)-1])
	return ok
}

// blank is where the white space from i on ends.
func blank(b []byte, i int) int {
	for isSpace(b[i]) {
		i++
	}
	return i
}

// skip is the end of the valid value that starts at i.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
	default: // number or word
		for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && !isSpace(b[i]) {
			i++
		}
		return i
	}
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

func skipString(b []byte, i int) int {
	for i = special(b, i+1); b[i] != '"'; i = special(b, i+1) {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isSimple reports whether the inside of a string is its text as it stands.
func isSimple(s []byte) bool {
	return bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s)
}

// unescape decodes the inside of a valid string. ok is false where something had to become U+FFFD.
func unescape(s []byte) (text []byte, ok bool) {
	text, ok = make([]byte, 0, len(s)), true
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			r, n := utf8.DecodeRune(s[i:])
			ok = ok && (r != utf8.RuneError || n > 1)
			text = utf8.AppendRune(text, r)
			i += n
			continue
		}
		r, n := unescapeOne(s[i:])
		ok = ok && r >= 0
		text = utf8.AppendRune(text, r) // a negative one is appended as U+FFFD
		i += n
	}
	return text, ok
}

// unescapeOne decodes the escape at the start of s, a surrogate pair as one; the rune is -1 for half a pair.
func unescapeOne(s []byte) (r rune, n int) {
	switch c := s[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(c), 2
	}
	r = unit(s[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, unit(s[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return -1, 6
}

// unit is one UTF-16 code unit from its four hexadecimal digits.
func unit(hex []byte) (u rune) {
	for _, c := range hex {
		d, _ := fromHex(c)
		u = u<<4 | d
	}
	return u
}
