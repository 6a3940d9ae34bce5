package forward_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookgate/hookgate/forward"
)

// Glob agrees with a regular expression of the same meaning.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{{"a*b", "ab"}, {"*", ""}, {"aa*aa", "aaa"}, {"*.*", "salesiq.conversation.created"}, {"**a", "ba\n"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 1000 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return // a regular expression sees broken UTF-8 otherwise than bytes
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		want := regexp.MustCompile(`\A(?s:` + strings.Join(parts, ".*") + `)\z`).MatchString(text)
		if got := forward.Glob(pattern, text); got != want {
			t.Errorf("Glob(%q, %q) = %v", pattern, text, got)
		}
	})
}

// What is encoded can stand in a header and decodes to what it was.
func FuzzEncodeHeader(f *testing.F) {
	for _, seed := range []string{"", "plain", "a b", "100%", `"q"`, "Ü€\U0001F600", "a\r\nX: 1", "\x00\x7f\xff", "%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		out := forward.EncodeHeader(value)
		for i := range len(out) {
			if c := out[i]; c <= ' ' || c > '~' || c == '"' {
				t.Fatalf("%q holds %q", out, c)
			}
		}
		if back := percentDecoded(out); back != value {
			t.Errorf("%q came back as %q", value, back)
		}
	})
}
