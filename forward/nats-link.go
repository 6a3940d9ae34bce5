package forward

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/nats-io/nats.go"
)

// The pace of a connection: our defaults. One that is dead without having been closed is noticed after two pings.
const (
	natsDial = 2 * time.Second // and the handshake as long again
	natsPing = 20 * time.Second
)

// natsServer is one of the servers of the URL; they are one cluster.
type natsServer struct {
	url    string // with the credentials
	host   string
	secret string // the password or the token; empty without credentials
}

// natsServers reads the URLs. What is wrong with them is told without their text, which may hold a password; a part
// that could have come from one, such as a path, is refused.
func natsServers(s hookgate.DestinationSettings) ([]natsServer, error) {
	var servers []natsServer
	for text := range strings.SplitSeq(string(s.URL.Reveal()), ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		switch {
		case err != nil:
			return nil, errors.New("is not a URL; a character such as / or , in a password is written %2F or %2C")
		case u.Scheme != "nats" && u.Scheme != "tls":
			return nil, errors.New("is not a nats:// or tls:// URL")
		case u.Hostname() == "":
			return nil, errors.New("names no host")
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			return nil, errors.New("has something behind the port")
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), "4222")
		}
		u.Path = ""
		server := natsServer{url: u.String(), host: u.Host}
		if u.User != nil {
			password, both := u.User.Password()
			server.secret = password
			if !both {
				server.secret = u.User.Username() // alone it is a token
			}
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// quoted is what a server or the client says, without the secrets of the URL.
func (n *natsStream) quoted(text string) string {
	for _, s := range n.servers {
		text = without(s.secret, text)
	}
	return strings.TrimPrefix(text, "nats: ")
}

// natsLink is one connection. It is never mended: when it fails, or an answer over it is still owed, it is given up, and
// the next Publish makes another. So the engine's pauses are the pace of all attempts, the reason of a failure is always
// at hand, and nothing is sent later that was reported as failed.
//
// The answers come as plain messages. The client has an asynchronous publisher of its own, but it sends again by itself,
// and it leaves a goroutine behind when the connection ends at the wrong moment.
type natsLink struct {
	nc      *nats.Conn
	last    *lastConn
	inbox   string         // the answers' subject, but for the number
	next    uint64         // the number of the next answer
	answers chan *nats.Msg // with a place for every message that may be on its way
	gone    chan struct{}  // closed with the connection
	denials chan struct{}  // told when the server has denied something

	mu     sync.Mutex
	denial []string // at most maxDenials
}

// reply gives the subject of the next answer.
func (l *natsLink) reply() string {
	subject := l.inbox + strconv.FormatUint(l.next, 10)
	l.next++
	return subject
}

// maxDenials bounds what is remembered of a server's denials between two batches: our default.
const maxDenials = 256

// connect makes sure that there is a connection, and tries the servers in turn from a random one on.
func (n *natsStream) connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return hookgate.Errorf(hookgate.Unavailable, "nats: %w", err)
	}
	if n.link != nil && !n.link.nc.IsClosed() {
		return nil
	}
	n.drop()
	var errs []error
	first := rand.IntN(len(n.servers))
	for i := range n.servers {
		server := n.servers[(first+i)%len(n.servers)]
		link, err := dialNATS(ctx, server, n.timeout)
		if err == nil {
			n.link = link
			return nil
		}
		errs = append(errs, n.refused(server, err))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return hookgate.Errorf(hookgate.Unavailable, "nats: no server can be used: %w", errors.Join(errs...))
}

// dialNATS connects to one server. The context ends the look-up of the name and the handshake as well.
func dialNATS(ctx context.Context, server natsServer, timeout time.Duration) (*natsLink, error) {
	l := &natsLink{
		last: &lastConn{}, inbox: nats.NewInbox() + ".", answers: make(chan *nats.Msg, natsBatch),
		gone: make(chan struct{}), denials: make(chan struct{}, 1),
	}
	defer context.AfterFunc(ctx, l.last.cut)()
	d := &natsDialer{ctx: ctx, last: l.last}
	nc, err := nats.Connect(server.url, nats.Name("hookgate"), nats.NoReconnect(), nats.IgnoreDiscoveredServers(),
		nats.SkipHostLookup(), nats.SetCustomDialer(d), nats.Timeout(natsDial), nats.PingInterval(natsPing),
		nats.FlusherTimeout(timeout), nats.ErrorHandler(l.note),
		nats.ClosedHandler(func(*nats.Conn) { close(l.gone) }))
	if err != nil {
		return nil, cmp.Or(ctx.Err(), d.err, err) // the client leaves the cause of some failures out
	}
	l.nc = nc
	if _, err := nc.ChanSubscribe(l.inbox+"*", l.answers); err != nil {
		nc.Close()
		return nil, err
	}
	return l, nil
}

// natsDialer opens the connection for the client, which knows no context.
type natsDialer struct {
	ctx  context.Context //nolint:containedctx // of the one call that it is made for
	last *lastConn
	err  error
}

func (d *natsDialer) Dial(network, address string) (net.Conn, error) {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(d.ctx, natsDial)
	defer cancel()
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		d.err = err
		return nil, err
	}
	d.last.set(c)
	return c, nil
}

// refused explains why a server cannot be used.
func (n *natsStream) refused(server natsServer, err error) error {
	told := hookgate.Errorf(hookgate.Unavailable, "nats: %s: %s", server.host, n.quoted(err.Error()))
	switch {
	case natsAuth(err):
		told.Hint = "the server refuses the credentials: check the user and password, or the token, of url"
	case errors.Is(err, nats.ErrSecureConnWanted):
		told.Hint = "the server offers no TLS: write nats:// instead of tls://"
	}
	return told
}

// ended explains why the connection is no more.
func (n *natsStream) ended(err error) error {
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	told := hookgate.Errorf(hookgate.Unavailable, "nats: the connection ended: %s", n.quoted(err.Error()))
	if natsAuth(err) {
		told.Hint = "the server no longer takes the credentials of url"
	}
	return told
}

// denied explains what the user of the URL may not do.
func (n *natsStream) denied(reason string) error {
	told := hookgate.Errorf(hookgate.Unavailable, "nats: %s", n.quoted(reason))
	told.Hint = "the user of url needs the permission to publish the subject and to subscribe to _INBOX.>, where the answers go"
	return told
}

func natsAuth(err error) bool {
	for _, auth := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, auth) {
			return true
		}
	}
	return false
}

// note remembers what the server denies; a message that may not be published gets no other answer. Every other error
// that comes here ends the connection or is told again by it.
func (l *natsLink) note(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.denial) < maxDenials {
		l.denial = append(l.denial, err.Error())
	}
	select {
	case l.denials <- struct{}{}:
	default:
	}
}

// deniedFor gives what the server said against a subject, or against the answers to all of them; empty if nothing.
func (l *natsLink) deniedFor(subject string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.denial {
		if strings.Contains(d, "_INBOX.") || strings.Contains(d, strconv.Quote(subject)) {
			return d
		}
	}
	return ""
}

// drop gives the connection up, if there is one. It is cut first, since the client would wait for a write to end.
func (n *natsStream) drop() {
	if n.link != nil {
		n.link.last.cut()
		n.link.nc.Close()
		n.link = nil
	}
}
