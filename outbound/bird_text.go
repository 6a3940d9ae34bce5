package outbound

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// birdText writes every character of valid JSON as itself that may stand so, where \u stood: <, > and & among them, which
// Go's encoder escapes. Control characters, the quote, the backslash and halves of pairs stay escaped. The form is ours.
func birdText(src []byte) []byte {
	dst := make([]byte, 0, len(src))
	for i := 0; i < len(src); {
		if src[i] != '\\' || i+1 == len(src) { // a backslash stands in strings only
			dst = append(dst, src[i])
			i++
			continue
		}
		r, n := birdEscape(src[i:])
		if n == 0 {
			dst = append(dst, src[i], src[i+1])
			i += 2
			continue
		}
		if r < ' ' || r == '"' || r == '\\' || utf16.IsSurrogate(r) {
			dst = append(dst, src[i:i+n]...)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return dst
}

// birdEscape reads a \uXXXX, or a pair of them, at the start of b; n is 0 where there is none. Half of a pair is given as it is.
func birdEscape(b []byte) (r rune, n int) {
	first, ok := birdUnit(b)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(first) {
		if second, ok := birdUnit(b[6:]); ok {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return first, 6
}

func birdUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
