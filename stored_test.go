package hookgate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

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
	for _, bad := range []string{"", "{}", "[", "[]", `["a"]`, `[1,"","","","","","","","","","","","","",0,1]`, `["","","","","","","","","","","","","","",0,1,2]`} {
		if _, err := hookgate.ParseStored([]byte(bad), sample().Received, nil); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
