package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// table writes rows in columns as wide as they need to be.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, _ = io.WriteString(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t")+"\n")
}

// end writes it all, and gives the first error of the output.
func (t table) end() error { return t.w.Flush() }

// printable keeps what others wrote from steering the terminal, or from breaking the line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// readable makes any bytes something to look at: text with its lines, else hex.
func readable(b []byte) string {
	if !utf8.Valid(b) {
		return strings.TrimSuffix(hex.Dump(b), "\n")
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// member is one of a JSON object's.
type member struct {
	name  string
	value json.RawMessage
}

// text is the value as it is read by people.
func (m member) text() string {
	var s string
	if json.Unmarshal(m.value, &s) == nil {
		return s
	}
	return string(m.value)
}

// members gives those of an object, in its own order; none of anything else.
func members(object []byte) (all []member) {
	d := json.NewDecoder(bytes.NewReader(object))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return all
		}
		m := member{}
		m.name, _ = name.(string)
		if d.Decode(&m.value) != nil {
			return all
		}
		all = append(all, m)
	}
	return all
}

// summary is what a table shows of an envelope.
type summary struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Subject  string    `json:"subject"`
	Source   string    `json:"source"`
	Received time.Time `json:"receivedtime"`
}

func summarise(envelope []byte) (s summary) {
	_ = json.Unmarshal(envelope, &s) // what cannot be read stays empty
	s.Source = s.Source[strings.LastIndexByte(s.Source, '/')+1:]
	return s
}

// when is a time in a table; the zero time is nothing.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
