package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// adminFlags say where the admin API is and what opens it.
type adminFlags struct {
	Admin  string `group:"The gateway" placeholder:"URL" help:"Its admin listener; http://127.0.0.1:8081 unless given."`
	Token  string `group:"The gateway" placeholder:"REF" help:"What opens it, its admin.token, as env:NAME or file:PATH."`
	Config string `short:"c" group:"The gateway" placeholder:"FILE" help:"Take both from the gateway's own configuration."`
	JSON   bool   `name:"json" group:"Output" help:"For scripts: a JSON object a line."`
}

// The bounds of one call: our defaults. The listener itself gives up after ten seconds.
const (
	callTimeout = 15 * time.Second
	maxAnswer   = 256 << 20 // bytes
	letterPage  = 100       // dead letters or quarantined parts: each is as large as a body may be
)

const defaultAdmin = "http://127.0.0.1:8081"

// adminClient calls the admin API of a running gateway.
type adminClient struct {
	base  string
	token hookgate.Secret
	http  *http.Client
}

// client reads the flags. What is wrong with them is a wrong command line.
func (f adminFlags) client(m *Main) (*adminClient, error) {
	c := &adminClient{base: cmp.Or(f.Admin, defaultAdmin)}
	if f.Config != "" {
		if f.Admin != "" || f.Token != "" {
			return nil, exitError{exitUsage, errors.New("--config says where the gateway is and what opens it; leave out --admin and --token")}
		}
		config, _, err := configs.Load(f.Config, m.Env, rules())
		if err != nil {
			return nil, fmt.Errorf("%w\nthe file is read as hookgate serve reads it, references and all; or give --admin and --token", err)
		}
		c.token = config.Admin.Token
		if c.base, err = reached(config.Admin.Listen); err != nil {
			return nil, exitError{exitUsage, err}
		}
	}
	if f.Token != "" {
		token, warnings, err := configs.Resolve("--token", f.Token, m.Env)
		for _, w := range warnings {
			fmt.Fprintln(m.Stderr, "warning:", w)
		}
		if err != nil {
			return nil, exitError{exitUsage, err}
		}
		c.token = token
	}
	u, err := url.Parse(c.base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, exitError{exitUsage, errors.New("--admin is a URL such as " + defaultAdmin + ", without user and query")}
	}
	c.base = strings.TrimSuffix(c.base, "/")
	c.http = &http.Client{
		Timeout:       callTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for nobody else
	}
	return c, nil
}

// reached is the URL of a listener. One that listens on every address is called on this machine.
func reached(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("admin.listen is %s, which is not where anybody can be called; give --admin instead of --config", listen)
	}
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// call asks for a page and reads the answer into a value. The error says what to do.
func (c *adminClient) call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return err
	}
	if token := c.token.Reveal(); len(token) > 0 {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreached(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreached(err)
	}
	if resp.StatusCode >= 300 {
		return c.refused(resp.StatusCode, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s does not answer as the admin API does; is it the admin listener of this version?", c.base)
	}
	return nil
}

func (c *adminClient) unreached(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return unreachedError{fmt.Errorf(
		"the admin API at %s cannot be reached: %w; see that hookgate serve runs and that this is its admin.listen, or give --admin", c.base, err)}
}

// unreachedError is a call without an answer; the next one may have one.
type unreachedError struct{ error }

func (e unreachedError) Unwrap() error { return e.error }

func (c *adminClient) refused(status int, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &said)
	switch {
	case status == http.StatusUnauthorized && len(c.token.Reveal()) == 0:
		return fmt.Errorf("%s asks for its token; give --token, or --config", c.base)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s does not take this token; give the one of its admin.token", c.base)
	case status == http.StatusBadRequest && said.Error != "":
		return exitError{exitUsage, errors.New(printable(said.Error))}
	case said.Error != "":
		return errors.New(printable(said.Error))
	}
	return fmt.Errorf("%s answers %d, which the admin API does not; is it the admin listener, and of this version?", c.base, status)
}
