package configs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/hookgate/hookgate/configs"
)

var update = flag.Bool("update", false, "rewrite schema.json and docs/configuration.md")

func TestSchemaAndReferenceAreKept(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]byte{
		"schema.json":              configs.Schema(names),
		"../docs/configuration.md": []byte(configs.Reference(names)),
	} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the settings say; run: go test ./configs -update", path)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	var walk func(path string, s map[string]any)
	count := 0
	walk = func(path string, s map[string]any) {
		if items, ok := s["items"].(map[string]any); ok {
			walk(path, items)
		}
		properties, _ := s["properties"].(map[string]any)
		for key, p := range properties {
			count++
			p := p.(map[string]any)
			if doc, _ := p["description"].(string); doc == "" {
				t.Errorf("%s.%s has no documentation", path, key)
			}
			if !strings.Contains(configs.Reference(names), "| `"+key+"` |") {
				t.Errorf("%s.%s is not on the reference page", path, key)
			}
			walk(path+"."+key, p)
		}
	}
	walk("", schema(t))
	if count < 40 {
		t.Errorf("only %d keys", count)
	}
}

func schema(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(configs.Schema(names), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The schema and the loader are two judges of one language. What the loader takes, the schema takes; and for the rules
// that a schema can express, what the loader refuses, the schema refuses.
func TestSchemaAgreesWithLoader(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatal("no examples")
	}
	for _, path := range examples {
		if problem := validateFile(t, path); problem != "" {
			t.Errorf("%s: %s", path, problem)
		}
	}
	for _, rule := range []configs.Rule{
		configs.UnknownKey, configs.RequiredKey, configs.NullValue, configs.EmptyValue, configs.WrongType, configs.UnquotedText,
		configs.NotListed, configs.RepeatedItem, configs.BadNumber, configs.BadDuration, configs.BadSize, configs.BadRate,
		configs.SecretLiteral, configs.SecretName, configs.URLLiteral, configs.URLPassword, configs.NoSources,
		configs.NoDestinations, configs.NoAuth,
	} {
		if validateFile(t, filepath.Join(bad, rule.String()+".yaml")) == "" {
			t.Errorf("the schema takes the bad file of %s", rule)
		}
	}
}

func validateFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Inside braces the library cuts a plain env:NAME in two; the loader mends that, and here quotes do.
	data = regexp.MustCompile(`(^|[\[ ])((env|file):[A-Za-z0-9_./-]+)`).ReplaceAll(data, []byte(`$1"$2"`))
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(path, err)
	}
	return validate(schema(t), v, "")
}

// validate knows the keywords that the schema uses, and fails on any other.
func validate(s map[string]any, v any, path string) string {
	for _, keyword := range slices.Sorted(func(yield func(string) bool) {
		for k := range s {
			if !yield(k) {
				return
			}
		}
	}) {
		if problem := validateOne(keyword, s, v, path); problem != "" {
			return problem
		}
	}
	return ""
}

func validateOne(keyword string, s map[string]any, v any, path string) string {
	text, isText := v.(string)
	list, isList := v.([]any)
	object, isObject := v.(map[string]any)
	ok := true
	switch keyword {
	case "$schema", "title", "description", "default", "properties", "examples":
	case "type":
		_, isBool := v.(bool)
		_, isUint := v.(uint64)
		_, isInt := v.(int64)
		ok = map[any]bool{"string": isText, "array": isList, "object": isObject, "boolean": isBool, "integer": isUint || isInt}[s[keyword]]
	case "anyOf":
		ok = slices.ContainsFunc(s[keyword].([]any), func(one any) bool { return validate(one.(map[string]any), v, path) == "" })
	case "enum":
		ok = slices.Contains(s[keyword].([]any), v)
	case "pattern":
		ok = !isText || regexp.MustCompile(s[keyword].(string)).MatchString(text)
	case "minLength":
		ok = !isText || utf8.RuneCountInString(text) >= 1
	case "minItems":
		ok = !isList || len(list) >= 1
	case "minimum":
		n, isInt := v.(int64)
		ok = !isInt || n >= 0
	case "uniqueItems":
		seen := make(map[any]bool)
		for _, item := range list {
			ok = ok && !seen[item]
			seen[item] = true
		}
	case "items":
		for i, item := range list {
			if problem := validate(s[keyword].(map[string]any), item, fmt.Sprintf("%s[%d]", path, i)); problem != "" {
				return problem
			}
		}
	case "required":
		for _, key := range s[keyword].([]any) {
			_, there := object[key.(string)]
			ok = ok && (there || !isObject)
		}
	case "additionalProperties":
		for key, item := range object {
			p, known := s["properties"].(map[string]any)[key].(map[string]any)
			if !known {
				return path + "." + key + ": unknown"
			}
			if problem := validate(p, item, path+"."+key); problem != "" {
				return problem
			}
		}
	default:
		return "the test does not know the keyword " + keyword
	}
	if !ok {
		return path + ": " + keyword
	}
	return ""
}
