//go:build linux

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// Every secret of a run; they stand in the gateway's configuration by reference.
const (
	secret = "bench-secret-0123456789"
	user   = "bench:password-0123456789"
)

// provider is one of those whose deliveries are measured, with the proof that it sends.
type provider struct {
	name, scheme string
	contentType  string
	auth         string // the entry in the gateway's configuration
	signer       verifiers.Scheme
	proof        []string // the value of Authorization where all deliveries share one
	body         func(i, size int) []byte
}

// keyFile is the public half of the key that signs, beside the gateway's configuration.
const keyFile = "provider.pem"

// newProvider makes a provider that signs by the scheme; keys are those of newKeys.
func newProvider(scheme string, keys *keys) (*provider, error) {
	p := &provider{name: "sprinklr", scheme: scheme, contentType: "application/json", body: sprinklrBody}
	entry, private := hookgate.AuthSettings{Scheme: scheme}, hookgate.Secret{}
	shared := []hookgate.Secret{hookgate.NewSecret([]byte(secret), "")}
	switch scheme {
	case "hub-signature":
		entry.Secrets, p.auth = shared, "secrets: [env:HOOKGATE_BENCH_SECRET]"
	case "basic":
		p.name, p.contentType = "netcore", "application/x-www-form-urlencoded"
		entry.Users, p.auth = []hookgate.Secret{hookgate.NewSecret([]byte(user), "")}, "users: [env:HOOKGATE_BENCH_USER]"
	case "siq-signature":
		p.name, p.body = "salesiq", salesiqBody
		private, p.auth = keys.private, "keys: [file:"+keyFile+"]"
	case "bearer":
		private, p.auth = keys.private, "keys: [file:"+keyFile+"]"
	default:
		return nil, fmt.Errorf("no deliveries are made for %s", scheme)
	}
	p.auth = "{scheme: " + scheme + ", " + p.auth + "}"
	var err error
	p.signer, err = verifiers.NewSigner(entry, private)
	return p, err
}

// renew makes the token that a bearer's deliveries share; it lasts five minutes.
func (p *provider) renew() error {
	if p.scheme != "bearer" {
		return nil
	}
	req := &hookgate.Request{Header: map[string][]string{}}
	if err := p.signer.Sign(req, time.Now()); err != nil {
		return err
	}
	p.proof = req.Header["Authorization"]
	return nil
}

// keys are the RSA pair, 2,048 bits, by which SalesIQ's deliveries and the tokens are signed.
type keys struct {
	private hookgate.Secret
	public  []byte // PEM
}

func newKeys() (*keys, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &keys{
		private: hookgate.NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), ""),
		public:  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}, nil
}

func (k *keys) save(dir string) error {
	return os.WriteFile(filepath.Join(dir, keyFile), k.public, 0o600)
}

// The number of an event stands in the subject of its envelope, twelve digits at the end, so that the stream can be held
// against what was sent. The events of a run are 10,000 to a second of their own time, and lie in the past.
const (
	perSecond = 10_000
	digits    = 12
)

var epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func happened(i int) time.Time { return epoch.Add(time.Duration(i) * (time.Second / perSecond)) }

const filler = "a parcel that was promised for last week and has not come; "

// padded puts as much text between the two parts as the size leaves room for.
func padded(before, after string, size int) []byte {
	body := make([]byte, 0, max(size, len(before)+len(after)))
	body = append(body, before...)
	for room := size - len(before) - len(after); room > 0; room -= len(filler) {
		body = append(body, filler[:min(room, len(filler))]...)
	}
	return append(body, after...)
}

// sprinklrBody has a Mongo ObjectId as its id: the second, five bytes of the sending process, a counter.
func sprinklrBody(i, size int) []byte {
	return padded(
		fmt.Sprintf(`{"id":"%08x5eedbeef01%06x","type":"case.update","payload":{"id":"6650a2af%0*d","version":%d,"description":"`,
			happened(i).Unix(), i&0xffffff, digits, i, i%5000),
		fmt.Sprintf(`"},"eventTime":%d,"subscriptionDetails":{"subscriptionId":"6650a1f2c3d4e5f607182930"}}`, happened(i).UnixMilli()),
		size)
}

func salesiqBody(i, size int) []byte {
	return padded(
		fmt.Sprintf(`{"entity_type":"conversation","webhook":{"id":"19367000000120011"},"org_id":"20011223","event":"conversation.operator.replied","entity_id":"8%0*d","attempt":1,"version":1,"app_id":"8000000000047","entity":{"id":"8%0*d","message":{"sender":{"name":"Robin","id":"8000000000005","type":"operator"},"msgid":"1716560100251","text":"Hello"},"question":"`,
			digits, i, digits, i),
		fmt.Sprintf(`"},"event_time":"%d"}`, happened(i).UnixMilli()),
		size)
}

// netcoreBody is a batch of n events, the first of which has the number i: a form with JSON in it, as the provider sends it.
func netcoreBody(i, n int) []byte {
	zone := time.FixedZone("Asia/Kolkata", 5*3600+1800)
	var list strings.Builder
	list.WriteString(`{"panel-1":[`)
	for k := range n {
		if k > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"channel":"email","event":"delivered","event_params":{"foreignkey":"%0*d","timestamp":"%s","subject":"Your parcel is on its way","mid":"%d"}}`,
			digits, i+k, happened(i+k).In(zone).Format("2006-01-02T15:04:05"), 1000+(i+k)%900_000)
	}
	list.WriteString(`]}`)
	return []byte("data=" + url.QueryEscape(list.String()))
}
