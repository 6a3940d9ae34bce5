package outbound

import (
	"net/http"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

// TestBirdWorkedExample holds the signer of these tests to pairs that were computed elsewhere, and lets Python confirm them.
func TestBirdWorkedExample(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, key, public, target, body, want string }{
		{"raw key that looks like base64", birdTestKey, "https://example.com", "/webhook",
			`{"service":"channels","event":"sms.inbound","payload":{"id":"m1","body":{"type":"text","text":{"text":"Olá ☃"}}}}`,
			"Q7R0Q+MzBs7Pbtgbi1M3OGNMhtSrCBKs7RkgqiJAzH0="},
		{"key of the page", "secureSigningKey", "https://domain.com", "/webhook/bird", `{"foo":"bar"}`, "BgCeL4bDmhDk1WJvnFXrthkAmeBk1KSDulf8Qb1kpwI="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := &hookgate.Request{Target: tt.target, Header: http.Header{}, Body: []byte(tt.body)}
			if err := (birdSigner{tt.key, tt.public}).Sign(req, time.Unix(1719823259, 5e8)); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get("Messagebird-Signature"); got != tt.want {
				t.Errorf("signature %s, not %s", got, tt.want)
			}
			raw := "POST " + tt.target + " HTTP/1.1\r\nmessagebird-request-timestamp: 1719823259\r\nmessagebird-signature: " + tt.want + "\r\n\r\n" + tt.body
			birdPython(t, tt.key, tt.public+tt.target, []byte(raw))
		})
	}
}
