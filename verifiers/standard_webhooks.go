package verifiers

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate"
)

// The header names, the versions and what is signed are on the specification's page (standardwebhooks.com).
const (
	standardID        = "Webhook-Id"
	standardTime      = "Webhook-Timestamp"
	standardSignature = "Webhook-Signature"
	standardVersion   = "v1" // HMAC-SHA256; v1a is Ed25519
)

const (
	// standardTolerance is how far a signed time may lie from the receipt, both ways: the reference libraries' default.
	standardTolerance = 300 * time.Second
	// maxSignatures bounds the list in the header, whatever their versions: a sender that rotates has two or three.
	maxSignatures = 16
)

// Bounds of a secret, in bytes after decoding (the specification's page).
const (
	minStandardKey = 24
	maxStandardKey = 64
)

// standardWebhooks is the scheme of the Standard Webhooks specification: base64 of an HMAC-SHA256 over id, time and body,
// joined by full stops. So neither id nor time may hold one, or text could move from one to the other.
type standardWebhooks struct {
	keys []hmacKey
}

func newStandardWebhooks(s *settings) Scheme {
	scheme := &standardWebhooks{}
	for i, secret := range s.Secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if !s.resolved(field, secret) {
			continue
		}
		key, wrong := decodeKey("whsec", secret.Reveal())
		if wrong == nil && (len(key) < minStandardKey || len(key) > maxStandardKey) {
			wrong = problemf("make one with: echo whsec_$(openssl rand -base64 32)", "the key has %d bytes after decoding, and %d to %d are allowed", len(key), minStandardKey, maxStandardKey)
		}
		if wrong != nil {
			s.problems.Add(field, wrong.Hint, "%s", wrong.Message)
			continue
		}
		scheme.keys = append(scheme.keys, newHMACKey(labelOf(field, secret), sha256.New, key))
	}
	return scheme
}

// signed is the one v1 signature of a key.
func (w *standardWebhooks) signed(key hmacKey, id, timestamp string, body []byte) []byte {
	var room [sha256.Size]byte
	head := make([]byte, 0, len(id)+len(timestamp)+2)
	head = append(append(append(append(head, id...), '.'), timestamp...), '.')
	return base64.StdEncoding.AppendEncode(nil, key.appendSum(room[:0], head, body))
}

// Sign keeps an id that the request has, as a retry must, and makes one of the body and the time where it has none.
func (w *standardWebhooks) Sign(req *hookgate.Request, now time.Time) error {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	id := signedID(req, standardID, ".", timestamp)
	set(req, standardID, id)
	set(req, standardTime, timestamp)
	set(req, standardSignature, standardVersion+","+string(w.signed(w.keys[0], id, timestamp, req.Body)))
	return nil
}

func (w *standardWebhooks) Verify(req *hookgate.Request, now time.Time) (hookgate.Proof, error) {
	id, err := req.One(standardID)
	if err != nil {
		return hookgate.Proof{}, err
	}
	timestamp, err := req.One(standardTime)
	if err != nil {
		return hookgate.Proof{}, err
	}
	value, err := req.One(standardSignature)
	if err != nil {
		return hookgate.Proof{}, err
	}
	if !isSignedID(id, ".") {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not 1 to %d visible ASCII characters without a full stop", standardID, maxSignedID)
	}
	seconds, ok := plainNumber(timestamp, maxSecondDigits)
	if !ok {
		return hookgate.Proof{}, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a number of seconds in 1 to %d digits", standardTime, maxSecondDigits)
	}
	signatures, err := standardSignatures(value)
	if err != nil {
		return hookgate.Proof{}, err
	}
	for _, key := range w.keys {
		if !anySame(w.signed(key, id, timestamp, req.Body), signatures) {
			continue
		}
		if err := fresh(time.Unix(seconds, 0), now, standardTolerance, standardTolerance); err != nil {
			return hookgate.Proof{}, err
		}
		proof, err := key.proves("standard-webhooks", now)
		if err == nil {
			proof.SignedTime, proof.SignedID = timestamp, id
		}
		return proof, err
	}
	return hookgate.Proof{}, hookgate.Refuse(hookgate.Mismatch, "%s was made by none of the %d secrets for this id, time and body", standardSignature, len(w.keys))
}

// standardSignatures are the v1 signatures of the header, which holds version,signature one or more times with a blank
// between. Other versions are passed over, since a sender may add them at any time, but they count.
func standardSignatures(value string) ([]string, error) {
	var signatures []string
	for n, rest, more := 1, value, true; more; n++ {
		var entry string
		entry, rest, more = strings.Cut(rest, " ")
		version, signature, _ := strings.Cut(entry, ",") // without a comma the signature is empty
		switch {
		case n > maxSignatures:
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds more than %d signatures", standardSignature, maxSignatures)
		case !isWord(version) || !isVisible(signature):
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s is not a list of version,signature with one blank between", standardSignature)
		case version != standardVersion:
		case !isBase64(base64.StdEncoding, signature, sha256.Size):
			return nil, hookgate.Refuse(hookgate.HeaderGrammar, "a %s signature in %s is not canonical base64 of 32 bytes", standardVersion, standardSignature)
		default:
			signatures = append(signatures, signature)
		}
	}
	if len(signatures) == 0 {
		return nil, hookgate.Refuse(hookgate.HeaderGrammar, "%s holds no %s signature", standardSignature, standardVersion)
	}
	return signatures, nil
}

// anySame compares ours with each of theirs, and with all of them: which one fits is not for the sender to time.
func anySame(ours []byte, theirs []string) bool {
	found := false
	for _, text := range theirs {
		same := sameText(ours, text)
		found = found || same
	}
	return found
}
