package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitFarewell is how long the broker has to answer when a connection in good order is closed: our default.
const rabbitFarewell = time.Second

// rabbitTarget is the broker that is connected to.
type rabbitTarget struct {
	url      string
	password string // that of the URL, to be kept out of errors
	name     string // of the destination, for the broker's list of connections
}

// rabbitLink is one connection with one channel. They live and end together: there is no way back from a failure but a new
// link. Whatever hangs is ended by closing the socket, which every wait of the client notices.
type rabbitLink struct {
	socket  net.Conn
	conn    *amqp.Connection
	channel *amqp.Channel
	returns chan amqp.Return // has a place for every message of a part, or the client would stop reading
	closes  chan *amqp.Error // gets the reason for the end, and is closed then
	blocked atomic.Pointer[string]
	proven  bool // the last part that was sent was answered
}

// dial connects, opens the channel and switches its confirms on. All of it ends with ctx.
func (t rabbitTarget) dial(ctx context.Context) (*rabbitLink, error) {
	link, err := t.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no connection: %w", ctx.Err())
		}
		return nil, t.trouble(err, rabbitDialHints)
	}
	return link, nil
}

func (t rabbitTarget) open(ctx context.Context) (*rabbitLink, error) {
	uri, err := amqp.ParseURI(t.url)
	if err != nil {
		return nil, errors.New("the URL makes no connection") // the client's own error quotes it
	}
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)))
	if err != nil {
		return nil, err
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what a link that is given up still has to write must not reach the broker later
	}
	link := &rabbitLink{socket: socket}
	defer context.AfterFunc(ctx, link.cut)()
	if err := link.shakeHands(t); err != nil {
		link.end()
		return nil, err
	}
	return link, nil
}

func (l *rabbitLink) shakeHands(t rabbitTarget) error {
	properties := amqp.NewConnectionProperties()
	properties["product"] = "hookgate"
	properties.SetClientConnectionName("hookgate " + t.name)
	var err error
	l.conn, err = amqp.DialConfig(t.url, amqp.Config{
		Properties: properties,
		Dial:       func(string, string) (net.Conn, error) { return l.socket, nil },
	})
	if err != nil {
		return err
	}
	go l.watch(l.conn.NotifyBlocked(make(chan amqp.Blocking, 1)))
	if l.channel, err = l.conn.Channel(); err != nil {
		return err
	}
	l.returns = l.channel.NotifyReturn(make(chan amqp.Return, rabbitBatch))
	l.closes = l.channel.NotifyClose(make(chan *amqp.Error, 1))
	return l.channel.Confirm(false)
}

// watch notes the alarms of the broker. It ends with the connection, which closes the list.
func (l *rabbitLink) watch(alarms <-chan amqp.Blocking) {
	for alarm := range alarms {
		if alarm.Active {
			l.blocked.Store(&alarm.Reason)
		} else {
			l.blocked.Store(nil)
		}
	}
}

// returned takes in the ids of the messages that were sent back. The broker sends one back before it confirms it, so that
// those of all confirmed messages are here.
func (l *rabbitLink) returned() map[string]bool {
	var ids map[string]bool
	for {
		select {
		case m, open := <-l.returns:
			if !open {
				return ids
			}
			if ids == nil {
				ids = map[string]bool{}
			}
			ids[m.MessageId] = true
		default:
			return ids
		}
	}
}

// The causes that the client has no error for: an end that nobody gave a reason for, and an alarm, under which the broker
// reads nothing from publishers.
var (
	errRabbitGone    = errors.New("the connection has ended")
	errRabbitBlocked = errors.New("the broker blocks everybody who publishes")
)

// cause says why a message got no answer: an alarm, the end of ctx, or what the broker closed the channel with.
func (l *rabbitLink) cause(ctx context.Context) error {
	if ctx.Err() == nil {
		select {
		case closed := <-l.closes:
			if closed != nil {
				return closed
			}
			return errRabbitGone
		case <-ctx.Done():
		}
	}
	if reason := l.blocked.Load(); reason != nil {
		return fmt.Errorf("%w: %s", errRabbitBlocked, *reason)
	}
	return fmt.Errorf("no confirm: %w", ctx.Err())
}

// cut closes the socket, so that whoever waits gets an error.
func (l *rabbitLink) cut() { _ = l.socket.Close() }

// end gives the link up without a word to the broker.
func (l *rabbitLink) end() {
	l.cut()
	if l.conn != nil {
		_ = l.conn.Close() // releases what the client still holds; with the socket closed it waits for nothing
	}
}

// close says goodbye.
func (l *rabbitLink) close() {
	defer time.AfterFunc(rabbitFarewell, l.cut).Stop()
	_ = l.conn.Close()
}
