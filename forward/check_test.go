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
	kafka := func(url, topic string) func(*settings) {
		return func(s *settings) { s.Type, s.URL, s.Topic = "kafka", literal(url), topic }
	}
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
		"unknown type":    {func(s *settings) { s.Type = "carrier-pigeon" }, []string{"the types are " + strings.Join(forward.Names(), ", ")}},
		"redis lacks all": {func(s *settings) { s.Type = "redis-stream" }, []string{"url: missing", "stream: missing"}},
		"redis bad url": {func(s *settings) {
			s.Type, s.URL, s.Stream, s.MaxLen = "redis-stream", literal("redis://:hidden%zz@h/x"), "x", -1
		}, []string{"url: is not", "max_len"}},
		"nats": {func(s *settings) {
			s.Type, s.URL, s.Subject, s.Stream = "nats", literal("nats://a:hidden@h, tls://hidden@h:4333/"), "x.{provider}.{source}.{type}.{entitytype}.{action}", "X"
		}, nil},
		"nats lacks all":       {func(s *settings) { s.Type = "nats" }, []string{"url: missing", "subject: missing"}},
		"nats bad url":         {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://:hid/den@h"), "x" }, []string{"url: is not a URL"}},
		"nats wrong url":       {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h,http://hidden"), "x" }, []string{"url: is not a nats://"}},
		"nats url of no host":  {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://hidden@:4222"), "x" }, []string{"url: names no host"}},
		"nats url with a path": {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://hid#den@h"), "x" }, []string{"url: has something"}},
		"nats bad stream": {func(s *settings) {
			s.Type, s.URL, s.Subject, s.Stream = "nats", literal("nats://h"), "x", "a.b"
		}, []string{"stream:"}},
		"nats placeholder":     {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "x.{id}" }, []string{"subject: has the unknown"}},
		"nats open brace":      {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "x.{type" }, []string{"subject: has a {"}},
		"nats lone brace":      {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "{type}}" }, []string{"subject: has a }"}},
		"nats space":           {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "a b" }, []string{"subject: has a space"}},
		"nats wildcard":        {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "a.>" }, []string{"subject: has a wildcard"}},
		"nats empty word":      {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "a..{type}" }, []string{"subject: has an empty"}},
		"nats system":          {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), "$JS.x" }, []string{"subject: belongs"}},
		"nats long":            {func(s *settings) { s.Type, s.URL, s.Subject = "nats", literal("nats://h"), strings.Repeat("x", 1025) }, []string{"subject: is longer"}},
		"kafka":                {kafka("kafka://a:hid,%2Fd%40en@h:9092,[::1],10.0.0.1:19092/?sasl=scram-sha-256", "a.B-c_9"), nil},
		"kafkas":               {kafka("kafkas://h", strings.Repeat("x", 249)), nil},
		"kafka lacks all":      {kafka("", ""), []string{"url: missing", "topic: missing"}},
		"kafka wrong url":      {kafka("http://hidden", "x"), []string{"url: is not a kafka://"}},
		"kafka bare host":      {kafka("hidden:9092", "x"), []string{"url: is not a kafka://"}},
		"kafka no host":        {kafka("kafka://a:hidden@", "x"), []string{"url: names no host"}},
		"kafka gap in hosts":   {kafka("kafka://h,,hidden", "x"), []string{"url: names no host"}},
		"kafka bad port":       {kafka("kafka://h:hidden", "x"), []string{"url: has a host"}},
		"kafka named port":     {kafka("kafka://h:http", "x"), []string{"url: has a host"}},
		"kafka high port":      {kafka("kafka://h:65536", "x"), []string{"url: has a host"}},
		"kafka path":           {kafka("kafka://a:hid/den@h", "x"), []string{"url: has more than hosts"}},
		"kafka half a user":    {kafka("kafka://hidden@h", "x"), []string{"url: must have both"}},
		"kafka bad escape":     {kafka("kafka://a:hidden%zz@h", "x"), []string{"url: has a user or password"}},
		"kafka unknown option": {kafka("kafka://a:b@h?acks=hidden", "x"), []string{"url: may have one option"}},
		"kafka two mechanisms": {kafka("kafka://a:b@h?sasl=plain&sasl=plain", "x"), []string{"url: may have one option"}},
		"kafka mechanism":      {kafka("kafka://a:b@h?sasl=hidden", "x"), []string{"url: has a sasl"}},
		"kafka nobody's sasl":  {kafka("kafka://h?sasl=plain", "x"), []string{"url: names a sasl"}},
		"kafka topic":          {kafka("kafka://h", "a/b"), []string{"topic:"}},
		"kafka dots":           {kafka("kafka://h", ".."), []string{"topic:"}},
		"kafka long topic":     {kafka("kafka://h", strings.Repeat("x", 250)), []string{"topic:"}},
		"rabbitmq": {func(s *settings) {
			s.Type, s.URL, s.Exchange, s.RoutingKey = "rabbitmq", literal("amqps://a:hidden@h/v"), "x", "x.{provider}.{source}.{type}.{entitytype}.{action}"
		}, nil},
		"rabbitmq queue":     {func(s *settings) { s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("amqp://h"), "x" }, nil},
		"rabbitmq fanout":    {func(s *settings) { s.Type, s.URL, s.Exchange = "rabbitmq", literal("amqp://h"), "x" }, nil},
		"rabbitmq lacks all": {func(s *settings) { s.Type = "rabbitmq" }, []string{"url: missing", "routing_key: missing"}},
		"rabbitmq bad url":   {func(s *settings) { s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("amqp://a:hidden%zz@h"), "x" }, []string{"url: is not a URL"}},
		"rabbitmq wrong url": {func(s *settings) { s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("http://hidden"), "x" }, []string{"url: is not an amqp://"}},
		"rabbitmq no host":   {func(s *settings) { s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("amqp://a:hidden@/v"), "x" }, []string{"url: names no host"}},
		"rabbitmq bad option": {func(s *settings) {
			s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("amqp://h/?heartbeat=hidden"), "x"
		}, []string{"url: is not a URL that"}},
		"rabbitmq placeholder": {func(s *settings) { s.Type, s.URL, s.RoutingKey = "rabbitmq", literal("amqp://h"), "{id}" }, []string{"routing_key: has the unknown"}},
		"rabbitmq long": {func(s *settings) {
			s.Type, s.URL = "rabbitmq", literal("amqp://h")
			s.Exchange, s.RoutingKey = strings.Repeat("x", 256), strings.Repeat("x", 255)+"{type}"
		}, []string{"exchange:", "routing_key:"}},
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
			s.Secrets, s.Subject = []hookgate.Secret{literal("hidden")}, "x"
			s.Topic, s.Exchange, s.RoutingKey = "x", "x", "x"
		}, []string{"url:", "stream:", "max_len:", "subject:", "exchange:", "routing_key:", "topic:", "path:", "mode:", "secrets:", "allow_private:"}},
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
	for _, s := range []hookgate.DestinationSettings{{}, {Type: "http"}, {Type: "kafka"}, {Type: "nats"}, {Type: "rabbitmq"}, {Type: "redis-stream"}, {Type: "file"}, {Type: "stdout"}} {
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
