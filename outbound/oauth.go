package outbound

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Our own spans: RFC 6749 names none of them.
const (
	tokenTimeout = 10 * time.Second
	tokenEarly   = time.Minute     // before its end a token is no longer used
	tokenUntold  = 5 * time.Minute // of a token whose answer does not say how long it lasts
	maxTokens    = 1024            // beyond it all are fetched anew
)

// tokens keeps the tokens of subscriptions. Those who need the same one at once wait for a single request.
type tokens struct {
	mu    sync.Mutex
	known map[string]*token
}

type token struct {
	turn  chan struct{} // holds a word while nobody fetches
	text  string
	until time.Time
}

func newTokens() *tokens { return &tokens{known: map[string]*token{}} }

// get gives a token that is not stale, which is one that was refused, or empty.
func (k *tokens) get(ctx context.Context, s *Server, sub *Subscription, o *OAuth, stale string) (string, error) {
	t := k.of(sub, o)
	select {
	case <-t.turn:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { t.turn <- struct{}{} }()
	if t.text != "" && t.text != stale && s.clock.Now().Before(t.until) {
		return t.text, nil
	}
	t.text = ""
	text, lasts, err := s.fetchToken(ctx, o)
	if err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	t.text, t.until = text, s.clock.Now().Add(lasts-tokenEarly)
	return text, nil
}

// of finds the token of a subscription's present settings.
func (k *tokens) of(sub *Subscription, o *OAuth) *token {
	var key strings.Builder
	for _, part := range []string{sub.Provider, sub.ID, o.Grant, o.TokenURL, o.ClientID, o.ClientSecret, o.ClientAuth, o.Scope, o.Username, o.Password} {
		fmt.Fprintf(&key, "%d:%s", len(part), part)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.known[key.String()]
	if t == nil {
		if len(k.known) >= maxTokens {
			clear(k.known)
		}
		t = &token{turn: make(chan struct{}, 1)}
		t.turn <- struct{}{}
		k.known[key.String()] = t
	}
	return t
}

// fetchToken asks the token endpoint. Nothing of what was sent or answered is in the error.
func (s *Server) fetchToken(ctx context.Context, o *OAuth) (text string, lasts time.Duration, err error) {
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Accept":       {"application/json"},
	}
	body := tokenForm(o)
	if o.ClientAuth == "header" {
		header["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(o.ClientID+":"+o.ClientSecret))}
	}
	req, err := request(http.MethodPost, o.TokenURL, header, []byte(body))
	if err != nil {
		return "", 0, errors.New("the token URL is no http:// or https:// URL")
	}
	status, answer, err := s.roundTrip(ctx, s.client.plain, req, tokenTimeout)
	if err != nil {
		return "", 0, fmt.Errorf("the token endpoint: %w", err)
	}
	if status < 200 || status > 299 {
		return "", 0, fmt.Errorf("the token endpoint answered %s", statusText(status))
	}
	var a struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(answer, &a); err != nil || a.AccessToken == "" {
		return "", 0, errors.New("the token endpoint's answer has no access_token")
	}
	if !isPlain(a.AccessToken) {
		return "", 0, errors.New("the token endpoint's access_token has characters that no token has")
	}
	lasts = tokenUntold
	if seconds, err := strconv.ParseFloat(a.ExpiresIn.String(), 64); err == nil {
		lasts = time.Duration(min(max(seconds, 0), 1e9) * float64(time.Second))
	}
	return a.AccessToken, lasts, nil
}

// tokenForm is the form of a token request, in the order in which RFC 6749 and the providers' pages name its fields.
func tokenForm(o *OAuth) string {
	var form strings.Builder
	add := func(name, value string) {
		if form.Len() > 0 {
			form.WriteByte('&')
		}
		form.WriteString(name + "=" + url.QueryEscape(value))
	}
	add("grant_type", o.Grant)
	if o.Grant == "password" {
		add("username", o.Username)
		add("password", o.Password)
	}
	if o.Scope != "" {
		add("scope", o.Scope)
	}
	if o.ClientAuth != "header" {
		add("client_id", o.ClientID)
		add("client_secret", o.ClientSecret)
	}
	return form.String()
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return strconv.Itoa(status) + " " + text
	}
	return strconv.Itoa(status)
}
