package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/outbound"
)

// choose finds the sources that can be sent to and the destinations that can be read, and notes why others cannot.
func (p *proof) choose() error {
	for _, name := range p.Source {
		if !slices.ContainsFunc(p.config.Sources, func(s configs.Source) bool { return s.Name == name }) {
			return fmt.Errorf("--source: the configuration has no source %q", name)
		}
	}
	for _, s := range p.config.Sources {
		if len(p.Source) > 0 && !slices.Contains(p.Source, s.Name) {
			continue
		}
		if why := p.unsendable(s); why != "" {
			p.notes = append(p.notes, fmt.Sprintf("source %s is left out: %s", s.Name, why))
			continue
		}
		p.instead.Sources = append(p.instead.Sources, s.Name)
	}
	if len(p.instead.Sources) == 0 {
		return errors.New(strings.Join(append(p.notes, "there is no source to send to"), "; "))
	}
	return p.chooseDestinations()
}

func (p *proof) chooseDestinations() error {
	p.instead.Destinations = make(map[string]standIn)
	for _, name := range p.Destination {
		if !slices.Contains(names(p.config.Destinations), name) {
			return fmt.Errorf("--destination: the configuration has no destination %q", name)
		}
	}
	for _, d := range p.config.Destinations {
		if len(p.Destination) > 0 && !slices.Contains(p.Destination, d.Name) {
			continue
		}
		readable := d.Type == "file" || d.Type == "redis-stream" || (d.Type == "http" && p.Running == "")
		if !readable {
			return fmt.Errorf("destination %s is of type %s, and prove can read back file, redis-stream and, without --running, http; choose others by --destination, which leaves out the rest", d.Name, d.Type)
		}
		p.instead.Destinations[d.Name] = standIn{}
	}
	if len(p.instead.Destinations) == 0 {
		return errors.New("there is no destination to read back; add one of type file, redis-stream or http")
	}
	return nil
}

// unsendable says why nothing can be sent to a source that its gateway would take; empty where it can.
func (p *proof) unsendable(s configs.Source) string {
	schemes := outbound.Schemes(s.Provider)
	if schemes == nil {
		return "prove can be " + strings.Join(outbound.Providers(), ", ") + ", and not " + s.Provider
	}
	for _, a := range s.Auth {
		switch {
		case a.Scheme == "none":
		case a.Scheme == "client-certificate" || !slices.Contains(schemes, a.Scheme):
			return "prove cannot sign " + a.Scheme + " as " + s.Provider
		case needsPrivateKey(a) && p.Running != "":
			return "only the provider has the private key of its " + a.Scheme
		}
	}
	return ""
}
