package normalize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
)

// salesiqBody has every field of the identity; each case changes some text of it.
const salesiqBody = `{"webhook":{"id":"w"},"org_id":"o","app_id":8000000000047,"event":"conversation.operator.replied","entity_id":"e","event_time":1716560000268,"attempt":1,"entity":{"id":"i","message":{"msgid":"m"}}}`

const salesiqFields = "webhook.id w org_id o app_id 8000000000047 event conversation.operator.replied entity_id e event_time 1716560000268 entity.message.msgid m"

func TestSalesiqIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"all fields":                 {"", "", salesiqFields},
		"another attempt":            {`"attempt":1`, `"attempt":2`, salesiqFields},
		"the number as text":         {`8000000000047`, `"8000000000047"`, salesiqFields},
		"the time as text":           {`1716560000268`, `"1716560000268"`, salesiqFields},
		"another text":               {`"msgid":"m"`, `"msgid":"m","text":"edited"`, salesiqFields},
		"app_id above 2^53":          {`8000000000047`, `9007199254740993`, strings.Replace(salesiqFields, "8000000000047", "9007199254740993", 1)},
		"app_id just below it":       {`8000000000047`, `9007199254740992`, strings.Replace(salesiqFields, "8000000000047", "9007199254740992", 1)},
		"1e400":                      {`8000000000047`, `1e400`, strings.Replace(salesiqFields, "8000000000047", "1e400", 1)},
		"-0":                         {`8000000000047`, `-0`, strings.Replace(salesiqFields, "8000000000047", "-0", 1)},
		"1.0":                        {`8000000000047`, `1.0`, strings.Replace(salesiqFields, "8000000000047", "1.0", 1)},
		"no webhook":                 {`{"id":"w"}`, `null`, strings.TrimPrefix(salesiqFields, "webhook.id w ")},
		"empty webhook":              {`{"id":"w"}`, `{"id":""}`, strings.TrimPrefix(salesiqFields, "webhook.id w ")},
		"no organisation":            {`"org_id":"o"`, `"org_id":null`, strings.Replace(salesiqFields, "org_id o ", "", 1)},
		"no app":                     {`"app_id":8000000000047,`, ``, strings.Replace(salesiqFields, "app_id 8000000000047 ", "", 1)},
		"no message":                 {`,"message":{"msgid":"m"}`, ``, strings.TrimSuffix(salesiqFields, " entity.message.msgid m")},
		"no event":                   {`"event":"conversation.operator.replied",`, ``, "digest"},
		"empty entity_id":            {`"entity_id":"e"`, `"entity_id":""`, "digest"},
		"entity_id of another case":  {`"entity_id":"e"`, `"Entity_Id":"e"`, "digest"},
		"no event_time":              {`1716560000268`, `null`, "digest"},
		"invalid UTF-8 in the msgid": {`"msgid":"m"`, "\"msgid\":\"m\xff\"", "digest"},
		"half a pair in the org":     {`"org_id":"o"`, `"org_id":"\ud83d"`, "digest"},
	} {
		e := one(t, "salesiq", strings.Replace(salesiqBody, c.old, c.new, 1))
		got := strings.Join(identity(e), " ")
		if got != c.want && !(c.want == "digest" && e.Identity[0].Name == "digest") {
			t.Errorf("%s: identity %s, want %s", name, got, c.want)
		}
		if e.NativeID != "" {
			t.Errorf("%s: nativeid %q, SalesIQ has none", name, e.NativeID)
		}
	}
}

func TestSalesiqAttributes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new, subject string
		attempt           int
		source            string
		identityTime      int64
	}{
		"as documented":        {"", "", "e", 1, hookgate.TimeFromEvent, 1716560000},
		"attempt as text":      {`"attempt":1`, `"attempt":"3"`, "e", 3, hookgate.TimeFromEvent, 1716560000},
		"attempt nonsense":     {`"attempt":1`, `"attempt":"three"`, "e", 1, hookgate.TimeFromEvent, 1716560000},
		"attempt missing":      {`"attempt":1,`, ``, "e", 1, hookgate.TimeFromEvent, 1716560000},
		"id in the entity":     {`"entity_id":"e",`, ``, "i", 1, hookgate.TimeFromEvent, 1716560000}, // by digest, so the event's own time
		"empty entity_id":      {`"entity_id":"e"`, `"entity_id":""`, "i", 1, hookgate.TimeFromEvent, 1716560000},
		"no id at all":         {`"entity_id":"e","event_time":1716560000268,"attempt":1,"entity":{"id":"i",`, `"entity":{`, "", 1, hookgate.TimeReceived, 0},
		"a time that is none":  {`1716560000268`, `"soon"`, "e", 1, hookgate.TimeReceived, 0},
		"a time in seconds":    {`1716560000268`, `1716560000`, "e", 1, hookgate.TimeReceived, 0},
		"a time after 9999":    {`1716560000268`, `253402300800000`, "e", 1, hookgate.TimeReceived, 0},
		"the last time counts": {`1716560000268`, `253402300799999`, "e", 1, hookgate.TimeFromEvent, 253402300799},
	} {
		e := one(t, "salesiq", strings.Replace(salesiqBody, c.old, c.new, 1))
		if e.Subject != c.subject || e.Attempt != c.attempt || e.TimeSource != c.source || e.IdentityTime/1_000_000 != c.identityTime {
			t.Errorf("%s: %q, %d, %s, %d", name, e.Subject, e.Attempt, e.TimeSource, e.IdentityTime)
		}
		is(t, e, "tenant", "o")
		is(t, e, "partitionkey", fmt.Sprintf("o/conversation/%s", c.subject))
	}
}
