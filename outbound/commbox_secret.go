package outbound

import "encoding/json"

// hideCommbox shows the settings with the values of the SOAP parameters hidden: they are how a receiver is given a key.
func hideCommbox(s *Subscription) json.RawMessage {
	set := decode[commboxSettings](s)
	if len(set.SOAPParameters) == 0 {
		return s.Settings
	}
	for i := range set.SOAPParameters {
		set.SOAPParameters[i].Value = hidden
	}
	shown := Subscription{}
	shown.encode(set)
	return shown.Settings
}

// keepCommbox puts back the values that came back hidden, by their names.
func keepCommbox(before, after *Subscription) {
	set, old := decode[commboxSettings](after), decode[commboxSettings](before)
	restored := false
	for i, p := range set.SOAPParameters {
		for _, was := range old.SOAPParameters {
			if p.Value == hidden && was.Name == p.Name {
				set.SOAPParameters[i].Value, restored = was.Value, true
			}
		}
	}
	if restored {
		after.encode(set)
	}
}
