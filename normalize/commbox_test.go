package normalize_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// The shapes that the provider's pages show, and our own form of SOAP.
const (
	commboxActivity = `<Event Subscription="Object" Name="OnNewActivity" Brand="acme">
  <Object Id="901731" StreamId="71" SubStreamId="0">
    <Activities>
      <Activity Id="565420" Type="2" CreateDate="26-03-2017 06:57:33">
      <User Id="433178"><Identity Id="16982" /></User>
      <Data>{"statusId": 8}</Data>
      </Activity>
    </Activities>
  </Object>
</Event>`
	commboxTag    = `{"Event":{"Subscription":"Tag","Name":"OnAdd","Brand":"acme","Tag":{"eventName":"OnAdd","tagId":"40","groupId":"0","name":"VIP","isObject":"True","requestId":"e4474a8a-0802-4515-8c27-000000000000"}}}`
	commboxUser   = `<Event Subscription="User" Name="OnNew" Brand="acme"><User Id="1798714"><Content>{}</Content></User></Event>`
	commboxSOAP   = `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><apiKey>k1</apiKey>` + commboxUser + `</soap:Body></soap:Envelope>`
	commboxSOAP12 = `<?xml version="1.0"?><!-- x --><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>` + commboxUser + `</e:Body></e:Envelope>`
	commboxHeld   = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Notify><data> <![CDATA[` + commboxUser + `]]> </data></Notify></s:Body></s:Envelope>`
)

var commboxSeeds = []string{
	commboxActivity, commboxTag, commboxSOAP, commboxSOAP12, commboxHeld, "\ufeff " + commboxUser,
	`{"payload":{"Message":"x","Content":{},"User":{"Id":"1"}}}`, `{"Event":[{"Id":"1"},2]}`,
	`<a><Event/><b>&lt;Event/&gt;</b></a>`,
}

// quarantined counts the events that were not read.
func quarantined(events []*hookgate.Event) (n int) {
	for _, e := range events {
		if e.Quarantine != "" {
			n++
		}
	}
	return n
}

func TestCommboxDataIsTheEventsOwnBytes(t *testing.T) {
	t.Parallel()
	plain := `<Event Subscription="User" Name="OnNew"><User Id="1"/></Event>`
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"bare":                   {plain, []string{plain}},
		"mark and white space":   {"\n\ufeff\r\n" + plain + "\n", []string{plain}},
		"declaration":            {`<?xml version="1.0" encoding="UTF-8"?>` + "\r\n" + plain, []string{plain}},
		"comments and PI around": {"<!--a--><?p q?>" + plain + "<!--b--><?p q?>", []string{plain}},
		"self-closing":           {`<a><Event/><Event Name="x" /></a>`, []string{`<Event/>`, `<Event Name="x" />`}},
		"prefix":                 {`<x:Event xmlns:x="urn:x" Name="a"><x:User Id="1"/></x:Event >`, []string{`<x:Event xmlns:x="urn:x" Name="a"><x:User Id="1"/></x:Event >`}},
		"prefix without binding": {`<a><x:Event></x:Event></a>`, []string{`<x:Event></x:Event>`}},
		"outermost only":         {`<a><Event><Event Name="x"/></Event></a>`, []string{`<Event><Event Name="x"/></Event>`}},
		"several, any depth":     {`<a>` + plain + `<b><c>` + plain + `</c></b></a>`, []string{plain, plain}},
		"line ends are kept":     {"<a><Event\r\n Name='x'>\r\n</Event></a>", []string{"<Event\r\n Name='x'>\r\n</Event>"}},
		"text, escaped":          {`<string xmlns="urn:x">&lt;Event Name="x"&gt;a &amp;lt; b&lt;/Event&gt;</string>`, []string{`<Event Name="x">a &lt; b</Event>`}},
		"text in CDATA":          {`<a> <![CDATA[ ` + plain + `]]>` + "\n</a>", []string{plain}},
		"text in two CDATA":      {`<a><![CDATA[<Event Na]]><!-- x --><![CDATA[me="x"/>]]></a>`, []string{`<Event Name="x"/>`}},
		"text and element":       {`<a><b>&lt;Event/&gt;</b>` + plain + `</a>`, []string{`<Event/>`, plain}},
		"two texts":              {`<a><b>&lt;Event Name="x"/&gt;</b><b>&lt;Event/&gt;</b></a>`, []string{`<Event Name="x"/>`, `<Event/>`}},
		"text is read once":      {`<a>&lt;Event&gt;&lt;b&gt;&amp;lt;Event/&amp;gt;&lt;/b&gt;&lt;/Event&gt;</a>`, []string{`<Event><b>&lt;Event/&gt;</b></Event>`}},
		"text inside an event":   {`<Event><b>&lt;Event/&gt;</b></Event>`, []string{`<Event><b>&lt;Event/&gt;</b></Event>`}},
		"JSON Event":             {` { "Event" : {"a": 1.0} } `, []string{`{"a": 1.0}`}},
		"JSON list":              {`{"Event":[{"a":1}, {"a": 2}]}`, []string{`{"a":1}`, `{"a": 2}`}},
		"JSON payload":           {`{"payload":{"a":1}}`, []string{`{"a":1}`}},
		"JSON payload list":      {`{"payload":[{"a":1}]}`, []string{`{"a":1}`}},
		"JSON bare":              {`{"a":1,"b":{"Event":{}}} `, []string{`{"a":1,"b":{"Event":{}}}`}},
		"JSON Event before":      {`{"payload":{},"Event":{"a":1}}`, []string{`{"a":1}`}},
		"JSON null is absent":    {`{"Event":null,"payload":{"a":1}}`, []string{`{"a":1}`}},
		"JSON names are exact":   {`{"event":{"a":1}}`, []string{`{"event":{"a":1}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := reader(t, "commbox", normalize.Options{}).Normalize(request(c.body), nil)
			var got []string
			for _, e := range events {
				if e.Quarantine != "" {
					t.Errorf("quarantined: %s", e.Quarantine)
				}
				got = append(got, string(e.Data))
				want := hookgate.JSON
				if e.Data[0] == '<' {
					want = hookgate.XML
				}
				if e.ContentType != want {
					t.Errorf("content type %q", e.ContentType)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// One bad event among good ones does not take them along.
func TestCommboxBadPartLeavesItsNeighbours(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"JSON list":         `{"Event":[{"a":1},null,{"a":2}]}`,
		"two ids in XML":    `<a><Event/><Event Subscription="User" Name="x"><User Id="1" id="2"/></Event><Event/></a>`,
		"broken event text": `<a><Event/><b>&lt;Event&gt;</b><Event/></a>`,
	} {
		events := reader(t, "commbox", normalize.Options{}).Normalize(request(body), nil)
		if len(events) != 3 || quarantined(events) != 1 || events[1].Quarantine == "" {
			t.Errorf("%s: %d events, %d quarantined", name, len(events), quarantined(events))
		}
		if strings.Contains(string(events[1].Data), `"a"`) || len(events[1].Data) == len(body) {
			t.Errorf("%s: the part is %s", name, events[1].Data)
		}
	}
}

func TestCommboxIdentity(t *testing.T) {
	t.Parallel()
	xml := func(name, object string) string {
		return `<Event Subscription="Object" Name="` + name + `" Brand="acme">` + object + `</Event>`
	}
	child := `<Object Id="1"><Children><Child Id="2" CreateDate="26-03-2017 06:57:33"/></Children></Object>`
	full := func(name, item, date string) []string {
		id := []string{"Brand", "acme", "Subscription", "Object", "Name", name, "EntityId", "1"}
		if item != "" {
			id = append(id, "ItemId", item)
		}
		return append(id, "Date", date)
	}
	const seconds = 1490511453 // 2017-03-26T06:57:33Z
	for name, c := range map[string]struct {
		body   string
		want   []string // nil: the digest
		second int64
		native string
	}{
		"requestId in the entity":        {commboxTag, []string{"requestId", "e4474a8a-0802-4515-8c27-000000000000"}, 0, "e4474a8a-0802-4515-8c27-000000000000"},
		"requestId in the event":         {`{"Event":{"requestId":"r"}}`, []string{"requestId", "r"}, 0, "r"},
		"requestId in both":              {`{"Event":{"Subscription":"Tag","Name":"x","requestId":"r","Tag":{"requestId":"r"}}}`, []string{"requestId", "r"}, 0, "r"},
		"requestId as a number":          {`{"Event":{"requestId":9007199254740993}}`, []string{"requestId", "9007199254740993"}, 0, "9007199254740993"},
		"requestId before the date":      {xml("OnNew", `<Object Id="1" requestId="r" CreateDate="26-03-2017 06:57:33"/>`), []string{"requestId", "r"}, 0, "r"},
		"requestId empty":                {xml("OnNew", `<Object Id="1" requestId="" CreateDate="26-03-2017 06:57:33"/>`), full("OnNew", "", "26-03-2017 06:57:33"), seconds, ""},
		"requestId null":                 {`{"Event":{"requestId":null}}`, nil, 0, ""},
		"requestId deeper":               {`{"Event":{"Subscription":"Tag","Name":"x","Tag":{"x":{"requestId":"r"}}}}`, nil, 0, ""},
		"OnNew":                          {xml("OnNew", `<Object Id="1" CreateDate="2017-03-26 06:57:33"/>`), full("OnNew", "", "2017-03-26 06:57:33"), seconds, ""},
		"OnNew, values as elements":      {xml("OnNew", `<Object><Id>1</Id><CreateDate> 2017-03-26`+"\n\t 06:57:33 "+`</CreateDate></Object>`), full("OnNew", "", "2017-03-26 06:57:33"), seconds, ""},
		"OnNew, lower-case id":           {xml("OnNew", `<Object id="1" CreateDate="2017-03-26 06:57:33"/>`), full("OnNew", "", "2017-03-26 06:57:33"), seconds, ""},
		"OnNew without date":             {xml("OnNew", `<Object Id="1"/>`), nil, 0, ""},
		"OnNew with a blank date":        {xml("OnNew", `<Object Id="1" CreateDate=" "/>`), nil, 0, ""},
		"OnNew with a date of nonsense":  {xml("OnNew", `<Object Id="1" CreateDate="yesterday"/>`), full("OnNew", "", "yesterday"), 0, ""},
		"OnNew without brand":            {`<Event Subscription="Object" Name="OnNew"><Object Id="1" CreateDate="2017-03-26 06:57:33"/></Event>`, nil, seconds, ""},
		"OnNew without id":               {xml("OnNew", `<Object ID="1" CreateDate="2017-03-26 06:57:33"/>`), nil, seconds, ""},
		"OnNewChild":                     {xml("OnNewChild", child), full("OnNewChild", "2", "26-03-2017 06:57:33"), seconds, ""},
		"OnNewChild, date in two lines":  {xml("OnNewChild", strings.Replace(child, "2017 ", "2017\n     ", 1)), full("OnNewChild", "2", "26-03-2017 06:57:33"), seconds, ""},
		"OnNewChild, two children":       {xml("OnNewChild", strings.Replace(child, "</Ch", `<Child Id="3"/></Ch`, 1)), nil, seconds, ""},
		"OnNewChild, two lists":          {xml("OnNewChild", strings.Replace(child, "</O", `<Children><Child Id="3"/></Children></O`, 1)), nil, seconds, ""},
		"OnNewChild, none":               {xml("OnNewChild", `<Object Id="1" CreateDate="26-03-2017 06:57:33"><Children/></Object>`), nil, 0, ""},
		"OnNewChild without its id":      {xml("OnNewChild", strings.Replace(child, ` Id="2"`, "", 1)), nil, seconds, ""},
		"OnNewChild without its date":    {xml("OnNewChild", `<Object Id="1" CreateDate="26-03-2017 06:57:33"><Children><Child Id="2"/></Children></Object>`), nil, 0, ""},
		"OnNewChild, JSON list of one":   {`{"Event":{"Subscription":"Object","Name":"OnNewChild","Brand":"acme","Object":{"Id":1,"Children":{"Child":[{"Id":"2","CreateDate":"26-03-2017 06:57:33"}]}}}}`, full("OnNewChild", "2", "26-03-2017 06:57:33"), seconds, ""},
		"OnNewActivity":                  {commboxActivity, []string{"Brand", "acme", "Subscription", "Object", "Name", "OnNewActivity", "EntityId", "901731", "ItemId", "565420", "Date", "26-03-2017 06:57:33"}, seconds, ""},
		"OnUpdateTag":                    {xml("OnUpdateTag", `<Object Id="1" CreateDate="26-03-2017 06:57:33"/>`), nil, 0, ""},
		"User":                           {commboxUser, nil, 0, ""},
		"B4: names without case":         {`{"Event":{"subscription":"Object","name":"OnNew","brand":"acme","RequestId":"r"}}`, nil, 0, ""},
		"B8: invalid UTF-8 requestId":    {"{\"Event\":{\"requestId\":\"a\xffb\"}}", nil, 0, "a\ufffdb"},
		"B8: half a surrogate pair":      {`{"Event":{"Subscription":"Object","Name":"OnNew","Brand":"\ud800","Object":{"Id":"1","CreateDate":"26-03-2017 06:57:33"}}}`, nil, seconds, ""},
		"B10: a comment inside an id":    {xml("OnNew", `<Object CreateDate="26-03-2017 06:57:33"><Id>1<!--2--></Id></Object>`), full("OnNew", "", "26-03-2017 06:57:33"), seconds, ""},
		"B10: an id with element inside": {xml("OnNew", `<Object CreateDate="26-03-2017 06:57:33"><Id>1<b/></Id></Object>`), nil, seconds, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := one(t, "commbox", c.body)
			if e.Quarantine != "" {
				t.Fatal(e.Quarantine)
			}
			want := c.want
			if want == nil {
				d := hookgate.DigestIdentity(e.Data)[0]
				want = []string{d.Name, d.Value}
			}
			if got := identity(e); !slices.Equal(got, want) {
				t.Errorf("identity %q, want %q", got, want)
			}
			if e.IdentityTime/1_000_000 != c.second {
				t.Errorf("identity time %d, want %d", e.IdentityTime, c.second)
			}
			is(t, e, "nativeid", c.native)
		})
	}
}

func TestCommboxTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2014-09-23 12:39:11":      "2014-09-23T12:39:11.000Z",
		"26-03-2017 06:36:15":      "2017-03-26T06:36:15.000Z",
		"03/28/2017 05:30:00":      "2017-03-28T05:30:00.000Z",
		" 26-03-2017\r\n06:36:15":  "2017-03-26T06:36:15.000Z",
		"03-28-2017 05:30:00":      "",
		"28/03/2017 05:30:00":      "",
		"1999-12-31 23:59:59":      "",
		"2000-01-01 00:00:00":      "2000-01-01T00:00:00.000Z",
		"30-02-2017 00:00:00":      "",
		"26-03-2017":               "",
		"26-03-2017 06:36:15 more": "",
	} {
		e := one(t, "commbox", `<Event Subscription="Object" Name="OnNew" Brand="acme"><Object Id="1" CreateDate="`+text+`"/></Event>`)
		if want == "" {
			want = "2024-07-01T09:00:00.000Z"
			is(t, e, "timesource", hookgate.TimeReceived)
		} else {
			is(t, e, "timesource", hookgate.TimeFromEvent)
		}
		is(t, e, "time", want)
	}
}

