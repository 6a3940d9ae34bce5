package outbound

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hookgate/hookgate"
)

// birdCreate is the body of a create call; other members are refused.
type birdCreate struct {
	Service      string          `json:"service"`
	Event        string          `json:"event"`
	URL          string          `json:"url"`
	EventFilters json.RawMessage `json:"eventFilters"`
	Template     json.RawMessage `json:"template"`
	SigningKey   json.RawMessage `json:"signingKey"`
}

func (in *birdCreate) into(s *Subscription, vars map[string]string) error {
	var missing []string
	for _, m := range []struct{ name, value string }{{"service", in.Service}, {"event", in.Event}, {"url", in.URL}} {
		if m.value == "" {
			missing = append(missing, m.name)
		}
	}
	if len(missing) > 0 {
		return birdInvalid("give " + strings.Join(missing, " and "))
	}
	if strings.Contains(in.Service, ".") {
		return birdInvalid("service is one of channels, numbers, payments and conversations")
	}
	s.Events = []string{in.Service + "." + in.Event}
	url, err := json.Marshal(in.URL)
	if err != nil {
		return err
	}
	s.encode(birdSettings{Organization: vars["organization"], Workspace: vars["workspace"]})
	change := birdChange{URL: url, EventFilters: in.EventFilters, Template: in.Template, SigningKey: in.SigningKey}
	return change.into(s)
}

// birdChange is the body of a change; other members are refused. A member that is missing is empty, one that is null is not.
type birdChange struct {
	URL          json.RawMessage `json:"url"`
	Template     json.RawMessage `json:"template"`
	SigningKey   json.RawMessage `json:"signingKey"`
	Status       json.RawMessage `json:"status"`
	EventFilters json.RawMessage `json:"eventFilters"`
}

func (in *birdChange) empty() bool {
	return len(in.URL)+len(in.Template)+len(in.SigningKey)+len(in.Status)+len(in.EventFilters) == 0
}

// into changes s by what is there and checks the whole.
func (in *birdChange) into(s *Subscription) error {
	settings := decode[birdSettings](s)
	if len(in.URL) > 0 {
		text, err := birdString("url", in.URL, false)
		if err != nil {
			return err
		}
		s.URL = text
	}
	if len(in.Template) > 0 {
		text, err := birdString("template", in.Template, true)
		if err != nil {
			return err
		}
		settings.Template = text
	}
	if len(in.SigningKey) > 0 {
		key, err := birdString("signingKey", in.SigningKey, true)
		if err != nil {
			return err
		}
		s.Auth = nil
		if key != "" {
			s.Auth = []Auth{{Scheme: "bird-signature", Secret: key}}
		}
	}
	if len(in.Status) > 0 {
		text, err := birdString("status", in.Status, false)
		if err != nil {
			return err
		}
		if text != "active" && text != "inactive" {
			return birdInvalid("status is active or inactive")
		}
		s.Active = text == "active"
	}
	if len(in.EventFilters) > 0 {
		filters, err := birdFilters(in.EventFilters)
		if err != nil {
			return err
		}
		settings.Filters = filters
	}
	s.encode(settings)
	var ps hookgate.Problems
	if s.sound(bird(), &ps); len(ps) == 0 {
		birdCheck(s, &ps)
	}
	return ps.Err()
}

// birdString reads text; null is "" where that is allowed.
func birdString(name string, raw json.RawMessage, null bool) (string, error) {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || (text == nil && !null) {
		return "", birdInvalid(name + " is text")
	}
	if text == nil {
		return "", nil
	}
	return *text, nil
}

// birdFilters reads a list of {"key","value"}; null is an empty one.
func birdFilters(raw json.RawMessage) ([]birdFilter, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var filters []birdFilter
	if err := d.Decode(&filters); err != nil {
		return nil, birdInvalid(`eventFilters is a list of {"key":"...","value":"..."}, or null`)
	}
	return filters, nil
}

// birdUnread is what a body that could not be read is answered with; the reader's own words may name Go's types.
func birdUnread(err error) error {
	text := err.Error()
	if i := strings.Index(text, "Go struct field"); i >= 0 {
		text = "a member has a value of the wrong kind"
	}
	return birdInvalid("the body cannot be taken: " + text)
}
