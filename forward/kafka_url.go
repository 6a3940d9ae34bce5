package forward

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaPort is the port of a broker that is written without one.
const kafkaPort = "9092"

// The values of sasl in the URL.
const (
	saslPlain    = "plain"
	saslScram256 = "scram-sha-256"
	saslScram512 = "scram-sha-512"
)

// kafkaURL is what the URL says: kafka://[user:password@]host[:9092][,host...][?sasl=mechanism], or kafkas:// for TLS.
type kafkaURL struct {
	brokers        []string // host:port, the first ones to ask; the cluster names the others itself
	tls            bool
	user, password string
	mechanism      string // of the user; empty without one
}

// parseKafkaURL reads the URL. It is not read by net/url, which knows one host only. What is wrong with it is told without
// its text, which may hold a password.
func parseKafkaURL(text string) (kafkaURL, error) {
	var u kafkaURL
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "kafka" && scheme != "kafkas" {
		return u, errors.New("is not a kafka:// or kafkas:// URL")
	}
	u.tls = scheme == "kafkas"
	rest, query, _ := strings.Cut(rest, "?")
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/#") || strings.Contains(query, "#") {
		return u, errors.New("has more than hosts and ?sasl=: a / or # of a password is written %2F or %23")
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if err := u.readUser(rest[:at]); err != nil {
			return u, err
		}
		rest = rest[at+1:]
	}
	if err := u.readQuery(query); err != nil {
		return u, err
	}
	for host := range strings.SplitSeq(rest, ",") {
		broker, err := brokerAddress(host)
		if err != nil {
			return u, err
		}
		u.brokers = append(u.brokers, broker)
	}
	return u, nil
}

func (u *kafkaURL) readUser(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var err, err2 error
	u.user, err = url.PathUnescape(user)
	u.password, err2 = url.PathUnescape(password)
	switch {
	case err != nil || err2 != nil:
		return errors.New("has a user or password with a broken escape: a % is written %25")
	case u.user == "" || u.password == "":
		return errors.New("must have both a user and a password, or neither")
	}
	return nil
}

// readQuery takes sasl, the only option. SCRAM-SHA-512 is the strongest that every Kafka has, and never sends the password.
func (u *kafkaURL) readQuery(query string) error {
	values, err := url.ParseQuery(query)
	given := values["sasl"]
	delete(values, "sasl")
	switch {
	case err != nil || len(values) > 0 || len(given) > 1:
		return errors.New("may have one option, sasl")
	case u.user == "" && given != nil:
		return errors.New("names a sasl mechanism, but no user and password")
	case u.user == "":
		return nil
	case given == nil:
		u.mechanism = saslScram512
	case !slices.Contains([]string{saslPlain, saslScram256, saslScram512}, given[0]):
		return errors.New("has a sasl that is none of " + saslPlain + ", " + saslScram256 + " and " + saslScram512)
	default:
		u.mechanism = given[0]
	}
	return nil
}

// brokerAddress completes one of the hosts.
func brokerAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil { // no port, unless it is no host either
		host, port, err = net.SplitHostPort(text + ":" + kafkaPort)
	}
	if n, known := net.LookupPort("tcp", port); err != nil || known != nil || n == 0 || strings.Trim(port, "0123456789") != "" {
		return "", errors.New("has a host that is not host:port")
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n@%") {
		return "", errors.New("names no host, or has an empty place in the list of hosts")
	}
	return net.JoinHostPort(host, port), nil
}

// login is the mechanism with its credentials; nil without a user.
func (u *kafkaURL) login() sasl.Mechanism {
	switch u.mechanism {
	case saslPlain:
		return plain.Auth{User: u.user, Pass: u.password}.AsMechanism()
	case saslScram256:
		return scram.Auth{User: u.user, Pass: u.password}.AsSha256Mechanism()
	case saslScram512:
		return scram.Auth{User: u.user, Pass: u.password}.AsSha512Mechanism()
	}
	return nil
}

// maxTopic is Kafka's own bound of a topic's name, in bytes.
const maxTopic = 249

func checkKafka(s hookgate.DestinationSettings, ps *hookgate.Problems) {
	if len(s.URL.Reveal()) == 0 {
		missing(ps, "url", "such as kafka://127.0.0.1:9092")
	} else if _, err := parseKafkaURL(string(s.URL.Reveal())); err != nil {
		ps.Add("url", "write kafka://[user:password@]host:9092[,host2:9092][?sasl=scram-sha-512], or kafkas:// for TLS", "%s", err)
	}
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
	}
	switch {
	case s.Topic == "":
		missing(ps, "topic", "the name of the topic, such as webhooks")
	case len(s.Topic) > maxTopic, s.Topic == ".", s.Topic == "..",
		strings.ContainsFunc(s.Topic, func(r rune) bool { return !allowed(r) }):
		ps.Add("topic", "letters, digits, dot, underscore and hyphen, at most 249", "%q is no name of a topic", s.Topic)
	}
}
