package outbound

import (
	"net/http"
	"strconv"
	"time"
)

// salesiqWebhook is a webhook as the API shows it, its members in the documented order: ids, times and counts are text,
// version is a number, secured a boolean.
type salesiqWebhook struct {
	Modified string          `json:"modified_time"`
	URL      string          `json:"url"`
	Expiry   string          `json:"expiry_time_for_executions_data"`
	ID       string          `json:"id"`
	Modifier salesiqRef      `json:"modifier"`
	Creator  salesiqRef      `json:"creator"`
	Status   string          `json:"status"`
	Failures string          `json:"failures_count"`
	Secured  bool            `json:"secured"`
	AppIDs   []salesiqDigits `json:"app_ids,omitempty"`
	Version  int64           `json:"version"`
	Type     string          `json:"type"`
	Keys     []salesiqKey    `json:"public_keys"`
	Created  string          `json:"created_time"`
	Events   []string        `json:"events"`
	// LastTriggered is the time of the last answer or failure, which the console shows; the member is ours, and is not
	// there before the first.
	LastTriggered string `json:"last_triggered_time,omitempty"`
}

type salesiqKey struct {
	Key     string     `json:"key"`
	Creator salesiqRef `json:"creator"`
	Created string     `json:"created_time"`
	ID      string     `json:"id"`
}

// salesiqShown fills in the object. Its creator is an operator who is made up of the portal's name and stays the same.
func salesiqShown(s *Subscription) (salesiqWebhook, error) {
	set := decode[salesiqSettings](s)
	who := salesiqRef{salesiqMadeUp("operator "+set.Portal, 17)}
	shown := salesiqWebhook{
		Modified: salesiqMillis(s.Updated), URL: s.URL, Expiry: strconv.FormatInt(set.expiry(), 10), ID: s.ID, Modifier: who, Creator: who,
		Status: "disabled", Failures: strconv.FormatInt(s.Failures, 10), Secured: salesiqSecured(s), AppIDs: set.AppIDs,
		Version: set.version(), Type: set.kind(), Keys: []salesiqKey{}, Created: salesiqMillis(s.Created), Events: s.Events,
	}
	if s.Active {
		shown.Status = "enabled"
	}
	if shown.Events == nil {
		shown.Events = []string{}
	}
	for _, key := range salesiqKeys(s) {
		public, err := salesiqPublic(key, set.KeyFormat)
		if err != nil {
			return shown, err
		}
		shown.Keys = append(shown.Keys, salesiqKey{public, who, salesiqMillis(key.Created), key.ID})
	}
	if last := salesiqLater(s.LastSuccess, s.LastFailure); !last.IsZero() {
		shown.LastTriggered = salesiqMillis(last)
	}
	return shown, nil
}

func salesiqLater(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// object answers the whole webhook.
func (api *salesiqAPI) object(r *http.Request, sub *Subscription) (salesiqAnswer, error) {
	shown, err := salesiqShown(sub)
	if err != nil {
		return salesiqAnswer{}, err
	}
	return api.answer(r, "webhook", shown), nil
}
