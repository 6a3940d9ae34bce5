package main

import (
	"reflect"

	"github.com/hookgate/hookgate/configs"
)

// reload reads the configuration again and takes over sources and destinations without dropping a request. A bad file
// changes nothing. Listeners and the journal stay as they are until the next start, which the log says.
func (p *program) reload(load func() (*configs.Config, configs.Problems, error)) {
	c, warnings, err := load()
	if err != nil {
		p.log.Error().Err(err).Msg("configuration not taken over; the old one goes on")
		return
	}
	built, err := p.build(c)
	if err == nil {
		// Destinations first, so that an event of a new source finds the queue it is meant for.
		err = p.targets.set(c)
	}
	if err != nil {
		p.log.Error().Err(err).Msg("configuration not taken over; the old one goes on")
		return
	}
	p.takeOver(built)
	for _, w := range warnings {
		p.log.Warn().Msg(w.Error())
	}
	for option, changed := range map[string]bool{
		"listen":  c.Listen != p.config.Listen,
		"admin":   !reflect.DeepEqual(c.Admin, p.config.Admin),
		"journal": !reflect.DeepEqual(c.Journal, p.config.Journal),
		"limits":  c.Limits != p.config.Limits,
		"log":     c.Log != p.config.Log,

		"tls":      c.TLS.On() != p.config.TLS.On() || !reflect.DeepEqual(c.TLS.ACME, p.config.TLS.ACME),
		"outbound": !reflect.DeepEqual(c.Outbound, p.config.Outbound),
	} {
		if changed {
			p.log.Warn().Str("option", option).Msg("the change takes effect at the next start")
		}
	}
	p.log.Info().Int("sources", len(c.Sources)).Int("destinations", len(c.Destinations)).Msg("configuration taken over")
}
