package oracle_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/hookgate/hookgate/oracle"
)

// at is a moment of a run, in milliseconds.
func at(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }

func digest(text string) oracle.Digest { return oracle.DigestOf("", "text/plain", []byte(text)) }

// sent is an attempt from one moment to another; status 0 is one without an answer.
func sent(id, key string, from, to, status int) oracle.Sent {
	s := oracle.Sent{ID: id, Key: key, Attempt: 1, Digest: digest(id), At: at(from), Status: status}
	if status != 0 {
		s.Answered = at(to)
	}
	return s
}

func delivered(ids ...string) (all []oracle.Delivered) {
	for _, id := range ids {
		all = append(all, oracle.Delivered{ID: id, Digest: digest(id)})
	}
	return all
}

// TestJudge: each verdict, from logs that differ by one thing.
func TestJudge(t *testing.T) {
	t.Parallel()
	two := []oracle.Sent{sent("a", "k", 0, 5, 200), sent("b", "k", 10, 15, 200)}
	for name, c := range map[string]struct {
		sent      []oracle.Sent
		delivered []oracle.Delivered
		want      oracle.Verdict
		broken    bool
	}{
		"nothing": {},
		"all is well": {sent: two, delivered: delivered("a", "b"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Compared: 1}},
		"lost": {sent: two, delivered: delivered("a"), broken: true,
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 1, Lost: 1, Examples: map[string][]string{"lost": {"b"}}}},
		"any 2xx is a promise": {sent: []oracle.Sent{sent("a", "k", 0, 5, 204)}, broken: true,
			want: oracle.Verdict{Sent: 1, Acknowledged: 1, Lost: 1, Examples: map[string][]string{"lost": {"a"}}}},
		"not acknowledged, not there": {sent: []oracle.Sent{sent("a", "k", 0, 5, 503), sent("b", "k", 0, 0, 0)},
			want: oracle.Verdict{Sent: 2}},
		"not acknowledged, and there": {sent: []oracle.Sent{sent("a", "k", 0, 0, 0)}, delivered: delivered("a"),
			want: oracle.Verdict{Sent: 1, Delivered: 1}},
		"acknowledged at the second attempt, lost": {sent: []oracle.Sent{sent("a", "k", 0, 0, 0), sent("a", "k", 10, 15, 200)}, broken: true,
			want: oracle.Verdict{Sent: 1, Acknowledged: 1, Lost: 1, Examples: map[string][]string{"lost": {"a"}}}},
		"doubled": {sent: two, delivered: delivered("a", "b", "a", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Doubled: 2, Compared: 1, Examples: map[string][]string{"doubled": {"a", "a"}}}},
		"forged": {sent: two, delivered: delivered("a", "b", "c"), broken: true,
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Forged: 1, Compared: 1, Examples: map[string][]string{"forged": {"c"}}}},
		"no event at all": {sent: two, delivered: append(delivered("a", "b"), oracle.Read([]byte("hello"))), broken: true,
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Forged: 1, Compared: 1, Examples: map[string][]string{"forged": {""}}}},
		"wrong": {sent: two, delivered: append(delivered("a"), oracle.Delivered{ID: "b", Digest: digest("c")}), broken: true,
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Wrong: 1, Compared: 1, Examples: map[string][]string{"wrong": {"b"}}}},
		"a double that is wrong": {sent: two, delivered: append(delivered("a", "b"), oracle.Delivered{ID: "b", Digest: digest("c")}), broken: true,
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Wrong: 1, Doubled: 1, Compared: 1, Examples: map[string][]string{"wrong": {"b"}, "doubled": {"b"}}}},
		"the content of an earlier attempt": {
			sent: []oracle.Sent{sent("a", "k", 0, 0, 0), {ID: "a", Key: "k", Attempt: 2, Digest: digest("again"), At: at(10), Status: 200, Answered: at(15)}}, delivered: delivered("a"),
			want: oracle.Verdict{Sent: 1, Acknowledged: 1, Delivered: 1}},
		"overtaken": {sent: two, delivered: delivered("b", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, OutOfOrder: 1, Compared: 1, Examples: map[string][]string{"out_of_order": {"a"}}}},
		"a double behind what it once preceded": {sent: two, delivered: delivered("a", "b", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2, Doubled: 1, Compared: 1, Examples: map[string][]string{"doubled": {"a"}}}},
		"another key may overtake": {sent: []oracle.Sent{sent("a", "k", 0, 5, 200), sent("b", "l", 10, 15, 200)}, delivered: delivered("b", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2}},
		"under way at the same time": {sent: []oracle.Sent{sent("a", "k", 0, 12, 200), sent("b", "k", 10, 15, 200)}, delivered: delivered("b", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2}},
		"sent long before, acknowledged late": {sent: []oracle.Sent{sent("a", "k", 0, 0, 0), sent("b", "k", 10, 15, 200), sent("a", "k", 20, 25, 200)}, delivered: delivered("b", "a"),
			want: oracle.Verdict{Sent: 2, Acknowledged: 2, Delivered: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := oracle.Judge(c.sent, c.delivered)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("the verdict is\n%+v, want\n%+v", got, c.want)
			}
			if got.Kept() == c.broken {
				t.Errorf("kept: %v", got.Kept())
			}
		})
	}
}

