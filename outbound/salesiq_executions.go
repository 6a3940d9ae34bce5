package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

const (
	salesiqMostManual  = 99  // retries of one execution by hand (doc)
	salesiqMostIDs     = 300 // of one delete (doc); of one retry it is our bound
	salesiqLeastPage   = 5   // executions on a page (doc), and the most, which is also the default
	salesiqMostPage    = 50
	salesiqDeepestPage = 1_000_000 // executions before a page, our bound
	salesiqChunk       = 1000      // deliveries that are read at once
)

// salesiqExecution is a failed execution in a list. Only that its id is a UUID is documented; the members are ours.
type salesiqExecution struct {
	ID           string `json:"id"`
	Event        string `json:"event"`
	EntityType   string `json:"entity_type"`
	EntityID     string `json:"entity_id"`
	AppID        string `json:"app_id,omitempty"`
	EventTime    string `json:"event_time"`
	Status       string `json:"status"`
	Attempt      string `json:"attempt"` // that the last request's body had
	AutoCount    string `json:"auto_retry_count"`
	ManualCount  string `json:"manual_retry_count"`
	ResponseCode string `json:"response_code,omitempty"`
	Reason       string `json:"reason,omitempty"`
	Created      string `json:"created_time"`
	Modified     string `json:"modified_time"`
}

func salesiqExecuted(d *Delivery) salesiqExecution {
	x := salesiqExecution{
		ID: d.ID, Event: d.Event, Status: string(d.State), Attempt: strconv.Itoa(d.Attempts),
		AutoCount: strconv.Itoa(max(0, d.Attempts-d.Manual-1)), ManualCount: strconv.Itoa(d.Manual),
		Reason: d.LastError, Created: salesiqMillis(d.Created), Modified: salesiqMillis(d.Updated),
	}
	if len(d.Events) > 0 {
		e := &d.Events[0]
		x.EntityType, x.EntityID, x.AppID = e.Attributes["entity_type"], e.Attributes["entity_id"], e.Attributes["app_id"]
		x.EventTime = salesiqMillis(e.Time)
	}
	if d.LastStatus != 0 {
		x.ResponseCode = strconv.Itoa(d.LastStatus)
	}
	return x
}

// executions lists failed executions, newest first, or counts them with mode=meta.
func (api *salesiqAPI) executions(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	query := r.URL.Query()
	q := LogQuery{Provider: "salesiq", Subscription: sub.ID, States: []State{Failed}}
	if events := query.Get("events"); events != "" {
		q.Events = strings.Split(events, ",")
	}
	if q.From, err = salesiqTime(query, "from_time"); err != nil {
		return salesiqAnswer{}, err
	}
	if q.To, err = salesiqTime(query, "to_time"); err != nil {
		return salesiqAnswer{}, err
	}
	if !q.To.IsZero() {
		q.To = q.To.Add(time.Millisecond) // both ends are included, which is our reading
	}
	switch query.Get("mode") {
	case "":
	case "meta":
		return api.countExecutions(r.Context(), q)
	default:
		return salesiqAnswer{}, salesiqInvalid("the only mode is meta")
	}
	limit, err := salesiqCount(query, "limit", salesiqMostPage, salesiqLeastPage, salesiqMostPage)
	if err != nil {
		return salesiqAnswer{}, err
	}
	page, err := salesiqCount(query, "pageno", 1, 1, salesiqDeepestPage/limit)
	if err != nil {
		return salesiqAnswer{}, err
	}
	found, err := api.page(r.Context(), q, (page-1)*limit, limit)
	if err != nil {
		return salesiqAnswer{}, err
	}
	list := make([]salesiqExecution, len(found))
	for i, d := range found {
		list[i] = salesiqExecuted(d)
	}
	return api.answer(r, "list", list), nil
}

// page reads limit deliveries behind the first skip ones. The log is read by its places, so what is skipped is read, too.
func (api *salesiqAPI) page(ctx context.Context, q LogQuery, skip, limit int) ([]*Delivery, error) {
	for q.Bare = true; skip > 0; {
		q.Limit = min(skip, salesiqChunk)
		found, err := api.Deliveries(ctx, q)
		if err != nil || len(found) < q.Limit {
			return nil, err
		}
		q.Before = found[len(found)-1].Seq
		skip -= len(found)
	}
	q.Limit, q.Bare = limit, false
	return api.Deliveries(ctx, q)
}

