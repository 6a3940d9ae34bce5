package configs

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/hookgate/hookgate"
)

// Resolve reads one reference, env:NAME or file:PATH, that was given outside of a configuration file, by the rules of one.
// A relative path starts at the working folder. name is what messages call it, such as --secret. The error is a
// hookgate.Problems that never holds the value or a literal that stands in its place; the warnings come with either outcome.
func Resolve(name, reference string, env func(string) (string, bool)) (secret hookgate.Secret, warnings []hookgate.Problem, err error) {
	l := &loader{dir: ".", env: env, where: map[string]position{"": {1, 1}}, unsound: make(map[string]bool)}
	secret = l.secret(&ast.StringNode{BaseNode: &ast.BaseNode{}, Value: reference}, field{key: "secrets"}, name)
	plain := func(ps Problems) (found hookgate.Problems) {
		for _, p := range ps {
			if p.Rule == SecretFile {
				p.Hint = "a relative path starts at the working folder"
			}
			found = append(found, hookgate.Problem{Message: p.Message, Hint: p.Hint})
		}
		return found
	}
	return secret, plain(l.warnings), plain(l.problems).Err()
}
