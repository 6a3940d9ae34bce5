package hookgate

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Code says what kind of failure an error is. It is the only part of an error that a stranger can notice, through the
// status that Status gives it.
type Code string

// The codes that an answer to a provider can rest on.
const (
	UnknownSource   Code = "unknown_source"
	WrongMethod     Code = "wrong_method"
	Unauthenticated Code = "unauthenticated"
	TooLarge        Code = "too_large"
	WrongEncoding   Code = "wrong_encoding"
	BrokenBody      Code = "broken_body"
	Malformed       Code = "malformed"
	OverLimit       Code = "over_limit"
	Unavailable     Code = "unavailable"
	InternalMistake Code = "internal"
)

// statuses is the one table from code to HTTP status. Our own faults are never 4xx: a provider gives up on a 4xx, and
// it must send again what we could not keep.
var statuses = map[Code]int{
	UnknownSource:   http.StatusNotFound,
	WrongMethod:     http.StatusMethodNotAllowed,
	Unauthenticated: http.StatusUnauthorized,
	TooLarge:        http.StatusRequestEntityTooLarge,
	WrongEncoding:   http.StatusUnsupportedMediaType,
	BrokenBody:      http.StatusBadRequest,
	Malformed:       http.StatusBadRequest,
	OverLimit:       http.StatusTooManyRequests,
	Unavailable:     http.StatusServiceUnavailable,
	InternalMistake: http.StatusServiceUnavailable,
}

// Status is the HTTP status of a code; an unknown code is a fault of ours and so 503.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusServiceUnavailable
}

// Reason is the operator's word for why a delivery was refused. The list is fixed, so that it can be a metric label.
type Reason string

// The reasons of a failed authentication.
const (
	HeaderMissing Reason = "header_missing" // the header that carries the proof is not there
	HeaderDoubled Reason = "header_doubled" // it is there twice, or names a trailer
	HeaderGrammar Reason = "header_grammar" // its form is not the one the scheme knows
	Mismatch      Reason = "mismatch"       // well formed, but made by none of our keys for these bytes
	TooOld        Reason = "too_old"        // the signed time is before the window
	TooEarly      Reason = "too_early"      // the signed time is after the window
	TokenRefused  Reason = "token_refused"  // a token with a good signature whose claims do not fit
	NoVerifier    Reason = "no_verifier"    // nothing is configured that could accept it

	AddressDenied      Reason = "address_denied"      // the sender's address is not on the source's list
	KeyRetired         Reason = "key_retired"         // made by one of our keys, after its not_after
	CertificateRefused Reason = "certificate_refused" // a client certificate that does not fit
)

// Reasons lists every reason, for metrics that must exist before they happen.
func Reasons() []Reason {
	return []Reason{HeaderMissing, HeaderDoubled, HeaderGrammar, Mismatch, TooOld, TooEarly, TokenRefused, NoVerifier, AddressDenied, KeyRetired, CertificateRefused}
}

// Error is the one error type of the gateway: a code for the answer, a reason for the metric, a detail and a hint for
// the operator's log. Nothing but the code's status reaches a stranger. Detail and Hint never hold a secret.
type Error struct {
	Code       Code
	Reason     Reason        // of a failed authentication; empty for all else
	Detail     string        // what went wrong, for the log
	Hint       string        // what the operator can do about it; may be empty
	RetryAfter time.Duration // rounded up to seconds in the answer; zero leaves the header out
	Err        error         // the cause; may be nil
	Entry      int           // which entry under auth refused, from 0 on; where a verifier did
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Reason != "" {
		s += "/" + string(e.Reason)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// SetRetryAfter writes RetryAfter into the header of the answer.
func (e *Error) SetRetryAfter(h http.Header) {
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error whose detail is the formatted text; %w works as in fmt.Errorf.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Detail: err.Error(), Err: errors.Unwrap(err)}
}

// Refuse makes the error of a failed authentication.
func Refuse(reason Reason, format string, args ...any) *Error {
	e := Errorf(Unauthenticated, format, args...)
	e.Reason = reason
	return e
}

// AsError finds the Error in err; anything else is an internal mistake, and so a 503.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: InternalMistake, Detail: err.Error(), Err: err}
}

// Problem is one thing that is wrong with a setting. Field is the path below the entry that holds it, such as
// "keys[1]"; empty means the entry itself. The loader puts file, line and column in front.
type Problem struct {
	Field   string
	Message string
	Hint    string
}

func (p Problem) Error() string {
	s := p.Message
	if p.Field != "" {
		s = p.Field + ": " + s
	}
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Problems collects several, so that a user sees all of them at once.
type Problems []Problem

func (ps Problems) Error() string {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errors.Join(errs...).Error()
}

// Err is nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Add appends one.
func (ps *Problems) Add(field, hint, format string, args ...any) {
	*ps = append(*ps, Problem{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
}
