//go:build linux

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
)

type bareCommand struct {
	Address string `arg:""`
}

// Run serves the ceiling in a process of its own, as Hookgate runs in one.
func (c *bareCommand) Run() error {
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(serveBare)) //nolint:gosec // measured as bare as it gets
}

// serveBare keeps nothing.
func serveBare(w http.ResponseWriter, r *http.Request) { authentic(w, r) }

// authentic reads the body and checks its HMAC.
func authentic(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return nil, false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if !hmac.Equal([]byte("sha256="+hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Hub-Signature"))) {
		w.WriteHeader(http.StatusUnauthorized)
		return nil, false
	}
	return body, true
}
