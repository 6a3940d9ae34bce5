package forward

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxSubject bounds what the words of an event may make of the subject, in bytes: our default. A server hangs up on a
// command line above 4,096 bytes, and that would be trouble of all events because of one.
const maxSubject = 1024

// natsBatch is how many messages at most wait for their answers: our default.
const natsBatch = 256

// The codes of JetStream's errors that are about one message, which the client has no or no complete names for.
const (
	natsMessageTooLarge = jetstream.JSErrCodeStreamMessageExceedsMaximum
	natsHeaderTooLarge  = jetstream.ErrorCode(10097)
	natsWrongStream     = jetstream.ErrorCode(10060)
	natsStoreFailed     = jetstream.ErrorCode(10077)
	natsAccountFull     = jetstream.ErrorCode(10002)
)

// natsStream publishes to a JetStream stream and takes the stream's acknowledgement for the confirmation. How durable
// that is, the server decides: by default JetStream acknowledges up to two minutes before it syncs its files, and only
// sync_interval: always, or replicas on other machines, survive a power cut.
//
// The message id is the event's, so that a repeat within the stream's duplicate window is stored once. A second destination
// therefore needs another stream: this one drops what it has had under the id, whatever the subject. A replayed event has
// no message id: the window would swallow what somebody asked for.
//
// A batch is sent without waiting and then all answers are awaited. Therefore it may not hold two entries of one key: the
// stream could refuse the first, have room again, and take the second.
type natsStream struct {
	servers []natsServer
	subject *template
	stream  string
	timeout time.Duration
	sign    Sign
	link    *natsLink   // nil until it is needed, and after it failed
	header  nats.Header // one for all messages: each is written out before the next
	buf     []byte
}

func checkNATS(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if len(s.URL.Reveal()) == 0 {
		missing(ps, "url", "such as nats://127.0.0.1:4222")
	} else if _, err := natsServers(s); err != nil {
		ps.Add("url", "write nats://[user:password@]host:port, or tls:// for TLS, several with commas between", "%s", err)
	}
	if s.Subject == "" {
		missing(ps, "subject", "such as webhooks.{provider}.{type}")
	} else if _, err := natsSubject(s.Subject); err != nil {
		ps.Add("subject", "write words with dots between; {provider}, {source}, {type}, {entitytype} and {action} stand for the event's own", "%s", err)
	}
	if strings.ContainsFunc(s.Stream, func(r rune) bool { return r <= ' ' || strings.ContainsRune(".*>/\\\x7f", r) }) {
		ps.Add("stream", "leave it out to take whichever stream has the subject", "%q is no name of a stream", s.Stream)
	}
}

// natsSubject reads the subject and holds it to the rules of the server.
func natsSubject(text string) (*template, error) {
	t, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	plain := t.literals()
	switch {
	case strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, errors.New("has a space or a control character")
	case strings.ContainsAny(plain, "*>"):
		return nil, errors.New("has a wildcard, to which nothing can be published")
	case strings.HasPrefix(plain, ".") || strings.HasSuffix(plain, ".") || strings.Contains(plain, ".."):
		return nil, errors.New("has an empty word")
	case strings.HasPrefix(plain, "$") || strings.HasPrefix(plain, "_INBOX."):
		return nil, errors.New("belongs to the server itself")
	case len(plain) > maxSubject:
		return nil, errors.New("is longer than " + strconv.Itoa(maxSubject) + " bytes")
	}
	return t, nil
}

func openNATS(s hookgate.DestinationSettings, o Options) (Destination, error) {
	servers, err := natsServers(s)
	if err != nil {
		return nil, err
	}
	subject, err := natsSubject(s.Subject)
	if err != nil {
		return nil, err
	}
	n := &natsStream{
		servers: servers, subject: subject, stream: s.Stream, timeout: s.Timeout, sign: o.Sign,
		header: nats.Header{"Content-Type": {structuredType}},
	}
	if s.Stream != "" {
		n.header[jetstream.ExpectedStreamHeader] = []string{s.Stream}
	}
	return n, nil
}

// Publish sends the batch and waits for every answer, for as long as ctx lasts.
func (n *natsStream) Publish(ctx context.Context, batch []hookgate.Entry) []error {
	errs := make([]error, 0, len(batch))
	for part := range slices.Chunk(batch, natsBatch) {
		errs = append(errs, n.publish(ctx, part)...)
	}
	return errs
}

func (n *natsStream) publish(ctx context.Context, batch []hookgate.Entry) []error {
	if err := n.connect(ctx); err != nil {
		return allTrouble(len(batch), &Trouble{Err: err})
	}
	defer context.AfterFunc(ctx, n.link.last.cut)() // ends a write that the server does not take, too
	w := natsWait{first: n.link.next, errs: make([]error, len(batch)), subjects: make([]string, len(batch)), open: make([]bool, len(batch))}
	for i, e := range batch {
		w.subjects[i], w.errs[i] = n.send(e.Event)
		if w.errs[i] == nil {
			w.open[i] = true
			w.left++
		}
	}
	n.wait(ctx, &w)
	if w.owed || n.link.nc.IsClosed() {
		n.drop()
	}
	return w.errs
}