// TestExamplesAreBounded, whatever is found.
func TestExamplesAreBounded(t *testing.T) {
	t.Parallel()
	v := oracle.Judge(nil, delivered("a", "b", "c", "d", "e", "f", "g"))
	if v.Forged != 7 || len(v.Examples["forged"]) != 5 {
		t.Errorf("%d forged, %v", v.Forged, v.Examples)
	}
}

// TestPromised are the acknowledged events, each once.
func TestPromised(t *testing.T) {
	t.Parallel()
	got := oracle.Promised([]oracle.Sent{sent("a", "k", 0, 0, 0), sent("a", "k", 10, 15, 200), sent("b", "k", 0, 5, 503)})
	if !reflect.DeepEqual(got, map[string]bool{"a": true}) {
		t.Errorf("%v", got)
	}
}

// TestRead: the forms that an event arrives in have one digest, and another content has another.
func TestRead(t *testing.T) {
	t.Parallel()
	const raw = "00ff"
	want := oracle.Delivered{ID: "7", Digest: oracle.DigestOf(raw, "application/json", []byte(`{"a": "<b>", "n": 1.0}`))}
	text := oracle.Delivered{ID: "7", Digest: oracle.DigestOf(raw, "application/xml", []byte("<a>é\n</a>"))}
	bytes := oracle.Delivered{ID: "7", Digest: oracle.DigestOf(raw, "application/xml", []byte("\xff"))}
	quoted, err := json.Marshal("<a>é\n</a>")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		envelope string
		want     oracle.Delivered
		other    bool
	}{
		"as it was sent": {`{"id":"7","datacontenttype":"application/json","rawsha256":"00ff","data":{"a": "<b>", "n": 1.0}}`, want, false},
		"on one line":    {`{"id":"7","datacontenttype":"application/json","rawsha256":"00ff","data":{"a":"<b>","n":1.0}}`, want, false},
		"a number":       {`{"id":"7","datacontenttype":"application/json","rawsha256":"00ff","data":{"a":"<b>","n":1}}`, want, true},
		"another body":   {`{"id":"7","datacontenttype":"application/json","rawsha256":"00fe","data":{"a":"<b>","n":1.0}}`, want, true},
		"no payload":     {`{"id":"7","datacontenttype":"application/json","rawsha256":"00ff"}`, want, true},
		"text":           {`{"id":"7","datacontenttype":"application/xml","rawsha256":"00ff","data":` + string(quoted) + `}`, text, false},
		"bytes":          {`{"id":"7","datacontenttype":"application/xml","rawsha256":"00ff","data_base64":"/w=="}`, bytes, false},
		"torn":           {`{"id":"7","datacontenttype":"application/json","rawsha`, oracle.Delivered{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := oracle.Read([]byte(c.envelope)); (got == c.want) == c.other {
				t.Errorf("%s %x", got.ID, got.Digest)
			}
		})
	}
	header := http.Header{"Ce-Id": {"7"}, "Ce-Rawsha256": {raw}, "Content-Type": {"application/json"}}
	if got := oracle.ReadBinary(header, []byte(`{"a":"<b>","n":1.0}`)); got != want {
		t.Errorf("binary: %+v", got)
	}
}
