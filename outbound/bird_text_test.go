package outbound

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzBirdText holds the wire form to what it promises: the same value, nothing escaped that need not be, and no further
// change when it is done again.
func FuzzBirdText(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u003c\\u003c\\\u003c"`, `{"\u00e1":["\ud83d\ude00","\ud83d","\ude00\ud83d"]}`, `"\u0000\u001f\u0022\u005c\/"`, `"\ud83d\u003c"`, `"\n\t"`, `9007199254740993`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if !json.Valid(src) || !utf8.Valid(src) {
			return
		}
		out := birdText(src)
		var before, after any
		if err := json.Unmarshal(src, &before); err != nil {
			return // too deep, or a number beyond what Go reads
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%s became %s: %v", src, out, err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s became %s", src, out)
		}
		if !utf8.Valid(out) {
			t.Errorf("%s became broken UTF-8 %q", src, out)
		}
		if again := birdText(out); !bytes.Equal(again, out) {
			t.Errorf("%s became %s and then %s", src, out, again)
		}
	})
}
