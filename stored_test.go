package hookgate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
)

func TestStoredIsReadBack(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		e := sample()
		if whole {
			sum := sha256.Sum256(e.Data)
			e.RawSHA256 = hex.EncodeToString(sum[:])
		}
		stored := e.AppendStored(nil, whole)
		got, err := hookgate.ParseStored(stored, e.Received, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := e.AppendEnvelope(nil), got.AppendEnvelope(nil); !bytes.Equal(a, b) {
			t.Errorf("came back as\n%s\nfrom\n%s", b, a)
		}
		if has := bytes.Contains(stored, []byte(e.RawSHA256)); has == whole {
			t.Errorf("payload is the whole body: %t; digest stored: %t", whole, has)
		}
	}
	for _, bad := range []string{`["","","","","","","","","","","","","","",0,1,2,3,4]`, `["","","","","","","","","","","","","","",0,1,"2",3]`,
		"", "{}", "[", "[]", `["a"]`, `[1,"","","","","","","","","","","","","",0,1]`, `["","","","","","","","","","","","","","",0,1,2]`} {
		if _, err := hookgate.ParseStored([]byte(bad), sample().Received, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestHandedOnIsReadBack(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		e := sample()
		if whole {
			sum := sha256.Sum256(e.Data)
			e.RawSHA256 = hex.EncodeToString(sum[:])
		}
		e.Window, e.IdentityTime = 90*time.Minute, 1_772_366_400_123_456
		stored := e.AppendHandedOn(nil, whole)
		got, err := hookgate.ParseStored(stored, e.Received, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Window != e.Window || got.IdentityTime != e.IdentityTime {
			t.Errorf("window %s and time %d came back as %s and %d", e.Window, e.IdentityTime, got.Window, got.IdentityTime)
		}
		if a, b := e.AppendEnvelope(nil), got.AppendEnvelope(nil); !bytes.Equal(a, b) {
			t.Errorf("came back as\n%s\nfrom\n%s", b, a)
		}
		// Whoever does not hand on pays nothing for it.
		if usual := e.AppendStored(nil, whole); !bytes.HasPrefix(stored, usual[:len(usual)-1]) || len(usual) >= len(stored) {
			t.Errorf("%s is not the beginning of %s", usual, stored)
		}
	}
}
