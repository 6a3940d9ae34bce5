package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
)

// Read makes an entry of an envelope, a CloudEvents object in JSON as Hookgate forwards it. What is no envelope becomes an
// entry without an id, which nobody has sent.
func Read(envelope []byte) Delivered {
	var e struct {
		ID         string          `json:"id"`
		RawSHA256  string          `json:"rawsha256"`
		Data       json.RawMessage `json:"data"`
		DataBase64 []byte          `json:"data_base64"`
		Type       string          `json:"datacontenttype"`
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		return Delivered{}
	}
	payload := []byte(e.Data)
	var text string
	switch {
	case e.DataBase64 != nil:
		payload = e.DataBase64
	case !isJSON(e.Type) && json.Unmarshal(e.Data, &text) == nil:
		payload = []byte(text)
	}
	return Delivered{ID: e.ID, Digest: DigestOf(e.RawSHA256, e.Type, payload)}
}

// ReadBinary makes an entry of a request in the CloudEvents binary mode.
func ReadBinary(header http.Header, body []byte) Delivered {
	return Delivered{ID: header.Get("Ce-Id"), Digest: DigestOf(header.Get("Ce-Rawsha256"), header.Get("Content-Type"), body)}
}

// DigestOf is the digest of an event's content: of the raw request that carried it, as the hex of its SHA-256, and of its
// own payload. White space between the tokens of JSON does not count, as a destination that writes lines leaves it out.
func DigestOf(rawSHA256, contentType string, payload []byte) Digest {
	h := sha256.New()
	h.Write([]byte(rawSHA256 + "\n"))
	var compact bytes.Buffer
	if isJSON(contentType) && json.Compact(&compact, payload) == nil {
		payload = compact.Bytes()
	}
	h.Write(payload)
	return Digest(h.Sum(nil))
}

func isJSON(contentType string) bool { return strings.HasPrefix(contentType, "application/json") }
