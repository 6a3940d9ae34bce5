package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

// sprinklrVerifyTime bounds the verification call. The provider's is not documented.
const sprinklrVerifyTime = 10 * time.Second

// errSprinklrUnverified is answered as false: the pages show no other answer.
var errSprinklrUnverified = errors.New("the URL is not verified")

// sprinklrVerify makes the verification call and notes what came of it: {} and nothing else, any of 200 to 204 passes.
// The call proves itself as a delivery does unless the settings say otherwise. What was verified once stays so.
func sprinklrVerify(ctx context.Context, s *Server, id string) error {
	sub, err := s.Get(ctx, "sprinklr", id)
	if err != nil {
		return err
	}
	callee := *sub
	if sign := decode[sprinklrSettings](sub).SignVerification; sign != nil && !*sign {
		callee.Auth = nil
	}
	calling, cancel := context.WithTimeout(ctx, sprinklrVerifyTime)
	defer cancel()
	attempt := s.Call(calling, &callee, http.MethodPost, http.Header{"Content-Type": {"application/json"}}, []byte("{}"))
	passed, failure := false, "it did not answer: "+attempt.Error
	if attempt.Status != 0 {
		passed = attempt.Status >= http.StatusOK && attempt.Status <= http.StatusNoContent
		failure = fmt.Sprintf("it answered %d, and 200 to 204 pass", attempt.Status)
	}
	_, err = s.Update(ctx, "sprinklr", id, func(now *Subscription) error {
		st := decode[sprinklrSettings](now)
		if passed {
			st.Verified, st.VerifiedURL, st.VerificationError = true, sub.URL, ""
		} else {
			st.VerificationError = failure
		}
		now.encode(st)
		return nil
	})
	if err == nil && !passed {
		err = fmt.Errorf("%w: %s", errSprinklrUnverified, failure)
	}
	return err
}

func (a sprinklrAPI) verify(w http.ResponseWriter, r *http.Request) {
	a.answerWhether(w, sprinklrVerify(r.Context(), a.s, mux.Vars(r)["id"]))
}

// activate answers false for a URL that has not been verified.
func (a sprinklrAPI) activate(w http.ResponseWriter, r *http.Request) {
	_, err := a.s.Update(r.Context(), "sprinklr", mux.Vars(r)["id"], func(sub *Subscription) error {
		if st := decode[sprinklrSettings](sub); !st.verified(sub.URL) {
			return errSprinklrUnverified
		}
		sub.Active = true
		return nil
	})
	a.answerWhether(w, err)
}

// answerWhether tells success from failure as the pages do: in data, with status 200.
func (a sprinklrAPI) answerWhether(w http.ResponseWriter, err error) {
	if err != nil && !errors.Is(err, errSprinklrUnverified) {
		a.failed(w, err)
		return
	}
	sprinklrAnswer(w, err == nil)
}

// deactivate takes the id from the path or, as one place of its page has it, from the body.
func (a sprinklrAPI) deactivate(w http.ResponseWriter, r *http.Request) {
	id, ok := mux.Vars(r)["id"]
	if !ok {
		var in struct {
			ID string `json:"subscriptionId"`
		}
		if !a.body(w, r, &in) {
			return
		}
		id = in.ID
	}
	a.change(w, r, id, func(sub *Subscription) error {
		sub.Active = false
		return nil
	})
}
