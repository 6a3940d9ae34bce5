package main

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/hookgate/hookgate/configs"
)

type serveCommand struct {
	Config string `required:"" short:"c" placeholder:"FILE" help:"The configuration; it is read again on SIGHUP and when the file changes."`
	Listen string `placeholder:"ADDRESS" help:"Listen here instead of at the configuration's listen: several nodes on one machine can share a file."`
	Admin  string `placeholder:"ADDRESS" help:"The same for admin.listen; without a token it must be a loopback address."`
	// Instead is a file of what prove puts in the place of what is real.
	Instead string `hidden:"" placeholder:"FILE"`
}

// Run serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, m *Main) error {
	before := fingerprint(c.Config)
	instead, err := readStandIns(c.Instead)
	if err != nil {
		return err
	}
	load := func() (*configs.Config, configs.Problems, error) {
		config, warnings, err := configs.Load(c.Config, m.Env, rules())
		if err == nil {
			err = config.ListenAt(c.Listen, c.Admin)
			instead.apply(config)
		}
		return config, warnings, err
	}
	config, warnings, err := load()
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
	reloading.Go(func() { watchReferred(reloads, filepath.Dir(c.Config), &p.loaded, notify) })
	reloading.Go(func() {
		for {
			select {
			case <-reloads.Done():
				return
			case <-m.Hangup:
				notify()
			case <-changed:
				p.reload(load)
			}
		}
	})
	return p.run(ctx, func() {
		stopReloads()
		reloading.Wait()
	})
}
