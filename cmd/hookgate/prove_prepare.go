package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/forward"
	"github.com/hookgate/hookgate/oracle"
	"github.com/hookgate/hookgate/outbound"
	"github.com/hookgate/hookgate/verifiers"
)

// proof is one run of prove.
type proof struct {
	proveCommand
	main    *Main
	config  *configs.Config // as the gateway has it, stand-ins included
	instead standIns
	dir     string // of the run; empty where nothing is made
	base    string // what stands before the sources' paths
	private hookgate.Secret
	redis   *process // nil where none was started
	gateway *process // nil where one runs already
	ledger  *ledger
	notes   []string // of what is left out or replaced, and why

	sources      []*provenSource
	destinations []*provenDestination
	receivers    map[string]*postbox // by the name of their destination
}

// provenSource is a source that is sent to.
type provenSource struct {
	configs.Source
	reads   *hookgate.Source // what the gateway will make of a delivery
	signing []outbound.Signing
}

// provenDestination is a destination that is read back, with its part of the sender's log.
type provenDestination struct {
	hookgate.DestinationSettings
	wants     func(*hookgate.Event) bool
	entries   entries
	sent      []oracle.Sent // guarded by the ledger
	delivered []oracle.Delivered
}

// newProof reads the configuration, and puts in place what the gateway is to have instead of what is real. Nothing runs yet.
func newProof(c proveCommand, m *Main) (_ *proof, err error) {
	p := &proof{proveCommand: c, main: m, base: strings.TrimSuffix(c.Running, "/"), ledger: newLedger(), receivers: make(map[string]*postbox)}
	defer func() {
		if err != nil {
			p.clear(false)
		}
	}()
	config, warnings, err := configs.Load(c.Config, m.Env, rules())
	for _, w := range warnings {
		fmt.Fprintln(m.Stderr, "warning:", w)
	}
	if err != nil {
		return nil, err
	}
	p.config = config
	if err := p.choose(); err != nil {
		return nil, exitError{exitUsage, err}
	}
	if c.Running == "" {
		if err := p.replace(); err != nil {
			return nil, err
		}
	}
	p.config.Sources = slices.DeleteFunc(p.config.Sources, func(s configs.Source) bool { return !slices.Contains(p.instead.Sources, s.Name) })
	return p, p.assemble()
}

// assemble makes what is sent to and what is read, by the configuration as the gateway has it.
func (p *proof) assemble() error {
	parties := verifiers.NewParties(p.main.Now, nil)
	for _, s := range p.config.Sources {
		reads, err := buildSource(s, parties)
		if err != nil {
			return fmt.Errorf("source %s: %w", s.Name, err)
		}
		source := &provenSource{Source: s, reads: reads}
		for _, a := range s.Auth {
			signing := outbound.Signing{AuthSettings: a}
			if needsPrivateKey(a) {
				signing.Private = p.private
			}
			source.signing = append(source.signing, signing)
		}
		p.sources = append(p.sources, source)
	}
	for _, d := range p.config.Destinations {
		if _, chosen := p.instead.Destinations[d.Name]; !chosen {
			continue
		}
		wants, err := forward.Wants(routed(p.config, d))
		if err != nil {
			return fmt.Errorf("destination %s: %w", d.Name, err)
		}
		to := &provenDestination{DestinationSettings: d, wants: wants}
		switch d.Type {
		case "file":
			to.entries = &fileEntries{path: d.Path}
		case "redis-stream":
			if to.entries, err = newStreamEntries(d, p.Configured); err != nil {
				return err
			}
		default:
			to.entries = p.receivers[d.Name]
		}
		p.destinations = append(p.destinations, to)
	}
	return nil
}
