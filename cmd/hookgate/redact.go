package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/configs"
)

// hidden takes secrets of ours out of what a failed delivery is shown with. Headers that are there for credentials are hidden
// by their names; but a delivery may have failed because its token stands in another header, or in the URL.
type hidden []string

// minHidden is the shortest secret that is looked for: a shorter one is part of many other words.
const minHidden = 6

// newHidden collects every secret that the sources share with their senders, as it stands in a configuration and as a header
// carries it.
func newHidden(sources []configs.Source) (h hidden) {
	for _, s := range sources {
		for _, a := range s.Auth {
			for _, secret := range a.Secrets {
				h = h.with(string(secret.Reveal()))
			}
			for _, user := range a.Users {
				pair := string(user.Reveal())
				_, password, _ := strings.Cut(pair, ":")
				h = h.with(password, base64.StdEncoding.EncodeToString([]byte(pair)))
			}
		}
	}
	return h
}

func (h hidden) with(secrets ...string) hidden {
	for _, secret := range secrets {
		for _, form := range []string{strings.TrimSpace(secret), base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), url.PathEscape(secret)} {
			if len(form) >= minHidden && !slices.Contains(h, form) {
				h = append(h, form)
			}
		}
	}
	return h
}

// text gives [secret] for a text that holds one of ours.
func (h hidden) text(s string) string {
	for _, secret := range h {
		if strings.Contains(s, secret) {
			return hookgate.Secret{}.String()
		}
	}
	return s
}

// header is the header as it may be shown.
func (h hidden) header(header http.Header) http.Header {
	shown := make(http.Header, len(header))
	for name, values := range header {
		for _, value := range hookgate.StoredValues(name, values) {
			shown[name] = append(shown[name], h.text(value))
		}
	}
	return shown
}
