package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/hookgate/hookgate"
)

// inbox is a real mail server on loopback that keeps what it takes.
type inbox struct {
	address string
	roots   *tls.Config

	mu    sync.Mutex
	mails []letter
	deny  map[string]bool // recipients that are refused
	down  bool            // every mail is refused for now
}

type letter struct {
	from, user string
	to         []string
	encrypted  bool
	raw        string
}

const mailPassword = "long lost pass:word"

// newInbox starts a server; with encryption it offers STARTTLS, and authentication only after it, which it then demands.
func newInbox(t *testing.T, encryption bool) *inbox {
	t.Helper()
	box := &inbox{deny: make(map[string]bool)}
	server := smtp.NewServer(box)
	server.Domain = "mail.example.com"
	server.ErrorLog = quiet{}
	if encryption {
		witness := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
		witness.Close()
		roots := x509.NewCertPool()
		roots.AddCert(witness.Certificate())
		box.roots = &tls.Config{RootCAs: roots}
		server.TLSConfig = &tls.Config{Certificates: witness.TLS.Certificates}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box.address = l.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return box
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (b *inbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{box: b, conn: c}, nil
}

func (b *inbox) letters() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]letter(nil), b.mails...)
}

func (b *inbox) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

type mailSession struct {
	box  *inbox
	conn *smtp.Conn
	mail letter
	user string
}

