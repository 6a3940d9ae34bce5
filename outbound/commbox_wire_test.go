package outbound

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const commboxTestTime = "2026-03-09T08:07:06.123+01:00"

func commboxAt(t *testing.T) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, commboxTestTime)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// commboxSent completes an event and writes it as the settings say.
func commboxSent(t *testing.T, e Event, settings string) (http.Header, string) {
	t.Helper()
	if err := commbox().complete(&e, commboxAt(t)); err != nil {
		t.Fatal(err)
	}
	s := &Subscription{Settings: json.RawMessage(settings)}
	header, body, err := commbox().write(s, &Delivery{Events: []Event{e}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, same, err := commbox().write(s, &Delivery{Events: []Event{e}}, 4)
	if err != nil || !bytes.Equal(body, same) || fmt.Sprint(again) != fmt.Sprint(header) {
		t.Errorf("another attempt differs: %v %v %s", err, again, same)
	}
	return header, string(body)
}

const commboxActivityPayload = `{ "Id": 9007199254740993, "StreamId": "71", "SubStreamId": 0,
	"Activities": {"Activity": {"Id": "565420", "Type": 2, "CreateDate": "26-03-2017 06:57:33",
	"User": {"Id": "433178", "Identity": {"Id": "16982"}}, "Data": {"statusId": 8, "big": 9007199254740993}}} }`

func TestCommboxShapesAreTheseBytes(t *testing.T) {
	t.Parallel()
	const tag = `{"eventName":"OnAdd","tagId":40,"name":"VIP","isObject":true,"isUser":false,"unit":null,"requestId":"e4474a8a-1"}`
	const (
		eventXML = `<Event Subscription="Object" Name="OnNewActivity" Brand="acme"><Object Id="9007199254740993" StreamId="71" SubStreamId="0">` +
			`<Activities><Activity Id="565420" Type="2" CreateDate="26-03-2017 06:57:33"><User Id="433178"><Identity Id="16982" /></User>` +
			`<Data>{"statusId":8,"big":9007199254740993}</Data></Activity></Activities></Object></Event>`
		eventIDs = `<Event Subscription="Object" Name="OnNewActivity" Brand="acme"><Object Id="9007199254740993" StreamId="71" SubStreamId="0">` +
			`<Activities><Activity Id="565420"><User Id="433178"><Identity Id="16982" /></User></Activity></Activities></Object></Event>`
		soap = `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>`
	)
	for name, c := range map[string]struct {
		native, payload, settings string
		body                      string
		contentType, action       string
	}{
		"JSON": {
			"Tag.OnAdd", tag, `{}`,
			`{"Event":{"Subscription":"Tag","Name":"OnAdd","Brand":"acme","Tag":{"eventName":"OnAdd","tagId":"40","name":"VIP","isObject":"True","isUser":"False","requestId":"e4474a8a-1"}}}`,
			"application/json; charset=utf-8", "",
		},
		"JSON keeps a document's types": {
			commboxNewActivity, commboxActivityPayload, `{"format":"json"}`,
			`{"Event":{"Subscription":"Object","Name":"OnNewActivity","Brand":"acme","Object":{"Id":"9007199254740993","StreamId":"71","SubStreamId":"0",` +
				`"Activities":{"Activity":{"Id":"565420","Type":"2","CreateDate":"26-03-2017 06:57:33","User":{"Id":"433178","Identity":{"Id":"16982"}},` +
				`"Data":{"statusId":8,"big":9007199254740993}}}}}}`,
			"application/json; charset=utf-8", "",
		},
		"JSON ids only": {
			"Tag.OnAdd", tag, `{"include_complete_data":false}`,
			`{"Event":{"Subscription":"Tag","Name":"OnAdd","Brand":"acme","Tag":{"tagId":"40","requestId":"e4474a8a-1"}}}`,
			"application/json; charset=utf-8", "",
		},
		"JSON request id": {
			"Chat.OnUserExit", `{"User":{"id":1},"Object":{"id":2}}`, `{"request_id":true,"include_complete_data":false}`,
			`{"Event":{"Subscription":"Chat","Name":"OnUserExit","Brand":"acme","Chat":{"User":{"id":"1"},"Object":{"id":"2"},"requestId":"e-1"}}}`,
			"application/json; charset=utf-8", "",
		},
		"JSON payload": {
			"Object.OnNew", `{"Message":"hi","Content":{"isConnected":true},"CreateDate":"2014-09-23 12:39:11","User":{"Id":"1","Content":{}}}`, `{"root":"payload"}`,
			`{"payload":{"Message":"hi","Content":{"isConnected":true},"CreateDate":"2014-09-23 12:39:11","User":{"Id":"1","Content":{}}}}`,
			"application/json; charset=utf-8", "",
		},
		"JSON list": {
			"Object.OnUpdateTag", `{"Id":1,"Tags":{"Tag":[{"Id":1,"Action":"Add"},{"Id":2,"Action":"Remove"}]}}`, ``,
			`{"Event":{"Subscription":"Object","Name":"OnUpdateTag","Brand":"acme","Object":{"Id":"1","Tags":{"Tag":[{"Id":"1","Action":"Add"},{"Id":"2","Action":"Remove"}]}}}}`,
			"application/json; charset=utf-8", "",
		},
		"XML":          {commboxNewActivity, commboxActivityPayload, `{"format":"xml"}`, eventXML, "text/xml; charset=utf-8", ""},
		"XML ids only": {commboxNewActivity, commboxActivityPayload, `{"format":"xml","include_complete_data":false}`, eventIDs, "text/xml; charset=utf-8", ""},
		"XML list": {
			"Object.OnUpdateTag", `{"Id":1,"Tags":{"Tag":[{"Id":1,"Action":"Add"},{"Id":2,"Action":"Remove"}]}}`, `{"format":"xml"}`,
			`<Event Subscription="Object" Name="OnUpdateTag" Brand="acme"><Object Id="1"><Tags><Tag Id="1" Action="Add" /><Tag Id="2" Action="Remove" /></Tags></Object></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML list of texts": {
			"User.OnUpdate", `{"Id":1,"Nick":["a","b"]}`, `{"format":"xml"}`,
			`<Event Subscription="User" Name="OnUpdate" Brand="acme"><User Id="1"><Nick>a</Nick><Nick>b</Nick></User></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML a user's Content": {
			"User.OnNew", `{"Id":1,"Content":{},"Email":""}`, `{"format":"xml"}`,
			`<Event Subscription="User" Name="OnNew" Brand="acme"><User Id="1" Email=""><Content>{}</Content></User></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML a tagged user's Content": {
			commboxUserTag, `{"Id":1,"Content":{},"Tags":{"Tag":{"Id":1,"Action":"Add"}}}`, `{"format":"xml"}`,
			`<Event Subscription="User" Name="OnUpdateTag" Brand="acme"><User Id="1" Content="{}"><Tags><Tag Id="1" Action="Add" /></Tags></User></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML conversation": {
			"Object.OnNew", `{"Id":"1","Type":5,"StatusID":1,"CreateDate":"2014-09-23 12:39:11","StreamProviderType":"Mail","Message":"New & improved","Content":{ "num_likes": 5 },"ManagerId":0,"Snippet":"New","User":{"Id":"2","Content":{},"Identity":{"Id":"3"}}}`, `{"format":"xml"}`,
			`<Event Subscription="Object" Name="OnNew" Brand="acme"><Object Id="1" Type="5" StatusID="1" CreateDate="2014-09-23 12:39:11" StreamProviderType="Mail">` +
				`<Message>New &amp; improved</Message><Content>{"num_likes":5}</Content><ManagerId>0</ManagerId><Snippet>New</Snippet>` +
				`<User Id="2"><Content>{}</Content><Identity Id="3" /></User></Object></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML Form": {
			"Form.OnSubmit", `{"ObjectId":"5","FormUrl":"https://forms.example.com/f?a=1&b=2","Properties":{"field_0":"<b>"}}`, `{"format":"xml"}`,
			`<Event Subscription="Form" Name="OnSubmit" Brand="acme"><Form><ObjectId>5</ObjectId><FormUrl>https://forms.example.com/f?a=1&amp;b=2</FormUrl>` +
				`<Properties>{"field_0":"&lt;b&gt;"}</Properties></Form></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML Satisfaction": {
			"Satisfaction.OnSubmit", `{"ObjectId":5,"Score":100,"Description":""}`, `{"format":"xml"}`,
			`<Event Subscription="Satisfaction" Name="OnSubmit" Brand="acme"><Satisfaction ObjectId="5"><Score>100</Score><Description /></Satisfaction></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML request id": {
			"Chat.OnUserExit", `{"User":{"id":1},"Object":{"id":2}}`, `{"format":"xml","request_id":true}`,
			`<Event Subscription="Chat" Name="OnUserExit" Brand="acme"><Chat requestId="e-1"><User id="1" /><Object id="2" /></Chat></Event>`,
			"text/xml; charset=utf-8", "",
		},
		"XML another name": {
			commboxTagUpdate, `{"tagId":1}`, `{"format":"xml","tag_update_name":"OnEdit"}`,
			`<Event Subscription="Tag" Name="OnEdit" Brand="acme"><Tag tagId="1" /></Event>`, "text/xml; charset=utf-8", "",
		},
		"SOAP": {
			commboxNewActivity, commboxActivityPayload, `{"protocol":"soap"}`,
			soap + eventXML + `</soap:Body></soap:Envelope>`, "text/xml; charset=utf-8", `""`,
		},
		"SOAP with parameters": {
			commboxNewActivity, commboxActivityPayload, `{"protocol":"soap","include_complete_data":false,"soap_parameters":[{"name":"apiKey","value":"k1"},{"name":"realm","value":"a<b"}]}`,
			soap + `<apiKey>k1</apiKey><realm>a&lt;b</realm>` + eventIDs + `</soap:Body></soap:Envelope>`, "text/xml; charset=utf-8", `""`,
		},
		"SOAP 1.2": {
			"Tag.OnAdd", `{"tagId":1}`, `{"protocol":"soap","soap_version":"1.2"}`,
			`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>` +
				`<Event Subscription="Tag" Name="OnAdd" Brand="acme"><Tag tagId="1" /></Event></soap:Body></soap:Envelope>`,
			"application/soap+xml; charset=utf-8", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, body := commboxSent(t, Event{Type: c.native, ID: "e-1", Account: "acme", Payload: json.RawMessage(c.payload)}, c.settings)
			if body != c.body {
				t.Errorf("got\n%s\nwant\n%s", body, c.body)
			}
			want := http.Header{"Content-Type": {c.contentType}}
			if c.action != "" {
				want["SOAPAction"] = []string{c.action}
			}
			if fmt.Sprint(header) != fmt.Sprint(want) {
				t.Errorf("headers %v, want %v", header, want)
			}
		})
	}
}

func TestCommboxWithoutAccountHasNoBrand(t *testing.T) {
	t.Parallel()
	e := Event{Type: "Tag.OnAdd", Payload: json.RawMessage(`{"tagId":"1"}`)}
	if _, body := commboxSent(t, e, ``); body != `{"Event":{"Subscription":"Tag","Name":"OnAdd","Tag":{"tagId":"1"}}}` {
		t.Error(body)
	}
	if _, body := commboxSent(t, e, `{"format":"xml"}`); body != `<Event Subscription="Tag" Name="OnAdd"><Tag tagId="1" /></Event>` {
		t.Error(body)
	}
}

// commboxLeaf is one text of an event with the way to it; whether it is an attribute or an element makes no difference.
func commboxLeaves(t *testing.T, path string, raw json.RawMessage) (leaves []string) {
	t.Helper()
	name := path[strings.LastIndex(path, "/")+1:]
	document := name == "Content" || name == "Data" || name == "Properties"
	switch {
	case raw[0] == '{' && !document:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatal(err)
		}
		for n, m := range members {
			leaves = append(leaves, commboxLeaves(t, path+"/"+n, m)...)
		}
	case raw[0] == '[' && !document:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			leaves = append(leaves, commboxLeaves(t, path, item)...)
		}
	case raw[0] == '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, path+"="+text)
	case raw[0] == 'n':
	case string(raw) == "true" || string(raw) == "false":
		leaves = append(leaves, path+"="+strings.ToUpper(string(raw[:1]))+string(raw[1:]))
	default:
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, path+"="+compact.String())
	}
	slices.Sort(leaves)
	return leaves
}

