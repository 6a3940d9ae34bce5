package normalize_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// Elements as the provider's page prints them, with made-up contacts.
const (
	netcoreSMS = `{"channel":"sms","event":"delivered","custom_params":{"Action":"SMS Deliver"},"att_params":{"MOBILE":"9999999999"},"msgid":"1318","webhook_name":"wh1","event_params":{"foreignkey":"robin@example.com","timestamp":"2022-12-01T18:12:46","ts":221201181246,"name":"Test_SMS","mobile":"9999999999"},"journey_name":"Journey SMS"}`
	netcoreWeb = `{"channel":"custom_activity","custom_params":{},"att_params":{"CITY":"Thane&Kalyan","NOTE":"100%25 + more"},"msgid":"103","webhook_name":"wh2","payload_params":{"items":[{"price_s":9990.91}]},"event_params":{"activity_source":"web","ts":240524154805,"activity_id":103,"timestamp":"2024-05-24T15:48:05","foreignkey":"FK-1","identity":"ID-1"},"journey_name":"act"}`
)

// form encodes a batch as the provider does: RFC 3986, a space as %20.
func form(batch string) string {
	return "data=" + strings.ReplaceAll(url.QueryEscape(batch), "+", "%20")
}

func panel(elements ...string) string { return `{"shop_demo":[` + strings.Join(elements, ",") + `]}` }

var netcoreSeeds = []string{
	form(panel(netcoreSMS, netcoreWeb)), panel(netcoreWeb), `{"data":` + panel(netcoreSMS) + `}`,
	`{"data":"{\"a\":[{\"event\":\"open\"}]}"}`, "data=\"" + url.QueryEscape(`{"a":{"ts":"240524154805"},"b":[1,{}]}`) + "\"",
	"x=1&data=%7B%7D&y", "data=%5B%5D", `[]`,
}

func netcore(t testing.TB, body string) []*hookgate.Event {
	t.Helper()
	return reader(t, "netcore", normalize.Options{}).Normalize(request(body), nil)
}