func (s *mailSession) AuthMechanisms() []string {
	if s.box.roots == nil {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "hookgate" || password != mailPassword {
			// Some servers repeat what they were sent.
			sent := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no: " + password + " " + sent}
		}
		s.user = user
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.box.roots != nil && s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = letter{from: from, user: s.user, encrypted: encrypted}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.down || s.box.deny[to] {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "not now"}
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.raw = string(raw)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, s.mail)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// read decodes a letter as a reader's program does.
func (l letter) read(t *testing.T) (header netmail.Header, subject, text string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(l.raw))
	if err != nil {
		t.Fatalf("%v in %q", err, l.raw)
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	if kind := m.Header.Get("Content-Transfer-Encoding"); kind != "quoted-printable" {
		t.Fatalf("the body is in %q", kind)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, subject, strings.ReplaceAll(string(body), "\r\n", "\n")
}

func (b *inbox) mailer(t *testing.T, change func(*MailOptions)) Mailer {
	t.Helper()
	o := MailOptions{Server: b.address, From: "Hookgate <alerts@example.com>", TLS: "none"}
	if b.roots != nil {
		o.TLS, o.Config = "", b.roots
		o.User, o.Password = "hookgate", hookgate.NewSecret([]byte(mailPassword), "env:MAIL_PASSWORD")
	}
	if change != nil {
		change(&o)
	}
	m, err := NewMailer(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailIsSentEncryptedAndAuthenticated(t *testing.T) {
	t.Parallel()
	box := newInbox(t, true)
	subject := "Webhook Läden – आरव: 3 failed deliveries of a label that is rather long, so that it takes several lines"
	text := "Grüße\n.\n. a dot at the beginning\n" + strings.Repeat("long ", 300) + "\nनमस्ते\n"
	err := box.mailer(t, nil).Send(t.Context(), []string{"one@example.com", "two@example.com"}, subject, text)
	if err != nil {
		t.Fatal(err)
	}
	letters := box.letters()
	if len(letters) != 1 {
		t.Fatalf("%d mails came", len(letters))
	}
	l := letters[0]
	if !l.encrypted || l.user != "hookgate" || l.from != "alerts@example.com" || strings.Join(l.to, " ") != "one@example.com two@example.com" {
		t.Errorf("the dialogue was %+v", l)
	}
	header, gotSubject, gotText := l.read(t)
	if gotSubject != subject || gotText != text {
		t.Errorf("the mail says %q, %q", gotSubject, gotText)
	}
	if kind := header.Get("Content-Type"); kind != "text/plain; charset=UTF-8" {
		t.Errorf("Content-Type is %q", kind)
	}
	if header.Get("Auto-Submitted") != "auto-generated" || header.Get("Message-ID") == "" || header.Get("Date") == "" {
		t.Errorf("the header is %v", header)
	}
	for i := range len(l.raw) {
		if l.raw[i] > 126 {
			t.Fatalf("the mail is not ASCII on the wire: %q", l.raw)
		}
	}
}

func TestMailWithoutEncryptionHasToBeWrittenOut(t *testing.T) {
	t.Parallel()
	box := newInbox(t, false)
	if err := box.mailer(t, nil).Send(t.Context(), []string{"one@example.com"}, "s", "t\n"); err != nil {
		t.Error(err)
	}
	err := box.mailer(t, func(o *MailOptions) { o.TLS = "" }).Send(t.Context(), []string{"one@example.com"}, "s", "t\n")
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("a server without STARTTLS was used: %v", err)
	}
	if n := len(box.letters()); n != 1 {
		t.Errorf("%d mails came, want the first", n)
	}
}

func TestMailFailures(t *testing.T) {
	t.Parallel()
	box := newInbox(t, true)
	box.deny["gone@example.com"] = true
	for name, c := range map[string]struct {
		change func(*MailOptions)
		to     string
		want   string
	}{
		"wrong password": {func(o *MailOptions) { o.Password = hookgate.NewSecret([]byte("wrong pass:word"), "x") }, "one@example.com", "535"},
		"no password":    {func(o *MailOptions) { o.User, o.Password = "", hookgate.Secret{} }, "one@example.com", "502"},
		"no authority":   {func(o *MailOptions) { o.Config = nil }, "one@example.com", "certificate"},
		"refused":        {nil, "gone@example.com", "not now"},
		"nobody there":   {func(o *MailOptions) { o.Server = closedAddress(t) }, "one@example.com", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := box.mailer(t, c.change).Send(t.Context(), []string{c.to}, "s", "t\n")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the error is %v, want %q in it", err, c.want)
			}
			for _, secret := range []string{"pass:word", base64.StdEncoding.EncodeToString([]byte("\x00hookgate\x00wrong pass:word"))} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds the password: %v", err)
				}
			}
		})
	}
	if n := len(box.letters()); n != 0 {
		t.Errorf("%d mails came", n)
	}
}

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMailIsNotSentWithBadParts(t *testing.T) {
	t.Parallel()
	box := newInbox(t, false)
	m := box.mailer(t, nil)
	for name, c := range map[string]struct {
		to      []string
		subject string
	}{
		"nobody":          {nil, "s"},
		"no address":      {[]string{"one@example.com", "two"}, "s"},
		"line break":      {[]string{"one@example.com\r\nRCPT TO:<two@example.com>"}, "s"},
		"name":            {[]string{"One <one@example.com>"}, "s"},
		"two in one":      {[]string{"one@example.com, two@example.com"}, "s"},
		"two-line header": {[]string{"one@example.com"}, "s\r\nBcc: two@example.com"},
		"line feed":       {[]string{"one@example.com"}, "s\n\nbody"},
		"nul":             {[]string{"one@example.com"}, "s\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := m.Send(t.Context(), c.to, c.subject, "t\n"); err == nil {
				t.Error("it was sent")
			}
		})
	}
	if n := len(box.letters()); n != 0 {
		t.Errorf("%d mails came", n)
	}
}

