package middleware

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/hookgate/hookgate"
)

// maxLoggedIDs bounds the line of a large batch.
const maxLoggedIDs = 8

// AccessLog is the observer that writes the one line of a request, with every fact an operator asks for. What a sender
// chose is written as text, bounded, and never as raw JSON.
func AccessLog(log zerolog.Logger) func(Answer) {
	return func(a Answer) {
		r := a.Report
		line := log.WithLevel(level(a))
		line.Str("request", r.RequestID).
			Str("method", cut(a.Request.Method, 32)).
			Str("path", cut(a.Request.URL.EscapedPath(), 256)).
			Str("remote", a.Request.RemoteAddr).
			Int("status", a.Status).
			Int("bytes", r.Bytes).
			Int64("took_us", a.Duration.Microseconds())
		if r.Client.IsValid() && r.Client != hookgate.Peer(a.Request) { // a proxy of ours says so
			line.Str("client", r.Client.String())
		}
		if r.Source != "" {
			line.Str("source", r.Source).Str("provider", r.Provider)
		}
		if r.Token.Outcome != "" {
			line.Str("token_client", r.Token.Client).Str("token_outcome", string(r.Token.Outcome))
		}
		if r.Outcome.Kind != "" {
			line.Str("outcome", string(r.Outcome.Kind))
		}
		if len(r.Outcome.Verdict) > 0 {
			line.Str("verifiedby", r.Outcome.Verdict.Schemes()).Str("keyid", r.Outcome.Verdict.KeyIDs())
		}
		events(line, r.Outcome)
		if e := r.Err; e != nil {
			line.Str("code", string(e.Code)).Str("reason", string(e.Reason)).Str("detail", cut(e.Detail, 1024)).Str("hint", e.Hint)
		}
		line.Msg("request")
	}
}

// events names the one event of a request, or the first ones of a batch, with their class.
func events(line *zerolog.Event, o hookgate.Outcome) {
	switch n := len(o.Events); n {
	case 0:
	case 1:
		event(line, o, 0)
	default:
		first := zerolog.Arr()
		for i := range min(n, maxLoggedIDs) {
			first.Dict(event(zerolog.Dict(), o, i))
		}
		line.Int("events", n).Array("first", first)
	}
}

func event(line *zerolog.Event, o hookgate.Outcome, i int) *zerolog.Event {
	e := o.Events[i]
	line.Str("event", e.ID)
	if e.Quarantine != "" {
		return line.Str("quarantine", cut(e.Quarantine, 256))
	}
	return line.Str("type", cut(e.Type, 128)).Str("class", string(o.Results[i].Class))
}

func level(a Answer) zerolog.Level {
	switch {
	case a.Status >= http.StatusInternalServerError:
		return zerolog.ErrorLevel
	case a.Status >= http.StatusBadRequest || a.Report.Outcome.Kind == hookgate.Quarantine:
		return zerolog.WarnLevel
	}
	return zerolog.InfoLevel
}

// cut bounds a text that a sender may have written. JSON escapes the control characters of ASCII; the others, with which
// a terminal can be steered or a line be broken in two or turned around, are replaced here.
func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "..."
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(shown, s)
		}
	}
	return s
}

func shown(r rune) rune {
	if r < utf8.RuneSelf || unicode.IsPrint(r) {
		return r
	}
	return utf8.RuneError
}
