package verifiers

import (
	"strings"

	"github.com/hookgate/hookgate"
)

const (
	maxTemplate = 512 // bytes
)

// word is one of the parts of a request that a template can name.
type word string

const (
	bodyWord      word = "{body}"
	timestampWord word = "{timestamp}"
	idWord        word = "{id}"
	methodWord    word = "{method}"
	urlWord       word = "{url}"
	targetWord    word = "{target}"
)

// signedText is the template of what a declared provider signs, compiled: what stands before the body and what stands behind
// it. Each part of the request is in it at most once, and the body exactly once.
type signedText struct {
	before, after []piece
	idStops       string // what an id may not hold, or it could be cut elsewhere
	queryStops    string // the same for the query, the only part of a target that a sender of this source chooses
	noQuery       bool   // nothing stands between the target and what follows or goes before
}

// piece is a literal, or else a word.
type piece struct {
	literal string
	word    word
}

// parts are what stands for the words of one request.
type parts struct {
	timestamp, id, publicURL string
	req                      *hookgate.Request
}

// compileSigned reads a template. The problem has no field.
func compileSigned(text string) (s signedText, wrong *hookgate.Problem) {
	if len(text) > maxTemplate {
		return s, problemf("sign fewer words", "the template has %d bytes, and at most %d are read", len(text), maxTemplate)
	}
	pieces, wrong := splitSigned(text)
	if wrong != nil {
		return s, wrong
	}
	seen, at := make(map[word]bool), -1
	for i, p := range pieces {
		switch {
		case p.word == "":
			continue
		case seen[p.word]:
			return s, problemf("write it once", "%s is in the template twice", p.word)
		case p.word == bodyWord:
			at = i
		}
		seen[p.word] = true
	}
	if at < 0 {
		return s, problemf("what signs no body proves nothing about the event", "the template does not hold %s", bodyWord)
	}
	if seen[urlWord] && seen[targetWord] {
		return s, problemf("keep one of them", "the template holds both {url} and {target}")
	}
	s.before, s.after = pieces[:at], pieces[at+1:]
	return s, s.separate(pieces)
}

// splitSigned cuts a template into its pieces, and undoes its escapes.
func splitSigned(text string) (pieces []piece, wrong *hookgate.Problem) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return nil, problemf("", "a { in the template has no }")
			}
			w := word(text[i : i+end+1])
			switch w {
			case bodyWord, timestampWord, idWord, methodWord, urlWord, targetWord:
			default:
				return nil, problemf("known are {body}, {timestamp}, {id}, {method}, {url} and {target}", "the template holds a word in braces that stands for nothing")
			}
			flush()
			pieces = append(pieces, piece{word: w})
			i += end
		case c == '}':
			return nil, problemf("", "a } in the template has no {")
		case c == '\\':
			if i++; i == len(text) || text[i] != 'n' && text[i] != '\\' {
				return nil, problemf(`known are \n for a line feed and \\ for a backslash`, "the template holds an unknown escape")
			}
			literal.WriteByte(map[byte]byte{'n': '\n', '\\': '\\'}[text[i]])
		case c < ' ' || c == 0x7f:
			return nil, problemf(`write \n for a line feed`, "the template holds a control character")
		default:
			literal.WriteByte(c)
		}
	}
	flush()
	return pieces, nil
}

// separate finds out where one request's text could be another's: where two parts of free length meet, or where a part holds
// what stands behind it. A time needs nothing, since all that are fresh have one number of digits, nor does the method,
// which is always POST.
func (s *signedText) separate(pieces []piece) *hookgate.Problem {
	for i, p := range pieces {
		if p.word != idWord && p.word != urlWord && p.word != targetWord {
			continue
		}
		if i > 0 && pieces[i-1].word != methodWord {
			if wrong := s.part(p.word, pieces[i-1].literal, true); wrong != nil {
				return wrong
			}
		}
		if i+1 < len(pieces) {
			if wrong := s.part(p.word, pieces[i+1].literal, false); wrong != nil {
				return wrong
			}
		}
	}
	return nil
}

// part keeps a word apart from the literal before it or behind it; an empty one is another word.
func (s *signedText) part(w word, literal string, before bool) *hookgate.Problem {
	switch {
	case literal == "" && w == idWord:
		return problemf("put a character between that no id holds, such as a full stop", "{id} meets another word, and could not be told from it")
	case literal == "":
		s.noQuery = true
		return nil
	}
	next := literal[0]
	if before {
		next = literal[len(literal)-1]
	}
	switch {
	case next >= 0x80, w == idWord && isAlnum(next):
		return problemf("put a character between that is neither letter nor digit, such as a full stop", "the text beside %s could be part of it", w)
	case w == idWord:
		s.idStops += string(rune(next))
	default:
		s.queryStops += string(rune(next))
	}
	return nil
}

// holds reports whether the template names a word.
func (s *signedText) holds(w word) bool {
	for _, list := range [][]piece{s.before, s.after} {
		for _, p := range list {
			if p.word == w {
				return true
			}
		}
	}
	return false
}

// unmistakable reports whether the target can be cut out of the signed text in one way only. Its path is the source's own, so
// it is the query that counts, the question mark included. A text without the target has no stops, and any query will do.
func (s *signedText) unmistakable(target string) bool {
	i := strings.IndexByte(target, '?')
	return i < 0 || !s.noQuery && !strings.ContainsAny(target[i:], s.queryStops)
}

// write makes what stands before the body of a request, and behind it.
func (s *signedText) write(p parts) (before, after []byte) {
	return p.append(make([]byte, 0, 128), s.before), p.append(nil, s.after)
}

func (p parts) append(dst []byte, pieces []piece) []byte {
	for _, piece := range pieces {
		switch piece.word {
		case timestampWord:
			dst = append(dst, p.timestamp...)
		case idWord:
			dst = append(dst, p.id...)
		case methodWord:
			dst = append(dst, p.req.Method...)
		case urlWord:
			dst = append(append(dst, p.publicURL...), p.req.Target...)
		case targetWord:
			dst = append(dst, p.req.Target...)
		default:
			dst = append(dst, piece.literal...)
		}
	}
	return dst
}
