package verifiers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// TestExplainedFormsAreBounded: what a stranger sends is not made much larger in the search for what is wrong with it.
func TestExplainedFormsAreBounded(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nested":           strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"nested objects":   strings.Repeat(`{"\"[":`, 9000) + "1" + strings.Repeat("}", 9000),
		"a wide one below": strings.Repeat("[", 900) + strings.Repeat("1,", 9000) + "1" + strings.Repeat("]", 900),
		"slashes":          `"` + strings.Repeat("/", maxExplained-2) + `"`,
		"angles":           `"` + strings.Repeat("<", maxExplained-2) + `"`,
		"line feeds":       strings.Repeat("\n", maxExplained),
	} {
		for _, form := range bodyForms([]byte(body)) {
			if len(form.body) > 6*maxExplained {
				t.Errorf("%s: %d bytes become %d %s", name, len(body), len(form.body), form.detail)
			}
		}
	}
	found := false
	for _, form := range bodyForms([]byte(`{"a":[1,{"b":"x"}]}`)) {
		found = found || string(form.body) == "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x\"\n    }\n  ]\n}"
	}
	if !found {
		t.Error("an indented body is not among the forms")
	}
}

// TestSearchIsBounded: a search ends when it has hashed as much as it may.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	entry := hookgate.AuthSettings{Scheme: "hub-signature", Secrets: []hookgate.Secret{hookgate.NewSecret([]byte("made-up-secret-number-one"), "env:ONE")}}
	scheme, err := NewSigner(entry, hookgate.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	req := &hookgate.Request{Header: make(http.Header), Body: []byte("{}")}
	if err := scheme.Sign(req, time.Time{}); err != nil {
		t.Fatal(err)
	}
	f := finder{Search: Search{Request: req}, left: 2 * (len(req.Body) + tryCosts)}
	for _, want := range []bool{true, true, false} {
		if _, ok := f.verifies(entry, []time.Time{{}}); ok != want {
			t.Errorf("with %d bytes left: %v, want %v", f.left, ok, want)
		}
	}
}
