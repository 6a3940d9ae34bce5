package outbound

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	birdPage     = 10   // entries of a page unless asked for
	birdMaxPage  = 100  // both from the pages, as is the next
	birdMaxToken = 8000 // characters
)

// birdPaging reads limit and pageToken. A token is the place of the last entry of the page before.
func birdPaging(r *http.Request) (limit int, after string, err error) {
	query := r.URL.Query()
	limit = birdPage
	if query.Has("limit") {
		limit, err = strconv.Atoi(query.Get("limit"))
		if err != nil || limit < 1 || limit > birdMaxPage {
			return 0, "", birdInvalid("limit is a number from 1 to " + strconv.Itoa(birdMaxPage))
		}
	}
	token := query.Get("pageToken")
	if token == "" {
		return limit, "", nil
	}
	place, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(token) > birdMaxToken {
		return 0, "", birdInvalid("pageToken is not a nextPageToken of this list")
	}
	return limit, string(place), nil
}

func birdToken(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

// birdList is a page; nextPageToken is empty on the last one.
type birdList[T any] struct {
	Results       []T    `json:"results"`
	NextPageToken string `json:"nextPageToken"`
}

// list gives the workspace's subscriptions in order of creation. A token names the last one shown and, because that may be
// deleted before the next page is asked for, the time of its creation: from there on, nothing is left out then.
func (a birdAPI) list(w http.ResponseWriter, r *http.Request) error {
	limit, after, err := birdPaging(r)
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(a.server.all("bird"), func(s *Subscription) bool { return !birdOwns(r, s) })
	if after != "" {
		id, created, _ := strings.Cut(after, " ")
		from, err := strconv.ParseInt(created, 10, 64)
		if err != nil {
			return birdInvalid("pageToken is not a nextPageToken of this list")
		}
		at := 1 + slices.IndexFunc(own, func(s *Subscription) bool { return s.ID == id })
		if at == 0 {
			at = len(own)
			if i := slices.IndexFunc(own, func(s *Subscription) bool { return s.Created.UnixMilli() >= from }); i >= 0 {
				at = i
			}
		}
		own = own[at:]
	}
	out := birdList[birdWebhook]{Results: []birdWebhook{}}
	for _, sub := range own[:min(limit, len(own))] {
		out.Results = append(out.Results, birdShow(sub, false))
	}
	if len(own) > limit {
		last := own[limit-1]
		out.NextPageToken = birdToken(last.ID + " " + strconv.FormatInt(last.Created.UnixMilli(), 10))
	}
	reply(w, http.StatusOK, out)
	return nil
}
