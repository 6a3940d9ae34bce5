package main

import (
	"context"
	"sync"

	"github.com/hookgate/hookgate/configs"
)

type serveCommand struct {
	Config string `required:"" short:"c" placeholder:"FILE" help:"The configuration; it is read again on SIGHUP and when the file changes."`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, m *Main) error {
	before := fingerprint(c.Config)
	config, warnings, err := configs.Load(c.Config, m.Env, rules())
	if err != nil {
		return err
	}
	log, buffer := newLogger(m.Stderr, config.Log, m.Now)
	defer buffer.Close()
	for _, w := range warnings {
		log.Warn().Msg(w.Error())
	}
	p, err := start(m, config, log, buffer, m.Stdout)
	if err != nil {
		return err
	}
	reloads, stopReloads := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting, and it will read the newest file
		}
	}
	var reloading sync.WaitGroup
	reloading.Go(func() { watch(reloads, c.Config, before, notify) })
	reloading.Go(func() {
		for {
			select {
			case <-reloads.Done():
				return
			case <-m.Hangup:
				notify()
			case <-changed:
				p.reload(c.Config)
			}
		}
	})
	return p.run(ctx, func() {
		stopReloads()
		reloading.Wait()
	})
}
