package journal

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// Raw is a request as it was kept: credentials stand as [secret], all else is as received.
type Raw struct {
	RequestID string
	Method    string
	Target    string
	Remote    netip.Addr
	Header    http.Header
	Body      []byte
}

// appendRawHead writes a line with address, method, target and request id, then a line for every header value, sorted by
// name. Line breaks and the backslash are escaped, other bytes stand as they came, valid UTF-8 or not.
func appendRawHead(dst []byte, req *hookgate.Request) []byte {
	if req.Remote.IsValid() {
		dst = req.Remote.AppendTo(dst)
	}
	dst = append(dst, ' ')
	dst = appendEscaped(dst, req.Method, true)
	dst = append(dst, ' ')
	dst = appendEscaped(dst, req.Target, true)
	dst = append(dst, ' ')
	dst = appendEscaped(dst, req.ID, true)
	dst = append(dst, '\n')
	var space [32]string
	names := space[:0]
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range hookgate.StoredValues(name, req.Header[name]) {
			dst = appendEscaped(dst, name, true)
			dst = append(dst, ": "...)
			dst = appendEscaped(dst, value, false)
			dst = append(dst, '\n')
		}
	}
	return dst
}

// appendEscaped escapes what would end a line, and in a word also what would end the word.
func appendEscaped(dst []byte, s string, word bool) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\n':
			c = 'n'
		case c == '\r':
			c = 'r'
		case c == ' ' && word:
			c = 's'
		case c != '\\':
			continue
		}
		dst = append(append(dst, s[start:i]...), '\\', c)
		start = i + 1
	}
	return append(dst, s[start:]...)
}

var unescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\s`, " ")

// parseRawHead reads back what appendRawHead wrote.
func parseRawHead(b []byte) (*Raw, error) {
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	words := strings.Split(lines[0], " ")
	if len(words) != 4 {
		return nil, fmt.Errorf("stored request: its first line has %d words, not 4", len(words))
	}
	raw := &Raw{Method: unescape.Replace(words[1]), Target: unescape.Replace(words[2]), RequestID: unescape.Replace(words[3]), Header: http.Header{}}
	if words[0] != "" {
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			return nil, fmt.Errorf("stored request: %w", err)
		}
		raw.Remote = addr
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("stored request: a header line without a colon")
		}
		name = unescape.Replace(name)
		raw.Header[name] = append(raw.Header[name], unescape.Replace(value))
	}
	return raw, nil
}
