package verifiers

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// form is one way to write a digest as text. A digest has exactly one text in each, so that fits can refuse the rest before
// anything is computed.
type form struct {
	words  string // what size bytes look like; %d stands for the number that perByte gives
	shown  func(size int) int
	append func(dst, mac []byte) []byte
	fits   func(text string, size int) bool
}

// means says in words how size bytes are written.
func (f form) means(size int) string { return fmt.Sprintf(f.words, f.shown(size)) }

// forms are all that there are, by their names in the configuration.
func forms() map[string]form {
	lower := func(dst, mac []byte) []byte { return hex.AppendEncode(dst, mac) }
	twice := func(size int) int { return 2 * size }
	same := func(size int) int { return size }
	return map[string]form{
		"hex": {"%d lower-case hex digits", twice, lower, func(t string, size int) bool { return isHex(t, "0123456789abcdef", size) }},
		"HEX": {"%d upper-case hex digits", twice,
			func(dst, mac []byte) []byte { return append(dst, bytes.ToUpper(lower(nil, mac))...) },
			func(t string, size int) bool { return isHex(t, "0123456789ABCDEF", size) }},
		"base64":           base64Form("padded standard base64 of %d bytes", same, base64.StdEncoding),
		"base64url":        base64Form("base64url of %d bytes without padding", same, base64.RawURLEncoding),
		"base64url-padded": base64Form("padded base64url of %d bytes", same, base64.URLEncoding),
	}
}

func base64Form(words string, shown func(int) int, encoding *base64.Encoding) form {
	return form{words, shown, encoding.AppendEncode, func(t string, size int) bool { return isBase64(encoding, t, size) }}
}

func isHex(text, digits string, size int) bool {
	if len(text) != 2*size {
		return false
	}
	for i := range len(text) {
		if strings.IndexByte(digits, text[i]) < 0 {
			return false
		}
	}
	return true
}

// isBase64 reports whether text is the canonical form of size bytes, at most 64. Go's decoders, the strict one too, skip CR
// and LF, but in a text of this length those leave too few bytes.
func isBase64(encoding *base64.Encoding, text string, size int) bool {
	var room [66]byte
	if len(text) != encoding.EncodedLen(size) {
		return false
	}
	raw, err := encoding.Strict().AppendDecode(room[:0], []byte(text))
	return err == nil && len(raw) == size
}
