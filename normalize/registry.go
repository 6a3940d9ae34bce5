// Package normalize reads what the providers send: one file a provider, with everything that is needed to turn an
// authenticated request into events. A reader is pure and total. It trusts the shape of the body and no Content-Type,
// and what it cannot read becomes a quarantined event.
package normalize

import (
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the image is empty, so the zone of a source must come with the program

	"github.com/hookgate/hookgate"
)

// Options are the settings of a source that its reader needs.
type Options struct {
	// Timezone is the zone of times that a provider writes without one. Only netcore does; nil means Asia/Kolkata (our
	// default: its pages name no zone).
	Timezone *time.Location
	// Event is the native event of a body that names none, such as case.create; empty leaves it <provider>.unknown.
	Event string
	// Declared is what the provider's name declares; nil for a provider that has a file here.
	Declared *hookgate.Declaration
}

// provider is one line of the registry.
type provider struct {
	reader func(Options) hookgate.Reader
	window time.Duration
	// timezone is the default zone of times that come without one.
	timezone string
}

// providers is the registry: the name here is the name in the configuration, in labels and in types. Each window is our
// default and spans the provider's own retries: SalesIQ's by hand can come later, CommBox's end after 25 minutes, and
// Bird's follow for 8 hours while a copied delivery stays fresh for 24.
var providers = map[string]provider{
	"sprinklr": {newSprinklr, 168 * time.Hour, ""},
	"salesiq":  {newSalesiq, 168 * time.Hour, ""},
	"commbox":  {newCommbox, 30 * time.Minute, ""},
	"netcore":  {newNetcore, time.Hour, "Asia/Kolkata"},
	"bird":     {newBird, 48 * time.Hour, ""},
}

// New makes the reader of a provider, one that is declared in o included. The error is a hookgate.Problem with the names
// there are, or a hookgate.Problems with what is wrong with the declaration.
func New(provider string, o Options) (hookgate.Reader, error) {
	if o.Declared != nil {
		return newDeclared(provider, o)
	}
	p, ok := providers[provider]
	if !ok {
		return nil, hookgate.Problem{Field: "provider", Message: "unknown provider " + provider, Hint: "one of " + strings.Join(Names(), ", ")}
	}
	return p.reader(o), nil
}

// Names lists the providers in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(providers)) }

// Window is how long events of a provider are remembered unless the source says otherwise; 0 for an unknown provider.
func Window(provider string) time.Duration { return providers[provider].window }

// Timezone is the IANA name of the zone in which a provider's times are read that come without one; empty for a provider
// whose times carry theirs, and for which a source's timezone would change nothing.
func Timezone(provider string) string { return providers[provider].timezone }
