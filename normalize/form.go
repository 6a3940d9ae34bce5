package normalize

import (
	"bytes"
	"errors"
)

// maxFields bounds a form; net/url has no bound but the body's size.
const maxFields = 256

// The reasons for which a form cannot be read. None repeats what stands in it.
var (
	errManyFields  = errors.New("the form has more than 256 fields")
	errFieldTwice  = errors.New("the form names the field that is read twice")
	errFieldAbsent = errors.New("the form has no field of the name that is read")
	errEscape      = errors.New("the form has a broken percent escape")
)

// formField decodes the one field of a form (application/x-www-form-urlencoded) that has this name, exactly once. Other
// fields are ignored. It is our own decoder, because net/url takes the first of two equal names, decodes every field of
// the form and has no bound on their number. Fields end at & alone: a semicolon separates nothing.
func formField(body []byte, name string) ([]byte, error) {
	var found []byte
	seen := false
	for n, rest, more := 0, body, true; more; n++ {
		if n == maxFields {
			return nil, errManyFields
		}
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte{'&'})
		key, text, _ := bytes.Cut(pair, []byte{'='})
		same, ok := decodesTo(key, name)
		switch {
		case !ok:
			return nil, errEscape
		case same && seen:
			return nil, errFieldTwice
		case same:
			found, seen = text, true
		}
	}
	if !seen {
		return nil, errFieldAbsent
	}
	return decodeForm(found)
}

// decodesTo compares a name after decoding, without a copy of it; ok is false for a broken escape.
func decodesTo(key []byte, name string) (same, ok bool) {
	at := 0
	same = true
	for len(key) > 0 {
		c, n := formByte(key)
		if n == 0 {
			return false, false
		}
		same = same && at < len(name) && name[at] == c
		at++
		key = key[n:]
	}
	return same && at == len(name), true
}

// decodeForm decodes a value into one buffer of its own; the events of the request share it.
func decodeForm(text []byte) ([]byte, error) {
	escapes := bytes.Count(text, []byte{'%'})
	out := make([]byte, 0, max(0, len(text)-2*escapes)) // broken escapes can take more than there is
	for i := 0; i < len(text); {
		c, n := text[i], 1
		if c == '%' || c == '+' {
			if c, n = formByte(text[i:]); n == 0 {
				return nil, errEscape
			}
		}
		out = append(out, c)
		i += n
	}
	return out, nil
}

// formByte is the first byte of text after decoding and how many bytes it took; 0 for a broken escape.
func formByte(text []byte) (c byte, n int) {
	switch text[0] {
	case '+':
		return ' ', 1
	case '%':
		if len(text) < 3 {
			return 0, 0
		}
		high, okHigh := fromHex(text[1])
		low, okLow := fromHex(text[2])
		if !okHigh || !okLow {
			return 0, 0
		}
		return byte(high<<4 | low), 3
	}
	return text[0], 1
}
