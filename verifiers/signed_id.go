package verifiers

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/hookgate/hookgate"
)

// maxSignedID bounds a signed id, in bytes; the ids that are known have 30 to 60.
const maxSignedID = 256

// isSignedID reports whether text can be a signed id. stops are the characters that end an id where it is signed: with one
// of them inside, the same signature would fit another id and another time.
func isSignedID(text, stops string) bool {
	return len(text) <= maxSignedID && isVisible(text) && !strings.ContainsAny(text, stops)
}

// isVisible reports whether text is one or more ASCII characters, none of them a blank or a control.
func isVisible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return text != ""
}

// isWord reports whether text is one or more ASCII letters, digits, - and _.
func isWord(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isAlnum(c) && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// signedID is the id that a request is signed with: its own, or one that follows from body and time, so that signing needs
// no chance.
func signedID(req *hookgate.Request, header, stops, timestamp string) string {
	if own, err := req.One(header); err == nil && isSignedID(own, stops) {
		return own
	}
	digest := req.BodySHA256()
	sum := sha256.Sum256(append(digest[:], timestamp...))
	return hex.EncodeToString(sum[:12])
}