func TestCommboxNames(t *testing.T) {
	t.Parallel()
	const payload = `{"payload":{"Message":"x","Id":"5","CreateDate":"2017-03-26 06:57:33","Brand":"acme"}}`
	for name, c := range map[string]struct {
		event, body                       string
		typ, entity, action, subject, day string
	}{
		"unlisted":                  {"", `<Event Subscription="Lead" Name="OnScore" Brand="b"><Lead Id="7"/></Event>`, "commbox.lead.onscore", "lead", "onscore", "7", ""},
		"unlisted, lower-case id":   {"", `{"Event":{"Subscription":"Lead","Name":"OnScore","Lead":{"id":7}}}`, "commbox.lead.onscore", "lead", "onscore", "7", ""},
		"unlisted, no entity":       {"", `<Event Subscription="Lead" Name="OnScore"/>`, "commbox.lead.onscore", "lead", "onscore", "", ""},
		"id beside the entity":      {"", `<Event Subscription="Lead" Name="OnScore" Id="7"/>`, "commbox.lead.onscore", "lead", "onscore", "", ""},
		"prefixed attribute":        {"", `<Event Subscription="User" Name="OnNew"><User x:Id="0" Id="1"/></Event>`, "commbox.user.onnew", "contact", "created", "1", ""},
		"unlisted, dots":            {"", `{"Event":{"Subscription":"A.B","Name":"C.D","A.B":{"Id":"7"}}}`, "commbox.a.b.c.d", "a", "d", "7", ""},
		"other case is unlisted":    {"", `<Event Subscription="object" Name="OnNew"><object Id="7"/></Event>`, "commbox.object.onnew", "object", "onnew", "7", ""},
		"no name":                   {"", `<Event Subscription="Object"><Object Id="7"/></Event>`, "commbox.unknown", "unknown", "unknown", "", ""},
		"no subscription":           {"", `<Event Name="OnNew"><Object Id="7"/></Event>`, "commbox.unknown", "unknown", "unknown", "", ""},
		"payload":                   {"", payload, "commbox.unknown", "unknown", "unknown", "", ""},
		"empty object":              {"", `{}`, "commbox.unknown", "unknown", "unknown", "", ""},
		"payload, source's event":   {"Object.OnNew", payload, "commbox.object.onnew", "conversation", "created", "5", "2017-03-26"},
		"payload with the entity":   {"Object.OnNew", `{"payload":{"Id":"5","Object":{"Id":"6"}}}`, "commbox.object.onnew", "conversation", "created", "6", ""},
		"source's event, unlisted":  {"Lead.OnScore", `{"payload":{"Id":"5"}}`, "commbox.lead.onscore", "lead", "onscore", "5", ""},
		"source's event, one word":  {"lead", `{"payload":{"Id":"5"}}`, "commbox.lead", "lead", "lead", "5", ""},
		"the body's own name wins":  {"Object.OnNew", commboxUser, "commbox.user.onnew", "contact", "created", "1798714", ""},
		"source's event, XML":       {"User.OnNew", `<Event><User Id="8"/></Event>`, "commbox.user.onnew", "contact", "created", "8", ""},
		"Tag.Id instead of tagId":   {"", `<Event Subscription="Tag" Name="OnAdd"><Tag Id="9"/></Event>`, "commbox.tag.onadd", "tag", "created", "9", ""},
		"tagId before Tag.Id":       {"", `<Event Subscription="Tag" Name="OnAdd"><Tag Id="9" tagId="10"/></Event>`, "commbox.tag.onadd", "tag", "created", "10", ""},
		"Chat: lower-case id":       {"", `<Event Subscription="Chat" Name="OnUserExit"><Chat><User id="1"/><Object id="2"/></Chat></Event>`, "commbox.chat.onuserexit", "conversation", "exited", "2", ""},
		"Form: ObjectId as element": {"", `<Event Subscription="Form" Name="OnSubmit"><Form><ObjectId>3</ObjectId></Form></Event>`, "commbox.form.onsubmit", "form", "submitted", "3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reader(t, "commbox", normalize.Options{Event: c.event})
			e := sealed(t, r, "commbox", "test", request(c.body), nil)
			is(t, e, "type", c.typ)
			is(t, e, "entitytype", c.entity)
			is(t, e, "action", c.action)
			is(t, e, "subject", c.subject)
			if c.day != "" && !strings.HasPrefix(e.Time.UTC().Format("2006-01-02"), c.day) {
				t.Errorf("time %s", e.Time)
			}
			if len(e.Identity) != 1 { // the source's event is no part of the body: it must not identify anything
				t.Errorf("identity %q", identity(e))
			}
		})
	}
}

