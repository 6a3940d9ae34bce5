package verifiers

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/hookgate/hookgate"
)

// The header names are on the provider's page about verifying a subscription.
const (
	birdHeader     = "Messagebird-Signature"
	birdTimeHeader = "Messagebird-Request-Timestamp"
)

// How far a signed time may lie from the receipt, both edges included. The provider repeats a delivery for 8 hours under
// its first timestamp and signature (seen in public receivers), so that the usual few minutes would refuse its retries;
// the two spans themselves are our defaults.
const (
	birdBack  = 24 * time.Hour
	birdAhead = 300 * time.Second
)

// birdSignature is the messagebird-signature of Bird's Notifications API: base64 of an HMAC-SHA256 over timestamp, LF, the
// full URL, LF, and the SHA-256 of the body as 32 raw bytes (the provider's page says so). The key is the text as it was
// typed and is never base64-decoded, even where it looks like it. The URL is the one that the provider was given:
// public_url and the target as received, never the Host header, which a stranger chooses.
type birdSignature struct {
	keys      []hmacKey
	publicURL string
}

func newBirdSignature(s *settings) Scheme {
	public := s.publicURL("what Bird signs")
	return &birdSignature{keys: s.hmacSecrets("raw", sha256.New), publicURL: public}
}

// signed is the signature's text for a request that carries timestamp.
func (b *birdSignature) signed(key hmacKey, timestamp string, req *hookgate.Request) []byte {
	digest := req.BodySHA256()
	message := make([]byte, 0, len(timestamp)+len(b.publicURL)+len(req.Target)+len(digest)+2)
	message = append(message, timestamp...)
	message = append(message, '\n')
	message = append(message, b.publicURL...)
	message = append(message, req.Target...)
	message = append(message, '\n')
	message = append(message, digest[:]...)
	var room [sha256.Size]byte
	return base64.StdEncoding.AppendEncode(nil, key.appendSum(room[:0], message))
}

// Sign takes now as the signed time. A retry is signed with the time of the first attempt, as the provider does it.
func (b *birdSignature) Sign(req *hookgate.Request, now time.Time) error {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	set(req, birdTimeHeader, timestamp)
	set(req, birdHeader, string(b.signed(b.keys[0], timestamp, req)))
	return nil
}

func (b *birdSignature) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	signature, err := req.One(birdHeader)
	if err != nil {
		return hookgate.Proof{}, err
	}
	timestamp, err := req.One(birdTimeHeader)
	if err != nil {
		return hookgate.Proof{}, err
	}
	seconds, ok := plainNumber(timestamp, maxSecondDigits)
	if !ok {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a number of seconds in 1 to %d digits", birdTimeHeader, maxSecondDigits)
	}
	if !isBase64(base64.StdEncoding, signature, sha256.Size) {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not canonical base64 of 32 bytes", birdHeader)
	}
	key, ok := b.matches(signature, timestamp, req)
	if !ok {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d secrets for this time, URL and body", birdHeader, len(b.keys))
	}
	if err := fresh(time.Unix(seconds, 0), now, birdBack, birdAhead); err != nil {
		return hookgate.Proof{}, err
	}
	proof, err := key.proves("bird-signature", now)
	if err == nil {
		proof.SignedTime = timestamp
	}
	return proof, err
}

func (b *birdSignature) matches(signature, timestamp string, req *hookgate.Request) (hmacKey, bool) {
	for _, key := range b.keys {
		if sameText(b.signed(key, timestamp, req), signature) {
			return key, true
		}
	}
	return hmacKey{}, false
}
