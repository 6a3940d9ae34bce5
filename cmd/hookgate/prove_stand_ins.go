package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// standIns are what a gateway under proof has in place of what is real. They are handed to it beside the configuration,
// which it reads itself, so that all else is as configured and no secret is written down.
type standIns struct {
	Listen  string `json:"listen"`
	Admin   string `json:"admin"`
	Journal string `json:"journal,omitempty"` // empty is the configured one
	Spill   string `json:"spill,omitempty"`
	Prefix  string `json:"prefix,omitempty"`
	// Keys are public keys by source, in place of those whose private halves only the provider has.
	Keys map[string]string `json:"keys,omitempty"`
	// Destinations are by name. Those and sources that are not named are left out.
	Destinations map[string]standIn `json:"destinations"`
	Sources      []string           `json:"sources"`
	Alone        bool               `json:"alone"` // the journal's server has no replicas
}

// standIn is where a destination leads instead.
type standIn struct {
	URL    string `json:"url,omitempty"`
	Stream string `json:"stream,omitempty"`
	Path   string `json:"path,omitempty"`
}

// readStandIns is nil without a file.
func readStandIns(path string) (*standIns, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(standIns)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// apply puts them into a loaded configuration. Nothing in it leads anywhere real afterwards: no listener, no journal, no
// destination, no certificate authority, no issuer, no subscriber; but for a Redis that was asked for.
func (s *standIns) apply(c *configs.Config) {
	if s == nil {
		return
	}
	c.Listen, c.Admin.Listen = s.Listen, s.Admin
	c.TLS, c.Outbound = configs.TLS{}, configs.Outbound{}
	if c.Log.Level == "debug" || c.Log.Level == "info" {
		c.Log.Level = "warn" // a line a delivery would fill the folder
	}
	if s.Journal != "" {
		c.Journal.URL = hookgate.NewSecret([]byte(s.Journal), "")
	}
	c.Journal.Spill = s.Spill
	if s.Prefix != "" {
		c.Journal.Prefix = s.Prefix
	}
	if s.Alone {
		c.Journal.Replicas = 0
	}
	c.Sources = slices.DeleteFunc(c.Sources, func(src configs.Source) bool { return !slices.Contains(s.Sources, src.Name) })
	for i := range c.Sources {
		s.applySource(&c.Sources[i])
	}
	c.Destinations = slices.DeleteFunc(c.Destinations, func(d hookgate.DestinationSettings) bool {
		_, named := s.Destinations[d.Name]
		return !named
	})
	for i := range c.Destinations {
		s.Destinations[c.Destinations[i].Name].apply(&c.Destinations[i])
	}
}

func (s *standIns) applySource(src *configs.Source) {
	src.Allow = nil // deliveries come from this machine
	for i := range src.Auth {
		if a := &src.Auth[i]; needsPrivateKey(*a) {
			a.Keys = []hookgate.Secret{hookgate.NewSecret([]byte(s.Keys[src.Name]), "made up")}
			a.JWKSURL, a.Introspection, a.Issued, a.InferAlgorithm, a.AllowPrivate = "", hookgate.Introspection{}, false, false, false
		}
	}
}

func (s standIn) apply(d *hookgate.DestinationSettings) {
	d.MaxLen = 0 // what is cut would look lost
	if s.URL != "" {
		d.URL = hookgate.NewSecret([]byte(s.URL), "")
	}
	if s.Stream != "" {
		d.Stream = s.Stream
	}
	if s.Path != "" {
		d.Path = s.Path
	}
}

// needsPrivateKey reports whether a scheme is signed by a key that the configuration has only the public half of, if that.
func needsPrivateKey(a hookgate.AuthSettings) bool {
	return a.Scheme == "siq-signature" || a.Scheme == "bearer"
}
