package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

func commboxChecked(s *Subscription) hookgate.Problems {
	var ps hookgate.Problems
	commbox().check(s, &ps)
	return ps
}

// commboxCertificate makes a self-signed client certificate.
func commboxCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "commbox.example.com"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestCommboxCheck(t *testing.T) {
	t.Parallel()
	certificate, key := commboxCertificate(t)
	_, otherKey := commboxCertificate(t)
	const secret = "canary-7f3a"
	oauth := func(change func(*OAuth)) []Auth {
		o := &OAuth{Grant: "password", TokenURL: "https://id.example.com/token", ClientID: "c", ClientSecret: secret, Username: "u", Password: secret}
		change(o)
		return []Auth{{Scheme: "bearer", OAuth: o}}
	}
	basic := Auth{Scheme: "basic", User: "u", Password: secret}
	token := Auth{Scheme: "access-token", Secret: secret}
	const https = "https://hooks.example.com/care"
	for name, c := range map[string]struct {
		url, settings string
		events        []string
		auth          []Auth
		want          []string // fields of the problems
	}{
		"the form":                      {https, `{"entity":"Object","triggers":["OnNew","OnNewActivity"],"activity_types":[2,"StatusChange","19"],"include_complete_data":true,"protocol":"rest","format":"xml","retries":0,"request_id":true}`, nil, []Auth{basic}, nil},
		"nothing chosen":                {https, ``, nil, nil, nil},
		"no name":                       {https, `{}`, []string{"-"}, nil, []string{"name", "events"}},
		"http":                          {"http://hooks.example.com/", `{}`, nil, nil, []string{"url"}},
		"http for an older account":     {"http://hooks.example.com/", `{"allow_http":true}`, nil, nil, nil},
		"https in capitals":             {"HTTPS://hooks.example.com/", `{}`, nil, nil, nil},
		"no URL":                        {"", `{}`, nil, nil, []string{"url"}},
		"no host":                       {"https:///x", `{}`, nil, nil, []string{"url"}},
		"another scheme":                {"ftp://h/" + secret, `{"allow_http":true}`, nil, nil, []string{"url"}},
		"a broken URL":                  {"https://h/%zz" + secret, `{}`, nil, nil, []string{"url"}},
		"events":                        {https, `{}`, []string{"Object.OnNew", "User.OnUpdate"}, nil, nil},
		"unknown event":                 {https, `{}`, []string{"Object.OnGone"}, nil, []string{"events"}},
		"events that agree":             {https, `{"entity":"User","triggers":["OnNew","OnUpdate"]}`, []string{"User.OnNew"}, nil, nil},
		"events that do not":            {https, `{"entity":"User","triggers":["OnNew"]}`, []string{"User.OnUpdate"}, nil, []string{"events"}},
		"unknown entity":                {https, `{"entity":"Order","triggers":["OnNew"]}`, nil, nil, []string{"settings.entity"}},
		"entity in small letters":       {https, `{"entity":"user","triggers":["OnNew"]}`, nil, nil, []string{"settings.entity"}},
		"no trigger":                    {https, `{"entity":"User"}`, nil, nil, []string{"settings.triggers"}},
		"another entity's trigger":      {https, `{"entity":"User","triggers":["OnNewActivity"]}`, nil, nil, []string{"settings.triggers"}},
		"triggers without entity":       {https, `{"triggers":["OnNew"]}`, nil, nil, []string{"settings.entity"}},
		"types without the trigger":     {https, `{"entity":"Object","triggers":["OnNew"],"activity_types":[1]}`, nil, nil, []string{"settings.activity_types"}},
		"type 24":                       {https, `{"entity":"Object","triggers":["OnNewActivity"],"activity_types":[24]}`, nil, nil, []string{"settings.activity_types"}},
		"type null":                     {https, `{"entity":"Object","triggers":["OnNewActivity"],"activity_types":[null]}`, nil, nil, []string{"settings.activity_types"}},
		"unknown type":                  {https, `{"entity":"Object","triggers":["OnNewActivity"],"activity_types":["Dance"]}`, nil, nil, []string{"settings.activity_types"}},
		"unknown setting":               {https, `{"colour":"red"}`, nil, nil, []string{"settings"}},
		"settings of the wrong type":    {https, `{"retries":"2"}`, nil, nil, []string{"settings.retries"}},
		"half a retry":                  {https, `{"retries":2.5}`, nil, nil, []string{"settings.retries"}},
		"settings that are no object":   {https, `[]`, nil, nil, []string{"settings"}},
		"six retries":                   {https, `{"retries":6}`, nil, nil, []string{"settings.retries"}},
		"minus one retry":               {https, `{"retries":-1}`, nil, nil, []string{"settings.retries"}},
		"SOAP":                          {https, `{"protocol":"soap","format":"xml","soap_version":"1.1","soap_parameters":[{"name":"apiKey","value":"k"},{"name":"a_b-c.1","value":""}]}`, nil, nil, nil},
		"SOAP in JSON":                  {https, `{"protocol":"soap","format":"json"}`, nil, nil, []string{"settings.format"}},
		"SOAP with payload":             {https, `{"protocol":"soap","root":"payload"}`, nil, nil, []string{"settings.root"}},
		"parameter names":               {https, `{"protocol":"soap","soap_parameters":[{"name":"1a"},{"name":"a b"},{"name":"a:b"},{"name":"xmlns"},{"name":""},{"name":"Event"}]}`, nil, nil, slices.Repeat([]string{"settings.soap_parameters"}, 6)},
		"parameters without SOAP":       {https, `{"soap_parameters":[{"name":"a"}]}`, nil, nil, []string{"settings.soap_parameters"}},
		"a version without SOAP":        {https, `{"soap_version":"1.2"}`, nil, nil, []string{"settings.soap_version"}},
		"unknown shapes":                {https, `{"protocol":"grpc","format":"yaml","root":"x"}`, nil, nil, []string{"settings.protocol", "settings.root", "settings.format"}},
		"tag update name":               {https, `{"tag_update_name":"On Edit"}`, nil, nil, []string{"settings.tag_update_name"}},
		"none":                          {https, `{}`, nil, []Auth{{Scheme: "none"}}, nil},
		"unknown scheme":                {https, `{}`, nil, []Auth{{Scheme: "hub-signature", Secret: secret}}, []string{"auth"}},
		"two of one kind":               {https, `{}`, nil, []Auth{basic, token}, []string{"auth"}},
		"a certificate beside":          {https, `{}`, nil, []Auth{token, {Scheme: "client-certificate", Certificate: certificate, CertificateKey: key}}, nil},
		"another certificate's key":     {https, `{}`, nil, []Auth{{Scheme: "client-certificate", Certificate: certificate, CertificateKey: otherKey}}, []string{"auth"}},
		"no certificate":                {https, `{}`, nil, []Auth{{Scheme: "client-certificate", CertificateKey: secret}}, []string{"auth"}},
		"basic without user":            {https, `{}`, nil, []Auth{{Scheme: "basic", Password: secret}}, []string{"auth"}},
		"basic with a colon":            {https, `{}`, nil, []Auth{{Scheme: "basic", User: secret + ":x", Password: secret}}, []string{"auth"}},
		"no token":                      {https, `{}`, nil, []Auth{{Scheme: "access-token", Prefix: "Bearer"}}, []string{"auth"}},
		"a token that breaks out":       {https, `{}`, nil, []Auth{{Scheme: "access-token", Secret: secret + "\r\nX: y"}}, []string{"auth"}},
		"password grant":                {https, `{}`, nil, oauth(func(*OAuth) {}), nil},
		"client credentials":            {https, `{}`, nil, oauth(func(o *OAuth) { o.Grant, o.Username, o.Password, o.ClientAuth = "client_credentials", "", "", "header" }), nil},
		"password grant without user":   {https, `{}`, nil, oauth(func(o *OAuth) { o.Username = "" }), []string{"auth"}},
		"another grant":                 {https, `{}`, nil, oauth(func(o *OAuth) { o.Grant = "implicit" }), []string{"auth"}},
		"client nowhere":                {https, `{}`, nil, oauth(func(o *OAuth) { o.ClientAuth, o.ClientID = "query", "" }), []string{"auth", "auth"}},
		"token over http":               {https, `{}`, nil, oauth(func(o *OAuth) { o.TokenURL = "http://id.example.com/" + secret }), []string{"auth"}},
		"token over http, older":        {https, `{"allow_http":true}`, nil, oauth(func(o *OAuth) { o.TokenURL = "http://id.example.com/" }), nil},
		"bearer without credentials":    {https, `{}`, nil, []Auth{{Scheme: "bearer"}}, []string{"auth"}},
		"bearer that we sign ourselves": {https, `{}`, nil, []Auth{{Scheme: "bearer", Keys: []Key{{ID: "k"}}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Subscription{Name: "care", URL: c.url, Events: c.events, Auth: c.auth, Settings: json.RawMessage(c.settings)}
			if name == "no name" {
				s.Name = ""
			}
			ps := commboxChecked(s)
			var fields []string
			for _, p := range ps {
				fields = append(fields, p.Field)
				if p.Message == "" {
					t.Errorf("%s: no message", p.Field)
				}
			}
			if !slices.Equal(fields, c.want) {
				t.Errorf("problems %v, want %v", ps, c.want)
			}
			if ps != nil && (strings.Contains(ps.Error(), secret) || strings.Contains(ps.Error(), "PRIVATE")) {
				t.Errorf("a secret in %v", ps)
			}
			if o := c.auth; len(o) > 0 && o[0].OAuth != nil && o[0].OAuth.ClientAuth == "" {
				t.Error("ClientAuth was not filled in")
			}
		})
	}
}

// The engine looks at Subscription.Retries alone, so that the setting must arrive there, and a list of other waits must not
// be lost.
func TestCommboxRetriesSetting(t *testing.T) {
	t.Parallel()
	w := 300 * time.Second
	own := []time.Duration{time.Second, w}
	for name, c := range map[string]struct {
		settings string
		before   []time.Duration
		want     []time.Duration
	}{
		"left out":                  {`{}`, nil, nil},
		"0":                         {`{"retries":0}`, nil, []time.Duration{}},
		"1":                         {`{"retries":1}`, nil, []time.Duration{w}},
		"2":                         {`{"retries":2}`, nil, []time.Duration{w, w}},
		"5":                         {`{"retries":5}`, nil, []time.Duration{w, w, w, w, w}},
		"changed later":             {`{"retries":1}`, []time.Duration{w, w}, []time.Duration{w}},
		"changed to none":           {`{"retries":0}`, []time.Duration{w, w}, []time.Duration{}},
		"overridden":                {`{"retries":4}`, own, own},
		"overridden without a rule": {`{}`, own, own},
	} {
		s := &Subscription{Name: "care", URL: "https://h.example.com/", Settings: json.RawMessage(c.settings), Retries: c.before}
		if ps := commboxChecked(s); ps != nil {
			t.Errorf("%s: %v", name, ps)
		}
		if !slices.Equal(s.Retries, c.want) || (s.Retries == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, s.Retries, c.want)
		}
	}
	if p := commbox(); !slices.Equal(p.retries, []time.Duration{w, w, w}) || p.timeout != 30*time.Second {
		t.Errorf("the defaults are %v and %v", p.retries, p.timeout)
	}
	for status, want := range map[int]bool{199: false, 200: true, 204: true, 299: true, 300: false, 301: false, 410: false, 500: false} {
		if got := commbox().success(status); got != want {
			t.Errorf("success of %d is %v", status, got)
		}
	}
}

