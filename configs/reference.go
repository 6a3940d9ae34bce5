package configs

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

const referenceHead = `# Configuration

<!-- Written from the tags of the settings; a test compares it. Rewrite it with: go test ./configs -update -->

One YAML file. The loader is strict: a key it does not know, a secret it cannot resolve, a name that is there twice or a
contradiction is an error, and ` + "`hookgate check`" + ` lists all of them at once, each with file, line and column. Anchors, aliases,
merge keys, tags and a second document are not read.

| written as | means |
|---|---|
| text | one line; what YAML would read as a number, a truth value or nothing needs quotes |
| reference | ` + "`env:NAME`" + `, or ` + "`file:PATH`" + ` from the folder of the configuration file; at most 64 KiB, one line end at the end of a file is not part of it |
| secret | a reference, or ` + "`{ref: env:NAME, not_after: \"2026-12-31T00:00:00Z\"}`" + `: what is received from then on is not proved by it any more |
| URL | written out, or a reference; a URL with a user or a password must be a reference |
| duration | ` + "`500ms`, `30s`, `15m`, `168h`, `7d`" + ` |
| size | ` + "`512B`, `64KiB`, `1MiB`, `10GiB`" + ` |
| rate | ` + "`100/s`, `6000/m`, `1000/h`" + ` |
| number | plain digits |
`

// Reference is the reference page of the configuration, in Markdown. The names in rules are its lists of values.
func Reference(rules Rules) string {
	var b strings.Builder
	b.WriteString(referenceHead)
	rules.section(&b, "The file", "", configType)
	return b.String()
}

// section writes the table of one mapping, and behind it those of the mappings in it.
func (r Rules) section(b *strings.Builder, title, prefix string, of reflect.Type) {
	fmt.Fprintf(b, "\n## %s\n\n| key | is | value | default |\n|---|---|---|---|\n", title)
	fields := r.fields(of)
	for _, f := range fields {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.key, cell(f.doc), cell(form(f)), fallback(f))
	}
	for _, f := range fields {
		t, name := f.typ, prefix+f.key
		if t.Kind() == reflect.Slice {
			t, name = t.Elem(), name+"[]"
		}
		if t.Kind() == reflect.Struct && t != reflect.TypeFor[hookgate.Secret]() && t != reflect.TypeFor[Rate]() {
			r.section(b, "`"+name+"`", name+".", t)
		}
	}
}

// form names how the value of a field is written.
func form(f field) string {
	if len(f.values) > 0 {
		list := "`" + strings.Join(f.values, "`, `") + "`"
		if f.also != "" {
			list += " or " + f.also
		}
		return list
	}
	if f.typ.Kind() == reflect.Slice {
		return "list of " + single(f, f.typ.Elem()) + "s"
	}
	return single(f, f.typ)
}

func single(f field, t reflect.Type) string {
	switch t {
	case reflect.TypeFor[hookgate.Secret]():
		switch {
		case f.literal:
			return "URL"
		case f.ends:
			return "secret"
		}
		return "reference"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Rate]():
		return "rate"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Struct:
		return "mapping"
	}
	return "text"
}

func fallback(f field) string {
	switch {
	case f.needed:
		return "must be given"
	case f.def == "":
		return ""
	}
	return "`" + f.def + "`"
}

// cell keeps a bar in a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