// The answer to SOAP is SOAP of the same version; anything else gets an empty 200.
func TestCommboxReply(t *testing.T) {
	t.Parallel()
	r := reader(t, "commbox", normalize.Options{}).(hookgate.Replier)
	const ns11, ns12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
	for name, c := range map[string]struct{ body, contentType, ns string }{
		"1.1":                     {commboxSOAP, "text/xml; charset=utf-8", ns11},
		"1.2":                     {commboxSOAP12, "application/soap+xml; charset=utf-8", ns12},
		"mark and space in front": {"\n\ufeff" + commboxSOAP, "text/xml; charset=utf-8", ns11},
		"default namespace":       {`<Envelope xmlns="` + ns12 + `"/>`, "application/soap+xml; charset=utf-8", ns12},
		"quarantined body":        {`<s:Envelope xmlns:s="` + ns11 + `"><s:Body>`, "text/xml; charset=utf-8", ns11},
		"B10: another namespace":  {`<s:Envelope xmlns:s="` + ns11 + `x"/>`, "", ""},
		"B10: namespace in case":  {`<s:Envelope xmlns:s="` + strings.ToUpper(ns11) + `"/>`, "", ""},
		"unbound prefix":          {`<soap:Envelope/>`, "", ""},
		"another name":            {`<s:MyEnvelope xmlns:s="` + ns11 + `"/>`, "", ""},
		"not the root":            {`<a xmlns:s="` + ns11 + `"><s:Envelope/></a>`, "", ""},
		"document type":           {`<!DOCTYPE x><s:Envelope xmlns:s="` + ns11 + `"/>`, "", ""},
		"endless declaration":     {`<?xml <s:Envelope xmlns:s="` + ns11 + `"/>`, "", ""},
		"plain XML":               {commboxActivity, "", ""},
		"JSON":                    {commboxTag, "", ""},
		"nothing":                 {"", "", ""},
	} {
		contentType, body := r.Reply(request(c.body))
		if contentType != c.contentType || (c.ns == "") != (len(body) == 0) || !strings.Contains(string(body), c.ns) {
			t.Errorf("%s: %q %s", name, contentType, body)
		}
		if len(body) > 0 { // what we answer must be well formed by our own reading
			if _, again := r.Reply(request(string(body))); string(again) != string(body) {
				t.Errorf("%s: the answer is not of its own version", name)
			}
		}
	}
}

