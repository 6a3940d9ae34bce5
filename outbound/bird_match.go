package outbound

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// birdMatch compares service and event exactly, then the filters: all keys must fit (the provider's page says AND), and of
// one key any value ("you can add multiple status filters" can only mean that; ours).
//
// An event that names an organization or, as the attribute workspace, a workspace goes to that one's subscriptions only,
// as far as a subscription names its own. Events of the made-up organization go to all.
func birdMatch(s *Subscription, e *Event) bool {
	if !slices.Contains(s.Events, e.Type) {
		return false
	}
	settings := decode[birdSettings](s)
	if e.Account != "" && e.Account != birdOrganization && settings.Organization != "" && settings.Organization != birdOrganization &&
		settings.Organization != e.Account {
		return false
	}
	if workspace := e.Attributes["workspace"]; workspace != "" && settings.Workspace != "" && settings.Workspace != workspace {
		return false
	}
	if len(settings.Filters) == 0 {
		return true
	}
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(e.Payload, &payload); err != nil {
		return false
	}
	fits := map[string]bool{}
	for _, f := range settings.Filters {
		value, ok := birdValue(payload[birdMember(f.Key)])
		fits[f.Key] = fits[f.Key] || (ok && value == f.Value)
	}
	for _, fit := range fits {
		if !fit {
			return false
		}
	}
	return true
}

// birdMember is the member of the payload that a filter key looks at. The pages name the keys and never say what they are
// compared with; the mapping is ours. channelId, platformId and, for calls, status are members of their own name; so is the
// key of a service whose filters are not documented.
func birdMember(key string) string {
	switch key {
	case "messageStatus", "channelStatus":
		return "status"
	case "interactionType":
		return "type"
	}
	return key
}

// birdValue is the text of a member that is there: a string's own, or the digits of a number. An empty one counts as none.
func birdValue(raw json.RawMessage) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "", false
	}
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", false
		}
		return text, text != ""
	case '{', '[', 'n':
		return "", false
	}
	return string(raw), true
}

// birdAmong takes away the subscriptions without a filter where another of their workspace has an explicit one that fits:
// without a filter "all events come, except where another webhook has an explicit filter" is what the page means. That it
// counts within one workspace is ours.
func birdAmong(matched []*Subscription) []*Subscription {
	filtered := map[string]bool{}
	for _, s := range matched {
		if settings := decode[birdSettings](s); len(settings.Filters) > 0 {
			filtered[settings.Workspace] = true
		}
	}
	if len(filtered) == 0 {
		return matched
	}
	kept := make([]*Subscription, 0, len(matched))
	for _, s := range matched {
		if settings := decode[birdSettings](s); len(settings.Filters) > 0 || !filtered[settings.Workspace] {
			kept = append(kept, s)
		}
	}
	return kept
}

// birdCombination is what at most five subscriptions may share: workspace, events and the set of filters.
func birdCombination(s *Subscription) string {
	settings := decode[birdSettings](s)
	filters := slices.Clone(settings.Filters)
	slices.SortFunc(filters, func(a, b birdFilter) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	b, err := json.Marshal([]any{settings.Workspace, s.Events, slices.Compact(filters)})
	if err != nil {
		return ""
	}
	return string(b)
}
