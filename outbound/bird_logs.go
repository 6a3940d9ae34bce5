package outbound

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// birdLog is a delivery as the logs list it. executionStatus succeeded is on the pages; failed and pending are ours.
type birdLog struct {
	RequestID       string `json:"requestId"`
	AttemptCount    int    `json:"attemptCount"`
	HTTPStatusCode  int    `json:"httpStatusCode"` // of the last attempt, 0 without an answer
	ExecutionStatus string `json:"executionStatus"`
	CreatedAt       string `json:"createdAt"`
}

// birdExecution are the values of executionStatus with the states that they stand for.
func birdExecution() map[string][]State {
	return map[string][]State{"succeeded": {Delivered}, "failed": {Failed}, "pending": {Waiting, Gathering}}
}

func birdLogged(d *Delivery) birdLog {
	out := birdLog{RequestID: d.ID, AttemptCount: d.Attempts, HTTPStatusCode: d.LastStatus, CreatedAt: birdStamp(d.Created)}
	for name, states := range birdExecution() {
		if slices.Contains(states, d.State) {
			out.ExecutionStatus = name
		}
	}
	return out
}

// logs gives the subscription's deliveries, newest first.
func (a birdAPI) logs(w http.ResponseWriter, r *http.Request) error {
	limit, after, err := birdPaging(r)
	if err != nil {
		return err
	}
	q := LogQuery{Provider: "bird", Limit: limit + 1, Bare: true} // one more tells whether there is a next page
	if after != "" {
		if q.Before, err = strconv.ParseInt(after, 10, 64); err != nil || q.Before < 1 {
			return birdInvalid("pageToken is not a nextPageToken of this list")
		}
	}
	if status := r.URL.Query().Get("executionStatus"); status != "" {
		states, ok := birdExecution()[status]
		if !ok {
			return birdInvalid("executionStatus is succeeded, failed or pending")
		}
		q.States = states
	}
	sub, err := a.own(r)
	if err != nil {
		return err
	}
	q.Subscription = sub.ID
	found, err := a.server.Deliveries(r.Context(), q)
	if err != nil {
		return err
	}
	out := birdList[birdLog]{Results: []birdLog{}}
	if len(found) > limit {
		found = found[:limit]
		out.NextPageToken = birdToken(strconv.FormatInt(found[limit-1].Seq, 10))
	}
	for _, d := range found {
		out.Results = append(out.Results, birdLogged(d))
	}
	reply(w, http.StatusOK, out)
	return nil
}

// birdAttempt is one attempt with what was sent and what came back. The pages say that both bodies are shown; the names
// are ours.
type birdAttempt struct {
	Attempt         int          `json:"attempt"`
	CreatedAt       string       `json:"createdAt"`
	DurationMS      int64        `json:"durationMs"`
	HTTPStatusCode  int          `json:"httpStatusCode"`
	ExecutionStatus string       `json:"executionStatus"`
	Error           string       `json:"error,omitempty"`
	Request         birdRequest  `json:"request"`
	Response        birdResponse `json:"response"`
}

type birdRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

type birdResponse struct {
	Body string `json:"body"`
}

// details gives every attempt of the delivery that requestId names.
func (a birdAPI) details(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("requestId")
	if id == "" {
		return birdInvalid("give requestId, the messagebird-request-id of the delivery")
	}
	sub, err := a.own(r)
	if err != nil {
		return err
	}
	d, attempts, err := a.server.Delivery(r.Context(), id)
	if err != nil {
		return err
	}
	if d.Provider != "bird" || d.Subscription != sub.ID {
		return ErrNotFound
	}
	out := struct {
		birdLog
		Attempts []birdAttempt `json:"attempts"`
	}{birdLogged(d), []birdAttempt{}}
	for _, attempt := range attempts {
		shown, err := birdDetail(sub, d, attempt)
		if err != nil {
			return err
		}
		out.Attempts = append(out.Attempts, shown)
	}
	reply(w, http.StatusOK, out)
	return nil
}

// birdDetail writes the request again: every attempt of a delivery has the same bytes, and the headers of the first. Of
// these it shows the provider's own, since others may be credentials. The URL is the subscription's of today.
func birdDetail(sub *Subscription, d *Delivery, attempt Attempt) (birdAttempt, error) {
	header, body, err := birdWrite(sub, d, attempt.Number)
	if err != nil {
		return birdAttempt{}, err
	}
	header.Set(birdSignature, "")
	headers := map[string]string{}
	for name := range header {
		value := header.Get(name)
		if sent := d.Frozen.Get(name); sent != "" {
			value = sent
		}
		if value != "" {
			headers[strings.ToLower(name)] = value
		}
	}
	status := "succeeded"
	if attempt.Error != "" {
		status = "failed"
	}
	return birdAttempt{
		Attempt: attempt.Number, CreatedAt: birdStamp(attempt.At), DurationMS: int64(attempt.Took / time.Millisecond),
		HTTPStatusCode: attempt.Status, ExecutionStatus: status, Error: attempt.Error,
		Request:  birdRequest{Method: http.MethodPost, URL: sub.URL, Headers: headers, Body: string(body)},
		Response: birdResponse{Body: strings.ToValidUTF8(string(attempt.Response), "\ufffd")},
	}, nil
}