// B13: the shape decides, whatever the Content-Type says.
func TestB13_CommboxIgnoresTheContentType(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"", "text/xml", "application/json", "multipart/form-data; boundary=b", "a/b; charset=utf-16"} {
		for body, typ := range map[string]string{commboxTag: "commbox.tag.onadd", commboxUser: "commbox.user.onnew"} {
			req := request(body)
			if contentType != "" {
				req.Header = http.Header{"Content-Type": {contentType}}
			}
			is(t, seal(t, "commbox", "test", req, nil), "type", typ)
		}
	}
}

// B11: the bounds hold at their edge, and the tokens of an event's text count in the same sum.
func TestB11_CommboxBounds(t *testing.T) {
	t.Parallel()
	nest := func(n int) string {
		return "<Event>" + strings.Repeat("<a>", n-1) + strings.Repeat("</a>", n-1) + "</Event>"
	}
	attributes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d=""`, i)
		}
		return "<Event" + b.String() + "/>"
	}
	tokens := func(n int) string { return "<Event>" + strings.Repeat("<a/>", n/2-1) + "</Event>" }
	held := func(body string) string { return "<d><![CDATA[" + body + "]]></d>" }
	for name, c := range map[string]struct {
		body string
		good bool
	}{
		"depth 64":                      {nest(64), true},
		"depth 65":                      {nest(65), false},
		"64 attributes":                 {attributes(64), true},
		"65 attributes":                 {attributes(65), false},
		"100,000 tokens":                {tokens(100_000), true},
		"100,001 tokens":                {tokens(100_000) + "<!---->", false},
		"99,997 tokens in a text of 3":  {held(tokens(99_996)), true},
		"100,000 tokens in a text of 3": {held(tokens(100_000)), false},
	} {
		events := reader(t, "commbox", normalize.Options{}).Normalize(request(c.body), nil)
		if len(events) != 1 || (events[0].Quarantine == "") != c.good {
			t.Errorf("%s: %d events, %q", name, len(events), events[0].Quarantine)
		}
	}
}

func FuzzCommbox(f *testing.F) {
	for _, s := range commboxSeeds {
		f.Add([]byte(s))
	}
	for _, body := range corpus(f, "commbox") {
		f.Add(body)
	}
	r := reader(f, "commbox", normalize.Options{Event: "Object.OnNew"})
	f.Fuzz(func(t *testing.T, body []byte) {
		events := r.Normalize(request(string(body)), nil)
		if len(events) == 0 {
			t.Fatal("nothing is kept")
		}
		sound(t, "commbox", events)
		same(t, events, r.Normalize(request(string(body)), nil))
		if contentType, reply := r.(hookgate.Replier).Reply(request(string(body))); (contentType == "") != (len(reply) == 0) {
			t.Fatalf("%q with %d bytes", contentType, len(reply))
		}
	})
}

func BenchmarkCommbox(b *testing.B) {
	for name, body := range map[string]string{
		"xml": commboxActivity, "soap": commboxSOAP, "json": commboxTag,
		"xml-900": strings.Replace(commboxActivity, "8}", `8,"text":"`+strings.Repeat("Hello, where is my parcel? ", 20)+`"}`, 1),
	} {
		b.Run(name, func(b *testing.B) {
			r, req := reader(b, "commbox", normalize.Options{}), request(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if events := r.Normalize(req, nil); len(events) != 1 || events[0].Quarantine != "" {
					b.Fatal(events)
				}
			}
		})
	}
	b.Run("reply-none", func(b *testing.B) {
		r, req := reader(b, "commbox", normalize.Options{}).(hookgate.Replier), request(commboxActivity)
		b.ReportAllocs()
		for b.Loop() {
			if _, body := r.Reply(req); body != nil {
				b.Fatal(body)
			}
		}
	})
}
