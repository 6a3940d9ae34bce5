package outbound

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/hookgate/hookgate"
)

// MailOptions are the settings of the mail server that alerts are handed to.
type MailOptions struct {
	Server   string          // host:port
	From     string          // an address, or "Name <address>"
	User     string          // empty: no authentication
	Password hookgate.Secret // needed with a user
	// TLS is "mandatory" (STARTTLS with a certificate that is checked, also when empty) or "none", which has to be written
	// out and cannot carry a password.
	TLS string
	// Config has the certificate authorities to check with; the system's unless set.
	Config *tls.Config
}

const (
	mailTime  = 30 * time.Second // for one mail, from the connection to the last answer
	mailBytes = 1 << 20          // that the server may say meanwhile, TLS included
)

// mailer sends plain text over SMTP, one connection a mail: alerts are few.
type mailer struct {
	options    MailOptions
	host       string
	port       int
	encryption mail.TLSPolicy
}

var _ Mailer = (*mailer)(nil)

// NewMailer checks the options; it does not connect. Send waits at most 30 seconds, and its errors hold no secret.
func NewMailer(o MailOptions) (Mailer, error) {
	m := &mailer{options: o}
	host, port, err := net.SplitHostPort(o.Server)
	if err == nil {
		m.port, err = strconv.Atoi(port)
	}
	if err != nil || host == "" || m.port < 1 || m.port > 65535 {
		return nil, fmt.Errorf("server: %q is no mail server; write host:port, such as smtp.example.com:587", o.Server)
	}
	m.host = host
	if _, err := netmail.ParseAddress(o.From); err != nil || mailControl(o.From) {
		return nil, fmt.Errorf("from: %q is no address; write one, such as alerts@example.com", o.From)
	}
	password := len(o.Password.Reveal()) > 0
	switch {
	case o.User != "" && !password:
		return nil, errors.New("password: there is a user without a password; set it, or leave out the user")
	case o.User == "" && password:
		return nil, errors.New("user: there is a password without a user; set it, or leave out the password")
	}
	switch o.TLS {
	case "", "mandatory":
		m.encryption = mail.TLSMandatory
	case "none":
		if password {
			return nil, errors.New("tls: the password would be sent in the clear; use mandatory, or leave out user and password")
		}
		m.encryption = mail.NoTLS
	default:
		return nil, fmt.Errorf("tls: there is no mode %q; use mandatory, or none", o.TLS)
	}
	return m, nil
}

// Send hands one mail to the server; it returns nil once the server has taken it for all addresses.
func (m *mailer) Send(ctx context.Context, to []string, subject, text string) error {
	message, err := m.message(to, subject, text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel() // closes the connection, too
	client, err := m.client(ctx)
	if err != nil {
		return m.plain(err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	if message.IsDelivered() {
		return nil // what went wrong came after it was taken, and a second attempt would send it twice
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%v)", ctx.Err(), err)
	}
	return m.plain(err)
}

func (m *mailer) message(to []string, subject, text string) (*mail.Msg, error) {
	if len(to) == 0 {
		return nil, errors.New("to: a mail needs at least one address")
	}
	for _, address := range to {
		if err := checkMailAddress(address); err != nil {
			return nil, fmt.Errorf("to: %w", err)
		}
	}
	if mailControl(subject) {
		return nil, errors.New("subject: it has line breaks or other control characters; use one line")
	}
	message := mail.NewMsg(mail.WithCharset(mail.CharsetUTF8), mail.WithNoDefaultUserAgent())
	if err := message.From(m.options.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := message.To(to...); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	message.Subject(subject)
	message.SetDate()
	message.SetMessageID()
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: absence notes do not answer it
	message.SetBodyString(mail.TypeTextPlain, text)
	return message, nil
}

// client makes the SMTP client. It dials itself, because go-mail's time-out begins anew with each step and because it
// leaves the connection open when the server refuses TLS or the password: this one is closed when ctx ends.
func (m *mailer) client(ctx context.Context) (*mail.Client, error) {
	settings := []mail.Option{
		mail.WithPort(m.port), mail.WithTimeout(mailTime), mail.WithTLSPolicy(m.encryption),
		mail.WithDialContextFunc(func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			return &mailConn{Conn: conn, left: mailBytes}, nil
		}),
	}
	if m.encryption == mail.TLSMandatory {
		config := &tls.Config{}
		if m.options.Config != nil {
			config = m.options.Config.Clone()
		}
		config.ServerName = m.host
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
		settings = append(settings, mail.WithTLSConfig(config))
	}
	if m.options.User != "" {
		settings = append(settings, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(m.options.User), mail.WithPassword(string(m.options.Password.Reveal())))
	}
	return mail.NewClient(m.host, settings...)
}

// mailConn ends the dialogue with a server that does not stop talking.
type mailConn struct {
	net.Conn
	left int
}

func (c *mailConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the server sent more than %d bytes", mailBytes)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// plain is an error without the password, which a mail server may repeat in its answer, as it is or as it was sent.
func (m *mailer) plain(err error) error {
	if err == nil {
		return errors.New("the mail server did not confirm the mail")
	}
	text := err.Error()
	if password := string(m.options.Password.Reveal()); password != "" {
		user := m.options.User
		for _, form := range []string{
			password,
			base64.StdEncoding.EncodeToString([]byte(password)),
			base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password)),
		} {
			text = strings.ReplaceAll(text, form, m.options.Password.String())
		}
	}
	return errors.New("mail server " + m.options.Server + ": " + mailLine(text))
}

// checkMailAddress accepts an address alone, without a name before it.
func checkMailAddress(text string) error {
	a, err := netmail.ParseAddress(text)
	if err != nil || a.Address != text || mailControl(text) || len(text) > 254 {
		return fmt.Errorf("%q is no e-mail address", text)
	}
	return nil
}

func mailControl(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }

// mailLine makes one line of at most 200 characters.
func mailLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "..."
	}
	return text
}
