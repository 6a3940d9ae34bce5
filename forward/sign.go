package forward

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
)

// Bounds of a Standard Webhooks secret, in bytes after decoding (the specification's page says 24 to 64).
const (
	minSigningKey = 24
	maxSigningKey = 64
)

// signingKey decodes whsec_<base64>.
func signingKey(s hookgate.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(string(s.Reveal()), "whsec_")
	if !ok {
		return nil, errors.New("does not begin with whsec_")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder passes over line breaks
		return nil, errors.New("is not base64 after whsec_")
	}
	if len(key) < minSigningKey || len(key) > maxSigningKey {
		return nil, errors.New("must have 24 to 64 bytes after whsec_, decoded")
	}
	return key, nil
}

// signature is the value of webhook-signature: one v1 signature a key, over id, timestamp and body. It does not cover
// the ce- headers of the binary mode: who must trust those takes the structured one.
func signature(keys [][]byte, id string, timestamp int64, body []byte) string {
	head := strconv.AppendInt(append([]byte(id), '.'), timestamp, 10)
	head = append(head, '.')
	var out []byte
	for i, key := range keys {
		if i > 0 {
			out = append(out, ' ')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		out = append(out, "v1,"...)
		out = base64.StdEncoding.AppendEncode(out, mac.Sum(nil))
	}
	return string(out)
}