func TestCommboxMatch(t *testing.T) {
	t.Parallel()
	activities := func(types ...string) string {
		for i, kind := range types {
			types[i] = `{"Id":"1","Type":` + kind + `}`
		}
		if len(types) == 1 {
			return `{"Activities":{"Activity":` + types[0] + `}}`
		}
		return `{"Activities":{"Activity":[` + strings.Join(types, ",") + `]}}`
	}
	const narrow = `{"entity":"Object","triggers":["OnNew","OnNewActivity"],"activity_types":["StatusChange",7]}`
	for name, c := range map[string]struct {
		settings string
		events   []string
		native   string
		payload  string
		want     bool
	}{
		"a trigger":              {`{"entity":"User","triggers":["OnNew"]}`, nil, "User.OnNew", `{}`, true},
		"not a trigger":          {`{"entity":"User","triggers":["OnNew"]}`, nil, "User.OnUpdate", `{}`, false},
		"another entity":         {`{"entity":"User","triggers":["OnNew"]}`, nil, "Object.OnNew", `{}`, false},
		"of two triggers":        {`{"entity":"User","triggers":["OnNew","OnUpdate"]}`, nil, "User.OnUpdate", `{}`, true},
		"no choice is all":       {``, nil, "Chat.OnUserExit", `{}`, true},
		"an event":               {`{}`, []string{"Tag.OnAdd", "Chat.OnUserExit"}, "Chat.OnUserExit", `{}`, true},
		"not an event":           {`{}`, []string{"Tag.OnAdd"}, "Chat.OnUserExit", `{}`, false},
		"any type":               {`{"entity":"Object","triggers":["OnNewActivity"]}`, nil, commboxNewActivity, activities(`"20"`), true},
		"a type by name":         {narrow, nil, commboxNewActivity, activities(`"2"`), true},
		"a type by number":       {narrow, nil, commboxNewActivity, activities(`7`), true},
		"another type":           {narrow, nil, commboxNewActivity, activities(`"17"`), false},
		"no type":                {narrow, nil, commboxNewActivity, `{"Activities":{"Activity":{"Id":"2"}}}`, false},
		"no activity":            {narrow, nil, commboxNewActivity, `{"Type":"2"}`, false},
		"one of several":         {narrow, nil, commboxNewActivity, activities(`1`, `7`), true},
		"none of several":        {narrow, nil, commboxNewActivity, activities(`1`, `3`), false},
		"types leave the others": {narrow, nil, "Object.OnNew", `{"Type":"5"}`, true},
		"types with events":      {`{"activity_types":[2]}`, []string{commboxNewActivity}, commboxNewActivity, activities(`3`), false},
		"a broken payload":       {narrow, nil, commboxNewActivity, `{`, false},
	} {
		s := &Subscription{Events: c.events, Settings: json.RawMessage(c.settings)}
		if got := commbox().match(s, &Event{Type: c.native, Payload: json.RawMessage(c.payload)}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCommboxComplete(t *testing.T) {
	t.Parallel()
	now := commboxAt(t)
	for name, c := range map[string]struct{ native, payload, want string }{
		"unknown event":      {"Object.OnGone", `{}`, "type"},
		"no payload":         {"User.OnNew", ``, "payload"},
		"no JSON":            {"User.OnNew", `{"Id":1`, "payload"},
		"two values":         {"User.OnNew", `{} {}`, "payload"},
		"a list":             {"User.OnNew", `[]`, "payload"},
		"null":               {"User.OnNew", `null`, "payload"},
		"the wrapper":        {"User.OnNew", `{"User":{"Id":1}}`, "payload"},
		"a bad name":         {"User.OnNew", `{"a b":1}`, "payload"},
		"a bad name deeper":  {"User.OnNew", `{"a":[{"<":1}]}`, "payload"},
		"a reserved name":    {"User.OnNew", `{"XmlNs":1}`, "payload"},
		"no name":            {"User.OnNew", `{"":1}`, "payload"},
		"a name twice":       {"User.OnNew", `{"Id":1,"Id":2}`, "payload"},
		"a list of lists":    {"User.OnNew", `{"a":[[1]]}`, "payload"},
		"too deep":           {"User.OnNew", strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40), "payload"},
		"far too deep":       {"User.OnNew", strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat(`}`, 9000), "payload"},
		"a deep document":    {"User.OnNew", `{"Content":` + strings.Repeat(`{"a b":[`, 40) + strings.Repeat(`]}`, 40) + `}`, ""},
		"deep enough":        {"User.OnNew", strings.Repeat(`{"a":`, 16) + `1` + strings.Repeat(`}`, 16), ""},
		"nothing but braces": {"User.OnNew", ` {} `, ""},
	} {
		e := Event{Type: c.native, Payload: json.RawMessage(c.payload)}
		err := commbox().complete(&e, now)
		ps, _ := err.(hookgate.Problems)
		if (err == nil) != (c.want == "") || err != nil && (len(ps) != 1 || ps[0].Field != c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommboxCompleteFillsIn(t *testing.T) {
	t.Parallel()
	now, at := commboxAt(t), time.Date(2025, 12, 31, 23, 59, 58, 0, time.FixedZone("", -3600))
	for name, c := range map[string]struct {
		native, payload string
		at              time.Time
		want            string
	}{
		"an object's date":   {"Object.OnNew", `{"Id":1,"Read":true}`, at, `{"Id":"1","Read":"True","CreateDate":"2026-01-01 00:59:58"}`},
		"now":                {"Object.OnNew", `{}`, time.Time{}, `{"CreateDate":"2026-03-09 07:07:06"}`},
		"a child's":          {"Object.OnNewChild", `{"Children":{"Child":{"Id":2}}}`, at, `{"Children":{"Child":{"Id":"2","CreateDate":"01-01-2026 00:59:58"}}}`},
		"several activities": {commboxNewActivity, `{"Activities":{"Activity":[{"Id":2,"CreateDate":"x"},{"Data":{"n":1.50}}]}}`, at, `{"Activities":{"Activity":[{"Id":"2","CreateDate":"x"},{"Data":{"n":1.50},"CreateDate":"01-01-2026 00:59:58"}]}}`},
		"a date of its own":  {"Object.OnNew", `{"CreateDate": "x"}`, at, `{"CreateDate": "x"}`},
		"an event without":   {"User.OnNew", `{"Id": 1}`, at, `{"Id": 1}`},
	} {
		e := Event{Type: c.native, Payload: json.RawMessage(c.payload), Time: c.at}
		if err := commbox().complete(&e, now); err != nil {
			t.Fatal(name, err)
		}
		if string(e.Payload) != c.want {
			t.Errorf("%s: %s", name, e.Payload)
		}
		if want := c.at; want.IsZero() && !e.Time.Equal(now) || !want.IsZero() && !e.Time.Equal(want) {
			t.Errorf("%s: time %v", name, e.Time)
		}
		if len(e.ID) != 36 {
			t.Errorf("%s: id %q", name, e.ID)
		}
	}
	e := Event{Type: "Tag.OnAdd", Payload: json.RawMessage(`{"requestId":"r-1"}`)}
	if err := commbox().complete(&e, now); err != nil || e.ID != "r-1" {
		t.Errorf("id %q, %v", e.ID, err)
	}
}

func FuzzCommboxPayload(f *testing.F) {
	f.Add("Object.OnNew", `{"Id":1,"Content":{"a":[]},"User":[{"Id":"<&\u0000"}]}`)
	f.Add(commboxUserTag, `{"Id":9007199254740993,"Content":"{}","Tags":{"Tag":[{},"x",null]}}`)
	f.Fuzz(func(t *testing.T, native, payload string) {
		e := Event{Type: native, Account: payload, Payload: json.RawMessage(payload)}
		if commbox().complete(&e, time.Unix(1, 0)) != nil {
			return
		}
		for _, settings := range []string{`{}`, `{"format":"xml"}`, `{"protocol":"soap"}`, `{"format":"xml","include_complete_data":false}`, `{"include_complete_data":false}`} {
			s := &Subscription{Settings: json.RawMessage(settings)}
			_, body, err := commbox().write(s, &Delivery{Events: []Event{e}}, 1)
			if err != nil {
				t.Fatalf("%s: %v", settings, err)
			}
			if body[0] == '<' {
				commboxXMLLeaves(t, string(body))
			} else if !json.Valid(body) {
				t.Fatalf("no JSON: %s", body)
			}
			commbox().match(s, &e)
		}
	})
}
