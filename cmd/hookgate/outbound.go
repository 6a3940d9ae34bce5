package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/outbound"
	"github.com/hookgate/hookgate/verifiers"
)

// outboundSide is the running other side: its server, and the listener of its management APIs.
type outboundSide struct {
	server  *outbound.Server
	http    *server
	stopped context.CancelFunc
	running sync.WaitGroup
	failed  chan error // has room for one
}

// setUpTime bounds an answer of the management APIs, some of which call a receiver and wait for it as the provider does.
const setUpTime = 45 * time.Second

// startOutbound is nil where the configuration has no outbound side.
func startOutbound(m *Main, c configs.Outbound, log zerolog.Logger) (*outboundSide, error) {
	if c.Listen == "" {
		return nil, nil
	}
	o := outbound.Options{
		Path: c.Store, Retention: c.Retention, AllowPrivate: c.AllowPrivate, Token: c.Token, Signers: signers,
		Log: func(message string, about map[string]string) {
			line := log.Warn()
			for name, value := range about {
				line.Str(name, value)
			}
			line.Msg(message)
		},
	}
	if c.Mail.Server != "" {
		mailer, err := outbound.NewMailer(outbound.MailOptions{
			Server: c.Mail.Server, From: c.Mail.From, User: c.Mail.User, Password: c.Mail.Password, TLS: c.Mail.TLS,
		})
		if err != nil {
			return nil, err
		}
		o.Mailer = mailer
	}
	s, err := outbound.New(o)
	if err != nil {
		return nil, err
	}
	listener, err := listen(c.Listen, "outbound.listen", admin.Own(c.Listen, c.Hosts, s.Handler()), log)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	listener.http.WriteTimeout = setUpTime
	side := &outboundSide{server: s, http: listener, failed: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	side.stopped = cancel
	side.running.Go(func() {
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			side.failed <- err
		}
	})
	return side, nil
}

// signers is the registry of the schemes as the outbound side sees it.
func signers(entry hookgate.AuthSettings, private hookgate.Secret) (outbound.Signer, error) {
	return verifiers.NewSigner(entry, private)
}

// stop ends the API, then the deliveries under way, then the store.
func (o *outboundSide) stop(ctx context.Context) error {
	err := o.http.stop(ctx)
	o.stopped()
	o.running.Wait()
	return errors.Join(err, o.server.Close())
}

// snapshot counts what is to be delivered. The counts are kept in memory, so that a scrape costs next to nothing.
func (o *outboundSide) snapshot(ctx context.Context) []admin.OutboundSnapshot {
	var all []admin.OutboundSnapshot
	for _, name := range outbound.Providers() {
		waiting, err := o.server.Count(ctx, outbound.LogQuery{Provider: name, States: []outbound.State{outbound.Gathering, outbound.Waiting}})
		if err != nil {
			return nil // no figure is better than a wrong one
		}
		failed, err := o.server.Count(ctx, outbound.LogQuery{Provider: name, States: []outbound.State{outbound.Failed}})
		if err != nil {
			return nil
		}
		all = append(all, admin.OutboundSnapshot{Provider: name, Waiting: waiting, Failed: failed})
	}
	return all
}