// commboxXMLLeaves reads a whole document with encoding/xml, and fails when it is not well formed.
func commboxXMLLeaves(t *testing.T, body string) (leaves []string) {
	t.Helper()
	in := xml.NewDecoder(strings.NewReader(body))
	type open struct {
		path   string
		text   strings.Builder
		inside int
	}
	stack := []*open{{}}
	for {
		token, err := in.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			top.inside++
			o := &open{path: top.path + "/" + token.Name.Local}
			for _, a := range token.Attr {
				o.inside++
				leaves = append(leaves, o.path+"/"+a.Name.Local+"="+a.Value)
			}
			stack = append(stack, o)
		case xml.CharData:
			top.text.Write(token)
		case xml.EndElement:
			if top.inside == 0 {
				leaves = append(leaves, top.path+"="+top.text.String())
			} else if top.text.Len() > 0 {
				t.Errorf("text %q beside elements or attributes in %s", top.text.String(), body)
			}
			stack = stack[:len(stack)-1]
		}
	}
	slices.Sort(leaves)
	return leaves
}

// Every sample, in every shape, says what its payload says: no more, no less.
func TestCommboxShapesReadBackAsThePayload(t *testing.T) {
	t.Parallel()
	for _, native := range commbox().events {
		entity, name, _ := strings.Cut(native, ".")
		for seed := range uint64(40) {
			e := commbox().sample(rand.New(rand.NewPCG(seed, 1)), native, commboxAt(t))
			want := commboxLeaves(t, "/Event/"+entity, e.Payload)
			want = append(want, "/Event/Subscription="+entity, "/Event/Name="+name, "/Event/Brand=acme")
			slices.Sort(want)
			_, body := commboxSent(t, e, `{"format":"xml"}`)
			if got := commboxXMLLeaves(t, body); !slices.Equal(got, want) {
				t.Fatalf("XML\n%q\nwant\n%q", got, want)
			}
			_, body = commboxSent(t, e, `{}`)
			if got := commboxLeaves(t, "", json.RawMessage(body)); !slices.Equal(got, want) {
				t.Fatalf("JSON\n%q\nwant\n%q", got, want)
			}
			_, body = commboxSent(t, e, `{"protocol":"soap","soap_parameters":[{"name":"k","value":"<Event/>"}]}`)
			inside := append([]string{"/k=<Event/>"}, want...)
			for i := range inside {
				inside[i] = "/Envelope/Body" + inside[i]
			}
			got := slices.DeleteFunc(commboxXMLLeaves(t, body), func(leaf string) bool { return strings.HasPrefix(leaf, "/Envelope/soap=") })
			slices.Sort(inside)
			if !slices.Equal(got, inside) {
				t.Fatalf("SOAP\n%q\nwant\n%q", got, inside)
			}
		}
	}
}

