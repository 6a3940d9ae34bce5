package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"golang.org/x/net/dns/dnsmessage"
)

// pebble is Let's Encrypt's own test authority, in a process of its own: its goroutines never end, and its settings are
// variables of the environment. It finds every name at 127.0.0.1, and asks at the port that it is given.
type pebble struct {
	directory string
	ca        string         // file with the authority of its TLS
	roots     *x509.CertPool // that certificates end at
	cmd       *exec.Cmd
	stderr    *syncBuffer
}

func startPebble(t *testing.T, port string) *pebble {
	t.Helper()
	dir := t.TempDir()
	authority := newAuthority(t, "pebble-tls")
	server := authority.server(t)
	p := &pebble{ca: put(t, filepath.Join(dir, "ca.pem"), authority.pem), roots: x509.NewCertPool(), stderr: new(syncBuffer)}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), "HOOKGATE_TEST_AS_PEBBLE="+port, "PEBBLE_VA_NOSLEEP=1",
		"PEBBLE_CERTIFICATE="+put(t, filepath.Join(dir, "server.pem"), server.pem), "PEBBLE_KEY="+put(t, filepath.Join(dir, "server.key"), server.key(t, nil)))
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("pebble: %v\n%s", err, p.stderr)
	}
	base := "https://" + strings.TrimSpace(address)
	p.directory = base + wfe.DirectoryPath
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.pool()}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get(base + wfe.RootCertPath + "0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !p.roots.AppendCertsFromPEM(text) {
		t.Fatalf("pebble's root: %v, %.100s", err, text)
	}
	return p
}

func (p *pebble) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// bePebble never returns.
func bePebble(port string) {
	fail := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	tlsPort, err := strconv.Atoi(port)
	fail(err)
	names, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	go answerNames(names)
	logger := log.New(os.Stderr, "pebble ", log.LstdFlags)
	store := db.NewMemoryStore()
	issuer := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: 90 * 24 * 3600}})
	asks := va.New(logger, 0, tlsPort, true, names.Addr().String(), store)
	front := wfe.New(logger, store, asks, issuer, []string{"pebble.example"}, true, false, 1, 1)
	mux := http.NewServeMux()
	mux.Handle("/", front.Handler())
	mux.Handle(wfe.RootCertPath, front.ManagementHandler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fail(server.ServeTLS(listener, os.Getenv("PEBBLE_CERTIFICATE"), os.Getenv("PEBBLE_KEY")))
}

// answerNames is a name server over TCP for which every name is 127.0.0.1.
func answerNames(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					return
				}
				text := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(conn, text); err != nil {
					return
				}
				var m dnsmessage.Message
				if m.Unpack(text) != nil || len(m.Questions) != 1 {
					return
				}
				m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
				if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
					m.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
					}}
				}
				answer, err := m.AppendPack([]byte{0, 0})
				if err != nil {
					return
				}
				binary.BigEndian.PutUint16(answer, uint16(len(answer)-2))
				if _, err := conn.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}
