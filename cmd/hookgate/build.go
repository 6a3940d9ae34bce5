package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/journal"
	"github.com/hookgate/hookgate/middleware"
	"github.com/hookgate/hookgate/normalize"
	"github.com/hookgate/hookgate/verifiers"
)

// rules tell the loader what the other folders know, so that a configuration that loads can be built.
func rules() configs.Rules {
	return configs.Rules{
		Providers:        normalize.Names(),
		Schemes:          verifiers.Names(),
		DestinationTypes: forward.Names(),
		Auth: func(s hookgate.AuthSettings) error {
			_, err := verifiers.New(s)
			return err
		},
		Signing: func(keys []hookgate.Secret) error {
			_, err := forward.NewSigner(keys)
			return err
		},
		Declaration: func(d hookgate.Declaration) error {
			var problems hookgate.Problems
			for _, err := range []error{verifiers.CheckDeclaration(d), normalize.CheckDeclaration(d)} {
				var found hookgate.Problems
				if errors.As(err, &found) {
					problems = append(problems, found...)
				}
			}
			return problems.Err()
		},
		Tokens: func(s hookgate.TokenSettings) error {
			_, err := verifiers.NewIssuer(s, "")
			return err
		},
		Journal:      journal.CheckRedisURL,
		AuthWarnings: verifiers.Warnings,
		Destination:  forward.Check,
		Window:       normalize.Window,
		Freshness:    verifiers.Freshness,
		Timezone:     normalize.Timezone,
	}
}

// buildSources makes the sources that a loaded configuration describes. What issuers tell is kept in parties.
func buildSources(c *configs.Config, parties *verifiers.Parties) ([]*hookgate.Source, error) {
	sources := make([]*hookgate.Source, 0, len(c.Sources))
	for _, s := range c.Sources {
		src, err := buildSource(s, parties)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		sources = append(sources, src)
	}
	return sources, nil
}

func buildSource(s configs.Source, parties *verifiers.Parties) (*hookgate.Source, error) {
	options := normalize.Options{Event: s.Event, Declared: s.Declared}
	if s.Timezone != "" {
		zone, err := time.LoadLocation(s.Timezone)
		if err != nil {
			return nil, err
		}
		options.Timezone = zone
	}
	reader, err := normalize.New(s.Provider, options)
	if err != nil {
		return nil, err
	}
	src := &hookgate.Source{
		Name: s.Name, Provider: s.Provider, Path: s.Path, Reader: reader, MaxBody: int64(s.MaxBody),
		Window: s.Dedupe.Window, PerAttempt: s.Dedupe.By == "attempt", RejectMalformed: s.Malformed == "reject",
		Quota: budget(s.Rate), Gzip: s.Gzip, KeepFailed: budget(s.QuarantineFailed),
	}
	if src.Allow, err = configs.Networks(s.Allow); err != nil {
		return nil, err
	}
	for _, a := range s.Auth {
		v, err := parties.New(a)
		if err != nil {
			return nil, err
		}
		src.Verifiers = append(src.Verifiers, v)
		src.Keys = append(src.Keys, keysOf(a)...)
	}
	return src, nil
}

// keysOf names the keys of an entry as its proofs do. Keys that somebody else names, such as an issuer's, stand together
// under one name.
func keysOf(a hookgate.AuthSettings) (keys []hookgate.Proof) {
	for _, id := range verifiers.KeyIDs(a) {
		keys = append(keys, hookgate.Proof{Scheme: a.Scheme, KeyID: id})
	}
	if a.Scheme != "none" {
		keys = append(keys, hookgate.Proof{Scheme: a.Scheme, KeyID: admin.OtherKey})
	}
	return keys
}

// budget is nil, which bounds nothing, for a rate that is not set.
func budget(r configs.Rate) hookgate.Budget {
	if r.Count == 0 {
		return nil
	}
	return middleware.NewBudget(int64(r.Count), r.Per)
}

// routed leaves out of a destination's match the sources that name others under destinations.
func routed(c *configs.Config, d hookgate.DestinationSettings) hookgate.DestinationSettings {
	for _, s := range c.Sources {
		if len(s.Destinations) > 0 && !slices.Contains(s.Destinations, d.Name) {
			d.Match.Except = append(d.Match.Except, s.Name)
		}
	}
	return d
}