// What a person can type comes back as it was; what XML cannot hold comes back as U+FFFD, and JSON can hold it all.
func TestCommboxHostileText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, inXML string }{
		"quotes and markup":  {`"'<&>` + "`", ""},
		"end of CDATA":       {`a]]>b<![CDATA[c`, ""},
		"an event":           {`</Event><Event Subscription="Tag" Name="OnAdd"><Tag tagId="1"/></Event>`, ""},
		"an entity":          {"&amp;&lt;&#0;&x;<!DOCTYPE a>", ""},
		"emoji":              {"👩‍👩‍👧 שלום é \u2028\u2029", ""},
		"line ends and tabs": {"\r\n a\tb\r\nc\n\n d\r ", ""},
		"controls":           {"a\x00b\x01c\x08d\x0b\x0ce\x1b[31mf\x1f", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD\uFFFDe\uFFFD[31mf\uFFFD"},
		"del and C1":         {"\x7f\u0085\u009f", ""},
		"no characters":      {"\uFFFE\uFFFF\U0001FFFE", "\uFFFD\uFFFD\U0001FFFE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.inXML == "" {
				c.inXML = c.text
			}
			text, err := json.Marshal(c.text)
			if err != nil {
				t.Fatal(err)
			}
			payload := `{"Id":"7","Title":` + string(text) + `,"CreateDate":"x","Message":` + string(text) + `,"Content":{"k":` + string(text) + `}}`
			e := Event{Type: "Object.OnNew", Account: c.text, Payload: json.RawMessage(payload)}
			_, body := commboxSent(t, e, `{"format":"xml"}`)
			var read struct {
				XMLName xml.Name `xml:"Event"`
				Brand   string   `xml:",attr"`
				Object  struct {
					Title   string `xml:",attr"`
					Message string
					Content string
				}
			}
			if err := xml.Unmarshal([]byte(body), &read); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if o := read.Object; read.Brand != c.inXML || o.Title != c.inXML || o.Message != c.inXML {
				t.Errorf("%q is read as %q, %q and %q", c.text, read.Brand, o.Title, o.Message)
			}
			var content struct{ K string }
			if err := json.Unmarshal([]byte(read.Object.Content), &content); err != nil {
				t.Fatalf("%v in %s", err, read.Object.Content)
			}
			if content.K != strings.NewReplacer("\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD").Replace(c.text) { // controls are escaped in it
				t.Errorf("the document is read as %q", content.K)
			}
			if n := strings.Count(body, "<Event"); n != 1 {
				t.Errorf("%d events in %s", n, body)
			}
			_, body = commboxSent(t, e, `{}`)
			var whole struct {
				Event struct {
					Brand  string
					Object struct {
						Title, Message string
						Content        struct{ K string }
					}
				}
			}
			if err := json.Unmarshal([]byte(body), &whole); err != nil {
				t.Fatal(err)
			}
			if o := whole.Event.Object; whole.Event.Brand != c.text || o.Title != c.text || o.Message != c.text || o.Content.K != c.text {
				t.Errorf("JSON is read as %+v", whole)
			}
		})
	}
}

func TestCommboxBrokenUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	e := Event{Type: "Object.OnNew", Payload: json.RawMessage("{\"CreateDate\":\"\",\"Message\":\"a\xff\",\"Content\":{\"k\":\"b\xc3\"}}")}
	_, body := commboxSent(t, e, `{"format":"xml"}`)
	want := `<Event Subscription="Object" Name="OnNew"><Object CreateDate=""><Message>a` + "\uFFFD" + `</Message><Content>{"k":"b` + "\uFFFD" + `"}</Content></Object></Event>`
	if body != want {
		t.Errorf("got %q", body)
	}
	if _, body = commboxSent(t, e, ``); strings.ToValidUTF8(body, "?") != body {
		t.Errorf("JSON is no UTF-8: %q", body)
	}
}

// Another reader than Go's: Python's expat and json take what we write.
func TestCommboxPythonReadsEveryShape(t *testing.T) {
	t.Parallel()
	var bodies []string
	for i, native := range commbox().events {
		e := commbox().sample(rand.New(rand.NewPCG(uint64(i), 2)), native, commboxAt(t))
		for _, settings := range []string{`{}`, `{"format":"xml"}`, `{"protocol":"soap"}`, `{"format":"xml","include_complete_data":false}`} {
			_, body := commboxSent(t, e, settings)
			bodies = append(bodies, body)
		}
	}
	in, err := json.Marshal(bodies)
	if err != nil {
		t.Fatal(err)
	}
	const script = `
import json, sys, xml.etree.ElementTree as E
for body in json.load(sys.stdin):
    if body[0] == '{':
        e = json.loads(body)['Event']
        print(e['Subscription'], e['Name'], isinstance(e[e['Subscription']], dict))
    else:
        e = next(E.fromstring(body.encode()).iter('Event'))
        print(e.get('Subscription'), e.get('Name'), e[0].tag == e.get('Subscription'))
`
	cmd := exec.CommandContext(t.Context(), "python3", "-c", script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want strings.Builder
	for _, native := range commbox().events {
		entity, name, _ := strings.Cut(native, ".")
		want.WriteString(strings.Repeat(entity+" "+name+" True\n", 4))
	}
	if string(out) != want.String() {
		t.Errorf("Python read\n%s", out)
	}
}
