package middleware

import (
	"net/netip"
	"strings"
)

// maxElement bounds one address with what stands beside it, in bytes.
const maxElement = 256

// cutLast takes the last element off a list. Commas within quotes end an element, too: reading from the right, nobody can
// tell whether a quote was opened by our proxy or by the sender before it. Such an element is then no good one.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", trim(list), false
	}
	return list[:i], trim(list[i+1:]), true
}

// trim takes off the optional white space of RFC 9110.
func trim(s string) string { return strings.Trim(s, " \t") }

// addressOf reads what proxies write into X-Forwarded-For: an address, with a port behind it or not.
func addressOf(s string) (netip.Addr, bool) {
	if len(s) > maxElement {
		return netip.Addr{}, false
	}
	if a, ok := plainAddress(s); ok {
		return a, true
	}
	return addressAndPort(s)
}

// forwardedFor reads one element of Forwarded, such as for="[2001:db8::7]:4711";proto=https, and gives the address of its
// for. It is strict: a name that comes twice, a value that should be in quotes and is not, or white space between the parts
// makes the element a bad one.
func forwardedFor(s string) (a netip.Addr, ok bool) {
	if len(s) > maxElement {
		return netip.Addr{}, false
	}
	for rest, more := s, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, ";")
		if pair == "" {
			continue // the grammar allows that
		}
		name, value, _ := strings.Cut(pair, "=")
		value, sound := unquoted(value)
		if !sound || !isToken(name) {
			return netip.Addr{}, false
		}
		if !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return netip.Addr{}, false
		}
		if a, ok = node(value); !ok {
			return netip.Addr{}, false
		}
	}
	return a, ok
}

// node is an IPv4 address, or an IPv6 address in brackets, with a port or not. The words of the grammar that hide the
// address, unknown and those that begin with an underscore, are no address.
func node(s string) (netip.Addr, bool) {
	if a, ok := plainAddress(s); ok {
		return a, a.Is4() && !strings.Contains(s, ":")
	}
	return addressAndPort(s)
}

// addressAndPort reads 192.0.2.7:4711, [2001:db8::7] and [2001:db8::7]:4711.
func addressAndPort(s string) (netip.Addr, bool) {
	host, port, found := strings.Cut(s, ":")
	inside, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		host, port, found = strings.Cut(inside, "]")
		if !found {
			return netip.Addr{}, false
		}
		port, found = strings.CutPrefix(port, ":")
		if !found && port != "" {
			return netip.Addr{}, false
		}
	}
	a, ok := plainAddress(host)
	if !ok || found && !isPort(port) || bracketed != strings.Contains(host, ":") {
		return netip.Addr{}, false
	}
	return a, true
}

// plainAddress reads an address in its own form; of an IPv4 address that is written as IPv6, the IPv4 address. A zone is an
// interface of another machine, about which nothing can be known here.
func plainAddress(s string) (netip.Addr, bool) {
	if strings.Contains(s, "%") {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// isPort wants up to five digits, or a word that hides the port.
func isPort(s string) bool {
	if word, hidden := strings.CutPrefix(s, "_"); hidden {
		return word != "" && !strings.ContainsFunc(word, func(r rune) bool {
			return !letterOrDigit(r) && r != '.' && r != '_' && r != '-'
		})
	}
	return s != "" && len(s) <= 5 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// unquoted is the value of a pair: a token, or the text in quotes. Nothing that we look for needs a backslash.
func unquoted(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, isToken(s)
	}
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	return s, !strings.ContainsAny(s, `"\`)
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !letterOrDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func letterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
