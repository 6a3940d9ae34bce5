package forward_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	type settings = hookgate.DestinationSettings
	tests := map[string]struct {
		change func(*settings)
		want   []string // a part of each problem, in order; none means that all is well
	}{
		"redis-stream": {func(s *settings) { s.Type, s.URL, s.Stream = "redis-stream", literal("redis://:hidden@h:6379/0"), "x" }, nil},
		"rediss":       {func(s *settings) { s.Type, s.URL, s.Stream = "redis-stream", literal("rediss://h:6379/0"), "x" }, nil},
		"http": {func(s *settings) {
			s.Type, s.URL, s.Secrets = "http", literal("https://h/x"), []hookgate.Secret{literal(whsec(24, "a"))}
		}, nil},
		"file":            {func(s *settings) { s.Type, s.Path = "file", "x" }, nil},
		"stdout":          {func(s *settings) { s.Mode = "structured" }, nil},
		"no type":         {func(s *settings) { s.Type = "" }, []string{"type: missing"}},
		"unknown type":    {func(s *settings) { s.Type = "carrier-pigeon" }, []string{"the types are file, http, redis-stream, stdout"}},
		"redis lacks all": {func(s *settings) { s.Type = "redis-stream" }, []string{"url: missing", "stream: missing"}},
		"redis bad url": {func(s *settings) {
			s.Type, s.URL, s.Stream, s.MaxLen = "redis-stream", literal("redis://:hidden%zz@h/x"), "x", -1
		}, []string{"url: is not", "max_len"}},
		"redis wrong url":   {func(s *settings) { s.Type, s.URL, s.Stream = "redis-stream", literal("http://hidden"), "x" }, []string{"url: is not a redis://"}},
		"http lacks all":    {func(s *settings) { s.Type = "http" }, []string{"url: missing"}},
		"http bad url":      {func(s *settings) { s.Type, s.URL = "http", literal("https://hidden%zz") }, []string{"url: is not a URL"}},
		"http wrong scheme": {func(s *settings) { s.Type, s.URL = "http", literal("ftp://hidden/") }, []string{"url: is not an http://"}},
		"http odd host":     {func(s *settings) { s.Type, s.URL = "http", literal("http://127.1/hidden") }, []string{"url: has a host"}},
		"http mapped host":  {func(s *settings) { s.Type, s.URL = "http", literal("http://[::ffff:127.0.0.1]/") }, []string{"url: has a host"}},
		"http mode":         {func(s *settings) { s.Type, s.URL, s.Mode = "http", literal("http://h/"), "batched" }, []string{"mode: unknown"}},
		"secrets": {func(s *settings) {
			s.Type, s.URL = "http", literal("http://h/")
			s.Secrets = []hookgate.Secret{literal("hidden"), literal("whsec_hidden!"), literal(whsec(23, "a")), literal(whsec(65, "a")), literal(whsec(64, "a"))}
		}, []string{"secrets[0]", "secrets[1]", "secrets[2]", "secrets[3]"}},
		"file lacks path": {func(s *settings) { s.Type = "file" }, []string{"path: missing"}},
		"options of others": {func(s *settings) {
			s.URL, s.Stream, s.MaxLen, s.Path, s.Mode, s.AllowPrivate = literal("hidden"), "x", 1, "x", "binary", true
			s.Secrets = []hookgate.Secret{literal("hidden")}
		}, []string{"url:", "stream:", "max_len:", "path:", "mode:", "secrets:", "allow_private:"}},
		"engine": {func(s *settings) { s.Timeout, s.Window, s.Retry = 0, 0, hookgate.RetrySettings{MaxBackoff: -1} },
			[]string{"timeout:", "window:", "retry.attempts:", "retry.backoff:", "retry.max_backoff:"}},
		"match": {func(s *settings) { s.Match = hookgate.Match{Type: []string{"a*", ""}, Source: []string{"b*"}} }, []string{"match.source:", "match.type:"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings{Type: "stdout", Timeout: time.Second, Window: 1, Retry: hookgate.RetrySettings{Attempts: 1, Backoff: 1, MaxBackoff: 1}}
			test.change(&s)
			err := forward.Check(s)
			var ps hookgate.Problems
			if err != nil && !errors.As(err, &ps) {
				t.Fatalf("%T", err)
			}
			if len(ps) != len(test.want) {
				t.Fatalf("%v, want %d problems", err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(ps[i].Error(), want) {
					t.Errorf("%v, want %q", ps[i], want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("tells a secret: %v", err)
			}
		})
	}
}

func TestNewRefusesWhatCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []hookgate.DestinationSettings{{}, {Type: "http"}, {Type: "redis-stream"}, {Type: "file"}, {Type: "stdout"}} {
		if d, err := forward.New(s, forward.Options{}); err == nil {
			t.Errorf("%+v gave %v", s, d)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.bc", false}, {"*", "", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*b", "ab", true}, {"a*b", "ab", true}, {"a*b", "a", false}, {"aa*aa", "aaa", false}, {"a*b*c", "aXbYbZc", true},
		{"a*b*c", "acb", false}, {"**", "x", true}, {"", "", true}, {"", "x", false}, {"a?c", "abc", false}, {"*a*", "bab", true},
	} {
		if got := forward.Glob(test.pattern, test.text); got != test.want {
			t.Errorf("Glob(%q, %q) = %v", test.pattern, test.text, got)
		}
	}
}
