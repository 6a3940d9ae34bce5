package middleware

import (
	"net/http"

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
			Str("method", a.Request.Method).
			Str("path", cut(a.Request.URL.EscapedPath(), 256)).
			Str("remote", a.Request.RemoteAddr).
			Int("status", a.Status).
			Int("bytes", r.Bytes).
			Dur("took", a.Duration)
		if r.Source != "" {
			line.Str("source", r.Source).Str("provider", r.Provider)
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

// events names the first events with their class, and counts all.
func events(line *zerolog.Event, o hookgate.Outcome) {
	if len(o.Events) == 0 {
		return
	}
	shown := zerolog.Arr()
	for i, e := range o.Events[:min(len(o.Events), maxLoggedIDs)] {
		class := "quarantined: " + e.Quarantine
		if e.Quarantine == "" && i < len(o.Results) {
			class = string(o.Results[i].Class)
		}
		shown.Str(e.ID + " " + cut(e.Type, 128) + " " + class)
	}
	line.Int("events", len(o.Events)).Array("ids", shown)
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

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
