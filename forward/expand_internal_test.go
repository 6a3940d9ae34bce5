package forward

import (
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	e := &hookgate.Event{Provider: "bird", Source: "my source", Type: "bird.a>b..c*.", EntityType: "", Action: "grün"}
	for text, want := range map[string]string{
		"fixed.text":                       "fixed.text",
		"":                                 "",
		"{provider}":                       "bird",
		"a.{source}.b":                     "a.my_source.b",
		"x-{type}":                         "x-bird.a_b._.c_._",
		"{entitytype}.{action}":            "_.gr_n",
		"{provider}{provider}":             "birdbird",
		"{type}.end":                       "bird.a_b._.c_._.end",
		"{provider}.{source}.{entitytype}": "bird.my_source._",
	} {
		tmpl, err := parseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.expand(e); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if tmpl.fixed() != !strings.Contains(text, "{") {
			t.Errorf("%s: fixed %v", text, tmpl.fixed())
		}
	}
	for _, text := range []string{"{", "}", "a{b", "{type", "{}", "{Type}", "{type}}", "{{type}}", "{id}"} {
		if _, err := parseTemplate(text); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// Whatever a payload holds, it adds no level but by the dots of a type, no wildcard, no empty word and no line break.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"", ".", "..", "a.b", "*", ">", "a b", "\r\nPUB x 1\r\n", "\x00", "é", "\xff", "$JS.API"} {
		f.Add(seed)
	}
	tmpl, err := parseTemplate("{provider}.{source}.{type}.{entitytype}.{action}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := tmpl.expand(&hookgate.Event{Provider: value, Source: value, Type: value, EntityType: value, Action: value})
		words := strings.Split(got, ".")
		if len(words) != 5+strings.Count(value, ".") {
			t.Errorf("%q gave %d words", value, len(words))
		}
		for _, word := range words {
			if word == "" || strings.ContainsFunc(word, func(r rune) bool {
				return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r)
			}) {
				t.Errorf("%q gave %q", value, got)
			}
		}
	})
}
