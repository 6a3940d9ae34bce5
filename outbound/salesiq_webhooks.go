package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// newSalesiqID makes up the id of a webhook: 17 digits, as in the provider's samples, and so above 2^53.
func newSalesiqID() string { return fmt.Sprintf("%d%016d", 1+rand.IntN(9), rand.Int64N(1e16)) }

// salesiqBody is the body of a create or an update; what an update leaves out stays. Members beyond these are not looked
// at, so that what a read answered can be sent back.
type salesiqBody struct {
	Type    *string          `json:"type"`
	URL     *string          `json:"url"`
	Events  *[]string        `json:"events"`
	AppIDs  *[]salesiqDigits `json:"app_ids"`
	Secured *bool            `json:"secured"`
	Version *salesiqDigits   `json:"version"`
	Expiry  *salesiqDigits   `json:"expiry_time_for_executions_data"`
	Status  *string          `json:"status"` // enabled or disabled
	Options json.RawMessage  `json:"hookgate"`
}

// apply puts the body into a webhook and checks the whole. key is the one that is put in when the webhook is secured and
// has none; its private half is empty where none was made.
func (in *salesiqBody) apply(sub *Subscription, key Key, now time.Time) error {
	settings := decode[salesiqSettings](sub)
	set(&sub.URL, in.URL)
	set(&sub.Events, in.Events)
	set(&settings.AppIDs, in.AppIDs)
	set(&settings.Version, in.Version)
	set(&settings.Expiry, in.Expiry)
	var ps hookgate.Problems
	switch {
	case in.Type == nil && settings.Type == "":
		ps.Add("type", "data or administration", "the type is missing")
	case in.Type != nil && settings.Type != "" && *in.Type != settings.Type:
		ps.Add("type", "create another webhook", "a webhook keeps its type")
	default:
		set(&settings.Type, in.Type)
	}
	if in.Status != nil {
		if *in.Status != "enabled" && *in.Status != "disabled" {
			ps.Add("status", "enabled or disabled", "there is no status %q", *in.Status)
		}
		sub.Active = *in.Status == "enabled"
	}
	if len(in.Options) > 0 && !bytes.Equal(in.Options, []byte("null")) {
		if err := salesiqStrict(in.Options, &settings.salesiqOptions); err != nil {
			ps.Add("hookgate", "", "the options cannot be read: %v", err)
		}
	}
	keys := salesiqKeys(sub)
	secured := in.secures(sub)
	if key.Private != "" && secured && len(keys) == 0 {
		keys = addSalesiqKey(keys, key, now)
	}
	settings.Secured = secured
	setSalesiqKeys(sub, secured, keys)
	sub.encode(settings)
	sub.sound(salesiq(), &ps)
	checkSalesiq(sub, &ps)
	return ps.Err()
}

// secures reports whether sub will be secured once the body is applied.
func (in *salesiqBody) secures(sub *Subscription) bool {
	if in.Secured != nil {
		return *in.Secured
	}
	return salesiqSecured(sub)
}

// salesiqSecured reports whether deliveries are signed. One that was made through the plain API says so by its scheme.
func salesiqSecured(sub *Subscription) bool {
	return decode[salesiqSettings](sub).Secured || slices.ContainsFunc(sub.Auth, func(a Auth) bool { return a.Scheme == salesiqScheme })
}

// create is documented with its body; POST was seen.
func (api *salesiqAPI) create(w http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	var in salesiqBody
	if err := readJSON(w, r, &in, false); err != nil {
		return salesiqAnswer{}, salesiqInvalid(err.Error())
	}
	sub := &Subscription{Provider: "salesiq", ID: newSalesiqID(), Active: true}
	sub.encode(salesiqSettings{Portal: salesiqPortal(r)})
	if err := in.apply(sub, Key{}, api.now()); err != nil {
		return salesiqAnswer{}, err
	}
	if err := salesiqHead(r.Context(), api.Server, sub); err != nil {
		return salesiqAnswer{}, err
	}
	if settings := decode[salesiqSettings](sub); settings.Secured && settings.keyOnSecured() {
		key, err := newSalesiqKey()
		if err != nil {
			return salesiqAnswer{}, err
		}
		setSalesiqKeys(sub, true, addSalesiqKey(nil, key, api.now()))
	}
	api.admission.Lock()
	defer api.admission.Unlock()
	if err := admitSalesiq(r.Context(), api.Server, &Subscription{}, sub); err != nil {
		return salesiqAnswer{}, err
	}
	if err := api.Create(r.Context(), sub); err != nil {
		return salesiqAnswer{}, err
	}
	answer, err := api.object(r, sub)
	answer.status = decode[salesiqSettings](sub).createdStatus()
	return answer, err
}

