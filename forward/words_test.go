package forward_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	"github.com/nats-io/nats-server/v2/server"
)

// steering are native events that would lead elsewhere if a queue took them for a part of its own grammar.
var steering = []string{
	">", "*", "a.*", "*.a", "a.>", ".", "..", "a..b", " ", "a b", "\t", "a\r\nPUB admin 1\r\nx\r\n", "\x00", "$JS.API.STREAM.DELETE.WEBHOOKS", "_INBOX.x",
	"#", "a.#", "grün", "\xff", "{type}", "%s", "a/b", `a\b`, "'", `"`, strings.Repeat("x", 40),
}

// steered are events with such a word wherever a payload can put one. The tenant and the id of what the event is about are
// no words of a template.
func steered() []*hookgate.Event {
	all := events(len(steering), 3)
	for i, e := range all {
		word := steering[i]
		e.Type, e.EntityType, e.Action, e.Tenant, e.Subject, e.NativeID = "sprinklr."+word, word, word, word, word, word
	}
	return all
}

// check wants a subject of the words of the template and of the dots of the type, all of them plain.
func (k addressKit) check(t *testing.T, subject string, e *hookgate.Event) {
	t.Helper()
	words := strings.Split(subject, ".")
	if want := k.words + strings.Count(e.Type, "."); len(words) != want || words[0] != "webhooks" {
		t.Errorf("%q goes to %q, want %d words below webhooks", e.Type, subject, want)
	}
	for _, w := range words {
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			t.Errorf("%q goes to %q", e.Type, subject)
		}
	}
}

// addressKit knows the template that the events go by.
type addressKit struct {
	template string
	words    int // of the template, with a type without dots
}

var addressed = addressKit{"webhooks.{provider}.{source}.{type}.{entitytype}.{action}", 6}

// TestB15_NoPayloadSteersASubject: whatever a provider's event is called, it lands in the one stream, one level a word.
func TestB15_NoPayloadSteersASubject(t *testing.T) {
	t.Parallel()
	n := ownNATS(t, func(o *server.Options) { o.SyncAlways = false })
	nc, _ := n.client()
	defer nc.Close()
	all, err := nc.SubscribeSync(">") // whatever is said to anybody
	if err != nil || nc.Flush() != nil {
		t.Fatal(err)
	}
	sent := steered()
	mustPublish(t, openNATS(t, n.url(), addressed.template), sent...)
	got := n.messages("WEBHOOKS")
	if len(got) != len(sent) {
		t.Fatalf("%d of %d are in the stream", len(got), len(sent))
	}
	for i, m := range got {
		addressed.check(t, m.Subject, sent[i])
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for pending, _, _ := all.Pending(); pending > 0; pending, _, _ = all.Pending() {
		m, err := all.NextMsg(0)
		if err != nil {
			break
		}
		first, _, _ := strings.Cut(m.Subject, ".")
		if first == "webhooks" {
			stored++
		}
		if !slices.Contains([]string{"webhooks", "_INBOX", "$JS"}, first) || first == "$JS" && strings.Contains(m.Subject, "DELETE") {
			t.Errorf("something was said to %q", m.Subject)
		}
	}
	if stored != len(sent) {
		t.Errorf("%d of %d were overheard", stored, len(sent))
	}
}

// TestB15_NoPayloadSteersARoutingKey: the same at an exchange of topics.
func TestB15_NoPayloadSteersARoutingKey(t *testing.T) {
	t.Parallel()
	n := sharedRabbit.started(t)
	ch := rabbitChannel(t, n)
	queue, exchange := quorumQueue(t, ch), topicExchange(t, ch)
	if err := ch.QueueBind(queue, "#", exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	sent := steered()
	d := openRabbit(t, hookgate.DestinationSettings{URL: literal(n.url()), Exchange: exchange, RoutingKey: addressed.template})
	for i, err := range d.Publish(t.Context(), batchOf(sent...)) {
		if err != nil {
			t.Fatalf("%q: %v", sent[i].Type, err)
		}
	}
	got := taken(t, ch, queue)
	if len(got) != len(sent) {
		t.Fatalf("%d of %d arrived", len(got), len(sent))
	}
	for i, m := range got {
		addressed.check(t, m.RoutingKey, sent[i])
	}
}

// TestB15_OnlyKnownWordsAreTemplates: what a payload decides freely cannot be put into an address at all.
func TestB15_OnlyKnownWordsAreTemplates(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"type", "tenant", "subject", "id", "nativeid", "data", "data.id", "partitionkey", "Type", ""} {
		for kind, field := range map[string]string{"nats": "subject:", "rabbitmq": "routing_key:"} {
			s := settings("x")
			s.Type = kind
			if kind == "nats" {
				s.URL, s.Subject = literal("nats://h:4222"), "webhooks.{"+word+"}"
			} else {
				s.URL, s.RoutingKey = literal("amqp://h:5672"), "webhooks.{"+word+"}"
			}
			switch err := forward.Check(s); {
			case word == "type" && err != nil:
				t.Errorf("%s refuses {%s}: %v", kind, word, err)
			case word != "type" && (err == nil || !strings.HasPrefix(err.Error(), field)):
				t.Errorf("%s takes {%s}: %v", kind, word, err)
			}
		}
	}
}
