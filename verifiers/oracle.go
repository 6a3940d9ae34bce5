package verifiers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// How answers are kept and questions bounded; all ours.
const (
	goodKept  = time.Minute      // and so how long a revoked token is still taken, at most
	badKept   = 10 * time.Second // so that one forged token sent again and again is one question
	goodRenew = 30 * time.Second // older, an answer still serves while the issuer is asked again
	askPause  = time.Second      // between two questions about a token that was good, where the first one failed
	maxKept   = 10_000           // answers of each kind
	maxAsking = 8                // questions at once, in each lane
	maxPerSec = 100              // questions a second about tokens never heard of
)

// oracle is an issuer with its answers, as judged by one set of demands.
type oracle struct {
	parties     *Parties
	client      *http.Client
	url, host   string
	credentials string
	demands     demands

	mu        sync.Mutex
	good, bad map[tokenDigest]answer
	questions map[tokenDigest]*question
	// Tokens that were good once do not queue behind those that strangers make up.
	known, unknown lane
}

type oracleKey struct {
	url                      string
	allowPrivate             bool
	credentials              [sha256.Size]byte
	issuer, audience, scopes string
}

// tokenDigest stands for a token, so that none is kept.
type tokenDigest [sha256.Size]byte

// answer is what the issuer told of a token.
type answer struct {
	refusal            string // empty for a good token
	notBefore, expires time.Time
	asked, until       time.Time // when it was asked, and until when that serves
	next               time.Time // of a good token: not before then it is asked about again
}

func (a answer) keeps() time.Duration {
	if a.refusal != "" {
		return badKept
	}
	return goodKept
}

// question is one under way.
type question struct {
	ended chan struct{}
	err   error // once it has ended
}

// lane bounds the questions of one kind.
type lane struct {
	slots   chan struct{}
	waiting int // deliveries
	perSec  int // 0 for no bound
	second  time.Time
	spent   int
}

func newOracle(p *Parties, u *url.URL, allowPrivate bool, credentials string, d demands) *oracle {
	return &oracle{
		parties: p, client: newClient(u, allowPrivate), url: u.String(), host: u.Host, credentials: credentials, demands: d,
		good: make(map[tokenDigest]answer), bad: make(map[tokenDigest]answer), questions: make(map[tokenDigest]*question),
		known: lane{slots: make(chan struct{}, maxAsking)}, unknown: lane{slots: make(chan struct{}, maxAsking), perSec: maxPerSec},
	}
}

// heard gives what the issuer has told of the token, however long ago.
func (o *oracle) heard(token string) (answer, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told(sha256.Sum256([]byte(token)))
}

// told is called with mu held.
func (o *oracle) told(id tokenDigest) (answer, bool) {
	if a, ok := o.good[id]; ok {
		return a, true
	}
	a, ok := o.bad[id]
	return a, ok
}

// ask sees to an answer that still serves. Many who need the same one share a question.
func (o *oracle) ask(ctx context.Context, token string) error {
	id, now := tokenDigest(sha256.Sum256([]byte(token))), o.parties.now()
	o.mu.Lock()
	l := &o.unknown
	a, wasGood := o.good[id]
	if wasGood {
		l = &o.known
	}
	q := o.questions[id]
	if heard, ok := o.told(id); ok && now.Before(heard.until) {
		if wasGood && q == nil && !now.Before(a.next) {
			_, _ = o.begin(id, token, l, now) // the old answer serves, whatever comes of it
		}
		o.mu.Unlock()
		return nil
	}
	var err error
	switch {
	case l.waiting >= maxWaiting:
		err = away(time.Second, nil, "%d deliveries wait for %s to tell of their tokens, which is the limit", l.waiting, o.host)
	case q == nil && wasGood && now.Before(a.next):
		err = away(a.next.Sub(now), nil, "%s could not be asked about the token a moment ago", o.host)
	case q == nil:
		q, err = o.begin(id, token, l, now)
	}
	if err != nil {
		o.mu.Unlock()
		return err
	}
	l.waiting++
	o.mu.Unlock()
	select {
	case <-q.ended:
		err = q.err
	case <-ctx.Done():
		err = away(time.Second, ctx.Err(), "nobody waits for %s to tell of the token any more", o.host)
	}
	o.mu.Lock()
	l.waiting--
	o.mu.Unlock()
	return err
}

// begin starts a question. It is called with mu held.
func (o *oracle) begin(id tokenDigest, token string, l *lane, now time.Time) (*question, error) {
	if len(o.questions) >= 2*maxWaiting || !l.spend(now) {
		return nil, away(time.Second, nil, "%s is asked about tokens as often as it may be", o.host)
	}
	q := &question{ended: make(chan struct{})}
	started := o.parties.start(func(ctx context.Context) {
		a, err := o.put(ctx, token, l)
		if err != nil {
			err = away(time.Second, err, "%s cannot be asked about the token: %v", o.host, err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if err == nil {
			o.keep(id, a)
		}
		q.err = err
		delete(o.questions, id)
		close(q.ended)
	})
	if !started {
		return nil, away(time.Second, nil, "the gateway is stopping")
	}
	o.questions[id] = q
	if a, wasGood := o.good[id]; wasGood {
		a.next = now.Add(askPause)
		o.good[id] = a
	}
	return q, nil
}

// put asks, once there is a slot.
func (o *oracle) put(ctx context.Context, token string, l *lane) (answer, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return answer{}, fmt.Errorf("it answers too slowly for all the questions: nothing within %s", askTime)
	}
	asked := o.parties.now()
	body, err := o.introspect(ctx, token)
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(body, &o.demands, asked)
	if err != nil {
		return answer{}, err
	}
	a.asked, a.until = asked, asked.Add(a.keeps())
	if a.refusal == "" && !a.expires.IsZero() && a.expires.Before(a.until) {
		a.until = a.expires
	}
	if a.next = asked.Add(goodRenew); a.until.Before(a.next) {
		a.next = a.until
	}
	return a, nil
}

// keep is called with mu held. A token is in one of the two tables, so that nobody is taken for good who was refused since.
func (o *oracle) keep(id tokenDigest, a answer) {
	in, out := o.good, o.bad
	if a.refusal != "" {
		in, out = o.bad, o.good
	}
	delete(out, id)
	if _, there := in[id]; !there && len(in) >= maxKept {
		evict(in)
	}
	in[id] = a
}

// evict makes room: of a few answers, the one that ends first goes. Maps are walked in random order.
func evict(answers map[tokenDigest]answer) {
	var oldest tokenDigest
	var until time.Time
	seen := 0
	for id, a := range answers {
		if seen == 0 || a.until.Before(until) {
			oldest, until = id, a.until
		}
		if seen++; seen == 8 {
			break
		}
	}
	delete(answers, oldest)
}

// spend takes one of this second's questions.
func (l *lane) spend(now time.Time) bool {
	if l.perSec == 0 {
		return true
	}
	if second := now.Truncate(time.Second); !second.Equal(l.second) {
		l.second, l.spent = second, 0
	}
	if l.spent >= l.perSec {
		return false
	}
	l.spent++
	return true
}
