package normalize

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	maxDepth = 64 // objects and arrays inside each other
	// fewNames is how many members of one object are compared one by one, on the stack; a larger object is sorted, so
	// that a body with 100,000 members costs no square of that.
	fewNames = 24
)

// syntaxError says why a body is not one strict JSON value. It becomes the quarantine reason, and so it names the place
// and never repeats what stands there.
type syntaxError struct {
	at     int // byte offset in the body
	reason string
}

func (e *syntaxError) Error() string { return "byte " + strconv.Itoa(e.at) + ": " + e.reason }

// parse validates the whole body and gives its one value. It is stricter than RFC 8259 where two readers could come to
// two answers: a member name that is repeated in one object, nesting beyond 64 and anything after the value are errors.
// Bytes that are not UTF-8 pass, because the payload is kept as it is; value.clean tells them. It is our own scanner,
// as encoding/json takes the last of two equal names, compares names without case and goes through reflection.
func parse(body []byte) (value, error) {
	s := scanner{body: body}
	s.space()
	start := s.at
	if !s.value(0) {
		return value{}, &syntaxError{s.at, s.reason}
	}
	end := s.at
	s.space()
	if s.at < len(body) {
		return value{}, &syntaxError{s.at, "something follows the JSON value"}
	}
	return value{body[start:end]}, nil
}

// scanner makes the one pass over a body. Its methods leave at behind what they read, or return false with the reason.
type scanner struct {
	body   []byte
	at     int
	reason string
}

// name is a member name after unescaping, and where it stands.
type name struct {
	text []byte
	at   int
}

func (s *scanner) fail(at int, reason string) bool {
	s.at, s.reason = at, reason
	return false
}

func (s *scanner) space() {
	for s.at < len(s.body) && isSpace(s.body[s.at]) {
		s.at++
	}
}

func (s *scanner) value(depth int) bool {
	if s.at == len(s.body) {
		return s.fail(s.at, "the body ends where a value is expected")
	}
	switch c := s.body[s.at]; c {
	case '{':
		return s.object(depth + 1)
	case '[':
		return s.array(depth + 1)
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || isDigit(c) {
			return s.number()
		}
		return s.fail(s.at, "no JSON value starts like this")
	}
}

func (s *scanner) object(depth int) bool {
	if depth > maxDepth {
		return s.fail(s.at, "nested deeper than 64")
	}
	s.at++
	s.space()
	if s.next('}') {
		return true
	}
	var room [fewNames]name
	names := room[:0]
	for {
		n, ok := s.name()
		if !ok {
			return false
		}
		if len(names) < fewNames && holds(names, n) {
			return s.fail(n.at, "a member name is repeated")
		}
		names = append(names, n)
		if !s.value(depth) {
			return false
		}
		s.space()
		if s.next('}') {
			break
		}
		if !s.next(',') {
			return s.fail(s.at, "expected a comma or the end of the object")
		}
		s.space()
	}
	if at := repeated(names); at >= 0 {
		return s.fail(at, "a member name is repeated")
	}
	return true
}

// name reads a member name and the colon behind it.
func (s *scanner) name() (name, bool) {
	at := s.at
	if at == len(s.body) || s.body[at] != '"' {
		return name{}, s.fail(at, "expected a member name")
	}
	simple, ok := s.text()
	if !ok {
		return name{}, false
	}
	text := s.body[at+1 : s.at-1]
	if !simple {
		text, _ = unescape(text)
	}
	s.space()
	if !s.next(':') {
		return name{}, s.fail(s.at, "expected a colon")
	}
	s.space()
	return name{text, at}, true
}

func holds(names []name, n name) bool {
	for i := range names {
		if bytes.Equal(names[i].text, n.text) {
			return true
		}
	}
	return false
}

// repeated is the place of a repeated name in an object that is too large for holds to have seen all of it, else -1.
func repeated(names []name) int {
	if len(names) <= fewNames {
		return -1
	}
	slices.SortFunc(names, func(a, b name) int {
		return cmp.Or(cmp.Compare(len(a.text), len(b.text)), bytes.Compare(a.text, b.text), cmp.Compare(a.at, b.at))
	})
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1].text, names[i].text) {
			return names[i].at
		}
	}
	return -1
}

func (s *scanner) array(depth int) bool {
	if depth > maxDepth {
		return s.fail(s.at, "nested deeper than 64")
	}
	s.at++
	s.space()
	if s.next(']') {
		return true
	}
	for {
		if !s.value(depth) {
			return false
		}
		s.space()
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return s.fail(s.at, "expected a comma or the end of the array")
		}
		s.space()
	}
}

// text reads a string. It is simple when its bytes between the quotes are its text: no escape, and valid UTF-8.
func (s *scanner) text() (simple, ok bool) {
	start := s.at + 1
	simple, ascii := true, true
	for i := special(s.body, start); i < len(s.body); i = special(s.body, i) {
		switch c := s.body[i]; {
		case c == '"':
			s.at = i + 1
			return simple && (ascii || utf8.Valid(s.body[start:i])), true
		case c < 0x20:
			return false, s.fail(i, "a control character in a string")
		case c == '\\':
			n := escape(s.body[i:])
			if n == 0 {
				return false, s.fail(i, "an unknown or unfinished escape")
			}
			simple = false
			i += n
		default:
			ascii = false
			for i++; i < len(s.body) && s.body[i] >= utf8.RuneSelf; i++ {
			}
		}
	}
	return false, s.fail(len(s.body), "the body ends inside a string")
}

// special is the place of the first byte from i on that a string cannot pass over: a quote, a backslash, a control
// character or one outside ASCII. It looks at eight bytes at once, as most of a body is text: a subtraction sets the
// high bit of each byte that was below the limit, and a borrow only disturbs the bytes above such a one.
func special(b []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if hit := (x | (x - 0x20*ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones)) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// escape is the length of the escape that b starts with, 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if _, ok := fromHex(c); !ok {
				return 0
			}
		}
		return 6
	}
	return 0
}

func (s *scanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return s.fail(s.at, "a number without digits")
	}
	if s.next('.') && !s.digits() {
		return s.fail(s.at, "a fraction without digits")
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if !s.digits() {
			return s.fail(s.at, "an exponent without digits")
		}
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.body) && isDigit(s.body[s.at]) {
		s.at++
	}
	return s.at > start
}

func (s *scanner) literal(word string) bool {
	if len(s.body)-s.at < len(word) || string(s.body[s.at:s.at+len(word)]) != word {
		return s.fail(s.at, "no JSON value starts like this")
	}
	s.at += len(word)
	return true
}

func (s *scanner) next(c byte) bool {
	if s.at < len(s.body) && s.body[s.at] == c {
		s.at++
		return true
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func fromHex(c byte) (rune, bool) {
	switch {
	case isDigit(c):
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
