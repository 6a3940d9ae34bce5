package verifiers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
)

// The object identifiers of the subject alternative names and of the common name (RFC 5280).
var (
	oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidCommonName       = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// maxNamed is how many names of a refused certificate its refusal lists.
const maxNamed = 4

// hasName reports whether the certificate has one of the names; without names every certificate has.
func (c *clientCertificate) hasName(own *x509.Certificate) bool {
	return len(c.names) == 0 || slices.ContainsFunc(c.names, func(name string) bool { return bears(own, name) })
}

// bears compares a name with the subject alternative names of its kind: with a colon it is a URI, else with an @ an
// e-mail address, else a host name. A wildcard is a name like any other. The common name counts only where there are no
// alternative names at all, which is how authorities of old still issue.
func bears(own *x509.Certificate, name string) bool {
	if !slices.ContainsFunc(own.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidAlternativeNames) }) {
		return commonName(own) == name
	}
	switch {
	case strings.Contains(name, ":"):
		for _, u := range own.URIs {
			if u.String() == name {
				return true
			}
		}
		return false
	case strings.Contains(name, "@"):
		return slices.ContainsFunc(own.EmailAddresses, func(a string) bool { return plainAddress(a) == plainAddress(name) })
	}
	return slices.ContainsFunc(own.DNSNames, func(d string) bool { return strings.EqualFold(d, name) })
}

// plainAddress has the host of an e-mail address in lower case; what is before it may mean its case.
func plainAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	return address[:at+1] + strings.ToLower(address[at+1:])
}

// commonName is the one common name of the subject, empty where there are none or several.
func commonName(own *x509.Certificate) string {
	count := 0
	for _, n := range own.Subject.Names {
		if n.Type.Equal(oidCommonName) {
			count++
		}
	}
	if count != 1 {
		return ""
	}
	return own.Subject.CommonName
}

// allNames are the names of a certificate by which it can be listed.
func allNames(own *x509.Certificate) []string {
	names := slices.Concat(own.DNSNames, own.EmailAddresses)
	for _, u := range own.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 && commonName(own) != "" {
		names = []string{commonName(own)}
	}
	return names
}

// namesOf lists the names of a certificate whose authority has been found good, for the operator.
func namesOf(own *x509.Certificate) string {
	names := allNames(own)
	if len(names) == 0 {
		return "no name"
	}
	more := ""
	if len(names) > maxNamed {
		more = fmt.Sprintf(" and %d more", len(names)-maxNamed)
		names = names[:maxNamed]
	}
	return fmt.Sprintf("%.256q", names) + more
}
