// Package configs reads the configuration file: strictly, all problems at once, each with its line and column. It also
// writes the JSON Schema and the reference page, from the same struct tags that the loader goes by.
package configs

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// Config is one configuration file with every default filled in and every secret resolved.
type Config struct {
	Listen       string                         `yaml:"listen" doc:"address that the providers reach" default:"127.0.0.1:8080"`
	PublicURL    string                         `yaml:"public_url" doc:"what the providers call, without a slash at its end; Bird signs it"`
	Admin        Admin                          `yaml:"admin" doc:"the operator's API and pages"`
	Journal      Journal                        `yaml:"journal" doc:"where events are kept"`
	Limits       Limits                         `yaml:"limits" doc:"what the gateway takes on at once"`
	Log          Log                            `yaml:"log" doc:"the gateway's own log"`
	TLS          TLS                            `yaml:"tls" doc:"HTTPS at listen; without it something in front must speak it"`
	Proxies      Proxies                        `yaml:"proxies" doc:"what stands in front of the gateway"`
	Tokens       hookgate.TokenSettings         `yaml:"tokens" doc:"the gateway's own OAuth 2.0 token endpoint"`
	Signing      Signing                        `yaml:"signing" doc:"a signature on every forwarded envelope that says who verified it"`
	Declarations []hookgate.Declaration         `yaml:"declarations" doc:"providers that sign with an HMAC and that nobody has written code for"`
	Sources      []Source                       `yaml:"sources" doc:"who sends webhooks"`
	Destinations []hookgate.DestinationSettings `yaml:"destinations" doc:"where events go"`
	Outbound     Outbound                       `yaml:"outbound" doc:"the other side: webhook subscriptions, and deliveries as the providers make them"`
}

// Admin is the operator's listener.
type Admin struct {
	Listen string          `yaml:"listen" doc:"address of the admin API; needs a token unless it is a loopback one" default:"127.0.0.1:8081"`
	Token  hookgate.Secret `yaml:"token" doc:"what a caller of the admin API proves itself with; at least 16 bytes are wise"`
	Hosts  []string        `yaml:"hosts" doc:"names that the admin API is called by, beside localhost and the host of listen; with names listed here, and always on loopback, a request for another host is answered 421"`
}

// ListenAt replaces the addresses that are given, so that several nodes on one machine can share a file. The error says
// what is wrong with them.
func (c *Config) ListenAt(listen, admin string) error {
	for _, address := range []string{listen, admin} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			return hookgate.Problem{Message: fmt.Sprintf("%q is not an address to listen at", address), Hint: "write host:port, such as 127.0.0.1:8080"}
		}
	}
	if listen != "" {
		c.Listen = listen
	}
	if admin != "" {
		c.Admin.Listen = admin
	}
	if len(c.Admin.Token.Reveal()) == 0 && !loopback(c.Admin.Listen) {
		return hookgate.Problem{Message: c.Admin.Listen + " is reachable from other machines, and there is no admin.token", Hint: "set admin.token, or listen at 127.0.0.1"}
	}
	return nil
}

// Journal says where events are kept, and for how long.
type Journal struct {
	URL       hookgate.Secret `yaml:"url" doc:"sqlite://PATH, where a relative path starts at the working directory; or for many nodes redis://HOST:6379/0, redis+sentinel://HOST:26379/0?master_name=NAME&addr=HOST:26379, redis+cluster://HOST:6379?addr=HOST:6379; rediss is TLS" default:"sqlite://hookgate.db" literal:"true"`
	Retention time.Duration   `yaml:"retention" doc:"how long events are kept once every destination has them" default:"168h"`
	MaxSize   Size            `yaml:"max_size" doc:"sqlite, and the spill: from nine tenths of it delivered events are removed early, and at it deliveries are answered 503; without it age alone decides"`
	MinFree   Size            `yaml:"min_free" doc:"sqlite, and the spill: deliveries are answered 503 while the disk has less room than this; a tenth of the disk where that is less" default:"256MiB"`
	Spill     string          `yaml:"spill" doc:"sqlite://PATH of a journal on this node's own disk, which takes deliveries while the one of url cannot"`
	Shards    int             `yaml:"shards" doc:"redis: over how many streams the events are spread; the same on every node, and fixed once there is data" default:"16"`
	Prefix    string          `yaml:"prefix" doc:"redis: how the keys begin; gateways that share a server need different ones" default:"hookgate"`
	Markers   string          `yaml:"markers" doc:"redis: how remembered events are kept; compact takes a fraction of the memory and a little more time" enum:"plain,compact" default:"plain"`
	Replicas  int             `yaml:"replicas" doc:"redis: how many replicas must have an event before it is answered 200" default:"0"`
	AllowLoss bool            `yaml:"allow_loss" doc:"redis: serve although the server keeps nothing on disk" default:"false"`
}

