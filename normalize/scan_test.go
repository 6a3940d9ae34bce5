package normalize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestB05_WholeBodyIsOneValue(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `[]`, `""`, `0`, `-0`, `1.0`, `1e400`, `-1.5E-7`, `1E+2`, `true`, `false`, `null`, " \t\r\n{}\n",
		`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, `["\u0000\"\\\/\b\f\n\r\t\ud83d\ude42"]`, `{"":1}`, "\"a\xffb\"", `"\ud800"`,
		`{ "a" : 1 , "b" : [ 1 , 2 ] }`, "\"\x7f\"",
	} {
		v, err := parse([]byte(body))
		if err != nil {
			t.Errorf("parse(%q): %v", body, err)
		}
		if got, want := string(v.raw), strings.Trim(body, " \t\r\n"); got != want {
			t.Errorf("parse(%q) is %q", body, got)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%q: encoding/json refuses it", body)
		}
	}
}

func TestB05_RefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		at   int
	}{
		{``, 0}, {` `, 1}, {`{`, 1}, {`{"a"`, 4}, {`{"a":`, 5}, {`{"a":1`, 6}, {`{"a":1,`, 7}, {`[1,`, 3}, {`"abc`, 4}, {`"abc\`, 4},
		{`{} {}`, 3}, {`{}x`, 2}, {`1 2`, 2}, {`{}{}`, 2}, {`null,`, 4}, {"{}\x00", 2}, {"\ufeff{}", 0},
		{`{"a":1,}`, 7}, {`[1,]`, 3}, {`[,1]`, 1}, {`{,}`, 1}, {`{"a" 1}`, 5}, {`{a:1}`, 1}, {`{'a':1}`, 1}, {`{1:1}`, 1}, {`[1 2]`, 3}, {`{"a":1 "b":2}`, 7},
		{`01`, 1}, {`-`, 1}, {`-a`, 1}, {`+1`, 0}, {`.5`, 0}, {`1.`, 2}, {`1.e1`, 2}, {`1e`, 2}, {`1e+`, 3}, {`0x1`, 1}, {`NaN`, 0}, {`-Infinity`, 1},
		{`tru`, 0}, {`True`, 0}, {`nulll`, 4}, {`falsy`, 0}, {`/**/{}`, 0},
		{"\"\n\"", 1}, {"\"a\x00\"", 2}, {`"\x"`, 1}, {`"\u12"`, 1}, {`"\u12g4"`, 1}, {`"\'"`, 1}, {`"\`, 1},
		{"\u00a0{}", 0}, {"{}\v", 2},
	} {
		_, err := parse([]byte(c.body))
		if err == nil {
			t.Errorf("parse(%q) accepts it", c.body)
			continue
		}
		if want := fmt.Sprintf("byte %d: ", c.at); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("parse(%q): %v, want %s", c.body, err, want)
		}
	}
}

func TestB03_RepeatedName(t *testing.T) {
	t.Parallel()
	many := func(last string) string {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, `"n%d":%d,`, i, i)
		}
		return `{` + b.String() + last + `:0}`
	}
	for name, c := range map[string]struct {
		body     string
		repeated bool
	}{
		"plain":                    {`{"id":"a","id":"b"}`, true},
		"equal values too":         {`{"id":1,"id":1}`, true},
		"one spelt with an escape": {`{"id":1,"\u0069d":2}`, true},
		"both spelt with escapes":  {`{"\u0069d":1,"i\u0064":2}`, true},
		"escaped solidus":          {`{"a/b":1,"a\/b":2}`, true},
		"empty name":               {`{"":1,"":2}`, true},
		"deep inside":              {`{"a":[{"b":{"c":1,"d":2,"c":3}}]}`, true},
		"after a nested object":    {`{"a":{"b":1},"b":2,"a":3}`, true},
		"surrogate pair":           {`{"🙂":1,"\ud83d\ude42":2}`, true},
		"both decode to U+FFFD":    {"{\"a\xff\":1,\"a\xfe\":2}", true},
		"more than are compared":   {many(`"n3"`), true},
		"the last two of many":     {many(`"n39"`), true},
		"escaped among many":       {many(`"\u006e20"`), true},
		"many, none repeated":      {many(`"n40"`), false},
		"another case":             {`{"id":1,"ID":2,"Id":3,"ıd":4}`, false},
		"in other objects":         {`{"a":{"id":1},"b":{"id":2},"id":3}`, false},
		"in the elements":          {`[{"id":1},{"id":1}]`, false},
		"name and value":           {`{"a":"b","b":"a"}`, false},
		"prefixes of each other":   {`{"a":1,"aa":2,"aaa":3,"":4}`, false},
	} {
		_, err := parse([]byte(c.body))
		if repeated := err != nil && strings.HasSuffix(err.Error(), "a member name is repeated"); repeated != c.repeated || (err != nil) != c.repeated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestB03_ManyMembersAreNoSquare(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteByte('{')
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&b, `"member number %d":0,`, i)
	}
	whole := b.Len()
	b.WriteString(`"last":0}`)
	if _, err := parse(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	body := append(b.Bytes()[:whole:whole], `"member number 0":0}`...)
	if _, err := parse(body); err == nil || !strings.Contains(err.Error(), fmt.Sprint("byte ", whole, ": ")) {
		t.Fatalf("the repeated name at byte %d: %v", whole, err)
	}
}

func TestB06_Depth(t *testing.T) {
	t.Parallel()
	nested := func(open, inner, shut string, n int) []byte {
		return []byte(strings.Repeat(open, n) + inner + strings.Repeat(shut, n))
	}
	for name, c := range map[string][3]string{
		"arrays":  {`[`, ``, `]`},
		"objects": {`{"a":`, `1`, `}`},
		"text":    {`[`, `"[[{{"`, `]`},
	} {
		if _, err := parse(nested(c[0], c[1], c[2], 64)); err != nil {
			t.Errorf("%s, 64 deep: %v", name, err)
		}
		for _, n := range []int{65, 66, 1000, 1_000_000} {
			_, err := parse(nested(c[0], c[1], c[2], n))
			if want := fmt.Sprintf("byte %d: nested deeper than 64", 64*len(c[0])); err == nil || err.Error() != want {
				t.Errorf("%s, %d deep: %v, want %s", name, n, err, want)
			}
		}
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	v, err := parse([]byte(` { "a" : { "b" : [ 1 , "x" , [ ] , { "}" : "]" } ] , "\u0063" : null } , "n" : -1.50e3 , "t" : true , "s" : "q\"\\\u00e9\ud83d\ude42/\/" , "e" : "" , "ID" : "upper" } `))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		got  value
		raw  string
		text string
	}{
		"object":           {v.get("a"), `{ "b" : [ 1 , "x" , [ ] , { "}" : "]" } ] , "\u0063" : null }`, ""},
		"array":            {v.get("a", "b"), `[ 1 , "x" , [ ] , { "}" : "]" } ]`, ""},
		"escaped name":     {v.get("a", "c"), `null`, ""},
		"number":           {v.get("n"), `-1.50e3`, "-1.50e3"},
		"true":             {v.get("t"), `true`, ""},
		"escapes":          {v.get("s"), `"q\"\\\u00e9\ud83d\ude42/\/"`, `q"\é🙂//`},
		"empty":            {v.get("e"), `""`, ""},
		"missing":          {v.get("x"), ``, ""},
		"below missing":    {v.get("x", "y"), ``, ""},
		"below a number":   {v.get("n", "y"), ``, ""},
		"below an array":   {v.get("a", "b", "0"), ``, ""},
		"of another case":  {v.get("id"), ``, ""},
		"of no value":      {value{}.get("id"), ``, ""},
		"dotted":           {v.at("a.c"), `null`, ""},
		"nothing is asked": {v.get(), string(v.raw), ""},
	} {
		if string(c.got.raw) != c.raw || c.got.text() != c.text || c.got.present() != (c.raw != "") {
			t.Errorf("%s: %q, text %q", name, c.got.raw, c.got.text())
		}
	}
	var elements, names []string
	for e := range v.get("a", "b").each {
		elements = append(elements, string(e.raw))
	}
	for n := range v.members {
		names = append(names, n)
	}
	if want := []string{`1`, `"x"`, `[ ]`, `{ "}" : "]" }`}; !slices.Equal(elements, want) {
		t.Errorf("elements %q, want %q", elements, want)
	}
	if want := []string{"a", "n", "t", "s", "e", "ID"}; !slices.Equal(names, want) {
		t.Errorf("members %q, want %q", names, want)
	}
	if got := v.first("x|e|a.b|n|s"); got != "-1.50e3" {
		t.Errorf("the first text is %q", got)
	}
	if !v.isObject() || !v.get("a", "b").isArray() || !v.get("s").isString() || !v.get("a", "c").isNull() || v.get("x").isNull() || v.get("n").isString() {
		t.Error("a value is not what it is")
	}
	for range v.get("n").each {
		t.Error("a number has an element")
	}
}

func TestB08_Clean(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`"a"`: true, `"é☃🙂"`: true, `"\ud83d\ude42"`: true, `"\ufffd"`: true, "\"\ufffd\"": true, `1`: true, `null`: true, `""`: true, `"\\ud800"`: true,
		"\"a\xffb\"": false, "\"\xc3\"": false, "\"\xed\xa0\x80\"": false, "\"\xc0\x80\"": false,
		`"\ud800"`: false, `"\udc00"`: false, `"\ud800x"`: false, `"\ude42\ud83d"`: false, `"\ud800\n"`: false, `"\ud83d\ud83d\ude42"`: false,
		"\"\\n\xff\"": false, `"\ud800\u0061"`: false,
	} {
		v, err := parse([]byte(raw))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if v.clean() != want {
			t.Errorf("%q: clean is %v", raw, !want)
		}
	}
}

// TestEveryByteAtEveryPlaceOfAString covers both ways in which a string is read, by eight bytes and by one.
func TestEveryByteAtEveryPlaceOfAString(t *testing.T) {
	t.Parallel()
	for at := range 26 {
		for c := range 256 {
			inside := []byte("abcdefghijklmnopqrstuvwxyz")
			inside[at] = byte(c)
			body := append(append([]byte(`["`), inside...), `"]`...)
			v, err := parse(body)
			if (err == nil) != json.Valid(body) {
				t.Fatalf("%q: %v", body, err)
			}
			if err != nil {
				continue
			}
			var want []string
			if err := json.Unmarshal(body, &want); err != nil {
				t.Fatal(err)
			}
			for e := range v.each {
				if e.text() != want[0] || e.clean() != (c < 0x80) {
					t.Fatalf("%q: %q, clean is %v", body, e.text(), e.clean())
				}
			}
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	body := []byte(`{"a":{"b":[1,2,{"c":"é"}]},"d":"text","e":{"f":{"g":null}}}`)
	got := testing.AllocsPerRun(100, func() {
		v, err := parse(body)
		if err != nil || !v.get("e", "f", "g").isNull() {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// same compares every value of a parsed body with what encoding/json makes of it.
func same(t *testing.T, path string, v value, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		n := 0
		for name, m := range v.members {
			w, ok := want[name]
			if !ok {
				t.Errorf("%s: member %q is only ours", path, name)
			}
			if n++; !strings.Contains(name, ".") && n <= 20 && !bytes.Equal(v.get(name).raw, m.raw) {
				t.Errorf("%s: get(%q) is another member", path, name)
			}
			same(t, path+"."+name, m, w)
		}
		if n != len(want) || !v.isObject() {
			t.Errorf("%s: %d members, encoding/json has %d", path, n, len(want))
		}
	case []any:
		n := 0
		for e := range v.each {
			if n < len(want) {
				same(t, fmt.Sprint(path, ".", n), e, want[n])
			}
			n++
		}
		if n != len(want) || !v.isArray() {
			t.Errorf("%s: %d elements, encoding/json has %d", path, n, len(want))
		}
	case string:
		if !v.isString() || v.text() != want {
			t.Errorf("%s: %q, encoding/json has %q", path, v.text(), want)
		}
	case json.Number:
		if v.text() != want.String() {
			t.Errorf("%s: %q, encoding/json has %q", path, v.text(), want)
		}
	case nil:
		if !v.isNull() {
			t.Errorf("%s: %q is not null", path, v.raw)
		}
	case bool:
		if string(v.raw) != fmt.Sprint(want) {
			t.Errorf("%s: %q, encoding/json has %v", path, v.raw, want)
		}
	}
}

// FuzzScan holds the scanner against encoding/json: what we accept it accepts with the same values, and what only it
// accepts has one of the reasons for which we are stricter.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"id":"a","id":"b"}`, `{"a":[1,2.50,{"b":null}],"c":"\ud83d\ude42\u00e9"}`, "\"a\xffb\\ud800\\n\"", `[-0,1e400,9007199254740993]`, ` {} `, `{"a":1}x`,
		"{\"\xff\":1}", `"\udc00\ud800"`, `[[[[[[]]]]]]`, `{"":{"":""}}`, "\"\xed\xa0\x80\"", `{"\u0061":true}`, strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parse(body)
		if err != nil {
			if reason := err.Error(); json.Valid(body) && !strings.HasSuffix(reason, "a member name is repeated") && !strings.HasSuffix(reason, "nested deeper than 64") {
				t.Fatalf("only encoding/json accepts it: %v", err)
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		same(t, "", v, want)
	})
}
