package configs

import (
	"embed"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
)

// shipped are declarations of providers that sign with an HMAC, each in a file of its name.
//
//go:embed declared/*.yaml
var shipped embed.FS

const shippedFolder = "declared"

// Shipped lists the declarations that come with the program, in alphabetical order.
func Shipped() []string {
	entries, err := shipped.ReadDir(shippedFolder)
	if err != nil { // it is part of the program
		panic("configs: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Declared reads a shipped declaration as strictly as one that a user wrote. The error is a Problems.
func Declared(name string, rules Rules) (*hookgate.Declaration, error) {
	file := path.Join(shippedFolder, name+".yaml")
	l := &loader{
		file: file, env: func(string) (string, bool) { return "", false }, rules: rules,
		where: map[string]position{"": {1, 1}}, unsound: make(map[string]bool),
	}
	d := new(hookgate.Declaration)
	data, err := shipped.ReadFile(file)
	if err != nil {
		l.fail(UnknownDeclaration, "", "there is no shipped declaration "+shown(name), suggest(name, Shipped()))
		return nil, l.problems
	}
	if n := l.parse(data); n != nil {
		v := reflect.ValueOf(d).Elem()
		l.fill(v)
		l.decode(n, v, field{typ: declarationType}, "")
		l.judgeDeclaration(d, "")
	}
	if len(l.problems) > 0 {
		return nil, sorted(l.problems)
	}
	return d, nil
}

// checkDeclarations judges what the file declares. Only what is in order can be used; a name that is not is known all the
// same, so that its sources are not blamed.
func (l *loader) checkDeclarations(c *Config) {
	taken := make(map[string]bool)
	for i := range c.Declarations {
		d, at := &c.Declarations[i], item("declarations", i)
		l.checkName(DeclarationName, DuplicateDeclaration, d.Name, at, taken)
		switch {
		case slices.Contains(l.rules.Providers, d.Name):
			l.bad(DuplicateDeclaration, at+".name", "is taken: "+strconv.Quote(d.Name)+" is a provider that the program knows", "choose another name")
		case slices.Contains(Shipped(), d.Name):
			l.bad(DuplicateDeclaration, at+".name", "is taken: "+strconv.Quote(d.Name)+" is a declaration that is shipped", "choose another name, or use the shipped one")
		}
		l.judgeDeclaration(d, at)
		if !l.sound(at) {
			d = nil
		}
		if name := c.Declarations[i].Name; name != "" {
			l.declared[name] = d
		}
	}
}

// judgeDeclaration has the folders that sign and read judge a declaration.
func (l *loader) judgeDeclaration(d *hookgate.Declaration, at string) {
	if l.set(join(at, "timestamp")) && d.Timestamp.Header == "" && d.Timestamp.Pair == "" {
		path := join(at, "timestamp")
		l.bad(DeclarationSettings, path, "does not say where the time is, so that no time would be checked", "name its header or its pair")
	}
	if l.rules.Declaration != nil && l.sound(at) {
		l.theirs(DeclarationSettings, at, l.rules.Declaration(*d))
	}
}

// declaration finds a declaration by its name, nil where it is not in order; known is false where there is none.
func (l *loader) declaration(name string) (d *hookgate.Declaration, known bool) {
	if d, known = l.declared[name]; known || !slices.Contains(Shipped(), name) {
		return d, known
	}
	d, err := Declared(name, l.rules)
	if problems, ok := err.(Problems); ok { //nolint:errorlint // it is never wrapped
		l.problems = append(l.problems, problems...)
	}
	l.declared[name] = d
	return d, true
}

// declarationNames lists all declarations that there are.
func (l *loader) declarationNames() []string {
	names := Shipped()
	for name := range l.declared {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// providers lists what may stand for provider; nothing where the rules do not say.
func (l *loader) providers() []string {
	if len(l.rules.Providers) == 0 {
		return nil
	}
	names := slices.Concat(l.rules.Providers, l.declarationNames())
	slices.Sort(names)
	return names
}

// checkProvider finds the declaration of a source's provider, where the program has no code for it.
func (l *loader) checkProvider(s *Source, at string) {
	if s.Provider == "" || len(l.rules.Providers) == 0 || slices.Contains(l.rules.Providers, s.Provider) {
		return
	}
	d, known := l.declaration(s.Provider)
	if !known {
		l.fail(NotListed, at+".provider", "unknown provider "+shown(s.Provider), suggest(s.Provider, l.providers()))
	}
	if s.Declared = d; d == nil {
		s.Provider = "" // nothing more can be said of it
	}
}

// checkDeclared finds the declaration that an entry names; false where there is none in order.
func (l *loader) checkDeclared(a *hookgate.AuthSettings, at string) bool {
	if a.Declaration == "" {
		return true
	}
	d, known := l.declaration(a.Declaration)
	if !known {
		l.bad(UnknownDeclaration, at+".declaration", "names an unknown declaration "+shown(a.Declaration), suggest(a.Declaration, l.declarationNames()))
	}
	a.Declared = d
	return d != nil
}
