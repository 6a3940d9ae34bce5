package configs

import "github.com/hookgate/hookgate"

// TLS makes the listener speak HTTPS.
type TLS struct {
	Certificate hookgate.Secret `yaml:"certificate" public:"true" doc:"the certificate and its chain (PEM), read again when the file changes"`
	Key         hookgate.Secret `yaml:"key" doc:"its private key (PEM)"`
	ACME        ACME            `yaml:"acme" doc:"certificates from an authority that is asked by itself, in place of a file"`
}

// ACME is an authority such as Let's Encrypt.
type ACME struct {
	Domains   []string        `yaml:"domains" doc:"the names of this gateway"`
	Email     string          `yaml:"email" doc:"whom the authority may write to"`
	Cache     string          `yaml:"cache" doc:"the folder that keeps keys and certificates" default:"acme"`
	Directory string          `yaml:"directory" doc:"the authority's directory" default:"https://acme-v02.api.letsencrypt.org/directory"`
	CA        hookgate.Secret `yaml:"ca" public:"true" doc:"certificates (PEM) that the authority's own TLS is checked by, where the system does not know it"`
}

// Proxies are what stands in front of the gateway.
type Proxies struct {
	Trusted           []string `yaml:"trusted" doc:"addresses and networks (CIDR) of our own proxies; only what these say of the sender is believed"`
	Header            string   `yaml:"header" doc:"where they append the address of whom they took the request from" enum:"X-Forwarded-For,Forwarded" default:"X-Forwarded-For"`
	CertificateHeader string   `yaml:"certificate_header" doc:"where they put the sender's TLS certificate: Client-Cert (RFC 9440), or a header with its PEM escaped as in a URL"`
}

// Signing has every forwarded envelope carry who verified it.
type Signing struct {
	Keys []hookgate.Secret `yaml:"keys" doc:"private Ed25519 keys (PEM); the first signs, the public halves of all are served"`
}
