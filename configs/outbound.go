package configs

import (
	"net/mail"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// Outbound is the other side: subscriptions and deliveries as the providers make them.
type Outbound struct {
	Listen       string          `yaml:"listen" doc:"address of the management APIs; without it nothing of this runs; needs a token unless it is a loopback one"`
	Token        hookgate.Secret `yaml:"token" doc:"what a caller of the management APIs proves itself with, in each provider's own form"`
	Hosts        []string        `yaml:"hosts" doc:"names that the management APIs are called by, as admin.hosts"`
	Store        string          `yaml:"store" doc:"file of the subscriptions, their keys and the log; a relative path starts at the working directory" default:"outbound.db"`
	Retention    time.Duration   `yaml:"retention" doc:"how long deliveries stay in the log after their end, where the provider has no rule of its own" default:"168h"`
	AllowPrivate bool            `yaml:"allow_private" doc:"deliver to private, loopback and link-local addresses, too" default:"false"`
	Mail         Mail            `yaml:"mail" doc:"how alerts are sent"`
}

// Mail is the server that sends the alerts.
type Mail struct {
	Server   string          `yaml:"server" doc:"host:port of an SMTP server; without it no alert is sent"`
	From     string          `yaml:"from" doc:"address of the sender"`
	User     string          `yaml:"user" doc:"name to log in with; without it nobody logs in"`
	Password hookgate.Secret `yaml:"password" doc:"of the user"`
	TLS      string          `yaml:"tls" doc:"mandatory sends nothing over a connection that is not encrypted" enum:"mandatory,none" default:"mandatory"`
}

func (l *loader) checkOutbound(c *Config) {
	if !l.set("outbound") || !l.sound("outbound") {
		return
	}
	o := c.Outbound
	const at = "outbound.listen"
	if o.Listen == "" {
		l.bad(OutboundListen, "outbound", "does nothing without an address", "set outbound.listen, such as 127.0.0.1:8082, or take the section out")
		return
	}
	listen, ok := l.address(at, o.Listen)
	if !ok {
		return
	}
	for other, address := range map[string]string{"listen": c.Listen, "admin.listen": c.Admin.Listen} {
		if taken, ok := l.address(other, address); ok && overlap(listen, taken) {
			l.bad(OutboundListen, at, "is the address of "+other, "give the management APIs a port of their own")
		}
	}
	l.checkHosts("outbound.hosts", o.Hosts)
	switch token := o.Token.Reveal(); {
	case len(token) == 0 && !loopback(o.Listen):
		l.bad(OutboundToken, at, "is reachable from other machines, and there is no token", "set outbound.token, or listen at 127.0.0.1")
	case len(token) > 0 && len(token) < minToken:
		l.warn(OutboundTokenShort, "outbound.token", "outbound.token refers to a token under 16 bytes", "make one with: openssl rand -hex 32")
	}
	if o.Store == "" || strings.HasSuffix(o.Store, "/") || strings.ContainsAny(o.Store, "?#%\x00") || o.Store == c.Journal.Path() || o.Store == c.Journal.SpillPath() {
		l.bad(OutboundStore, "outbound.store", "is not a file of its own", "write a path, such as outbound.db or /var/lib/hookgate/outbound.db")
	}
	l.checkMail(o.Mail)
}

func (l *loader) checkMail(m Mail) {
	if !l.set("outbound.mail") {
		return
	}
	const server = "outbound.mail.server"
	if host, ok := l.address(server, m.Server); ok && host.host == "" {
		l.bad(OutboundMail, server, "names no host", "write host:port, such as smtp.example.com:587")
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address != m.From {
		l.bad(OutboundMail, "outbound.mail.from", "is not a bare e-mail address", "write one, such as hookgate@example.com")
	}
	if (m.User == "") != (len(m.Password.Reveal()) == 0) {
		l.bad(OutboundMail, "outbound.mail.user", "and outbound.mail.password are only half there", "set both, or neither")
	}
	if m.TLS == "none" && len(m.Password.Reveal()) > 0 {
		l.bad(OutboundMail, "outbound.mail.tls", "would send the password in the clear", "write mandatory, or leave out user and password")
	}
}