func TestNewMailer(t *testing.T) {
	t.Parallel()
	secret := hookgate.NewSecret([]byte(mailPassword), "env:MAIL_PASSWORD")
	for name, c := range map[string]struct {
		options MailOptions
		want    string // the option that the error names; empty: there is none
	}{
		"whole":                {MailOptions{Server: "smtp.example.com:587", From: "a@example.com", User: "u", Password: secret, TLS: "mandatory"}, ""},
		"least":                {MailOptions{Server: "[::1]:25", From: "A <a@example.com>"}, ""},
		"none":                 {MailOptions{Server: "localhost:25", From: "a@example.com", TLS: "none"}, ""},
		"no server":            {MailOptions{From: "a@example.com"}, "server"},
		"no port":              {MailOptions{Server: "smtp.example.com", From: "a@example.com"}, "server"},
		"no host":              {MailOptions{Server: ":25", From: "a@example.com"}, "server"},
		"port 0":               {MailOptions{Server: "h:0", From: "a@example.com"}, "server"},
		"named port":           {MailOptions{Server: "h:smtp", From: "a@example.com"}, "server"},
		"no from":              {MailOptions{Server: "h:25"}, "from"},
		"from on two lines":    {MailOptions{Server: "h:25", From: "a@example.com\r\nBcc: b@example.com"}, "from"},
		"user alone":           {MailOptions{Server: "h:25", From: "a@example.com", User: "u"}, "password"},
		"password alone":       {MailOptions{Server: "h:25", From: "a@example.com", Password: secret}, "user"},
		"mode":                 {MailOptions{Server: "h:25", From: "a@example.com", TLS: "maybe"}, "tls"},
		"password in the open": {MailOptions{Server: "h:25", From: "a@example.com", User: "u", Password: secret, TLS: "none"}, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewMailer(c.options)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want+": ")):
				t.Errorf("the error is %v, want one of %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), mailPassword):
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// scripted is a mail server that does what it is told, for what a good one does not do.
func scripted(t *testing.T, serve func(lines *bufio.Reader, w io.Writer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		serve(bufio.NewReader(conn), conn)
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestMailEndsWithItsContext(t *testing.T) {
	t.Parallel()
	address := scripted(t, func(lines *bufio.Reader, _ io.Writer) {
		_, _ = io.Copy(io.Discard, lines) // says nothing
	})
	m, err := NewMailer(MailOptions{Server: address, From: "a@example.com", TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- m.Send(ctx, []string{"b@example.com"}, "s", "t\n") }()
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("the error is %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits beyond its context")
	}
}

func TestMailServerThatDoesNotStopTalking(t *testing.T) {
	t.Parallel()
	address := scripted(t, func(_ *bufio.Reader, w io.Writer) {
		for {
			if _, err := io.WriteString(w, "220-"+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return
			}
		}
	})
	m, err := NewMailer(MailOptions{Server: address, From: "a@example.com", TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), []string{"b@example.com"}, "s", "t\n"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("the error is %v", err)
	}
}

// A mail that was taken is sent, even if the server is gone before it says goodbye: otherwise it would come twice.
func TestMailThatWasTakenIsSent(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]bool{"taken": true, "cut before": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := scripted(t, func(lines *bufio.Reader, w io.Writer) {
				fmt.Fprint(w, "220 hello\r\n")
				for data := false; ; {
					line, err := lines.ReadString('\n')
					switch {
					case err != nil:
						return
					case data && line == ".\r\n":
						if taken {
							fmt.Fprint(w, "250 taken\r\n")
						}
						return
					case data:
					case strings.HasPrefix(line, "DATA"):
						data = true
						fmt.Fprint(w, "354 go on\r\n")
					default:
						fmt.Fprint(w, "250 fine\r\n")
					}
				}
			})
			m, err := NewMailer(MailOptions{Server: address, From: "a@example.com", TLS: "none"})
			if err != nil {
				t.Fatal(err)
			}
			err = m.Send(t.Context(), []string{"b@example.com"}, "s", "t\n")
			if taken != (err == nil) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestMailerIsSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	box := newInbox(t, true)
	m := box.mailer(t, nil)
	failures := make([]error, 8)
	var all sync.WaitGroup
	for i := range failures {
		all.Go(func() {
			failures[i] = m.Send(t.Context(), []string{"one@example.com"}, fmt.Sprint("mail ", i), "t\n")
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Error(err)
	}
	if n := len(box.letters()); n != len(failures) {
		t.Errorf("%d mails came, want %d", n, len(failures))
	}
}
