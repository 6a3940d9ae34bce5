package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
)

// serveBare is the ceiling: a handler that reads the body and checks the HMAC, and keeps nothing.
func serveBare(l net.Listener) error {
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // measured as bare as it gets
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if !hmac.Equal([]byte("sha256="+hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Hub-Signature"))) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
}

// bareMain runs serveBare in a process of its own, as Hookgate runs in one.
func bareMain(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	_, _ = os.Stdout.WriteString(l.Addr().String() + "\n")
	return serveBare(l)
}
