package outbound

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// netcoreDesk is a server without its engine, whose chores a test calls at the times it chooses, and the mails that came.
type netcoreDesk struct {
	t      *testing.T
	server *Server
	path   string
	mailer Mailer

	mu     sync.Mutex
	sent   []string // to: subject
	texts  []string
	logged []string
	refuse map[string]bool
	during func(ctx context.Context) error // what happens while a mail is sent
}

var netcoreDay = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func newNetcoreDesk(t *testing.T, alert netcoreAlert) *netcoreDesk {
	t.Helper()
	d := &netcoreDesk{t: t, path: filepath.Join(t.TempDir(), "outbound.db"), refuse: make(map[string]bool)}
	d.mailer = d
	d.open()
	t.Cleanup(func() { _ = d.server.Close() })
	sub := &Subscription{Provider: "netcore", ID: "wh1", URL: "https://key:word@hooks.example.com/n?token=canary", Active: true}
	sub.encode(netcoreSettings{Label: "CRM", Alert: alert, Tested: sub.URL})
	if err := d.server.Create(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *netcoreDesk) open() {
	d.t.Helper()
	var err error
	d.server, err = New(Options{Path: d.path, Mailer: d.mailer, Log: func(message string, about map[string]string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.logged = append(d.logged, fmt.Sprint(message, about))
	}})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *netcoreDesk) restart() {
	d.t.Helper()
	if err := d.server.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.open()
}

func (d *netcoreDesk) Send(ctx context.Context, to []string, subject, text string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.during != nil {
		if err := d.during(ctx); err != nil {
			return err
		}
	}
	for _, address := range to {
		if d.refuse[address] {
			return errors.New("mailbox unavailable")
		}
	}
	d.sent = append(d.sent, strings.Join(to, ",")+": "+subject)
	d.texts = append(d.texts, text)
	return nil
}

// fail notes that a delivery was given up at a time.
func (d *netcoreDesk) fail(at time.Duration, status int) {
	d.t.Helper()
	d.change(func(sub *Subscription) { netcoreFail(sub, at, status) })
}

func netcoreFail(sub *Subscription, at time.Duration, status int) {
	netcoreObserve(sub, &Delivery{ID: "delivery-" + at.String(), Event: "email.open", Events: make([]Event, 3)},
		&Attempt{At: netcoreDay.Add(at), Status: status, Error: fmt.Sprint("status ", status)}, true)
}

func (d *netcoreDesk) change(change func(*Subscription)) {
	d.t.Helper()
	if _, err := d.server.Update(d.t.Context(), "netcore", "wh1", func(sub *Subscription) error { change(sub); return nil }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *netcoreDesk) settings(change func(*netcoreSettings)) {
	d.t.Helper()
	d.change(func(sub *Subscription) {
		c := decode[netcoreSettings](sub)
		change(&c)
		sub.encode(c)
	})
}

// chores runs them at a time and tells what was sent since the last call.
func (d *netcoreDesk) chores(at time.Duration) []string {
	d.t.Helper()
	if err := netcoreAlerts(d.t.Context(), d.server, netcoreDay.Add(at)); err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

func (d *netcoreDesk) expect(at time.Duration, want ...string) {
	d.t.Helper()
	if got := d.chores(at); !slices.Equal(got, want) {
		d.t.Errorf("at %v the mails are %q, want %q", at, got, want)
	}
}

func TestNetcoreHourlyDigest(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Emails: []string{"one@example.com", "two@example.com"}})
	d.expect(0)
	d.fail(0, 404)
	d.fail(40*time.Minute, 0)
	d.expect(time.Hour - time.Millisecond)
	d.restart()
	d.expect(time.Hour, "one@example.com: Webhook CRM: 2 failed deliveries", "two@example.com: Webhook CRM: 2 failed deliveries")
	want := "Webhook: CRM (wh1)\nReceiver: https://hooks.example.com\n2 failed deliveries:\n\n" +
		"1. 2026-06-01T09:00:00Z, 3 x email.open, status 404, delivery delivery-0s\n" +
		"2. 2026-06-01T09:40:00Z, 3 x email.open, status 0, delivery delivery-40m0s\n"
	if d.texts[0] != want {
		t.Errorf("the mail says\n%s\nwant\n%s", d.texts[0], want)
	}
	d.expect(time.Hour)
	d.restart()
	d.expect(48 * time.Hour) // nothing is sent again
	d.fail(50*time.Hour, 500)
	d.expect(50*time.Hour + 59*time.Minute)
	d.expect(51*time.Hour, "one@example.com: Webhook CRM: 1 failed delivery, disabled", "two@example.com: Webhook CRM: 1 failed delivery, disabled")
	if !strings.Contains(d.texts[2], "The webhook was disabled at 2026-06-03T11:00:00Z.") {
		t.Errorf("the mail says %q", d.texts[2])
	}
	if len(d.logged) != 0 {
		t.Errorf("the log has %q", d.logged)
	}
}

func TestNetcoreDailyDigest(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "daily", Emails: []string{"one@example.com"}})
	for i := range 23 {
		d.fail(time.Duration(i)*time.Hour, 404)
	}
	d.expect(23 * time.Hour)
	d.expect(24*time.Hour, "one@example.com: Webhook CRM: 23 failed deliveries")
	d.expect(49 * time.Hour)
}

