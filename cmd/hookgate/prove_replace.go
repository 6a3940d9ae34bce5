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
)

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
