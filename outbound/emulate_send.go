package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// newTransport keeps a connection for every request that can be under way.
func newTransport(concurrency int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // names keep their case in it, and the providers are not known to speak anything newer
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		MaxIdleConnsPerHost: concurrency,
		IdleConnTimeout:     30 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression:  true, // no Accept-Encoding that no provider sends
		Protocols:           protocols,

		MaxResponseHeaderBytes: maxAnswerHeader,
	}
}

// work sends what is ready until there is nothing more or ctx ends.
func (r *emulator) work(ctx context.Context) {
	for {
		var s shot
		more := false
		select {
		case s, more = <-r.ready:
		case <-ctx.Done():
		case <-r.Enough:
		}
		if !more || ctx.Err() != nil {
			return
		}
		due := r.due(s.slot)
		if _, _, err := r.request(s.parcel, due); err != nil { // before the wait, so that it takes nothing of it
			r.fail(err)
			return
		}
		from, ok := r.wait(ctx, due)
		if !ok {
			return
		}
		r.deliver(ctx, s, from)
	}
}

// due is when a place in the schedule is; zero without a rate.
func (r *emulator) due(slot int) time.Time {
	if r.Rate == 0 {
		return time.Time{}
	}
	return r.tally.began.Add(slotOffset(slot, r.Rate))
}

// wait gives the time that the latency of a request counts from; zero is that of its sending. Where the receiver held the
// workers up it is the due time, so that a stall shows in every request that it delayed; where a worker was free it is the
// end of the wait, so that a timer of ours that fires late does not.
func (r *emulator) wait(ctx context.Context, due time.Time) (from time.Time, ok bool) {
	if due.IsZero() {
		return due, true
	}
	ahead := due.Sub(r.clock.Now())
	if ahead <= 0 {
		return due, true
	}
	select {
	case <-ctx.Done():
		return due, false
	case <-r.Enough:
		return due, false
	case <-r.clock.After(ahead):
		return r.clock.Now(), true
	}
}

// deliver makes the first attempt of a shot and sees to the others. A slow one takes no seat from the rest.
func (r *emulator) deliver(ctx context.Context, s shot, from time.Time) {
	if s.slow && !s.copied {
		r.beside(func() { r.follow(ctx, s, r.attempt(s, 1, from)) })
		return
	}
	r.follow(ctx, s, r.seated(s, 1, from))
}

// seated makes an attempt when there is a seat.
func (r *emulator) seated(s shot, n int, from time.Time) bool {
	r.seats <- struct{}{}
	defer func() { <-r.seats }()
	return r.attempt(s, n, from)
}

// follow makes the attempts after the first. A copy has none.
func (r *emulator) follow(ctx context.Context, s shot, ok bool) {
	switch {
	case s.copied:
	case ok:
		r.tally.delivered(true)
	case r.Attempts == 1:
		r.tally.delivered(false)
	default:
		r.beside(func() { r.tally.delivered(r.retry(ctx, s)) })
	}
}

func (r *emulator) retry(ctx context.Context, s shot) bool {
	for n := 2; n <= r.Attempts; n++ {
		select {
		case <-ctx.Done():
			return false
		case <-r.clock.After(r.RetryWait):
		}
		if r.seated(s, n, time.Time{}) {
			return true
		}
	}
	return false
}

// beside runs f in a goroutine of its own while there are few of them, and otherwise here. With a concurrency of 1 it is
// always here, which keeps the order.
func (r *emulator) beside(f func()) {
	select {
	case r.aside <- struct{}{}:
		r.asides.Go(func() {
			defer func() { <-r.aside }()
			f()
		})
	default:
		f()
	}
}

// attempt sends a request once and reports whether the provider counts the answer as success.
func (r *emulator) attempt(s shot, n int, from time.Time) bool {
	header, body, err := r.request(s.parcel, time.Time{})
	if n > 1 && !r.provider.frozen {
		header, body, err = r.write(s.parcel, n, r.signingTime(s.parcel, n, time.Time{}))
	}
	if err != nil {
		r.fail(err)
		return false
	}
	a := sentRequest{shot: s, attempt: n, bytes: len(body)}
	if n == 1 && !s.copied {
		a.truncated, a.slowed = s.truncate, s.slow
	}
	if from.IsZero() {
		from = r.clock.Now()
	}
	ctx, cancel := context.WithTimeout(r.sending, r.Timeout)
	defer cancel()
	req := (&http.Request{
		Method: http.MethodPost, URL: r.url, Host: r.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
	}).WithContext(ctx)
	switch {
	case len(body) == 0:
		req.Body = http.NoBody
	case a.truncated:
		req.Body = newBrokenBody(body)
	case a.slowed:
		req.Body = newTrickleBody(body, min(r.Faults.Trickle, r.Timeout/2), r.clock)
	default:
		req.Body = io.NopCloser(bytes.NewReader(body))
		// For a kept connection that the receiver closes just as it is used; nothing was sent then.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	r.tally.sent(&a)
	at := r.clock.Now()
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		a.failure, a.unreached = r.kind(err)
		a.err = err
	} else {
		a.status, a.outcome = resp.StatusCode, resp.Header.Get("Hookgate-Outcome")
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
		_ = resp.Body.Close()
	}
	now := r.clock.Now()
	a.took = now.Sub(from)
	r.tally.ended(&a)
	if r.Observe != nil {
		r.Observe(Exchange{Target: r.url.RequestURI(), Header: header, Body: body, Attempt: n, At: at, Answered: now, Took: a.took, Status: a.status})
	}
	return err == nil && r.provider.success(a.status)
}

// kind sorts the reasons for which there was no answer. unreached tells that there was not even a connection.
func (r *emulator) kind(err error) (kind string, unreached bool) {
	var dial *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	unreached = errors.As(err, &dial) && dial.Op == "dial"
	var late net.Error
	switch {
	case errors.Is(err, errBrokenOff):
		return "broken_off", false
	case r.sending.Err() != nil:
		return "interrupted", unreached
	case errors.As(err, &name):
		return "no_address", true
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &record):
		return "tls", true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return "timeout", unreached
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset", false
	case unreached:
		return "no_connection", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed", false
	}
	return "other", false
}