func TestNetcoreEveryFailureHasItsMail(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"one@example.com"}})
	d.fail(0, 404)
	d.fail(time.Second, 404)
	d.fail(2*time.Second, 404)
	for i := range 3 {
		d.expect(3*time.Second, "one@example.com: Webhook CRM: 1 failed delivery")
		if !strings.Contains(d.texts[i], fmt.Sprintf("\n%d. ", i+1)) {
			t.Errorf("mail %d says %q", i+1, d.texts[i])
		}
		d.restart()
	}
	d.expect(3 * time.Second)
	d.expect(72 * time.Hour)
}

func TestNetcoreMailThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"gone@example.com", "two@example.com"}})
	d.refuse["gone@example.com"] = true
	d.fail(0, 404)
	d.expect(0)
	d.expect(time.Second, "two@example.com: Webhook CRM: 1 failed delivery") // is not held up for longer
	var tries []time.Duration
	for at := 2 * time.Second; at < 4*time.Hour; at += time.Second {
		before := len(d.logged)
		if got := d.chores(at); len(got) > 0 {
			t.Fatalf("at %v the mails are %q", at, got)
		}
		if len(d.logged) > before {
			tries = append(tries, at)
		}
		if at == time.Hour {
			d.restart()
		}
	}
	minute := time.Minute
	want := []time.Duration{minute, 3 * minute, 7 * minute, 15 * minute, 31 * minute, 63 * minute, 123 * minute, 183 * minute}
	if !slices.Equal(tries, want) {
		t.Errorf("it was tried again at %v, want %v", tries, want)
	}
	if last := d.logged[len(d.logged)-1]; !strings.Contains(last, "gone@example.com") || !strings.Contains(last, "wh1") ||
		!strings.Contains(last, "mailbox unavailable") || strings.Contains(last, "canary") {
		t.Errorf("the log says %q", last)
	}
	d.refuse["gone@example.com"] = false
	d.expect(5*time.Hour, "gone@example.com: Webhook CRM: 1 failed delivery")
	d.expect(6 * time.Hour)
	d.fail(7*time.Hour, 404)
	d.expect(7*time.Hour, "gone@example.com: Webhook CRM: 1 failed delivery", "two@example.com: Webhook CRM: 1 failed delivery")
}

func TestNetcoreAlertsAreBounded(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Emails: []string{"one@example.com"}})
	d.change(func(sub *Subscription) {
		for i := range 1000 {
			netcoreFail(sub, time.Duration(i)*time.Second, 404)
		}
		if len(sub.Settings) > 20_000 {
			t.Errorf("what waits takes %d bytes", len(sub.Settings))
		}
	})
	d.expect(time.Hour - time.Second) // the first of them counts, although it is no longer listed
	d.expect(time.Hour, "one@example.com: Webhook CRM: 1000 failed deliveries")
	if n := strings.Count(d.texts[0], "email.open"); n != netcoreKept || !strings.Contains(d.texts[0], "\n950 earlier, not listed\n951. ") {
		t.Errorf("%d are listed:\n%s", n, d.texts[0])
	}
	d.expect(100 * time.Hour)
}

// The list may change while failures wait.
func TestNetcoreAlertSettingsChange(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Emails: []string{"one@example.com", "two@example.com"}})
	d.fail(0, 404)
	d.settings(func(c *netcoreSettings) { c.Alert.Emails = []string{"two@example.com", "three@example.com"} })
	d.fail(time.Minute, 404)
	d.expect(time.Hour, "two@example.com: Webhook CRM: 2 failed deliveries")
	d.expect(time.Hour+time.Minute, "three@example.com: Webhook CRM: 1 failed delivery")

	d.fail(2*time.Hour, 404)
	d.settings(func(c *netcoreSettings) { c.Alert.Frequency = "every" })
	d.expect(2*time.Hour, "two@example.com: Webhook CRM: 1 failed delivery", "three@example.com: Webhook CRM: 1 failed delivery")

	d.fail(3*time.Hour, 404)
	d.settings(func(c *netcoreSettings) { c.Alert.On = false })
	d.fail(3*time.Hour, 404)
	d.expect(4 * time.Hour)
	d.settings(func(c *netcoreSettings) { c.Alert.On = true })
	d.expect(5 * time.Hour) // what happened before is not told
	d.fail(6*time.Hour, 404)
	d.expect(6*time.Hour, "two@example.com: Webhook CRM: 1 failed delivery", "three@example.com: Webhook CRM: 1 failed delivery")
}

