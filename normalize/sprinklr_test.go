package normalize_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

func TestSprinklrSubject(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ typ, payload, subject string }{
		"payload is the id":                    {"campaign.deleted", `"4700_1"`, "4700_1"},
		"payload is a number":                  {"user.deleted", `1474307`, "1474307"},
		"payload should be the id and is none": {"user.deleted", `{"id":"1"}`, ""},
		"unknown type, object":                 {"queue.item.escalated", `{"id":9007199254740993}`, "9007199254740993"},
		"unknown type, text":                   {"queue.item.escalated", `"q1"`, "q1"},
		"unknown type, number":                 {"queue.item.escalated", `-14`, "-14"},
		"unknown type, list":                   {"queue.item.escalated", `["q1"]`, ""},
		"id above 2^53":                        {"draft.created", `{"id":18446744073709551617}`, "18446744073709551617"},
		"message id of another name":           {"message.created", `{"id":"no","MessageId":"no","messageId":"yes"}`, "yes"},
		"null":                                 {"case.create", `{"id":null}`, ""},
		"no payload object":                    {"case.create", `null`, ""},
		"control characters":                   {"case.create", `{"id":"a\r\nNats-Msg-Id: b"}`, "a\ufffd\ufffdNats-Msg-Id: b"},
	} {
		e := one(t, "sprinklr", fmt.Sprintf(`{"id":"1","type":%q,"payload":%s}`, c.typ, c.payload))
		if e.Subject != c.subject {
			t.Errorf("%s: subject %q, want %q", name, e.Subject, c.subject)
		}
	}
}

func TestSprinklrIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ members, want string }{
		"all three":                         {`"id":"1","type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "subscriptionId s id 1 type case.create"},
		"numbers":                           {`"id":9007199254740993,"type":"t","subscriptionDetails":{"subscriptionId":12}`, "subscriptionId 12 id 9007199254740993 type t"},
		"no subscription":                   {`"id":"1","type":"case.create"`, "digest"},
		"subscription no object":            {`"id":"1","type":"case.create","subscriptionDetails":"s"`, "digest"},
		"empty subscription":                {`"id":"1","type":"case.create","subscriptionDetails":{"subscriptionId":""}`, "digest"},
		"null id":                           {`"id":null,"type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"no id":                             {`"type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"id of another case":                {`"Id":"1","ID":"1","type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"id is an object":                   {`"id":{"id":1},"type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"id is true":                        {`"id":true,"type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"no type":                           {`"id":"1","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"escapes":                           {`"\u0069d":"\u0031","type":"case\u002ecreate","subscriptionDetails":{"subscriptionId":"s"}`, "subscriptionId s id 1 type case.create"},
		"half a surrogate pair":             {`"id":"\ud800","type":"case.create","subscriptionDetails":{"subscriptionId":"s"}`, "digest"},
		"invalid UTF-8":                     {"\"id\":\"a\xffb\",\"type\":\"case.create\",\"subscriptionDetails\":{\"subscriptionId\":\"s\"}", "digest"},
		"invalid UTF-8 in the subscription": {"\"id\":\"1\",\"type\":\"case.create\",\"subscriptionDetails\":{\"subscriptionId\":\"\xff\"}", "digest"},
	} {
		e := one(t, "sprinklr", "{"+c.members+"}")
		got := strings.Join(identity(e), " ")
		if c.want == "digest" {
			if e.Identity[0].Name != "digest" || len(e.Identity[0].Value) != 64 {
				t.Errorf("%s: identity %s, want the digest", name, got)
			}
		} else if got != c.want {
			t.Errorf("%s: identity %s, want %s", name, got, c.want)
		}
	}
}

// The page of comments prints one id for the created and the updated one.
func TestD05_SprinklrIdIsSharedByTypes(t *testing.T) {
	t.Parallel()
	body := func(typ string) string {
		return `{"id":"1","type":"` + typ + `","subscriptionDetails":{"subscriptionId":"s"}}`
	}
	if one(t, "sprinklr", body("comment.created")).ID == one(t, "sprinklr", body("comment.updated")).ID {
		t.Error("two events have one id")
	}
}

func TestSprinklrWrapper(t *testing.T) {
	t.Parallel()
	const inner = `{ "type":"case.create", "payload":{"id":"9"} }`
	for name, c := range map[string]struct{ body, data, typ string }{
		"wrapped":                  {` {"data": ` + inner + ` } `, inner, "sprinklr.case.create"},
		"with other members":       {`{"x":1,"data":` + inner + `,"y":2}`, inner, "sprinklr.case.create"},
		"bare":                     {"\n" + inner + "\t", inner, "sprinklr.case.create"},
		"empty type":               {`{"type":"","data":` + inner + `}`, inner, "sprinklr.case.create"},
		"null type":                {`{"type":null,"data":` + inner + `}`, inner, "sprinklr.case.create"},
		"its own type":             {`{"type":"task.update","data":` + inner + `}`, `{"type":"task.update","data":` + inner + `}`, "sprinklr.task.update"},
		"type that is no text":     {`{"type":{},"data":` + inner + `}`, `{"type":{},"data":` + inner + `}`, "sprinklr.unknown"},
		"data is a list":           {`{"data":[` + inner + `]}`, `{"data":[` + inner + `]}`, "sprinklr.unknown"},
		"twice wrapped: once open": {`{"data":{"data":` + inner + `}}`, `{"data":` + inner + `}`, "sprinklr.unknown"},
		"Data":                     {`{"Data":` + inner + `}`, `{"Data":` + inner + `}`, "sprinklr.unknown"},
	} {
		e := one(t, "sprinklr", c.body)
		if string(e.Data) != c.data || e.Type != c.typ {
			t.Errorf("%s: %s with data %s", name, e.Type, e.Data)
		}
	}
	a, b := one(t, "sprinklr", `{"data":`+inner+`}`), one(t, "sprinklr", inner)
	if !slices.Equal(identity(a), identity(b)) {
		t.Errorf("the wrapper changes the identity: %v, %v", identity(a), identity(b))
	}
}

func TestSprinklrTimes(t *testing.T) {
	t.Parallel()
	const object = "6650a2b0c3d4e5f607182931" // its first four bytes are 1716560560
	for name, c := range map[string]struct {
		id, eventTime string
		subscription  bool
		source        string
		identityTime  int64
	}{
		"of the id":                   {object, `1716560999020`, true, hookgate.TimeFromEvent, 1716560560},
		"upper case":                  {strings.ToUpper(object), `1716560999020`, true, hookgate.TimeFromEvent, 1716560560},
		"digits as text":              {object, `"1716560999020"`, true, hookgate.TimeFromEvent, 1716560560},
		"of the id, event time wrong": {object, `1474307`, true, hookgate.TimeReceived, 1716560560},
		"id of 23 digits":             {object[1:], `1716560999020`, true, hookgate.TimeFromEvent, 0},
		"id that is not hexadecimal":  {"x" + object[1:], `1716560999020`, true, hookgate.TimeFromEvent, 0},
		"not hexadecimal at the end":  {object[:23] + "g", `1716560999020`, true, hookgate.TimeFromEvent, 0},
		"id of before 2000":           {"386d437f" + object[8:], `1716560999020`, true, hookgate.TimeFromEvent, 0},
		"id of 2000":                  {"386d4380" + object[8:], `1716560999020`, true, hookgate.TimeFromEvent, 946684800},
		"id of 2106":                  {"ffffffff" + object[8:], `1716560999020`, true, hookgate.TimeFromEvent, 4294967295},
		"digest":                      {object, `1716560999020`, false, hookgate.TimeFromEvent, 1716560999},
		"digest, event time wrong":    {object, `1.716560999020e12`, false, hookgate.TimeReceived, 0},
		"digest, no event time":       {object, `null`, false, hookgate.TimeReceived, 0},
	} {
		body := fmt.Sprintf(`{"id":%q,"type":"case.create","eventTime":%s`, c.id, c.eventTime)
		if c.subscription {
			body += `,"subscriptionDetails":{"subscriptionId":"s"}`
		}
		e := one(t, "sprinklr", body+"}")
		if e.TimeSource != c.source || e.IdentityTime/1_000_000 != c.identityTime {
			t.Errorf("%s: time from %s, identity time %d, want %s, %d", name, e.TimeSource, e.IdentityTime, c.source, c.identityTime)
		}
		if c.source == hookgate.TimeReceived && !e.Time.Equal(receivedAt) {
			t.Errorf("%s: time %v", name, e.Time)
		}
	}
}

func TestSprinklrIdentityTimeFollowsTheCounter(t *testing.T) {
	t.Parallel()
	var last int64
	for _, id := range []string{"6650a2b0c3d4e5f607000000", "6650a2b0aaaaaaaaaa182931", "6650a2b0c3d4e5f607ffffff", "6650a2b1c3d4e5f607000000"} {
		e := seal(t, "sprinklr", "test", request(`{"id":"`+id+`","type":"case.update","subscriptionDetails":{"subscriptionId":"s"}}`), nil)
		if e.IdentityTime <= last {
			t.Errorf("%s: %d does not follow %d", id, e.IdentityTime, last)
		}
		last = e.IdentityTime
	}
}
