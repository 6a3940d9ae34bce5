package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates for a test.
type authority struct {
	tls.Certificate
	pem []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	return (*authority)(nil).issue(t, name, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
}

// issue makes a certificate for client authentication, with name as its common name and as its only host name, unless
// change makes another of it. Without an authority it is self-made.
func (a *authority) issue(t *testing.T, name string, change func(*x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	parent, by := template, any(key)
	if a != nil {
		parent, by = a.Leaf, a.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	made := &authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if made.Certificate, err = tls.X509KeyPair(made.pem, made.key(t, key)); err != nil {
		t.Fatal(err)
	}
	return made
}

// key is the private key as PEM.
func (a *authority) key(t *testing.T, of any) []byte {
	t.Helper()
	if of == nil {
		of = a.PrivateKey
	}
	der, err := x509.MarshalPKCS8PrivateKey(of)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// server makes a certificate for 127.0.0.1.
func (a *authority) server(t *testing.T) *authority {
	t.Helper()
	return a.issue(t, "localhost", func(c *x509.Certificate) {
		c.IPAddresses, c.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
}

// pool trusts the authority.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Leaf)
	return p
}

// put writes a file, all at once.
func put(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// secured is a program that speaks TLS.
type secured struct {
	*running
	dir    string
	ca     *authority // of the server
	config string
}

// secure runs the program with TLS; sources are added to care, which is signed.
func secure(t *testing.T, sources string) *secured {
	t.Helper()
	s := &secured{dir: t.TempDir(), ca: newAuthority(t, "server-ca")}
	s.certify(t)
	s.config = strings.Replace(scenario(filepath.Join(s.dir, "j.db"), "  - {name: events, type: file, path: "+filepath.Join(s.dir, "events")+"}\n"),
		"destinations:\n", sources+"destinations:\n", 1) + "tls: {certificate: file:" + filepath.Join(s.dir, "server.pem") + ", key: file:" + filepath.Join(s.dir, "server.key") + "}\nlimits: {strangers: 1000000/m}\n"
	s.running = serve(t, s.config, func(m *Main) { m.Env = edgeEnv })
	return s
}

// certify puts a new certificate into the server's place, first the one file, then the other.
func (s *secured) certify(t *testing.T) *authority {
	t.Helper()
	made := s.ca.server(t)
	put(t, filepath.Join(s.dir, "server.pem"), made.pem)
	put(t, filepath.Join(s.dir, "server.key"), made.key(t, nil))
	return made
}

// client is one of the program's, with a certificate to show or without one.
func (s *secured) client(t *testing.T, shown *tls.Certificate, change func(*tls.Config)) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: s.ca.pool()}
	if shown != nil { // always this one, whomever the server knows
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
	}
	if change != nil {
		change(config)
	}
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func (s *secured) deliver(ctx context.Context, c *http.Client, path, body, signature string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.Hooks+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if signature != "" {
		req.Header.Set("X-Hub-Signature", signature)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp, nil
}
