package forward

import (
	"errors"
	"io"

	"github.com/hookgate/hookgate"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unfit reports that the cluster refuses a record for what it is, and not all of them.
func unfit(err error) bool {
	return tooLarge(err) || errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}

func tooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// refusal is the error of the one entry that the cluster will not take.
func (k *kafka) refusal(err error, size int) *Refusal {
	e := hookgate.Errorf(hookgate.Unavailable, "kafka: topic %s refuses the event: %s", k.topic, k.quoted(err))
	switch {
	case tooLarge(err):
		e = hookgate.Errorf(hookgate.TooLarge, "kafka: an event of %d bytes, topic %s takes less: %s", size, k.topic, k.quoted(err))
		e.Hint = "raise the topic's max.message.bytes"
	case errors.Is(err, kerr.InvalidTimestamp):
		e.Hint = "raise the topic's message.timestamp.before.max.ms: the timestamp is when the event was received"
	}
	return &Refusal{Err: e}
}

// trouble explains a failure of everything.
func (k *kafka) trouble(err error) *Trouble {
	var early *kgo.ErrFirstReadEOF // has its own explanation
	e := hookgate.Errorf(hookgate.Unavailable, "kafka: %s", k.quoted(err))
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		e.Detail = "kafka: there is no topic " + k.topic
		e.Hint = "create the topic " + k.topic + ": it is not created by itself"
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		k.url.user != "" && errors.Is(err, io.EOF) && !errors.As(err, &early): // some hang up over it without a word
		e.Hint = "look at user, password and ?sasl= of the url"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		e.Hint = "the user needs Write and Describe on the topic " + k.topic + ", and before Kafka 3.0 IdempotentWrite on the cluster"
	}
	return &Trouble{Err: e}
}

// quoted is the error's text without the password, should a broker or a name server repeat it.
func (k *kafka) quoted(err error) string {
	return without(k.url.password, err.Error())
}
