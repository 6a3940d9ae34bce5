package outbound

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/hookgate/hookgate"
)

// hidden stands for a secret in every answer. Sent back in a change, it leaves the secret as it is.
const hidden = "[secret]"

// plainSubscription is a subscription as the plain API reads and shows it. A member that is left out of a change stays as
// it is; the last group is only shown.
type plainSubscription struct {
	Name     *string            `json:"name,omitempty"`
	URL      *string            `json:"url,omitempty"`
	Events   *[]string          `json:"events,omitempty"`
	Active   *bool              `json:"active,omitempty"`
	Auth     *[]plainAuth       `json:"auth,omitempty"`
	Headers  *map[string]string `json:"headers,omitempty"`
	Settings json.RawMessage    `json:"settings,omitempty"`
	Timeout  *duration          `json:"timeout,omitempty"`
	Retries  *waits             `json:"retries,omitempty"`
	Success  *string            `json:"success,omitempty"`

	ID          string     `json:"id,omitempty"`
	Provider    string     `json:"provider,omitempty"`
	Created     *time.Time `json:"created,omitempty"`
	Updated     *time.Time `json:"updated,omitempty"`
	LastSuccess *time.Time `json:"last_success,omitempty"`
	LastFailure *time.Time `json:"last_failure,omitempty"`
	Failures    int64      `json:"failures"`
}

// plainAuth is one credential. Secrets are written and never shown.
type plainAuth struct {
	Scheme   string     `json:"scheme"`
	Secret   string     `json:"secret,omitempty"`
	User     string     `json:"user,omitempty"`
	Password string     `json:"password,omitempty"`
	Prefix   *string    `json:"prefix,omitempty"` // Bearer unless given
	Keys     []plainKey `json:"keys,omitempty"`
	OAuth    *OAuth     `json:"oauth,omitempty"`

	Certificate    string `json:"certificate,omitempty"`
	CertificateKey string `json:"certificate_key,omitempty"`
}

type plainKey struct {
	ID      string `json:"id,omitempty"`
	Private string `json:"private,omitempty"`
	Public  string `json:"public,omitempty"` // base64 of the SubjectPublicKeyInfo; only shown
}

// plain is a subscription as it is shown.
func (p provider) plain(s *Subscription) plainSubscription {
	auth := make([]plainAuth, len(s.Auth))
	for i, a := range s.Auth {
		auth[i] = shown(a)
	}
	headers := make(map[string]string, len(s.Headers))
	for name := range s.Headers { // a header of one's own mostly carries a key
		headers[name] = hidden
	}
	events := append([]string{}, s.Events...)
	out := plainSubscription{
		ID: s.ID, Provider: s.Provider, Name: &s.Name, URL: &s.URL, Events: &events, Active: &s.Active, Auth: &auth,
		Headers: &headers, Settings: s.Settings, Failures: s.Failures,
		Created: some(s.Created), Updated: some(s.Updated), LastSuccess: some(s.LastSuccess), LastFailure: some(s.LastFailure),
	}
	if p.hideSettings != nil {
		out.Settings = p.hideSettings(s)
	}
	if s.Timeout != 0 {
		out.Timeout = (*duration)(&s.Timeout)
	}
	if s.Retries != nil {
		out.Retries = (*waits)(&s.Retries)
	}
	if s.Success != "" {
		out.Success = &s.Success
	}
	return out
}

func shown(a Auth) plainAuth {
	out := plainAuth{
		Scheme: a.Scheme, Secret: hide(a.Secret), User: a.User, Password: hide(a.Password),
		Certificate: a.Certificate, CertificateKey: hide(a.CertificateKey),
	}
	if a.Scheme == "access-token" {
		out.Prefix = &a.Prefix
	}
	for _, k := range a.Keys {
		out.Keys = append(out.Keys, plainKey{ID: k.ID, Private: hide(k.Private), Public: publicHalf(k.Private)})
	}
	if a.OAuth != nil {
		o := *a.OAuth
		o.ClientSecret, o.Password = hide(o.ClientSecret), hide(o.Password)
		out.OAuth = &o
	}
	return out
}

func hide(secret string) string {
	if secret == "" {
		return ""
	}
	return hidden
}

