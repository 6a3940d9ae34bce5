package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/verifiers"
)

// devPublicURL is what the sample source of Bird is registered under.
const devPublicURL = "https://hooks.example.com"

// sample is one delivery that hookgate dev offers to try, signed for this run.
type sample struct {
	provider, scheme, about string
	path, contentType, body string
	header                  http.Header
}

// curl is the command that sends it to a gateway at address.
func (s sample) curl(address string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i http://%s%s", address, s.path)
	fmt.Fprintf(&b, " -H 'Content-Type: %s'", s.contentType)
	for _, name := range slices.Sorted(maps.Keys(s.header)) {
		fmt.Fprintf(&b, " -H '%s: %s'", name, s.header.Get(name))
	}
	fmt.Fprintf(&b, " --data-binary '%s'", s.body)
	return b.String()
}

// makeSamples makes up the secrets, by the names under which devConfig refers to them, and signs a delivery a provider.
func makeSamples(now time.Time) ([]sample, map[string]string, error) {
	private, public, err := makeKeyPair()
	if err != nil {
		return nil, nil, err
	}
	secrets := map[string]string{
		"SPRINKLR_PSK":       rand.Text(),
		"SALESIQ_PUBLIC_KEY": public,
		"COMMBOX_TOKEN":      rand.Text(),
		"NETCORE_USER":       "panel:" + rand.Text(),
		"BIRD_SIGNING_KEY":   rand.Text(),
	}
	ref := func(name string) []hookgate.Secret {
		return []hookgate.Secret{hookgate.NewSecret([]byte(secrets[name]), "env:"+name)}
	}
	ms := now.UnixMilli()
	samples := []sample{
		{"sprinklr", "hub-signature", "a case was opened", "/hooks/care", "application/json",
			fmt.Sprintf(`{"id":"%08x0000000000000001","type":"case.create","payload":{"id":"6650a2afc3d4e5f60718292f","caseNumber":41020077,"subject":"Order 7781"},"eventTime":%d,"subscriptionDetails":{"subscriptionId":"6650a1f2c3d4e5f607182930"}}`, now.Unix(), ms), nil},
		{"salesiq", "siq-signature", "an operator replied in a chat", "/hooks/support-chat", "application/json",
			fmt.Sprintf(`{"entity_type":"conversation","org_id":"20011223","event":"conversation.operator.replied","entity_id":"8000000004009","attempt":1,"version":"1","app_id":8000000000047,"entity":{"id":"8000000004009","message":{"sender":{"name":"Robin","id":"8000000000005"},"msgid":"%d","text":"Hello, your parcel is on its way"}},"event_time":%d}`, ms, ms), nil},
		{"commbox", "access-token", "a conversation was opened, as XML", "/hooks/inbox", "text/xml; charset=utf-8",
			fmt.Sprintf(`<Event Subscription="Object" Name="OnNew" Brand="acme"><Object Id="123456" StreamId="1" CreateDate="%s"><Message>Hello</Message></Object></Event>`, now.UTC().Format(time.DateTime)), nil},
		{"netcore", "basic", "a batch with one delivered message, as a form", "/hooks/campaigns", "application/x-www-form-urlencoded",
			fmt.Sprintf(`data=%%7B%%22shop_demo%%22%%3A%%5B%%7B%%22channel%%22%%3A%%22sms%%22%%2C%%22event%%22%%3A%%22delivered%%22%%2C%%22event_params%%22%%3A%%7B%%22foreignkey%%22%%3A%%22robin%%40example.com%%22%%2C%%22ts%%22%%3A%s%%7D%%7D%%5D%%7D`, now.In(time.FixedZone("Asia/Kolkata", 5*3600+1800)).Format("060102150405")), nil},
		{"bird", "bird-signature", "a text message came in", "/hooks/messages", "application/json",
			fmt.Sprintf(`{"service":"channels","event":"sms.inbound","payload":{"id":"96a0b5fa-a986-453d-be5c-000000000001","body":{"type":"text","text":{"text":"Hello"}},"status":"delivered","createdAt":"%s"}}`, now.UTC().Format(time.RFC3339)), nil},
	}
	entries := []hookgate.AuthSettings{
		{Scheme: "hub-signature", Secrets: ref("SPRINKLR_PSK")},
		{Scheme: "siq-signature", Keys: ref("SALESIQ_PUBLIC_KEY")},
		{Scheme: "access-token", Secrets: ref("COMMBOX_TOKEN")},
		{Scheme: "basic", Users: ref("NETCORE_USER")},
		{Scheme: "bird-signature", Secrets: ref("BIRD_SIGNING_KEY"), PublicURL: devPublicURL},
	}
	for i := range samples {
		var signKey hookgate.Secret
		if entries[i].Scheme == "siq-signature" {
			signKey = hookgate.NewSecret([]byte(private), "made up")
		}
		signer, err := verifiers.NewSigner(entries[i], signKey)
		if err != nil {
			return nil, nil, err
		}
		req := &hookgate.Request{Method: http.MethodPost, Target: samples[i].path, Header: make(http.Header), Body: []byte(samples[i].body)}
		if err := signer.Sign(req, now); err != nil {
			return nil, nil, err
		}
		samples[i].header = req.Header
	}
	return samples, secrets, nil
}

// makeKeyPair makes up what a provider signs with, and what it is verified by, as PEM.
func makeKeyPair() (private, public string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", err
	}
	own, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	shared, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", err
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("PRIVATE KEY", own), block("PUBLIC KEY", shared), nil
}