// update takes the fields of a create; new events and app_ids replace the old (doc). The method is our reading.
func (api *salesiqAPI) update(w http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	var in salesiqBody
	if err := readJSON(w, r, &in, false); err != nil {
		return salesiqAnswer{}, salesiqInvalid(err.Error())
	}
	before, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	// What takes long is done on a copy first: nothing is locked while a receiver is asked or a key is made.
	after := *before
	if err := in.apply(&after, Key{}, api.now()); err != nil {
		return salesiqAnswer{}, err
	}
	if after.URL != before.URL {
		if err := salesiqHead(r.Context(), api.Server, &after); err != nil {
			return salesiqAnswer{}, err
		}
	}
	var key Key
	if settings := decode[salesiqSettings](&after); settings.Secured && settings.keyOnSecured() && len(salesiqKeys(before)) == 0 && !salesiqSecured(before) {
		if key, err = newSalesiqKey(); err != nil {
			return salesiqAnswer{}, err
		}
	}
	now := api.now()
	sub, err := api.Update(r.Context(), "salesiq", before.ID, func(sub *Subscription) error { return in.apply(sub, key, now) })
	if err != nil {
		return salesiqAnswer{}, err
	}
	return api.object(r, sub)
}

// read is our reading of the paths; the scope SalesIQ.webhooks.READ is documented.
func (api *salesiqAPI) read(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	return api.object(r, sub)
}

// remove deletes a webhook with its keys. DELETE was seen; the answer, its id, is ours.
func (api *salesiqAPI) remove(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	if err := api.Delete(r.Context(), "salesiq", sub.ID); err != nil {
		return salesiqAnswer{}, err
	}
	return api.answer(r, "webhook", salesiqRef{sub.ID}), nil
}

// list gives all webhooks of the portal, or, with mode=meta, their numbers (doc).
func (api *salesiqAPI) list(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	subs := salesiqOfPortal(api.Server, salesiqPortal(r))
	switch r.URL.Query().Get("mode") {
	case "":
	case "meta":
		return api.summary(r, subs), nil
	default:
		return salesiqAnswer{}, salesiqInvalid("the only mode is meta")
	}
	list := make([]salesiqWebhook, len(subs))
	for i, sub := range subs {
		var err error
		if list[i], err = salesiqShown(sub); err != nil {
			return salesiqAnswer{}, err
		}
	}
	return api.answer(r, "list", list), nil
}

func (api *salesiqAPI) summary(r *http.Request, subs []*Subscription) salesiqAnswer {
	var administration, disabled, enabled, data int
	for _, sub := range subs {
		if decode[salesiqSettings](sub).kind() == salesiqAdministration {
			administration++
		} else {
			data++
		}
		if sub.Active {
			enabled++
		} else {
			disabled++
		}
	}
	return salesiqAnswer{URL: salesiqPath(r), Object: "summary", Data: struct {
		Administration string `json:"administration"`
		Disabled       string `json:"disabled"`
		Enabled        string `json:"enabled"`
		Data           string `json:"data"`
	}{strconv.Itoa(administration), strconv.Itoa(disabled), strconv.Itoa(enabled), strconv.Itoa(data)}}
}

// createKey makes another key pair; the oldest stays in use, so that a receiver can install the new one first (doc).
func (api *salesiqAPI) createKey(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	before, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	full := salesiqError{http.StatusBadRequest, "limit_reached", "a webhook has at most 2 keys; delete the oldest first"}
	if len(salesiqKeys(before)) >= salesiqMostKeys {
		return salesiqAnswer{}, full
	}
	key, err := newSalesiqKey()
	if err != nil {
		return salesiqAnswer{}, err
	}
	now := api.now()
	sub, err := api.Update(r.Context(), "salesiq", before.ID, func(sub *Subscription) error {
		keys := salesiqKeys(sub)
		if len(keys) >= salesiqMostKeys {
			return full
		}
		setSalesiqKeys(sub, salesiqSecured(sub), addSalesiqKey(keys, key, now))
		return nil
	})
	if err != nil {
		return salesiqAnswer{}, err
	}
	answer, err := api.object(r, sub)
	answer.status = decode[salesiqSettings](sub).createdStatus()
	return answer, err
}

// deleteKey removes a key. A secured webhook without any key delivers unsigned until it has one again: nothing documented
// keeps the last key from being deleted.
func (api *salesiqAPI) deleteKey(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	before, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	id := mux.Vars(r)["key"]
	sub, err := api.Update(r.Context(), "salesiq", before.ID, func(sub *Subscription) error {
		keys := salesiqKeys(sub)
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		// secured has to outlive the scheme, which goes with the last key.
		settings := decode[salesiqSettings](sub)
		settings.Secured = salesiqSecured(sub)
		sub.encode(settings)
		setSalesiqKeys(sub, settings.Secured, slices.Delete(keys, i, i+1))
		return nil
	})
	if err != nil {
		return salesiqAnswer{}, err
	}
	return api.object(r, sub)
}
