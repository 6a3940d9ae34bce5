package configs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/hookgate/hookgate/configs"
)

func TestExamples(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"examples/both-sides.yaml", "examples/five-providers.yaml", "examples/minimal.yaml", "examples/production.yaml"}
	if !slices.Equal(paths, want) {
		t.Fatalf("the examples are %v", paths)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			c, warnings, err := configs.Load(path, environment(variables()), rules())
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) > 0 {
				t.Errorf("an example is warned of: %v", warnings)
			}
			if path != "examples/minimal.yaml" && path != "examples/both-sides.yaml" {
				var providers []string
				for _, s := range c.Sources {
					providers = append(providers, s.Provider)
				}
				slices.Sort(providers)
				if !slices.Equal(providers, names.Providers) {
					t.Errorf("the providers are %v", providers)
				}
			}
		})
	}
}

// An example that asks for a variable must fail without it, or it was never read.
func TestExamplesNeedTheirVariables(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`env:([A-Z_]+)`).FindAllStringSubmatch(string(data), -1) {
			vars := variables()
			delete(vars, m[1])
			if _, _, err := configs.Load(path, environment(vars), rules()); err == nil {
				t.Errorf("%s loads without %s", path, m[1])
			}
		}
	}
}