// publicHalf is what a receiver verifies with.
func publicHalf(private string) string {
	block, _ := pem.Decode([]byte(private))
	if block == nil {
		return ""
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return ""
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(der)
}

func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// take puts what a caller sent into sub and checks the whole.
func (s *Server) take(r *http.Request, sub *Subscription, in *plainSubscription, p provider) error {
	before := *sub
	set(&sub.Name, in.Name)
	set(&sub.URL, in.URL)
	set(&sub.Events, in.Events)
	set(&sub.Active, in.Active)
	if in.Headers != nil {
		sub.Headers = maps.Clone(*in.Headers)
		for name, value := range sub.Headers {
			if value == hidden {
				sub.Headers[name] = before.Headers[name]
			}
		}
	}
	set(&sub.Success, in.Success)
	set(&sub.Timeout, (*time.Duration)(in.Timeout))
	set(&sub.Retries, (*[]time.Duration)(in.Retries))
	if in.Auth != nil {
		sub.Auth = nil
		for i, a := range *in.Auth {
			var old Auth
			if i < len(before.Auth) && before.Auth[i].Scheme == a.Scheme {
				old = before.Auth[i]
			}
			sub.Auth = append(sub.Auth, taken(a, old, s.now()))
		}
	}
	if len(in.Settings) > 0 {
		merged, err := merge(sub.Settings, in.Settings)
		if err != nil {
			return invalid{err}
		}
		sub.Settings = merged
		if p.keepHidden != nil {
			p.keepHidden(&before, sub)
		}
	}
	var ps hookgate.Problems
	sub.sound(p, &ps)
	if len(ps) == 0 && p.check != nil {
		p.check(sub, &ps)
	}
	if err := ps.Err(); err != nil {
		return err
	}
	if p.admit != nil {
		return p.admit(r.Context(), s, &before, sub)
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func taken(a plainAuth, old Auth, now time.Time) Auth {
	keep := func(given, before string) string {
		if given == hidden {
			return before
		}
		return given
	}
	out := Auth{
		Scheme: a.Scheme, Secret: keep(a.Secret, old.Secret), User: a.User, Password: keep(a.Password, old.Password),
		Prefix: "Bearer", Certificate: a.Certificate, CertificateKey: keep(a.CertificateKey, old.CertificateKey),
	}
	set(&out.Prefix, a.Prefix)
	for i, k := range a.Keys {
		key := Key{ID: k.ID, Private: k.Private, Created: now}
		if i < len(old.Keys) && k.Private == hidden {
			key = old.Keys[i]
		}
		out.Keys = append(out.Keys, key)
	}
	if a.OAuth != nil {
		o := *a.OAuth
		var was OAuth
		if old.OAuth != nil {
			was = *old.OAuth
		}
		o.ClientSecret, o.Password = keep(o.ClientSecret, was.ClientSecret), keep(o.Password, was.Password)
		out.OAuth = &o
	}
	return out
}

// merge puts the members of change over those of settings; null takes one out.
func merge(settings, change json.RawMessage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &all); err != nil {
			return nil, err
		}
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(change, &given); err != nil {
		return nil, errors.New("settings is a JSON object")
	}
	for name, value := range given {
		if bytes.Equal(bytes.TrimSpace(value), []byte("null")) {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	return json.Marshal(all)
}

// The bounds of a subscription, all our own choice.
const (
	maxName    = 256
	maxURL     = 2048
	maxHeaders = 20
	maxTimeout = 2 * time.Minute
	maxRetries = 100
	maxRetry   = 24 * time.Hour
)

// sound checks what is the same for every provider.
func (s *Subscription) sound(p provider, ps *hookgate.Problems) {
	if len(s.Name) > maxName {
		ps.Add("name", "", "is longer than %d bytes", maxName)
	}
	u, err := url.Parse(s.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || strings.Contains(s.URL, "#") || len(s.URL) > maxURL {
		ps.Add("url", "write https://host/path; credentials belong into auth", "is not a URL to deliver to")
	}
	for _, a := range s.Auth {
		if !slices.Contains(p.schemes, a.Scheme) {
			ps.Add("auth", "use one of "+strings.Join(p.schemes, ", "), "the provider does not use the scheme %q", a.Scheme)
		}
	}
	if len(s.Headers) > maxHeaders {
		ps.Add("headers", "", "are more than %d", maxHeaders)
	}
	for name, value := range s.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			ps.Add("headers", "", "%q is no HTTP header", name)
		}
	}
	if s.Timeout < 0 || s.Timeout > maxTimeout {
		ps.Add("timeout", "", "is not between 0 and %s", maxTimeout)
	}
	if len(s.Retries) > maxRetries || slices.ContainsFunc(s.Retries, func(d time.Duration) bool { return d < 0 || d > maxRetry }) {
		ps.Add("retries", "", "are more than %d, or a wait is longer than %s", maxRetries, maxRetry)
	}
	if !slices.Contains([]string{"", "200", "2xx", "<300"}, s.Success) {
		ps.Add("success", `write "200", "2xx" or "<300"`, "is not a rule")
	}
}