// Path is the file that a sqlite URL names; empty where the journal is on Redis.
func (j Journal) Path() string { return sqlitePath(string(j.URL.Reveal())) }

// SpillPath is the file of the spill; empty without one.
func (j Journal) SpillPath() string { return sqlitePath(j.Spill) }

func sqlitePath(url string) string {
	path, ok := strings.CutPrefix(url, sqliteScheme)
	if !ok {
		return ""
	}
	return path
}

// Limits bounds what strangers and senders can make the gateway do.
type Limits struct {
	Strangers   Rate `yaml:"strangers" doc:"failed authentications of one address (IPv6: one /64)" default:"120/m"`
	Connections int  `yaml:"connections" doc:"open connections at once; more wait" default:"16384"`
	PerAddress  int  `yaml:"per_address" doc:"open connections of one address (IPv6: one /64) that is no trusted proxy; more are closed" default:"1024"`
	InFlight    int  `yaml:"in_flight" doc:"deliveries that are worked on at once, once their bodies are in; more are answered 503" default:"4096"`
}

// Log says what the gateway logs about itself.
type Log struct {
	Level string `yaml:"level" doc:"the least that is logged" enum:"debug,info,warn,error" default:"info"`
}

// Source is one address that a provider calls.
type Source struct {
	Name             string                  `yaml:"name" doc:"1 to 64 of a-z, 0-9 and -; part of every event's id, so a new name makes every event new"`
	Provider         string                  `yaml:"provider" doc:"who sends"`
	Path             string                  `yaml:"path" doc:"where it listens; /hooks/ and the name unless set"`
	Auth             []hookgate.AuthSettings `yaml:"auth" doc:"how a delivery is authenticated; all entries must pass"`
	Dedupe           Dedupe                  `yaml:"dedupe" doc:"what counts as the same event"`
	Destinations     []string                `yaml:"destinations" doc:"names of destinations; all unless set"`
	Timezone         string                  `yaml:"timezone" doc:"IANA name of the zone of times that come without one; only for providers that send such times (netcore: Asia/Kolkata unless set)"`
	Event            string                  `yaml:"event" doc:"names the event of a body that names none; unknown unless set"`
	Malformed        string                  `yaml:"malformed" doc:"what becomes of an authenticated body that cannot be read: kept and answered 200, or answered 400" enum:"quarantine,reject" default:"quarantine"`
	MaxBody          Size                    `yaml:"max_body" doc:"a larger body is answered 413" default:"1MiB"`
	Allow            []string                `yaml:"allow" doc:"addresses and networks (CIDR) that may send; all unless set"`
	Gzip             bool                    `yaml:"gzip" doc:"take bodies with Content-Encoding: gzip; they are verified as sent and read decompressed" default:"false"`
	QuarantineFailed Rate                    `yaml:"quarantine_failed" doc:"keep so many deliveries that failed authentication, in memory, to be explained and verified again; none unless set"`
	Rate             Rate                    `yaml:"rate" doc:"authenticated deliveries; more are answered 429; no bound unless set"`

	Declared *hookgate.Declaration `yaml:"-"` // what the provider's name declares; nil where the program knows it
}

// Dedupe says when an event counts as one that was here before.
type Dedupe struct {
	Window time.Duration `yaml:"window" doc:"how long an event is remembered; the provider's own unless set"`
	By     string        `yaml:"by" doc:"event forwards an event once, attempt forwards each attempt once" enum:"event,attempt" default:"event"`
}

// loopback reports whether only this machine can reach the address. A name other than localhost may resolve to
// anything, so it does not count.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