// countExecutions counts all and by app. The log does not know of apps, so what is counted is read.
func (api *salesiqAPI) countExecutions(ctx context.Context, q LogQuery) (salesiqAnswer, error) {
	all, byApp := 0, map[string]int{}
	for q.Limit = salesiqChunk; ; {
		found, err := api.Deliveries(ctx, q)
		if err != nil {
			return salesiqAnswer{}, err
		}
		for _, d := range found {
			all++
			if app := salesiqExecuted(d).AppID; app != "" {
				byApp[app]++
			}
		}
		if len(found) < q.Limit {
			break
		}
		q.Before = found[len(found)-1].Seq
	}
	counts := make(map[string]string, len(byApp))
	for app, n := range byApp {
		counts[app] = strconv.Itoa(n)
	}
	return salesiqAnswer{Object: "summary", Data: struct {
		All   string            `json:"all"`
		ByApp map[string]string `json:"app_based"`
	}{strconv.Itoa(all), counts}}, nil
}

// retryOne sends one failed execution again now. The method is our reading.
func (api *salesiqAPI) retryOne(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	id := mux.Vars(r)["execution"]
	there, err := api.failed(r.Context(), sub, id)
	if err != nil {
		return salesiqAnswer{}, err
	}
	if !there {
		return salesiqAnswer{}, ErrNotFound
	}
	skipped, err := api.Retry(r.Context(), []string{id}, salesiqMostManual)
	return api.skipped(r, skipped), err
}

// retryMany sends failed executions again now. Those that had 99 retries by hand come back as skipped (doc), and so do
// those that are not among the webhook's failed ones (ours). The export, which has the same path, is told by its Accept.
func (api *salesiqAPI) retryMany(w http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	if strings.Contains(r.Header.Get("Accept"), "application/vnd.sealed.xlsx") {
		return salesiqAnswer{}, salesiqError{http.StatusNotImplemented, "not_built", "executions cannot be exported; list them with GET"}
	}
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := readJSON(w, r, &in, false); err != nil {
		return salesiqAnswer{}, salesiqInvalid(err.Error())
	}
	mine, skipped, err := api.own(r.Context(), sub, in.IDs)
	if err != nil {
		return salesiqAnswer{}, err
	}
	more, err := api.Retry(r.Context(), mine, salesiqMostManual)
	return api.skipped(r, append(skipped, more...)), err
}

// deleteExecutions removes failed executions from the log: ids=a,b,c, at most 300 (doc). That they are separated by commas,
// and that those which are not there come back as skipped, is ours.
func (api *salesiqAPI) deleteExecutions(_ http.ResponseWriter, r *http.Request) (salesiqAnswer, error) {
	sub, err := api.webhook(r)
	if err != nil {
		return salesiqAnswer{}, err
	}
	var ids []string
	for _, part := range r.URL.Query()["ids"] {
		ids = append(ids, strings.Split(part, ",")...)
	}
	mine, skipped, err := api.own(r.Context(), sub, ids)
	if err != nil {
		return salesiqAnswer{}, err
	}
	return api.skipped(r, skipped), api.Forget(r.Context(), mine)
}

func (api *salesiqAPI) skipped(r *http.Request, ids []string) salesiqAnswer {
	if ids == nil {
		ids = []string{}
	}
	return api.answer(r, "webhook", struct {
		Skipped []string `json:"skipped"`
	}{ids})
}

// own parts the ids that are failed executions of the webhook, each once, from the others.
func (api *salesiqAPI) own(ctx context.Context, sub *Subscription, ids []string) (mine, others []string, err error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	if len(ids) == 0 || len(ids) > salesiqMostIDs {
		return nil, nil, salesiqInvalid("ids are 1 to " + strconv.Itoa(salesiqMostIDs) + " ids of failed executions")
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		there, err := api.failed(ctx, sub, id)
		if err != nil {
			return nil, nil, err
		}
		if there {
			mine = append(mine, id)
		} else {
			others = append(others, id)
		}
	}
	return mine, others, nil
}

func (api *salesiqAPI) failed(ctx context.Context, sub *Subscription, id string) (bool, error) {
	d, _, err := api.Delivery(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && d.Provider == "salesiq" && d.Subscription == sub.ID && d.State == Failed, err
}

// salesiqTime reads milliseconds of the epoch; zero where there are none.
func salesiqTime(query url.Values, name string) (time.Time, error) {
	text := query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	n, ok := salesiqDigits(text).int64()
	if !ok || n > 253402300799999 { // the end of the year 9999
		return time.Time{}, salesiqInvalid(name + " is a time in milliseconds since 1970, such as 1566888552910")
	}
	return time.UnixMilli(n), nil
}

func salesiqCount(query url.Values, name string, unless, least, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return unless, nil
	}
	n, ok := salesiqDigits(text).int64()
	if !ok || n < int64(least) || n > int64(most) {
		return 0, salesiqInvalid(name + " is a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most))
	}
	return int(n), nil
}
