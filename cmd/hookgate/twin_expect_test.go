package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// expect is the envelope that a sent event must come out as, as far as the sender knows it: by the taxonomy's paths, read
// here in another way than the gateway reads them.
func expect(t *testing.T, taxonomy map[string]map[string]string, sub subscription, delivery, native, id, account string, at time.Time, payload json.RawMessage, attributes map[string]string) object {
	t.Helper()
	kind, ok := taxonomy[sub.provider+" "+native]
	typ := kind["type"]
	if !ok { // a channel that the taxonomy stands a star for
		parts := strings.Split(native, ".")
		kind, ok = taxonomy[sub.provider+" "+parts[0]+".*."+parts[len(parts)-1]]
		typ = sub.provider + "." + native
	}
	if !ok {
		t.Fatalf("the taxonomy has no %s of %s", native, sub.provider)
	}
	root := object{"payload": decode(t, payload), "entity": decode(t, payload), "entity_id": attributes["entity_id"]}
	subject := kind["subject_path"]
	switch sub.provider {
	case "netcore":
		root = decode(t, payload).(object)
	case "commbox":
		entity, _, _ := strings.Cut(native, ".")
		root = object{entity: decode(t, payload)}
		if path, ok := strings.CutSuffix(subject, ".Id"); ok { // Chat events print it in lower case
			subject += "|" + path + ".id"
		}
	}
	e := object{
		"specversion": "1.0", "type": typ, "source": "/hookgate/" + sub.provider + "/" + sub.source, "provider": sub.provider,
		"entitytype": kind["entitytype"], "action": kind["action"], "attempt": json.Number("1"), "verifiedby": sub.verifiedby,
	}
	if s := at1(root, subject); s != "" {
		e["subject"], e["entityid"] = s, s
	}
	switch sub.provider {
	case "sprinklr":
		e["tenant"], e["nativeid"], e["time"] = sub.id, id, stamp(at)
	case "salesiq":
		e["tenant"], e["time"] = account, stamp(at)
	case "commbox", "netcore":
		e["tenant"] = account
	case "bird":
		e["nativeid"] = delivery
		if org := at1(root, "payload.organizationId"); org != "" {
			e["tenant"] = org
		}
	}
	if when, ok := moment(at1(root, kind["time_path"])); ok {
		e["time"] = stamp(when)
	}
	for name, value := range e {
		if value == "" {
			delete(e, name)
		}
	}
	text := func(name string) string { s, _ := e[name].(string); return s }
	e["partitionkey"] = text("tenant") + "/" + text("entitytype") + "/" + text("subject")
	e["payload"] = decode(t, payload)
	return e
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// at1 follows the first of the paths that leads to a text or a number.
func at1(root any, paths string) string {
	for path := range strings.SplitSeq(paths, "|") {
		v := root
		for step := range strings.SplitSeq(path, ".") {
			if list, ok := v.([]any); ok && len(list) > 0 {
				v = list[0]
			}
			m, _ := v.(object)
			v = m[step]
		}
		switch v := v.(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// moment reads a time in any of the forms that the providers write.
func moment(text string) (time.Time, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) == 13 {
		return time.UnixMilli(n), true
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	for _, form := range []string{"2006-01-02 15:04:05", "02-01-2006 15:04:05", "01/02/2006 15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	kolkata := time.FixedZone("", 5*3600+1800)
	for _, form := range []string{"2006-01-02T15:04:05", "060102150405"} {
		if t, err := time.ParseInLocation(form, text, kolkata); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	if len(b) == 0 {
		return nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

var (
	eventID = regexp.MustCompile(`^[0-9a-f]{32}$`)
	digest  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// compareEnvelope holds an envelope against what is expected, member by member, and its data against what was sent.
func compareEnvelope(t *testing.T, source string, want, got object) {
	t.Helper()
	what := fmt.Sprintf("%s %s", source, want["type"])
	payload := want["payload"]
	delete(want, "payload")
	if id, _ := got["id"].(string); !eventID.MatchString(id) {
		t.Errorf("%s: id %q", what, id)
	}
	if sum, _ := got["rawsha256"].(string); !digest.MatchString(sum) {
		t.Errorf("%s: rawsha256 %q", what, sum)
	}
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s: %s is %v, want %v", what, name, got[name], value)
		}
	}
	for name := range got {
		_, known := want[name]
		switch name {
		case "id", "rawsha256", "data", "datacontenttype", "receivedtime", "timesource", "keyid":
		case "time": // of events without one of their own
		case "nativeid":
			if known || strings.HasPrefix(source, "commbox") { // its requestId
				continue
			}
			t.Errorf("%s: a nativeid %v that nobody sent", what, got[name])
		default:
			if !known {
				t.Errorf("%s: %s is %v, want none", what, name, got[name])
			}
		}
	}
	data, _ := got["data"].(object)
	provider, _, _ := strings.Cut(source, "-")
	switch provider {
	case "sprinklr", "bird":
		comparePayload(t, what, data["payload"], payload)
	case "salesiq":
		comparePayload(t, what, data["entity"], payload)
	case "netcore":
		comparePayload(t, what, got["data"], payload)
	}
}

func comparePayload(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: the payload came out as %v, want %v", what, got, want)
	}
}

func newKeyPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("PRIVATE KEY", der), block("PUBLIC KEY", pub)
}
