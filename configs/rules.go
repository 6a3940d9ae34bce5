package configs

import (
	"time"

	"github.com/hookgate/hookgate"
)

// Rules are what the loader cannot know itself, because the folders beside it do. A nil function knows nothing and
// objects to nothing.
type Rules struct {
	Providers        []string
	Schemes          []string
	DestinationTypes []string

	// Auth, Destination and Declaration judge one entry. Their error is a hookgate.Problems, whose fields are resolved to lines, or
	// any other error, which is reported at the entry. They are asked only about entries that could be read.
	Auth        func(hookgate.AuthSettings) error
	Destination func(hookgate.DestinationSettings) error
	Declaration func(hookgate.Declaration) error
	// Signing judges the keys that envelopes are signed with.
	Signing func(keys []hookgate.Secret) error
	// Tokens judges the keys of the token endpoint.
	Tokens func(hookgate.TokenSettings) error
	// Journal judges the URL of a journal on Redis.
	Journal func(url string) error
	// AuthWarnings and DestinationWarnings name what is allowed but unwise.
	AuthWarnings        func(hookgate.AuthSettings) []hookgate.Problem
	DestinationWarnings func(hookgate.DestinationSettings) []hookgate.Problem

	// Window is how long events of the provider are remembered unless the source says so; 0 where it has no default.
	Window func(provider string) time.Duration
	// Freshness is how long, back plus ahead, an entry accepts one signed time; 0 where it signs none.
	Freshness func(hookgate.AuthSettings) time.Duration
	// Timezone is the provider's default zone, or empty where its times carry their own and timezone is refused.
	Timezone func(provider string) string
}

func (r Rules) window(provider string) time.Duration {
	if r.Window == nil {
		return 0
	}
	return r.Window(provider)
}

func (r Rules) freshness(a hookgate.AuthSettings) time.Duration {
	if r.Freshness == nil {
		return 0
	}
	return r.Freshness(a)
}

func (r Rules) timezone(provider string) string {
	if r.Timezone == nil {
		return ""
	}
	return r.Timezone(provider)
}
