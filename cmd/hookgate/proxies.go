package main

import (
	"github.com/hookgate/hookgate/configs"
	"github.com/hookgate/hookgate/middleware"
)

// buildProxies says whom to believe about senders.
func buildProxies(p configs.Proxies) (middleware.Proxies, error) {
	trusted, err := configs.Networks(p.Trusted)
	return middleware.Proxies{Trusted: trusted, Header: p.Header, CertificateHeader: p.CertificateHeader}, err
}
