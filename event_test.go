package hookgate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// The id was computed by hand from its definition: printf of each length and text into sha256sum.
func TestEventIDIsTheDocumentedHash(t *testing.T) {
	t.Parallel()
	got := hookgate.EventID("sprinklr", "test", []hookgate.Field{{Name: "subscriptionId", Value: "s"}, {Name: "id", Value: "1"}, {Name: "type", Value: "case.create"}})
	if want := "d15b33a32e2d1d78d7c180c323c6ac2c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestD04_FieldsCannotRunIntoEachOther(t *testing.T) {
	t.Parallel()
	field := func(pairs ...string) (fs []hookgate.Field) {
		for i := 0; i < len(pairs); i += 2 {
			fs = append(fs, hookgate.Field{Name: pairs[i], Value: pairs[i+1]})
		}
		return fs
	}
	seen := make(map[string]string)
	for name, id := range map[string]string{
		"a=1,b=23":     hookgate.EventID("p", "s", field("a", "1", "b", "23")),
		"a=12,b=3":     hookgate.EventID("p", "s", field("a", "12", "b", "3")),
		"b=3,a=12":     hookgate.EventID("p", "s", field("b", "3", "a", "12")),
		"D10 source":   hookgate.EventID("p", "s2", field("a", "1", "b", "23")),
		"D10 provider": hookgate.EventID("p2", "s", field("a", "1", "b", "23")),
		"shifted":      hookgate.EventID("ps", "", field("a", "1", "b", "23")),
	} {
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s have one id", name, other)
		}
		seen[id] = name
	}
	want := hookgate.EventID("p", "s", field("a", "1", "b", "23"))
	for range 1000 {
		if hookgate.EventID("p", "s", field("a", "1", "b", "23")) != want {
			t.Fatal("the id is not stable")
		}
	}
}

func TestSealNamesTheAttemptOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	seal := func(perAttempt bool, attempt int) string {
		e := &hookgate.Event{Identity: hookgate.DigestIdentity([]byte("x")), Attempt: attempt, Data: []byte("x")}
		e.Seal(&hookgate.Source{Name: "s", Provider: "p", PerAttempt: perAttempt}, &hookgate.Request{}, nil)
		return e.ID
	}
	if seal(false, 1) != seal(false, 2) {
		t.Error("the attempt changes the id")
	}
	if !strings.HasSuffix(seal(true, 2), "-2") || len(seal(true, 2)) != 34 {
		t.Errorf("per attempt the id is %q", seal(true, 2))
	}
}

func TestB14_ControlCharactersNeverReachAnAttribute(t *testing.T) {
	t.Parallel()
	e := &hookgate.Event{Type: "sprinklr.a\x00b", Subject: "1\r\nNats-Msg-Id: x", Tenant: "a\xffb", NativeID: "\u0085", Identity: hookgate.DigestIdentity(nil)}
	e.Seal(&hookgate.Source{Name: "s", Provider: "sprinklr"}, &hookgate.Request{ReceivedAt: time.Unix(0, 0)}, nil)
	e.Attributes(func(name, value string) {
		if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x85 }) {
			t.Errorf("%s holds %q", name, value)
		}
	})
}

func TestL02_SecretsNeverPrint(t *testing.T) {
	t.Parallel()
	const canary = "canary-5f2c"
	s := hookgate.NewSecret([]byte(canary), "env:PSK")
	holder := struct {
		S  hookgate.Secret
		P  *hookgate.Secret
		In hookgate.AuthSettings
	}{s, &s, hookgate.AuthSettings{Secrets: []hookgate.Secret{s}}}
	marshalled, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		string(marshalled), s.String(), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v %s", holder, holder, holder, holder.In.Secrets),
	} {
		if strings.Contains(printed, canary) || strings.Contains(printed, fmt.Sprintf("%x", canary)) || strings.Contains(printed, "99 97 110") {
			t.Errorf("printed as %s", printed)
		}
	}
}

func TestS02_AnEmptySecretEqualsNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"x", "x", true}, {"x", "y", false}, {"x", "xx", false}, {"", "", false}, {"x", "", false}, {"", "x", false}} {
		if got := hookgate.SecretEqual([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("SecretEqual(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