// A failure that comes while the mail about others is on its way has its own.
func TestNetcoreFailureDuringAMail(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Emails: []string{"one@example.com"}})
	d.fail(0, 404)
	d.during = func(context.Context) error {
		d.during = nil
		d.fail(time.Hour, 404)
		return nil
	}
	d.expect(time.Hour, "one@example.com: Webhook CRM: 1 failed delivery")
	d.expect(2*time.Hour - time.Second)
	d.expect(2*time.Hour, "one@example.com: Webhook CRM: 1 failed delivery")
	if !strings.Contains(d.texts[1], "\n2. 2026-06-01T10:00:00Z") {
		t.Errorf("the second mail says %q", d.texts[1])
	}
}

// The server stops in the middle of a mail: nobody is to blame, and it is sent after the start.
func TestNetcoreStopDuringAMail(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"one@example.com"}})
	d.fail(0, 404)
	ctx, cancel := context.WithCancel(t.Context())
	d.during = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if err := netcoreAlerts(ctx, d.server, netcoreDay); err != nil {
		t.Error(err)
	}
	if len(d.logged) != 0 {
		t.Errorf("the log has %q", d.logged)
	}
	d.during = nil
	d.restart()
	d.expect(0, "one@example.com: Webhook CRM: 1 failed delivery")
}

func TestNetcoreWebhookDeletedDuringAMail(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"one@example.com", "two@example.com"}})
	d.fail(0, 404)
	d.during = func(context.Context) error {
		d.during = nil
		return d.server.Delete(t.Context(), "netcore", "wh1")
	}
	if err := netcoreAlerts(t.Context(), d.server, netcoreDay); err != nil {
		t.Error(err)
	}
}

func TestNetcoreAlertsWithoutAMailerWait(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Emails: []string{"one@example.com"}})
	d.fail(0, 404)
	d.mailer = nil
	d.restart()
	d.expect(2 * time.Hour)
	d.mailer = d
	d.restart()
	d.expect(3*time.Hour, "one@example.com: Webhook CRM: 1 failed delivery")
}

// More webhooks than a page of the listing has, and one that fails does not keep the others from their mails.
func TestNetcoreAlertsOfManyWebhooks(t *testing.T) {
	t.Parallel()
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"gone@example.com"}})
	d.refuse["gone@example.com"] = true
	d.fail(0, 404)
	const many = 1200
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			sub := &Subscription{Provider: "netcore", ID: fmt.Sprint("many", i), URL: "https://hooks.example.com/"}
			sub.encode(netcoreSettings{Alert: netcoreAlert{On: true, Frequency: "every", Emails: []string{"one@example.com"}}})
			netcoreFail(sub, 0, 404)
			if err := d.server.Create(t.Context(), sub); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d.expect(0)
	if got := d.chores(time.Second); len(got) != many {
		t.Errorf("%d mails came, want %d", len(got), many)
	}
	d.expect(2 * time.Second)
}

// The alert goes through a real mail server, and says nothing that must stay secret.
func TestNetcoreAlertOverSMTP(t *testing.T) {
	t.Parallel()
	box := newInbox(t, true)
	d := newNetcoreDesk(t, netcoreAlert{On: true, Frequency: "every", Emails: []string{"one@example.com", "two@example.com"}})
	d.mailer = box.mailer(t, func(o *MailOptions) { o.Password = hookgate.NewSecret([]byte(mailPassword), "env:MAIL_PASSWORD") })
	d.restart()
	d.settings(func(c *netcoreSettings) { c.Label = "Läden – आरव" })
	d.fail(0, 503)
	box.set(func() { box.down = true })
	d.chores(0)
	d.chores(time.Second)
	if len(box.letters()) != 0 || len(d.logged) != 2 || !strings.Contains(d.logged[0], "not now") {
		t.Fatalf("%d mails came, the log has %q", len(box.letters()), d.logged)
	}
	box.set(func() { box.down = false })
	d.chores(2 * time.Second)
	if n := len(box.letters()); n != 0 {
		t.Fatalf("%d mails came at once, want them a minute later", n)
	}
	d.chores(2 * time.Minute)
	d.chores(3 * time.Minute)
	letters := box.letters()
	if len(letters) != 2 {
		t.Fatalf("%d mails came, want one for each address", len(letters))
	}
	for i, to := range []string{"one@example.com", "two@example.com"} {
		l := letters[i]
		_, subject, text := l.read(t)
		if strings.Join(l.to, ",") != to || !l.encrypted || subject != "Webhook Läden – आरव: 1 failed delivery, disabled" {
			t.Errorf("mail %d goes to %v: %q", i, l.to, subject)
		}
		if !strings.Contains(text, "status 503") || strings.Contains(l.raw+text, "canary") || strings.Contains(l.raw+text, "key:word") {
			t.Errorf("mail %d says %q", i, text)
		}
	}
}