// send writes one message, whose answer will come under the link's next number. The client copies the bytes.
func (n *natsStream) send(e *hookgate.Event) (subject string, err error) {
	reply := n.link.reply()
	subject = n.subject.expand(e)
	if len(subject) > maxSubject {
		return subject, &Refusal{Err: hookgate.Errorf(hookgate.TooLarge, "nats: a subject of %d bytes, at most %d are sent", len(subject), maxSubject)}
	}
	if e.Replayed {
		delete(n.header, jetstream.MsgIDHeader)
	} else {
		n.header[jetstream.MsgIDHeader] = []string{e.ID}
	}
	n.buf = e.AppendSigned(n.buf[:0], false, n.sign)
	err = n.link.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Header: n.header, Data: n.buf})
	size := len(n.buf)
	if cap(n.buf) > 2*batchBytes {
		n.buf = nil // one huge event must not keep its memory
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		most := n.link.nc.MaxPayload()
		return subject, &Refusal{Err: hookgate.Errorf(hookgate.TooLarge, "nats: an event of %d bytes, the server's max_payload is %d with the headers", size, most)}
	case err != nil:
		return subject, &Trouble{Err: n.ended(err)}
	}
	return subject, nil
}

// natsWait is a batch that was sent and what has come of it.
type natsWait struct {
	first    uint64 // the number of the first answer
	errs     []error
	subjects []string
	open     []bool // whether the answer is awaited still
	left     int    // how many are
	owed     bool   // some will not be awaited any longer
}

func (w *natsWait) settle(i int, err error) {
	w.errs[i], w.open[i] = err, false
	w.left--
}

// wait takes in the answers. A message without one may be stored or not, and its answer may come at any time.
func (n *natsStream) wait(ctx context.Context, w *natsWait) {
	for w.left > 0 {
		select {
		case m := <-n.link.answers:
			n.answered(w, m)
		case <-n.link.denials:
			for i, subject := range w.subjects {
				if reason := n.link.deniedFor(subject); reason != "" && w.open[i] {
					w.owed = true
					w.settle(i, &Trouble{Err: n.denied(reason), Suspect: !n.subject.fixed()})
				}
			}
		case <-n.link.gone:
			n.unanswered(ctx, w)
		case <-ctx.Done():
			n.unanswered(ctx, w)
		}
	}
}

func (n *natsStream) answered(w *natsWait, m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
	if i := number - w.first; err == nil && i < uint64(len(w.open)) && w.open[i] {
		w.settle(int(i), n.judge(w.subjects[i], m))
	}
}

// unanswered ends the waiting. What has come already counts.
func (n *natsStream) unanswered(ctx context.Context, w *natsWait) {
	for len(n.link.answers) > 0 {
		n.answered(w, <-n.link.answers)
	}
	for i, subject := range w.subjects {
		if !w.open[i] {
			continue
		}
		w.owed = true
		if err := ctx.Err(); err != nil {
			told := hookgate.Errorf(hookgate.Unavailable, "nats: nothing acknowledged the subject %q: %w", subject, err)
			told.Hint = "is there a JetStream stream with this subject? a plain subscriber acknowledges nothing"
			w.settle(i, &Trouble{Err: told, Suspect: true})
		} else {
			w.settle(i, &Trouble{Err: n.ended(n.link.nc.LastError()), Suspect: true})
		}
	}
}

// judge says what an answer means and whose fault an error is. Where the subject depends on the event, so does what has
// to be there for it: the engine finds out whether others get through.
func (n *natsStream) judge(subject string, m *nats.Msg) error {
	varies := !n.subject.fixed()
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		told := hookgate.Errorf(hookgate.Unavailable, "nats: no stream takes the subject %q", subject)
		told.Hint = "make a stream with this subject, or wait until JetStream is up and the stream has a leader"
		return &Trouble{Err: told, Suspect: varies}
	}
	var ack struct {
		Stream string              `json:"stream"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil || (ack.Error == nil && ack.Stream == "") {
		told := hookgate.Errorf(hookgate.Unavailable, "nats: what answers the subject %q is no JetStream stream", subject)
		told.Hint = "a plain subscriber that answers must not have the same subject"
		return &Trouble{Err: told, Suspect: varies}
	}
	if ack.Error == nil {
		return nil // stored, or a duplicate of what is
	}
	told := hookgate.Errorf(hookgate.Unavailable, "nats: %s (%d, subject %q)", n.quoted(ack.Error.Description), ack.Error.ErrorCode, subject)
	switch ack.Error.ErrorCode {
	case natsMessageTooLarge, natsHeaderTooLarge:
		told.Code = hookgate.TooLarge
		return &Refusal{Err: told}
	case natsWrongStream:
		told.Hint = "the subject belongs to another stream than " + n.stream
		return &Trouble{Err: told, Suspect: varies}
	case natsStoreFailed, natsAccountFull:
		told.Hint = "the stream or its account is full and takes nothing new: raise the limits, or let its consumers catch up"
		return &Trouble{Err: told, Suspect: varies}
	}
	// A code of 400 is about the request, and so perhaps about this message alone; the others are about the server.
	return &Trouble{Err: told, Suspect: varies || ack.Error.Code == 400}
}

// Close ends the connection.
func (n *natsStream) Close() error {
	n.drop()
	return nil
}
