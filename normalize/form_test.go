package normalize

import (
	"net/url"
	"strings"
	"testing"
)

func TestFormField(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"data=a":                               "a",
		"data=a+b%20c%2Bd":                     "a b c+d",
		"data=%2525%26":                        "%25&",
		"data=a=b=c":                           "a=b=c",
		"%64%61ta=x":                           "x",
		"x=%3D&data=1&y":                       "1",
		"data":                                 "",
		"data=%00%ff":                          "\x00\xff",
		"data=a;data=b":                        "a;data=b", // B12: a semicolon separates nothing
		"x=%&data=1":                           "1",        // the value of another field is nobody's business
		strings.Repeat("a=1&", 255) + "data=1": "1",
	} {
		got, err := formField([]byte(body), "data")
		if err != nil || string(got) != want {
			t.Errorf("%.40q: %q, %v, want %q", body, got, err, want)
		}
	}
	for body, want := range map[string]error{
		"":                                     errFieldAbsent,
		"=data":                                errFieldAbsent,
		"datax=1&dat=1":                        errFieldAbsent,
		"data=1&data=1":                        errFieldTwice,
		"data=1&d%61ta":                        errFieldTwice,
		"data=%":                               errEscape,
		"data=%4":                              errEscape,
		"data=%4g":                             errEscape,
		"data=1&%g0=1":                         errEscape,
		strings.Repeat("a=1&", 256) + "data=1": errManyFields,
		"data=1" + strings.Repeat("&", 1_000_000): errManyFields,
	} {
		if got, err := formField([]byte(body), "data"); err != want {
			t.Errorf("%.40q: %q, %v, want %v", body, got, err, want)
		}
	}
}

// FuzzForm compares with net/url wherever both read the form.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"data=a", "x=1&data=%7B%22a%22%3A+1%7D", "d%61ta=%25&y=%zz", "data=1&data=2", "a;data=1", "data=%", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := formField(body, "data")
		values, stdErr := url.ParseQuery(string(body))
		if err != nil {
			if stdErr == nil && len(values["data"]) == 1 && strings.Count(string(body), "&") < maxFields {
				t.Fatalf("%v, but net/url reads %q", err, values["data"])
			}
			return
		}
		if len(got) > len(body) {
			t.Fatal("the value is longer than the form")
		}
		if stdErr == nil && (len(values["data"]) != 1 || values["data"][0] != string(got)) {
			t.Fatalf("%q, but net/url reads %q", got, values["data"])
		}
	})
}
