package outbound

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCommboxVectorsFromTheirParts holds what we send against what the gateway's vectors hold, which were written down
// without this code. same means that only the way to close an empty element, or to write one value, may differ.
func TestCommboxVectorsFromTheirParts(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../testdata/vectors/commbox.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name    string `json:"name"`
		Request struct {
			Body    []byte      `json:"body_b64"`
			Headers [][2]string `json:"headers"`
		} `json:"request"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	const user = `"UniqueID":"","Phone1":"972500000002","Email":"noa@example.net","FirstName":"Noa","LastName":"","Content":{}}`
	const exact, same = true, false
	for name, c := range map[string]struct {
		payload string
		exact   bool
	}{
		"Object.OnNew": {`{"Id":5501,"StreamId":3,"SubStreamId":0,"Type":5,"StatusID":1,"CreateDate":"2024-05-12 08:00:01","StreamProviderId":"care@example.net",` +
			`"StreamProviderType":"Mail","Message":"Hi"}`, exact},
		"Object.OnNewChild": {`{"Id":5501,"StreamId":3,"SubStreamId":0,"Children":{"Child":{"Id":990,"CreateDate":"12-05-2024 08:05:00","Type":5,"StreamProviderType":"Mail",` +
			`"Message":"me again"}}}`, exact},
		"Object.OnNewActivity": {`{"Id":5501,"StreamId":3,"Activities":{"Activity":{"Id":991,"Type":8,"CreateDate":"05/12/2024 08:06:00","User":{"Id":88,"Identity":{"Id":16}},` +
			`"Data":{"text":"call","scheduledTime":"05/13/2024 05:30:00"}}}}`, exact},
		"Object.OnUpdateTag":                    {`{"Id":5501,"Tags":{"Tag":{"Id":31,"Action":"Add"}}}`, exact},
		"User.OnNew":                            {`{"Id":6601,` + user, exact},
		"User.OnUpdate":                         {`{"Id":6602,` + user, exact},
		"User.OnUpdateTag":                      {`{"Id":6601,"Content":{},"Tags":{"Tag":{"Id":31,"Action":"Remove"}}}`, exact},
		"Satisfaction.OnSubmit":                 {`{"ObjectId":5501,"Score":80,"Description":"ok"}`, same},
		"Form.OnSubmit":                         {`{"ObjectId":5501,"FormUrl":"https://forms.example.net/7","Properties":{"size":"XL"}}`, exact},
		"Chat.OnUserExit":                       {`{"User":{"id":6601},"Object":{"id":5502}}`, same},
		"Tag.OnAdd":                             {`{"tagId":32,"name":"vip"}`, same},
		"Tag.OnUpdate":                          {`{"Id":33,"name":"VIP"}`, same},
		"JSON Object.OnNew":                     {`{"Id":5601,"CreateDate":"2024-05-12 08:00:01","Content":{"a":1.0}}`, exact},
		"JSON Object.OnUpdateTag":               {`{"Id":5602,"Tags":{"Tag":{"Id":31,"Action":"Add"}}}`, same},
		"JSON Satisfaction.OnSubmit":            {`{"ObjectId":5601,"Score":100}`, exact},
		"JSON Form.OnSubmit":                    {`{"ObjectId":5601,"Properties":"{}"}`, exact},
		"JSON Chat.OnUserExit":                  {`{"User":{"id":6701},"Object":{"id":5603}}`, exact},
		"JSON Tag.OnAdd":                        {`{"eventName":"OnAdd","tagId":41,"groupId":0,"name":"Rückgabe","isObject":true,"isUser":false}`, exact},
		"JSON Tag.OnUpdate":                     {`{"Id":42}`, exact},
		"JSON: the root payload names no event": {`{"Message":"first","Content":{"guidRT":"f00d"},"ManagerId":0,"Snippet":"first","User":{"Id":6703,"Content":{}}}`, exact},
	} {
		settings, native := `{"format":"xml"}`, strings.TrimPrefix(name, "JSON ")
		if native != name {
			settings = `{}`
		} else if strings.HasPrefix(name, "JSON:") {
			settings, native = `{"root":"payload"}`, "Object.OnNew"
		}
		found := false
		for _, v := range vectors {
			if v.Name != name {
				continue
			}
			found = true
			d := &Delivery{Events: []Event{{Type: native, Account: "northwind", Payload: json.RawMessage(c.payload)}}}
			header, body, err := commbox().write(&Subscription{Settings: json.RawMessage(settings)}, d, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, want := string(body), string(v.Request.Body)
			equal := got == want
			if !c.exact && want[0] == '<' {
				equal = slices.Equal(commboxXMLLeaves(t, got), commboxXMLLeaves(t, want))
			} else if !c.exact {
				equal = slices.Equal(commboxLeaves(t, "", body), commboxLeaves(t, "", v.Request.Body))
			}
			if !equal {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
			for _, h := range v.Request.Headers {
				if h[0] == "Content-Type" && header.Get(h[0]) != h[1] {
					t.Errorf("%s: content type %q, want %q", name, header.Get(h[0]), h[1])
				}
			}
		}
		if !found {
			t.Errorf("there is no vector %q", name)
		}
	}
}
