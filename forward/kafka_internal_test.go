package forward

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]kafkaURL{
		"kafka://h":                {brokers: []string{"h:9092"}},
		"kafka://h:1,i,[::1]:2/":   {brokers: []string{"h:1", "i:9092", "[::1]:2"}},
		"kafkas://[fe80::1]":       {brokers: []string{"[fe80::1]:9092"}, tls: true},
		"kafka://a:b@h":            {brokers: []string{"h:9092"}, user: "a", password: "b", mechanism: "scram-sha-512"},
		"kafka://a%40:b%2F:@c@h,i": {brokers: []string{"h:9092", "i:9092"}, user: "a@", password: "b/:@c", mechanism: "scram-sha-512"},
		"kafkas://a:b@h?sasl=plain": {
			brokers: []string{"h:9092"}, tls: true, user: "a", password: "b", mechanism: "plain",
		},
		"kafka://a:b@h/?sasl=scram-sha-256": {brokers: []string{"h:9092"}, user: "a", password: "b", mechanism: "scram-sha-256"},
	} {
		got, err := parseKafkaURL(text)
		if err != nil || !slices.Equal(got.brokers, want.brokers) || got.tls != want.tls || got.user != want.user ||
			got.password != want.password || got.mechanism != want.mechanism {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if name := got.login(); (name == nil) != (want.mechanism == "") {
			t.Errorf("%s: %v", text, name)
		}
	}
}

// The number of partitions may change between two rounds, but not within one: the same key would go two ways.
func TestKafkaSpreadHoldsItsNumber(t *testing.T) {
	t.Parallel()
	s := newSpread("webhooks")
	r := &kgo.Record{Key: []byte("t/conversation/1")}
	first := s.Partition(r, 3)
	if first < 0 || first > 2 || s.Partition(r, 3) != first || !s.RequiresConsistency(r) {
		t.Errorf("partition %d of 3", first)
	}
	if got := s.Partition(r, 4); got != -1 {
		t.Errorf("partition %d after the number had changed", got)
	}
	s.count.Store(0)
	if got := s.Partition(&kgo.Record{}, 4); got != -1 {
		t.Errorf("partition %d without a key", got)
	}
	if got := s.Partition(r, 4); got < 0 {
		t.Errorf("partition %d in the next round", got)
	}
	if _, ok := any(s).(kgo.TopicPartitionerOnNewBatch); ok {
		t.Error("may be asked twice for one record")
	}
}
