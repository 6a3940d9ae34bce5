package verifiers

import (
	"bytes"
	"encoding/hex"

	"github.com/hookgate/hookgate"
)

// decodings are the ways in which a secret becomes a key, the default first.
var decodings = []string{"raw", "base64", "hex", "whsec"}

// decodeKey makes the key of a secret's bytes. The problem holds nothing of them.
func decodeKey(how string, secret []byte) ([]byte, *hookgate.Problem) {
	text, prefixed := bytes.CutPrefix(secret, []byte("whsec_"))
	switch {
	case how == "raw":
		return secret, nil
	case how == "hex":
		key, err := hex.AppendDecode(make([]byte, 0, len(secret)/2), secret)
		if err != nil {
			return nil, problemf("key: raw takes the secret as it is", "the secret is not hex")
		}
		return key, nil
	case how == "whsec" && !prefixed:
		return nil, problemf("copy the whole secret, whsec_ included", "the secret does not begin with whsec_")
	case how == "base64":
		text = secret
	}
	key, ok := canonicalBase64(make([]byte, 0, len(text)), string(text))
	if !ok {
		return nil, problemf("check that it is whole, and that nothing stands around it", "the secret is not padded standard base64")
	}
	return key, nil
}
