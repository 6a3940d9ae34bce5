package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// netcoreAlerts sends the mails that are due. It stops at the first one that fails, because the mail server is the same for
// all; that address is passed over the next time, so it holds up the others once only.
func netcoreAlerts(ctx context.Context, s *Server, now time.Time) error {
	if s.options.Mailer == nil {
		return nil
	}
	for _, sub := range s.all("netcore") {
		if going, err := s.alertNetcore(ctx, sub, now); err != nil || !going {
			return err
		}
	}
	return nil
}

// alertNetcore sends what is due of one webhook and reports whether to go on with the next. How far each address has come
// is stored right after its mail: a crash between the mail server's answer and that note repeats this one mail.
func (s *Server) alertNetcore(ctx context.Context, sub *Subscription, now time.Time) (going bool, err error) {
	c := decode[netcoreSettings](sub)
	if c.stale() {
		return true, s.updateNetcore(ctx, sub.ID, func(c *netcoreSettings) {
			if c.stale() {
				c.State.Failures, c.State.Told = nil, nil
			}
		})
	}
	for _, to := range c.due(now) {
		failures, missed := c.untold(to)
		if len(failures) == 0 {
			continue
		}
		subject, text := netcoreMailText(sub, failures, missed)
		failed := s.options.Mailer.Send(ctx, []string{to}, subject, text)
		if failed != nil && ctx.Err() != nil {
			return false, nil // the server stops; the mail is not to blame
		}
		err := s.updateNetcore(context.WithoutCancel(ctx), sub.ID, func(c *netcoreSettings) {
			if failed != nil {
				c.postpone(to, now)
			} else {
				c.sent(to, failures[len(failures)-1].Number)
			}
		})
		if failed != nil {
			s.note("an alert could not be sent; it is tried again later", map[string]string{
				"provider": "netcore", "subscription": sub.ID, "to": to, "error": failed.Error(),
			})
		}
		if err != nil || failed != nil || ctx.Err() != nil {
			return false, err
		}
	}
	return true, nil
}

// updateNetcore changes the settings of a webhook; one that was deleted meanwhile has none.
func (s *Server) updateNetcore(ctx context.Context, id string, change func(*netcoreSettings)) error {
	_, err := s.Update(ctx, "netcore", id, func(sub *Subscription) error {
		c := decode[netcoreSettings](sub)
		change(&c)
		sub.encode(c)
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// netcoreMailText is the alert in words; the page prints none (ours).
func netcoreMailText(s *Subscription, failures []netcoreFailure, missed int64) (subject, text string) {
	c := decode[netcoreSettings](s)
	deliveries := "1 failed delivery"
	if total := missed + int64(len(failures)); total != 1 {
		deliveries = fmt.Sprintf("%d failed deliveries", total)
	}
	name := mailLine(c.name(s))
	subject = "Webhook " + name + ": " + deliveries
	var disabled time.Time
	for _, f := range failures {
		if f.Disabled {
			disabled = f.At
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Webhook: %s (%s)\nReceiver: %s\n%s:\n\n", name, s.ID, netcoreReceiver(s.URL), deliveries)
	if missed > 0 {
		fmt.Fprintf(&b, "%d earlier, not listed\n", missed)
	}
	for _, f := range failures {
		fmt.Fprintf(&b, "%d. %s, %d x %s, %s, delivery %s\n",
			f.Number, f.At.UTC().Format(time.RFC3339), f.Events, f.Event, f.Error, f.Delivery)
	}
	if !disabled.IsZero() {
		subject += ", disabled"
		fmt.Fprintf(&b, "\nThe webhook was disabled at %s. Activate it when the receiver answers again.\n",
			disabled.UTC().Format(time.RFC3339))
	}
	return subject, b.String()
}

// netcoreReceiver is what of a URL holds no secret.
func netcoreReceiver(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(not a URL)"
	}
	return u.Scheme + "://" + u.Host
}
