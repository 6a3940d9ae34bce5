package verifiers

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// keyForm is another reading of a configured key.
type keyForm struct {
	diagnosis    Diagnosis
	value        []byte
	detail, hint string
}

func keyForms(key []byte) []keyForm {
	forms := []keyForm{
		{KeySpace, append(bytes.Clone(key), '\n'), "the provider has it with a line feed at its end", "enter it at the provider without the line break"},
		{KeySpace, append(bytes.Clone(key), '\r', '\n'), "the provider has it with a line break at its end", "enter it at the provider without the line break"},
		{KeyEncoding, []byte(base64.StdEncoding.EncodeToString(key)), "the provider uses the base64 text of it as the key", "configure the text as the provider shows it"},
		{KeyEncoding, []byte(hex.EncodeToString(key)), "the provider uses the hex text of it as the key", "configure the text as the provider shows it"},
	}
	if trimmed := bytes.TrimSpace(key); len(trimmed) < len(key) {
		forms = append(forms, keyForm{KeySpace, trimmed, "the provider has it without the white space around it", "take the white space out"})
	}
	text := strings.TrimPrefix(string(bytes.TrimSpace(key)), "whsec_")
	for _, decode := range []func(string) ([]byte, error){
		base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if value, err := decode(text); err == nil && len(value) > 0 {
			forms = append(forms, keyForm{KeyEncoding, value, "the provider decodes it from base64", "put the decoded bytes into a file and write file:PATH"})
		}
	}
	if value, err := hex.DecodeString(text); err == nil && len(value) > 0 {
		forms = append(forms, keyForm{KeyEncoding, value, "the provider decodes it from hex", "put the decoded bytes into a file and write file:PATH"})
	}
	return forms
}

// headerForms are other readings of a header's value, by what was done to it.
func headerForms(value string) map[string]string {
	unquoted := strings.Trim(value, `"' `)
	forms := map[string]string{
		"without quotation marks":      unquoted,
		"in lower case":                strings.ToLower(value),
		"with sha256= in front":        "sha256=" + unquoted,
		"without what is before its =": value[strings.IndexByte(value, '=')+1:],
		"with its padding":             unquoted + strings.Repeat("=", (4-len(unquoted)%4)%4),
		"in the standard alphabet":     strings.NewReplacer("-", "+", "_", "/").Replace(unquoted),
	}
	if plain, err := url.QueryUnescape(value); err == nil {
		forms["unescaped"] = plain
	}
	delete(forms, value)
	return forms
}

// urlForms are other public addresses: with the other scheme, without a path, with a slash, and what a proxy says of it.
func urlForms(public string, header http.Header) []string {
	all := []string{public}
	u, err := url.Parse(public)
	if err != nil {
		return all
	}
	said := header["X-Forwarded-Host"]
	for _, host := range append([]string{u.Host, u.Hostname(), strings.TrimPrefix(u.Host, "www."), "www." + u.Host}, said[:min(1, len(said))]...) {
		for _, scheme := range []string{"https", "http"} {
			for _, path := range []string{"", strings.TrimSuffix(u.Path, "/")} {
				all = append(all, scheme+"://"+host+path)
			}
		}
	}
	return all
}

// targetForms are other paths and queries.
func targetForms(target string) []string {
	path, query, asked := strings.Cut(target, "?")
	all := []string{target, path, path + "/", strings.TrimSuffix(path, "/")}
	if plain, err := url.PathUnescape(path); err == nil {
		all = append(all, plain)
	}
	if asked {
		all = append(all, path+"/?"+query)
		if values, err := url.ParseQuery(query); err == nil {
			all = append(all, path+"?"+values.Encode())
		}
	}
	return all
}

// bodyForm is what a body may have been when it was signed.
type bodyForm struct {
	diagnosis Diagnosis
	body      []byte
	detail    string
}

func bodyForms(body []byte) []bodyForm {
	var forms []bodyForm
	add := func(d Diagnosis, changed []byte, detail string) {
		if string(changed) != string(body) {
			forms = append(forms, bodyForm{d, changed, detail})
		}
	}
	add(BodyRewritten, bytes.TrimSpace(body), "without the white space around it")
	add(BodyRewritten, append(bytes.Clone(body), '\n'), "with a line feed at its end")
	add(BodyRewritten, bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), "with line feeds alone")
	add(BodyRewritten, bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")), "with CR and LF")
	add(BodyRewritten, bytes.TrimPrefix(body, []byte("\ufeff")), "without its byte order mark")
	for _, form := range jsonForms(body) {
		add(BodyRewritten, form.text, form.how)
	}
	if values, err := url.ParseQuery(string(body)); err == nil && bytes.IndexByte(body, '=') > 0 {
		add(BodyRewritten, []byte(values.Encode()), "as a form in alphabetical order")
	}
	if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		if plain, err := io.ReadAll(io.LimitReader(r, maxExplained+1)); err == nil && len(plain) <= maxExplained {
			add(BodyCompressed, plain, "before it was compressed")
		}
	}
	return forms
}

// indentedLength is how long a text becomes, about, with each value on a line of its own. Deep nesting makes a few kilobytes
// hundreds of megabytes.
func indentedLength(compact []byte, width int) int {
	length, depth, quoted := len(compact), 0, false
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ',':
			length += 1 + depth*width
		case c == '{' || c == '[':
			depth++
			length += 1 + depth*width
		case c == '}' || c == ']':
			depth--
			length += 1 + depth*width
		}
	}
	return length
}

type jsonForm struct {
	text []byte
	how  string
}

// jsonForms are the ways in which common libraries write the same JSON.
func jsonForms(body []byte) (forms []jsonForm) {
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return nil
	}
	forms = append(forms,
		jsonForm{compact.Bytes(), "without white space between its tokens"},
		jsonForm{bytes.ReplaceAll(compact.Bytes(), []byte("/"), []byte(`\/`)), "without white space and with \\/ for /"},
		jsonForm{bytes.ReplaceAll(compact.Bytes(), []byte(`\/`), []byte("/")), "without white space and with / for \\/"},
		jsonForm{spaced(compact.Bytes()), "with a blank behind each comma and colon"},
	)
	for _, indent := range []string{"  ", "    ", "\t"} {
		var indented bytes.Buffer
		if indentedLength(compact.Bytes(), len(indent)) > maxExplained {
			continue
		}
		if json.Indent(&indented, body, "", indent) == nil {
			forms = append(forms, jsonForm{indented.Bytes(), "indented"})
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) == nil {
		if sorted, err := json.Marshal(value); err == nil {
			forms = append(forms, jsonForm{sorted, "with its members in alphabetical order"})
		}
		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) == nil {
			forms = append(forms, jsonForm{bytes.TrimSuffix(plain.Bytes(), []byte("\n")), "with its members in alphabetical order and nothing escaped"})
		}
	}
	return forms
}

// spaced writes compact JSON as some libraries do, with a blank behind each comma and colon between tokens.
func spaced(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	inText := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		out = append(out, c)
		switch {
		case inText && c == '\\':
			i++
			out = append(out, compact[i])
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}
