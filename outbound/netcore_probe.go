package outbound

import (
	"context"
	"fmt"
	"net/http"
)

// netcoreTest is the button Test: one call with an empty batch, with the webhook's credentials and without retries. Only
// an answer of exactly 200 passes (doc), and only a webhook whose URL has passed can be active. The error says what the
// receiver did instead.
func netcoreTest(ctx context.Context, s *Server, id string) error {
	sub, err := s.Get(ctx, "netcore", id)
	if err != nil {
		return err
	}
	c := decode[netcoreSettings](sub)
	a := s.Call(ctx, sub, http.MethodPost, netcoreHeader(), netcoreProbe(c.panel(), c.ASCII))
	switch {
	case a.Status == 0:
		return fmt.Errorf("the test call got no answer: %s", a.Error)
	case a.Status != http.StatusOK:
		return fmt.Errorf("the test call was answered %d, and only 200 passes; let the receiver answer an empty list of events with 200",
			a.Status)
	case a.Error != "":
		return fmt.Errorf("the answer to the test call broke off: %s", a.Error)
	}
	_, err = s.Update(ctx, "netcore", id, func(current *Subscription) error {
		if current.URL != sub.URL {
			return fmt.Errorf("the URL was changed during the test; test again")
		}
		c := decode[netcoreSettings](current)
		c.Tested = current.URL
		current.encode(c)
		return nil
	})
	return err
}
