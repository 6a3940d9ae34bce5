package outbound

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hookgate/hookgate"
)

const salesiqScheme = "siq-signature"

const (
	salesiqMostKeys = 2    // of a webhook; the oldest is in use (doc)
	salesiqKeyBits  = 2048 // our default; the pages name no size
)

// salesiqSigns reports whether an entry of a webhook's auth is the one that holds its keys. While the webhook is not
// secured, or has no key, the scheme is none: the keys stay, and nothing is signed.
func salesiqSigns(a Auth) bool { return a.Scheme == salesiqScheme || a.Scheme == "none" }

// salesiqKeys are a webhook's keys, the oldest first, each with the id that the API knows it by: keys that were given, not
// made, may lack one.
func salesiqKeys(s *Subscription) []Key {
	i := slices.IndexFunc(s.Auth, salesiqSigns)
	if i < 0 {
		return nil
	}
	keys := slices.SortedStableFunc(slices.Values(s.Auth[i].Keys), func(a, b Key) int { return a.Created.Compare(b.Created) })
	for i := range keys {
		keys[i].ID = cmp.Or(keys[i].ID, salesiqMillis(keys[i].Created.Add(time.Duration(i)*time.Millisecond)))
	}
	return keys
}

// setSalesiqKeys keeps the keys and lets the webhook sign with them when it is secured.
func setSalesiqKeys(s *Subscription, secured bool, keys []Key) {
	entry := Auth{Scheme: "none", Keys: keys}
	if secured && len(keys) > 0 {
		entry.Scheme = salesiqScheme
	}
	s.Auth = append(slices.DeleteFunc(slices.Clone(s.Auth), salesiqSigns), entry)
}

// newSalesiqKey makes a key pair. It takes some tenths of a second, so nothing should be locked meanwhile.
func newSalesiqKey() (Key, error) {
	pair, err := rsa.GenerateKey(rand.Reader, salesiqKeyBits)
	if err != nil {
		return Key{}, hookgate.Errorf(hookgate.InternalMistake, "no RSA key could be made: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return Key{}, hookgate.Errorf(hookgate.InternalMistake, "the RSA key could not be written: %w", err)
	}
	return Key{Private: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}, nil
}

// addSalesiqKey gives the key its id, which equals its created_time (doc), and so one millisecond to itself.
func addSalesiqKey(keys []Key, key Key, now time.Time) []Key {
	created := now.UTC().Truncate(time.Millisecond)
	if n := len(keys); n > 0 && !created.After(keys[n-1].Created) {
		created = keys[n-1].Created.Add(time.Millisecond)
	}
	key.ID, key.Created = salesiqMillis(created), created
	return append(slices.Clone(keys), key)
}

func salesiqMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// salesiqPublic is the public half as the API shows it: bare base64 of the SubjectPublicKeyInfo, or PEM.
func salesiqPublic(key Key, format string) (string, error) {
	private, err := parseSalesiqKey(key.Private)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return "", hookgate.Errorf(hookgate.InternalMistake, "the public key could not be written: %w", err)
	}
	if format == "pem" {
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// parseSalesiqKey reads a PEM private key, PKCS #8 or PKCS #1. No text of the key is in the error.
func parseSalesiqKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, hookgate.Errorf(hookgate.Malformed, "the private key is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, isRSA := parsed.(*rsa.PrivateKey)
	if err != nil || !isRSA {
		return nil, hookgate.Errorf(hookgate.Malformed, "the private key is not an RSA key in PKCS #8 or PKCS #1")
	}
	return key, nil
}

func checkSalesiqKeys(s *Subscription, ps *hookgate.Problems) {
	for i, a := range s.Auth {
		field := fmt.Sprintf("auth[%d].keys", i)
		switch {
		case !salesiqSigns(a):
			continue
		case a.Scheme == salesiqScheme && len(a.Keys) == 0:
			ps.Add(field, "give a PEM private key", "%s signs with a private key, and none is given", salesiqScheme)
		case len(a.Keys) > salesiqMostKeys:
			ps.Add(field, "delete the oldest first", "a webhook has at most %d keys", salesiqMostKeys)
		}
		for j, key := range a.Keys {
			private, err := parseSalesiqKey(key.Private)
			if err != nil {
				ps.Add(fmt.Sprintf("%s[%d]", field, j), "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "%s", hookgate.AsError(err).Detail)
				continue
			}
			if bits := private.N.BitLen(); bits < salesiqKeyBits {
				ps.Add(fmt.Sprintf("%s[%d]", field, j), fmt.Sprintf("at least %d bits", salesiqKeyBits), "an RSA key of %d bits is too short", bits)
			}
		}
	}
}
