package verifiers

import (
	"net/url"
	"strings"

	"github.com/hookgate/hookgate"
)

// use says whether a scheme takes an option.
type use int

const (
	refused use = iota // the zero value, for options that a scheme does not name
	optional
	required
)

// settings are an entry's settings while a scheme is made of them. A constructor reports what is wrong and goes on, so
// that a user sees everything at once; build throws its result away then.
type settings struct {
	hookgate.AuthSettings
	private  hookgate.Secret
	signs    bool     // made by NewSigner
	tried    bool     // made to be tried, of keys that may be short
	parties  *Parties // whom bearer asks
	problems hookgate.Problems
}

// given lists the options in the order of the documentation and whether the entry has them.
func (s *settings) given() []struct {
	name string
	set  bool
} {
	return []struct {
		name string
		set  bool
	}{
		{"secrets", len(s.Secrets) > 0},
		{"keys", len(s.Keys) > 0},
		{"users", len(s.Users) > 0},
		{"prefix", s.Prefix != nil},
		{"issuer", s.Issuer != ""},
		{"audience", s.Audience != ""},
		{"encoding", s.Encoding != ""},
		{"scopes", len(s.Scopes) > 0},
		{"jwks_url", s.JWKSURL != ""},
		{"infer_algorithm", s.InferAlgorithm},
		{"introspection", s.Introspection.URL != "" || s.Introspection.ClientID != "" || len(s.Introspection.ClientSecret.Reveal()) > 0},
		{"issued", s.Issued},
		{"allow_private", s.AllowPrivate},
		{"ca", len(s.CA) > 0},
		{"names", len(s.Names) > 0},
		{"fingerprints", len(s.Fingerprints) > 0},
		{"declaration", s.Declaration != "" || s.Declared != nil},
	}
}

// checkOptions compares what is given with what the scheme takes.
func (s *settings) checkOptions(k kind) {
	var takes []string
	for _, o := range s.given() {
		if k.takes[o.name] != refused {
			takes = append(takes, o.name)
		}
	}
	for _, o := range s.given() {
		switch use := k.takes[o.name]; {
		case o.set && use == refused:
			s.problems.Add(o.name, takesHint(s.Scheme, takes), "%s does not take %s", s.Scheme, o.name)
		case !o.set && use == required && !(s.signs && o.name == "keys"):
			s.problems.Add(o.name, "", "%s needs %s", s.Scheme, o.name)
		}
	}
	switch hasPrivate := len(s.private.Reveal()) > 0; {
	case s.signs && k.keyPair && !hasPrivate:
		s.problems.Add("private", "", "%s signs with a private key, and none is given", s.Scheme)
	case hasPrivate && !k.keyPair:
		s.problems.Add("private", "", "%s does not take a private key", s.Scheme)
	}
}

func takesHint(scheme string, takes []string) string {
	if len(takes) == 0 {
		return scheme + " takes no options"
	}
	return scheme + " takes " + strings.Join(takes, ", ")
}

func (s *settings) unknownScheme() {
	hint := "one of " + strings.Join(Names(), ", ")
	if s.Scheme == "" {
		s.problems.Add("scheme", hint, "the scheme is missing")
		return
	}
	s.problems.Add("scheme", hint, "unknown scheme %q", s.Scheme)
}

// publicURL is public_url without a slash at its end, for a scheme that signs it; what completes the sentence to the user.
func (s *settings) publicURL(what string) string {
	public := strings.TrimSuffix(s.PublicURL, "/")
	switch u, err := url.Parse(public); {
	case public == "":
		s.problems.Add("", "set public_url to the address that the provider calls, such as https://hooks.example.com",
			"%s needs public_url, which is part of %s", s.Scheme, what)
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.User != nil, strings.ContainsAny(public, "?# \t\r\n"):
		s.problems.Add("", "write it as https://hooks.example.com", "public_url is not an http or https address without query and fragment")
	}
	return public
}
