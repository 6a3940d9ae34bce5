package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// zipping is a running program whose source care takes gzip, as does soap.
func zipping(t *testing.T, out string) operated {
	t.Helper()
	return zippingWith(t, scenario(filepath.Join(t.TempDir(), "j.db"), fileAt(out)))
}

func zippingWith(t *testing.T, config string) operated {
	t.Helper()
	config = strings.Replace(config, "    provider: sprinklr\n", "    provider: sprinklr\n    gzip: true\n", 1)
	return operating(t, strings.Replace(config, "destinations:\n", "  - {name: soap, provider: commbox, gzip: true, auth: [{scheme: none}]}\ndestinations:\n", 1))
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

const labelled = "Content-Encoding: gzip"

// TestB01_GzipFromEndToEnd: the signature is that of the wire's bytes, which are kept, and what is forwarded is what they
// unfold to.
func TestB01_GzipFromEndToEnd(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		out := filepath.Join(t.TempDir(), "events")
		gzipFromEndToEnd(t, out, zipping(t, out))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		out := filepath.Join(t.TempDir(), "events")
		gzipFromEndToEnd(t, out, zippingWith(t, onRedis(startOwnRedis(t).url, "", fileAt(out))))
	})
}

func gzipFromEndToEnd(t *testing.T, out string, o operated) {
	t.Helper()
	var n bodies
	text := n.next()
	wire := compressed(t, text)
	resp := o.send(t, post("/hooks/care", wire, signed(wire), labelled))
	id := resp.Header.Get("Hookgate-Event-Id")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "accepted" || id == "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	eventually(t, "it is forwarded", func() (bool, string) { return len(lines(t, out)) == 1, "" })
	line := lines(t, out)[0]
	if !strings.Contains(line, `"data":`+text+`}`) || strings.Contains(line, "data_base64") {
		t.Errorf("forwarded %s", line)
	}
	sum := sha256.Sum256([]byte(wire))
	if digest := hex.EncodeToString(sum[:]); !strings.Contains(line, `"rawsha256":"`+digest+`"`) {
		t.Errorf("the digest is not %s in %s", digest, line)
	}
	record := o.objects(t, "events", "show", id)[0]
	head, _ := record["request"].(map[string]any)
	if head["bytes"] != float64(len(wire)) || !strings.Contains(fmt.Sprint(head["header"]), "Content-Encoding:[gzip]") {
		t.Errorf("kept %v, want %d bytes", head, len(wire))
	}
	// The same event, sent plain or packed in another way, is the same event.
	var other bytes.Buffer
	z, err := gzip.NewWriterLevel(&other, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	z.Name = "another"
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]string{
		"again":          post("/hooks/care", wire, signed(wire), labelled),
		"plain":          post("/hooks/care", text, signed(text)),
		"packed anew":    post("/hooks/care", other.String(), signed(other.String()), labelled),
		"again, chunked": chunked("/hooks/care", wire, 7, []string{signed(wire), labelled}),
	} {
		if resp := o.send(t, request); resp.Header.Get("Hookgate-Outcome") != "duplicate" || resp.Header.Get("Hookgate-Event-Id") != id {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	if _, page := o.ask(t, "/metrics", adminToken); !strings.Contains(page, `hookgate_event_conflicts_total{source="care"} 0`+"\n") {
		t.Error("a copy counts as one with other content")
	}
}

// TestB01_WhatIsSignedIsWhatWasSent: a signature over what the body unfolds to is none.
func TestB01_WhatIsSignedIsWhatWasSent(t *testing.T) {
	t.Parallel()
	o := zipping(t, filepath.Join(t.TempDir(), "events"))
	var n bodies
	a, b, c := n.next(), n.next(), n.next()
	twice := compressed(t, compressed(t, c))
	for _, x := range []exchange{
		{"signed unfolded", post("/hooks/care", compressed(t, a), signed(a), labelled), 401, ""},
		{"not signed", post("/hooks/care", compressed(t, a), labelled), 401, ""},
		{"not labelled", post("/hooks/care", compressed(t, a), signed(compressed(t, a))), 200, "quarantined"},
		{"labelled and plain", post("/hooks/care", a, signed(a), labelled), 200, "quarantined"},
		{"packed twice", post("/hooks/care", twice, signed(twice), labelled), 200, "quarantined"},
		{"packed twice and labelled so", post("/hooks/care", twice, signed(twice), "Content-Encoding: gzip, gzip"), 415, ""},
		{"labelled twice", post("/hooks/care", twice, signed(twice), labelled, labelled), 415, ""},
		{"deflate", post("/hooks/care", twice, signed(twice), "Content-Encoding: deflate"), 415, ""},
		{"br", post("/hooks/care", twice, signed(twice), "Content-Encoding: br"), 415, ""},
		{"a source that does not take it", post("/hooks/chat", compressed(t, chatBody(1)), labelled), 415, ""},
		{"two members", post("/hooks/care", compressed(t, b[:9])+compressed(t, b[9:]), signed(compressed(t, b[:9])+compressed(t, b[9:])), labelled), 200, "quarantined"},
		{"after all of this", post("/hooks/care", compressed(t, b), signed(compressed(t, b)), labelled), 200, "accepted"},
	} {
		resp := o.send(t, x.request)
		if got := resp.Header.Get("Hookgate-Outcome"); resp.StatusCode != x.status || got != x.outcome {
			t.Errorf("%s: %d %q, want %d %q", x.name, resp.StatusCode, got, x.status, x.outcome)
		}
	}
	// What did not unfold is kept as it was sent.
	parts := o.objects(t, "quarantine", "list")
	if len(parts) != 4 {
		t.Fatalf("%d parts in quarantine", len(parts))
	}
	kept, err := base64.StdEncoding.DecodeString(parts[0]["part_base64"].(string))
	if err != nil || string(kept) != compressed(t, b[:9])+compressed(t, b[9:]) {
		t.Errorf("%q is kept, %v", kept, err)
	}
}

// TestB01_SOAPIsAnsweredInSOAP, packed or not.
func TestB01_SOAPIsAnsweredInSOAP(t *testing.T) {
	t.Parallel()
	o := zipping(t, filepath.Join(t.TempDir(), "events"))
	const soap = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Event Subscription="Object" Name="OnNew" Brand="b"><Object Id="1"/></Event></s:Body></s:Envelope>`
	w := dial(t, o.Hooks)
	w.write(t, post("/hooks/soap", compressed(t, soap), labelled))
	resp, body := w.read(t, "POST")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "Envelope") || resp.Header.Get("Hookgate-Outcome") != "accepted" {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
	}
}

// TestB01_ABombIsQuarantinedUnfolded is not parallel, because it counts what all goroutines allocate. What one delivery may
// unfold to is the source's max_body and a hundred times its own size, whatever it is labelled as and however deep it goes.
func TestB01_ABombIsQuarantinedUnfolded(t *testing.T) {
	o := zipping(t, filepath.Join(t.TempDir(), "events"))
	bombs := map[string]string{}
	for name, size := range map[string]int64{"10 MB": 10 << 20, "640 MB": 640 << 20} {
		var bomb bytes.Buffer
		z := gzip.NewWriter(&bomb)
		if _, err := io.CopyN(z, zeros{}, int64(sized(int(size>>4), int(size)))); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		bombs[name] = bomb.String()
	}
	bombs["nested"] = compressed(t, bombs["640 MB"])
	bombs["truncated"] = bombs["640 MB"][:len(bombs["640 MB"])/2]
	for name, bomb := range bombs {
		if len(bomb) > 1<<20 {
			t.Fatalf("%s: %d bytes are more than the limit", name, len(bomb))
		}
		request := post("/hooks/care", bomb, signed(bomb), labelled)
		used := allocated(func() {
			if resp := o.send(t, request); resp.StatusCode != http.StatusOK || resp.Header.Get("Hookgate-Outcome") != "quarantined" {
				t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
			}
		})
		if used > 24<<20 {
			t.Errorf("%s: %d MiB were allocated for %d bytes", name, used>>20, len(bomb))
		}
	}
}
