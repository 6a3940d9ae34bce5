package configs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/hookgate/hookgate"
)

const (
	envRef  = "env:"
	fileRef = "file:"

	// maxSecret is the largest file that a reference may name, in bytes. A set of public keys fits many times.
	maxSecret = 64 << 10

	secretHint = "secrets are references: write env:NAME or file:PATH"
	urlHint    = "write scheme://host, or env:NAME or file:PATH"
)

var (
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	urlScheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$`)
)

// secret resolves a reference. Whatever goes wrong, neither the value nor a literal that stands in its place is shown.
func (l *loader) secret(n ast.Node, f field, path string) hookgate.Secret {
	if m, ok := n.(*ast.MappingNode); ok && f.ends {
		return l.ending(m, f, path)
	}
	s, ok := n.(*ast.StringNode)
	if !ok {
		l.bad(SecretLiteral, path, "is "+kind(n)+", where a reference is meant", secretHint)
		return hookgate.Secret{}
	}
	var value []byte
	switch {
	case strings.HasPrefix(s.Value, envRef):
		value, ok = l.fromEnv(s.Value[len(envRef):], path)
	case strings.HasPrefix(s.Value, fileRef):
		value, ok = l.fromFile(s.Value[len(fileRef):], f.public, path)
	case f.literal:
		return l.url(s.Value, path)
	default:
		l.bad(SecretLiteral, path, "is written out", secretHint)
		return hookgate.Secret{}
	}
	if !ok || !l.real(value, f, path) {
		return hookgate.Secret{}
	}
	return hookgate.NewSecret(value, s.Value)
}

// ending is a secret with an end, as it is written while keys are exchanged.
type ending struct {
	Ref      hookgate.Secret `yaml:"ref" doc:"the reference"`
	NotAfter string          `yaml:"not_after" doc:"when it ends (RFC 3339); what is received later is not proved by it"`
}

// ending reads one. A key that it does not have is not shown: user: password, without quotes, is a mapping. What is public
// without an end is public with one.
func (l *loader) ending(n *ast.MappingNode, f field, path string) hookgate.Secret {
	var e ending
	for _, pair := range n.Values {
		if key, ok := pair.Key.(*ast.StringNode); !ok || (key.Value != "ref" && key.Value != "not_after") {
			l.bad(SecretLiteral, path, "is a mapping with other keys than ref and not_after", secretHint)
			return hookgate.Secret{}
		}
	}
	v := reflect.ValueOf(&e).Elem()
	fields := l.rules.fields(v.Type())
	for i := range fields {
		fields[i].public = f.public
	}
	l.members(n.Values, fields, v, path)
	if !l.sound(path) {
		return hookgate.Secret{}
	}
	end, err := time.Parse(time.RFC3339, e.NotAfter)
	switch {
	case e.Ref.Ref() == "":
		l.bad(SecretLiteral, path, "has no ref", secretHint)
	case err != nil:
		l.bad(SecretEnd, path+".not_after", "is not a time", "write it as 2026-12-31T00:00:00Z")
	}
	return e.Ref.Until(end)
}

// real refuses values that are there but cannot be meant: a secret that nobody set is one that everybody knows.
func (l *loader) real(value []byte, f field, path string) bool {
	switch {
	case len(bytes.TrimSpace(value)) == 0:
		l.bad(SecretBlank, path, "refers to something empty", "set the variable, or put the secret into the file")
		return false
	case placeholder.Match(value):
		l.bad(SecretPlaceholder, path, "refers to a value that still holds ${...}", "fill the value in where it is set")
		return false
	}
	if pem := bytes.HasPrefix(value, []byte("-----BEGIN ")); !f.public && !pem && len(bytes.TrimSpace(value)) != len(value) {
		l.warn(SecretSpace, path, path+" refers to a value that begins or ends with white space, which counts", "remove it unless the provider shows it so")
	}
	return true
}

func (l *loader) fromEnv(name, path string) ([]byte, bool) {
	if !envName.MatchString(name) {
		l.bad(SecretName, path, "does not name an environment variable", "write env: and a name of letters, digits and _, without spaces")
		return nil, false
	}
	value, ok := l.env(name)
	if !ok {
		l.bad(SecretUnset, path, "refers to the environment variable "+name+", which is not set", "set it, or write file:PATH")
		return nil, false
	}
	if value == name || value == "$"+name || value == envRef+name {
		l.bad(SecretOwnName, path, "refers to the environment variable "+name+", whose value is its own name", "set it to the secret itself")
		return nil, false
	}
	return []byte(value), true
}

// fromFile reads a file that a reference names. Only the reason of a failure is shown, for the path stands in the file.
func (l *loader) fromFile(name string, public bool, path string) ([]byte, bool) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(l.dir, name)
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file") // reading a pipe would wait for a writer
	}
	if err != nil {
		l.unreadable(path, err)
		return nil, false
	}
	f, err := os.Open(name)
	if err != nil {
		l.unreadable(path, err)
		return nil, false
	}
	defer f.Close() //nolint:errcheck // read only
	value, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		l.unreadable(path, err)
		return nil, false
	}
	if len(value) > maxSecret {
		l.bad(SecretFileSize, path, "refers to a file above 64 KiB", "name the file that holds the secret alone")
		return nil, false
	}
	// Windows has no such bits; there every file looks open.
	if !public && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		l.warn(SecretFileOpen, path, path+" refers to a file that every user of this machine may read", "chmod o-r it")
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r")), true
}

func (l *loader) unreadable(path string, err error) {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	l.bad(SecretFile, path, "refers to a file that cannot be read: "+err.Error(), "a relative path starts at the folder of the configuration file")
}

// url takes a URL that is written out. It may not say who logs in: that is what references are for.
func (l *loader) url(s, path string) hookgate.Secret {
	scheme, _, ok := strings.Cut(s, "://")
	switch {
	case placeholder.MatchString(s):
		l.bad(Placeholder, path, "holds ${...}, which is not filled in here", "write the URL out, or refer to all of it by env:NAME")
	case strings.Contains(s, "@"):
		l.bad(URLPassword, path, "is a URL with a user or a password", "put the whole URL into a variable or a file and write env:NAME or file:PATH")
	case !ok || !urlScheme.MatchString(scheme): // who knows the scheme judges the rest: several hosts, say
		l.bad(URLLiteral, path, "is neither a URL nor a reference", urlHint)
	default:
		// A query may hold a token, so the reference that logs show ends before it.
		ref, _, _ := strings.Cut(s, "?")
		return hookgate.NewSecret([]byte(s), ref)
	}
	return hookgate.Secret{}
}
