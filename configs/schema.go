package configs

import (
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/hookgate/hookgate"
)

// The grammars as an editor can check them. The loader is stricter: it also looks behind a reference.
const (
	refPattern      = `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$`
	urlPattern      = `^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|[a-z][a-z0-9+.-]*://[^@]+)$`
	durationPattern = `^([0-9]{1,5}d|([0-9]+(\.[0-9]+)?(ms|h|m|s))+)$`
	sizePattern     = `^[1-9][0-9]{0,15}(B|KiB|MiB|GiB|TiB)$`
	ratePattern     = `^[1-9][0-9]{0,8}/(s|m|h)$`
)

// Schema is the JSON Schema (draft 2020-12) of the configuration, for editors. The names in rules become its enums.
func Schema(rules Rules) []byte {
	s := rules.object(configType)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Hookgate configuration"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // only maps, lists and text are in it
		panic("configs: schema: " + err.Error())
	}
	return append(out, '\n')
}

// object describes a struct, whose keys are all there are.
func (r Rules) object(of reflect.Type) map[string]any {
	properties, required := make(map[string]any), []string(nil)
	for _, f := range r.fields(of) {
		p := r.value(f, f.typ)
		p["description"] = f.doc
		if f.def != "" {
			p["default"] = defaultValue(f)
		}
		properties[f.key] = p
		if f.needed {
			required = append(required, f.key)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	return s
}

// value describes what may stand for a field, or for one item of its list.
func (r Rules) value(f field, t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[hookgate.Secret]():
		switch {
		case f.literal:
			return pattern(urlPattern)
		case f.ends:
			return map[string]any{"anyOf": []any{pattern(refPattern), r.object(reflect.TypeFor[ending]())}}
		}
		return pattern(refPattern)
	case reflect.TypeFor[time.Duration]():
		return pattern(durationPattern)
	case reflect.TypeFor[Size]():
		return pattern(sizePattern)
	case reflect.TypeFor[Rate]():
		return pattern(ratePattern)
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Slice:
		s := map[string]any{"type": "array", "items": r.value(f, t.Elem()), "minItems": 1}
		if t.Elem().Kind() == reflect.String {
			s["uniqueItems"] = true
		}
		return s
	case reflect.Struct:
		return r.object(t)
	}
	s := map[string]any{"type": "string"}
	switch {
	case f.also != "":
		s["examples"] = f.values
	case len(f.values) > 0:
		s["enum"] = f.values
	}
	if !f.optional() {
		s["minLength"] = 1
	}
	return s
}

func pattern(p string) map[string]any { return map[string]any{"type": "string", "pattern": p} }

// defaultValue is the default as JSON has it.
func defaultValue(f field) any {
	switch f.typ.Kind() {
	case reflect.Bool:
		return f.def == "true"
	case reflect.Int, reflect.Int64:
		if n, err := strconv.ParseInt(f.def, 10, 64); err == nil {
			return n
		}
	}
	return f.def
}
