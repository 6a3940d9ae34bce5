package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// replace makes the folder of the run, and decides what stands in for what.
func (p *proof) replace() (err error) {
	if p.dir, err = os.MkdirTemp(p.Dir, "hookgate-prove-"); err != nil {
		return err
	}
	if p.instead.Listen, err = quietPort(); err != nil {
		return err
	}
	if p.instead.Admin, err = quietPort(); err != nil {
		return err
	}
	p.base = "http://" + p.instead.Listen
	if err := p.makeKeys(); err != nil {
		return err
	}
	if err := p.replaceJournal(); err != nil {
		return err
	}
	for _, d := range p.config.Destinations {
		if _, chosen := p.instead.Destinations[d.Name]; !chosen {
			continue
		}
		if p.instead.Destinations[d.Name], err = p.standInFor(d); err != nil {
			return err
		}
	}
	p.instead.apply(p.config)
	b, err := json.Marshal(p.instead)
	if err != nil {
		return err
	}
	p.gateway, err = newGatewayProcess(p.dir, p.Config, b, p.instead.Listen)
	return err
}

// makeKeys makes up a key pair where a source is signed by one of which only the provider has the private half.
func (p *proof) makeKeys() error {
	for _, s := range p.config.Sources {
		if !slices.Contains(p.instead.Sources, s.Name) || !slices.ContainsFunc(s.Auth, needsPrivateKey) {
			continue
		}
		if p.instead.Keys == nil {
			private, public, err := makeKeyPair()
			if err != nil {
				return err
			}
			p.private = hookgate.NewSecret([]byte(private), "made up")
			p.instead.Keys = map[string]string{"": public}
		}
		p.instead.Keys[s.Name] = p.instead.Keys[""]
		p.notes = append(p.notes, fmt.Sprintf("source %s has a made-up key, since only the provider has the private half of its own", s.Name))
	}
	return nil
}

func (p *proof) replaceJournal() error {
	j := p.config.Journal
	if j.Spill != "" {
		p.instead.Spill = "sqlite://" + filepath.Join(p.dir, "spill.db")
	}
	if !j.OnRedis() {
		p.instead.Journal = "sqlite://" + filepath.Join(p.dir, "journal.db")
		return nil
	}
	if !p.Configured {
		p.instead.Alone = true
		var err error
		p.instead.Journal, err = p.ownRedis()
		return err
	}
	if url := string(j.URL.Reveal()); !strings.HasPrefix(url, "redis://") && !strings.HasPrefix(url, "rediss://") {
		return exitError{exitUsage, errors.New("--configured-redis is for a single server, and the journal is on Sentinel or a Cluster; prove a gateway that runs there by --running")}
	}
	p.instead.Prefix = p.unique(cmp.Or(j.Prefix, "hookgate"))
	return nil
}

// unique is a name of this run on a server that others use, too.
func (p *proof) unique(name string) string {
	return name[:min(len(name), 32)] + "-" + filepath.Base(p.dir)
}

// ownRedis is the URL of the one that this run starts.
func (p *proof) ownRedis() (string, error) {
	if p.redis == nil {
		address, err := quietPort()
		if err != nil {
			return "", err
		}
		if p.redis, err = newRedisProcess(p.dir, address); err != nil {
			return "", err
		}
	}
	return "redis://" + p.redis.address + "/0", nil
}

func (p *proof) standInFor(d hookgate.DestinationSettings) (s standIn, err error) {
	switch {
	case d.Type == "file":
		s.Path = filepath.Join(p.dir, d.Name+".jsonl")
	case d.Type == "http":
		receiver, address, err := newPostbox()
		if err != nil {
			return s, err
		}
		p.receivers[d.Name] = receiver
		s.URL = "http://" + address + "/"
	case p.Configured:
		s.Stream = p.unique(d.Stream)
	default:
		s.Stream = d.Name
		s.URL, err = p.ownRedis()
	}
	return s, err
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
			if to.entries, err = newStreamEntries(d); err != nil {
				return err
			}
		default:
			to.entries = p.receivers[d.Name]
		}
		p.destinations = append(p.destinations, to)
	}
	return nil
}