func TestNetcoreBodies(t *testing.T) {
	t.Parallel()
	spaced := "{\n  \"channel\": \"sms\",\r\n  \"x\": [ 1.0, \"a/b\" ]\n}"
	quoted, _ := json.Marshal(panel(netcoreSMS))
	for name, c := range map[string]struct {
		body   string
		panels []string // the panel of each event
		data   []string
	}{
		"form":                      {form(panel(netcoreSMS, netcoreWeb)), []string{"shop_demo", "shop_demo"}, []string{netcoreSMS, netcoreWeb}},
		"form, + for a space":       {"data=" + url.QueryEscape(panel(netcoreSMS)), []string{"shop_demo"}, []string{netcoreSMS}},
		"form, lower-case hex":      {strings.ReplaceAll(strings.ReplaceAll(form(panel(netcoreSMS)), "%7B", "%7b"), "%3A", "%3a"), []string{"shop_demo"}, []string{netcoreSMS}},
		"form, every byte encoded":  {everyByte("data", panel(netcoreSMS)), []string{"shop_demo"}, []string{netcoreSMS}},
		"form, nothing encoded":     {"data=" + panel(netcoreSMS), []string{"shop_demo"}, []string{strings.ReplaceAll(netcoreSMS, "+", " ")}},
		"form, other fields":        {"a=%3D&&b;c=2&" + form(panel(netcoreSMS)) + "&x[data]=1&DATA=2", []string{"shop_demo"}, []string{netcoreSMS}},
		"form, in quotes":           {"data=%22" + url.QueryEscape(panel(netcoreSMS)) + "%22", []string{"shop_demo"}, []string{netcoreSMS}},
		"form, in bare quotes":      {`data="` + url.QueryEscape(panel(netcoreSMS)) + "\"\r\n", []string{"shop_demo"}, []string{netcoreSMS}},
		"inner white space is kept": {form(" { \"p\" :\n[ " + spaced + " ] } "), []string{"p"}, []string{spaced}},
		"several panels":            {form(`{"b":[{}],"a":[{"x":1},{"x":2}]}`), []string{"b", "a", "a"}, []string{`{}`, `{"x":1}`, `{"x":2}`}},
		"panel is an object":        {form(`{"a":{"x":1}}`), []string{"a"}, []string{`{"x":1}`}},
		"panel data in a form":      {form(`{"data":[{"x":1}]}`), []string{"data"}, []string{`{"x":1}`}},
		"panel data is an object":   {form(`{"data":{"x":1}}`), []string{"data"}, []string{`{"x":1}`}},
		"panel null beside one":     {form(`{"a":null,"b":[{}]}`), []string{"b"}, []string{`{}`}},
		"panel without a name":      {form(`{"":[{}]}`), []string{""}, []string{`{}`}},
		"JSON":                      {" \ufeff\n" + panel(netcoreSMS), []string{"shop_demo"}, []string{netcoreSMS}},
		"JSON, wrapped":             {`{"data":` + panel(netcoreSMS) + `}`, []string{"shop_demo"}, []string{netcoreSMS}},
		"JSON, wrapped as text":     {`{"data":` + string(quoted) + `}`, []string{"shop_demo"}, []string{netcoreSMS}},
		"JSON, list under data":     {`{"data":[{"x":1},{"x":2}]}`, []string{"data", "data"}, []string{`{"x":1}`, `{"x":2}`}},
		"JSON, wrapped with more":   {`{"data":{"a":[{}]},"b":[{"x":1}]}`, []string{"a", "b"}, []string{`{}`, `{"x":1}`}},
		"JSON, wrapped only once":   {`{"data":{"data":[{"x":1}]}}`, []string{"data"}, []string{`{"x":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var panels, data []string
			for _, e := range netcore(t, c.body) {
				if e.Quarantine != "" {
					t.Errorf("quarantined: %s", e.Quarantine)
				}
				panels, data = append(panels, e.Tenant), append(data, string(e.Data))
				if e.ContentType != hookgate.JSON {
					t.Errorf("content type %q", e.ContentType)
				}
			}
			if !slices.Equal(panels, c.panels) || !slices.Equal(data, c.data) {
				t.Errorf("panels %q, want %q\ndata %q, want %q", panels, c.panels, data, c.data)
			}
		})
	}
}

// everyByte percent-encodes name and value whole.
func everyByte(name, value string) string {
	encode := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(s[i])|0x100, 16)[1:]))
		}
		return b.String()
	}
	return encode(name) + "=" + encode(value)
}

// An empty batch is the provider's set-up call: no event, and so no trace.
func TestNetcoreEmptyBatch(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", " \r\n", "\ufeff", "data=", "data", "data=&x=1", "data=+", "data=%5B%5D", "data=[]", "data={}", "data=%7B%7D", `data=""`, "data=%22%22",
		form(`{"shop_demo":[]}`), form(`{"a":[],"b":[]}`), form(`{"a":null}`), "data=%22%7B%22a%22%3A%5B%5D%7D%22\n",
		"[]", "{}", `{"data":[]}`, `{"data":{}}`, `{"data":""}`, `{"data":"[]"}`, `{"data":"{}"}`, `{"data":null}`, `{"a":[],"b":[]}`,
	} {
		if events := netcore(t, body); len(events) > 0 {
			t.Errorf("%q: %d events, first %q %s", body, len(events), events[0].Quarantine, events[0].Data)
		}
	}
}

func TestR17_NetcoreBadElementLeavesItsNeighbours(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{ // ! marks a quarantined part
		form(`{"a":[{"x":1},"b",null,{"x":2}]}`):                   {`{"x":1}`, `!"b"`, `!null`, `{"x":2}`},
		form(`{"a":[[{"x":1}],{"x":2}]}`):                          {`![{"x":1}]`, `{"x":2}`},
		form(`{"a":"text","b":[{"x":2}],"c":5}`):                   {`!"text"`, `{"x":2}`, `!5`},
		`{"data":"broken","b":[{"x":2}]}`:                          {`!"broken"`, `{"x":2}`},
		`{"data":"[1]","b":[{"x":2}]}`:                             {`!"[1]"`, `{"x":2}`},
		`{"data":{"channel":"sms","event":"open"},"b":[{"x":2}]}`:  {`!{"channel":"sms","event":"open"}`, `{"x":2}`},
		form(`{"a":[{"channel":{"x":1},"event":["y"]},{"x":[]}]}`): {`{"channel":{"x":1},"event":["y"]}`, `{"x":[]}`},
	} {
		var got []string
		for _, e := range netcore(t, body) {
			s := string(e.Data)
			if e.Quarantine != "" {
				s = "!" + s
			}
			got = append(got, s)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// A body that was encoded twice says so: the operator must look at the sender and not at the JSON.
func TestNetcoreEncodedTwiceIsNamed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"data=" + url.QueryEscape(url.QueryEscape(panel(netcoreSMS))), `{"data":"%7B%7D"}`} {
		if e := netcore(t, body)[0]; !strings.Contains(e.Quarantine, "percent-encoded") {
			t.Errorf("%s: %q", body, e.Quarantine)
		}
	}
}

// ids seals the events for one source.
func ids(events []*hookgate.Event) (list []string) {
	for _, e := range events {
		list = append(list, hookgate.EventID("netcore", "test", e.Identity))
	}
	return list
}

// D7: equal elements of one request are events of their own, and the request again brings none.
func TestD07_EqualElementsOfOneBatch(t *testing.T) {
	t.Parallel()
	three := ids(netcore(t, form(panel(netcoreSMS, netcoreSMS, netcoreWeb, netcoreSMS))))
	distinct := slices.Compact(slices.Sorted(slices.Values(three)))
	if len(distinct) != 4 {
		t.Errorf("%d ids of four elements", len(distinct))
	}
	if again := ids(netcore(t, panel(netcoreSMS, netcoreSMS, netcoreWeb, netcoreSMS))); !slices.Equal(again, three) {
		t.Error("the batch again, as JSON, has other ids")
	}
	if alone := ids(netcore(t, form(panel(netcoreSMS)))); alone[0] != three[0] {
		t.Error("the element alone is another event")
	}
	if other := ids(netcore(t, form(`{"other":[`+netcoreSMS+`]}`))); slices.Contains(three, other[0]) {
		t.Error("another panel's element is the same event")
	}
	both := netcore(t, form(`{"a":[{}],"b":[{},{}]}`))
	for i, ordinal := range []string{"1", "1", "2"} {
		if id := identity(both[i]); id[len(id)-1] != ordinal {
			t.Errorf("event %d: %q", i, id)
		}
	}
	spaced := ids(netcore(t, form(panel(strings.Replace(netcoreSMS, ":", ": ", 1)))))
	if spaced[0] == three[0] {
		t.Error("other bytes are the same event")
	}
}

func TestNetcoreIdentityFields(t *testing.T) {
	t.Parallel()
	e := netcore(t, form(panel(netcoreSMS)))[0]
	digest := hookgate.DigestIdentity([]byte(netcoreSMS))[0].Value
	if got := identity(e); !slices.Equal(got, []string{"panel", "shop_demo", "digest", digest, "ordinal", "1"}) {
		t.Errorf("identity %q", got)
	}
	if e.IdentityTime != 1669898566_000000 { // 2022-12-01T12:42:46Z
		t.Errorf("identity time %d", e.IdentityTime)
	}
	if e := netcore(t, `{"":[{}]}`)[0]; len(e.Identity) != 2 || e.IdentityTime != 0 { // an absent field is left out
		t.Errorf("identity %q, time %d", identity(e), e.IdentityTime)
	}
	if e.NativeID != "" || e.Attempt != 1 {
		t.Errorf("nativeid %q, attempt %d: msgid is the campaign's message", e.NativeID, e.Attempt)
	}
}

func TestNetcoreNames(t *testing.T) {
	t.Parallel()
	for element, want := range map[string][3]string{ // type, entity type, action
		`"channel":"email","event":"Deliver"`:                   {"netcore.email.delivered", "email", "delivered"},
		`"channel":"EMAIL","event":"OPENED"`:                    {"netcore.email.open", "email", "opened"},
		`"channel":"WhatsApp","event":"Clicked"`:                {"netcore.whatsapp.click", "whatsapp", "clicked"},
		`"channel":"email","event":"bounced"`:                   {"netcore.email.bounce", "email", "bounced"},
		`"channel":"rcs","event":"fail"`:                        {"netcore.rcs.failed", "rcs", "failed"},
		`"channel":"apn","event":"open"`:                        {"netcore.apn.open", "push", "opened"}, // not listed for this channel
		`"channel":"sms","event":"Unsubscribed"`:                {"netcore.sms.unsubscribed", "sms", "unsubscribed"},
		`"channel":"Viber","event":"click"`:                     {"netcore.viber.click", "viber", "clicked"},
		`"channel":"viber","event":"seen"`:                      {"netcore.viber.seen", "viber", "seen"},
		`"channel":"Custom_Activity"`:                           {"netcore.custom_activity", "activity", "performed"},
		`"channel":"custom_activity","event":"purchase"`:        {"netcore.custom_activity.purchase", "activity", "purchase"},
		`"channel":"custom_activity","event":null`:              {"netcore.custom_activity", "activity", "performed"},
		`"channel":"sms"`:                                       {"netcore.sms", "sms", "unknown"},
		`"event":"open"`:                                        {"netcore.open", "unknown", "opened"},
		`"channel":"","event":""`:                               {"netcore.unknown", "unknown", "unknown"},
		`"channel":{"a":1},"event":[]`:                          {"netcore.unknown", "unknown", "unknown"},
		`"Channel":"sms","EVENT":"click"`:                       {"netcore.unknown", "unknown", "unknown"}, // B4
		`"x":{"channel":"sms","event":"click"}`:                 {"netcore.unknown", "unknown", "unknown"},
		`"channel":"sms\u0000","event":"click"`:                 {"netcore.sms\ufffd.click", "sms\ufffd", "clicked"}, // B14
		`"channel":"sms","event":"click","event_params":"none"`: {"netcore.sms.click", "sms", "clicked"},
	} {
		e := one(t, "netcore", panel("{"+element+"}"))
		is(t, e, "type", want[0])
		is(t, e, "entitytype", want[1])
		is(t, e, "action", want[2])
	}
	named := reader(t, "netcore", normalize.Options{Event: "SMS.Click"})
	e := sealed(t, named, "netcore", "test", request(panel(`{"msgid":"1"}`)), nil)
	is(t, e, "type", "netcore.sms.click")
	is(t, e, "action", "clicked")
	is(t, sealed(t, named, "netcore", "test", request(panel(`{"channel":"rcs"}`)), nil), "type", "netcore.rcs")
}

func TestNetcoreSubject(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		`{"mobile":"4","email":"3","identity":"2","foreignkey":"1"}`:      "1",
		`{"mobile":"4","email":"3","identity":"2","foreignkey":null}`:     "2",
		`{"mobile":"4","email":"3","identity":"","foreignkey":""}`:        "3",
		`{"mobile":9007199254740993,"foreignkey":null}`:                   "9007199254740993",
		`{"foreignkey":{"a":1},"identity":["a"],"email":true,"mobile":4}`: "4",
		`{"FOREIGNKEY":"1"}`: "",
		`[]`:                 "",
		`null`:               "",
	} {
		e := one(t, "netcore", panel(`{"foreignkey":"0","event_params":`+params+`}`))
		is(t, e, "subject", want)
		is(t, e, "partitionkey", "shop_demo/unknown/"+want)
	}
}

func TestNetcoreTimes(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for params, want := range map[string][3]string{ // time source, in Asia/Kolkata, in Europe/Berlin
		`{"timestamp":"2024-05-24T18:12:46","ts":240524000000}`: {"zone-assumed", "2024-05-24T12:42:46.000Z", "2024-05-24T16:12:46.000Z"},
		`{"ts":240524181246}`:                                         {"zone-assumed", "2024-05-24T12:42:46.000Z", "2024-05-24T16:12:46.000Z"},
		`{"ts":"240524181246","timestamp":null}`:                      {"zone-assumed", "2024-05-24T12:42:46.000Z", "2024-05-24T16:12:46.000Z"},
		`{"ts":"241224181246","timestamp":""}`:                        {"zone-assumed", "2024-12-24T12:42:46.000Z", "2024-12-24T17:12:46.000Z"},
		`{"ts":"700524181246"}`:                                       {"zone-assumed", "2070-05-24T12:42:46.000Z", "2070-05-24T16:12:46.000Z"},
		`{"timestamp":"2024-05-24T18:12:46.1239"}`:                    {"zone-assumed", "2024-05-24T12:42:46.123Z", "2024-05-24T16:12:46.123Z"},
		`{"timestamp":"2024-05-24T18:12:46Z"}`:                        {"event", "2024-05-24T18:12:46.000Z", "2024-05-24T18:12:46.000Z"},
		`{"timestamp":"2024-05-24T18:12:46.5+02:00"}`:                 {"event", "2024-05-24T16:12:46.500Z", "2024-05-24T16:12:46.500Z"},
		`{"timestamp":"2024-13-24T18:12:46","ts":240524181246}`:       {"zone-assumed", "2024-05-24T12:42:46.000Z", "2024-05-24T16:12:46.000Z"},
		`{"timestamp":"1999-01-01T00:00:00"}`:                         {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"timestamp":"24 May 2024","ts":"2405241812"}`:               {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"ts":2.40524181246e11}`:                                     {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"ts":"240532181246"}`:                                       {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"ts":"24052418124a"}`:                                       {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"ts":"240524181246.5"}`:                                     {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{}`:                                                          {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
		`{"timestamp":{"a":"2024-05-24T18:12:46"},"ts":[1],"TS":"x"}`: {"received", "2024-07-01T09:00:00.000Z", "2024-07-01T09:00:00.000Z"},
	} {
		for i, zone := range []*time.Location{nil, berlin} {
			r := reader(t, "netcore", normalize.Options{Timezone: zone})
			e := sealed(t, r, "netcore", "test", request(panel(`{"event_params":`+params+`}`)), nil)
			is(t, e, "timesource", want[0])
			is(t, e, "time", want[1+i])
			if (want[0] == "received") != (e.IdentityTime == 0) || (e.IdentityTime != 0 && e.IdentityTime != e.Time.UnixMicro()) {
				t.Errorf("%s: identity time %d", params, e.IdentityTime)
			}
		}
	}
}

// B13: a form is a form under application/json, and JSON is JSON under the form's type.
func TestB13_NetcoreIgnoresTheContentType(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"} {
		for _, body := range []string{form(panel(netcoreSMS)), panel(netcoreSMS)} {
			req := request(body)
			if contentType != "" {
				req.Header = http.Header{"Content-Type": {contentType}}
			}
			is(t, seal(t, "netcore", "test", req, nil), "type", "netcore.sms.delivered")
		}
	}
}

// B12: the bound on elements holds at its edge, over all panels, and beyond it the request is kept whole.
func TestB12_NetcoreElements(t *testing.T) {
	t.Parallel()
	batch := func(n int) string { return `{"a":[` + strings.Repeat("{},", n-2) + `{}],"b":[{}]}` }
	if events := netcore(t, batch(20_000)); len(events) != 20_000 || quarantined(events) > 0 {
		t.Errorf("%d events of 20,000, %d quarantined", len(events), quarantined(events))
	}
	body := batch(20_001)
	if events := netcore(t, body); len(events) != 1 || string(events[0].Data) != body || events[0].Quarantine == "" {
		t.Errorf("%d events", len(events))
	}
}

func FuzzNetcore(f *testing.F) {
	for _, s := range netcoreSeeds {
		f.Add([]byte(s))
	}
	for _, body := range corpus(f, "netcore") {
		f.Add(body)
	}
	r := reader(f, "netcore", normalize.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		events := r.Normalize(request(string(body)), nil)
		sound(t, "netcore", events)
		same(t, events, r.Normalize(request(string(body)), nil))
		var read []string
		for _, e := range events {
			if e.Quarantine == "" {
				read = append(read, ids([]*hookgate.Event{e})...)
			}
		}
		slices.Sort(read)
		if len(slices.Compact(slices.Clone(read))) != len(read) {
			t.Fatal("two elements of one request are one event")
		}
	})
}

func netcoreBatch(n int) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = strings.Replace(netcoreSMS, "1318", strconv.Itoa(i), 1)
	}
	return form(panel(elements...))
}

func BenchmarkNetcore(b *testing.B) {
	for _, n := range []int{1, 2, 100, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r, req := reader(b, "netcore", normalize.Options{}), request(netcoreBatch(n))
			b.ReportAllocs()
			b.SetBytes(int64(len(req.Body)))
			for b.Loop() {
				if events := r.Normalize(req, nil); len(events) != n || events[0].Quarantine != "" {
					b.Fatal(len(events))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
