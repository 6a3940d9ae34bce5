package forward_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/forward"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func whsec(n int, fill string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, n)))
}

// target starts a server and gives a destination that posts to it.
func target(t *testing.T, h http.HandlerFunc, change func(*hookgate.DestinationSettings)) forward.Destination {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s := hookgate.DestinationSettings{Name: "d", Type: "http", URL: literal(server.URL + "/in?token=secret-token"), Timeout: 5 * time.Second}
	if change != nil {
		change(&s)
	}
	d, err := forward.New(s, forward.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func publishOne(t *testing.T, d forward.Destination, e *hookgate.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return d.Publish(ctx, batchOf(e))[0]
}

func TestHTTPSignatureByTheOfficialLibrary(t *testing.T) {
	t.Parallel()
	old, current := whsec(24, "o"), whsec(64, "n")
	for _, mode := range []string{"structured", "binary"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := target(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				for _, secret := range []string{old, current} {
					hook, err := standardwebhooks.NewWebhook(secret)
					if err != nil {
						t.Error(err)
					} else if err := hook.Verify(body, r.Header); err != nil {
						t.Errorf("%s: %v", r.Header.Get("Webhook-Signature"), err)
					} else if err := hook.Verify(append(body, ' '), r.Header); err == nil {
						t.Error("an altered body verifies")
					}
				}
				stranger, _ := standardwebhooks.NewWebhook(whsec(32, "x"))
				if stranger.Verify(body, r.Header) == nil {
					t.Error("verifies with another secret")
				}
				if r.Header.Get("Webhook-Id") != event(7, "k").ID {
					t.Errorf("webhook-id %q", r.Header.Get("Webhook-Id"))
				}
			}, func(s *hookgate.DestinationSettings) {
				s.Mode, s.Secrets = mode, []hookgate.Secret{literal(old), literal(current)}
			})
			if err := publishOne(t, d, event(7, "k")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Both modes are read back by the CloudEvents SDK and say what the event says.
func TestHTTPModesByTheCloudEventsSDK(t *testing.T) {
	t.Parallel()
	plain := event(1, "k")
	odd := event(2, "k")
	odd.Subject, odd.Tenant, odd.NativeID = "Ü 50% \"of\" €\U0001F600", "a b", "x\u00e9"
	odd.PartitionKey = odd.Tenant + "/" + odd.EntityType + "/" + odd.Subject
	xml := event(3, "k")
	xml.ContentType, xml.Data = hookgate.XML, []byte("<Event>\u00fc</Event>")
	broken := event(4, "k")
	broken.ContentType, broken.Data = hookgate.XML, []byte{'<', 0xff, 0xfe, '>'}
	for _, mode := range []string{"structured", "binary"} {
		for name, e := range map[string]*hookgate.Event{"plain": plain, "odd text": odd, "xml": xml, "not UTF-8": broken} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				got := make(chan *cloudevents.Event, 1)
				d := target(t, func(_ http.ResponseWriter, r *http.Request) {
					m := cehttp.NewMessageFromHttpRequest(r)
					if want := map[string]string{"structured": "structured", "binary": "binary"}[mode]; m.ReadEncoding().String() != want {
						t.Errorf("encoding %s", m.ReadEncoding())
					}
					read, err := cloudevents.NewEventFromHTTPRequest(r)
					if err != nil {
						t.Error(err)
					}
					got <- read
				}, func(s *hookgate.DestinationSettings) { s.Mode = mode })
				if err := publishOne(t, d, e); err != nil {
					t.Fatal(err)
				}
				read := <-got
				if err := read.Validate(); err != nil {
					t.Error(err)
				}
				if string(read.Data()) != string(e.Data) {
					t.Errorf("data %q, want %q", read.Data(), e.Data)
				}
				unescape := func(s string) string { return s }
				if mode == "binary" { // the SDK leaves the percent-encoding to its caller
					unescape = percentDecoded
				}
				e.Attributes(func(name, value string) {
					var have string
					switch name {
					case "id":
						have = read.ID()
					case "source":
						have = read.Source()
					case "type":
						have = read.Type()
					case "subject":
						have = unescape(read.Subject())
					case "time":
						have = read.Time().UTC().Format("2006-01-02T15:04:05.000Z")
					case "datacontenttype":
						have = read.DataContentType()
					default:
						have = unescape(fmt.Sprint(read.Extensions()[name]))
						if at, ok := read.Extensions()[name].(cloudevents.Timestamp); ok {
							have = at.UTC().Format("2006-01-02T15:04:05.000Z")
						}
					}
					if have != value {
						t.Errorf("%s is %q, want %q", name, have, value)
					}
				})
			})
		}
	}
}

// percentDecoded follows section 3.1.3.2 of the HTTP binding.
func percentDecoded(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		var c byte
		if s[i] == '%' && i+2 < len(s) {
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02X", &c); err == nil {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func TestHTTPStatuses(t *testing.T) {
	t.Parallel()
	const ok, refused, trouble, gone = "ok", "refused", "trouble", "gone"
	tests := map[int]string{
		200: ok, 201: ok, 202: ok, 204: ok, 299: ok,
		301: trouble, 302: trouble, 303: trouble, 304: trouble, 307: trouble, 308: trouble,
		401: trouble, 403: trouble, 404: trouble, 405: trouble,
		400: refused, 408: refused, 409: refused, 413: refused, 422: refused, 431: refused,
		500: refused, 501: refused, 505: refused, 599: refused,
		410: gone, 429: trouble, 502: trouble, 503: trouble, 504: trouble,
	}
	for status, want := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			calls := 0
			d := target(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				w.Header().Set("Retry-After", "7")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			}, nil)
			err := publishOne(t, d, event(1, "k"))
			var r *forward.Refusal
			var tr *forward.Trouble
			got := ok
			switch {
			case errors.As(err, &r):
				got = refused
			case errors.As(err, &tr) && tr.Pause:
				got = gone
			case errors.As(err, &tr):
				got = trouble
				if tr.RetryAfter != 7*time.Second {
					t.Errorf("Retry-After %v", tr.RetryAfter)
				}
			case err != nil:
				got = "untyped"
			}
			if got != want {
				t.Errorf("%s (%v), want %s", got, err, want)
			}
			if calls != 1 {
				t.Errorf("%d calls: a redirect was followed", calls)
			}
		})
	}
}

func TestHTTPRetryAfterDate(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "Sun, 01 Mar 2026 10:05:00 GMT": 5 * time.Minute, "Sun, 01 Mar 2026 09:00:00 GMT": 0,
		"-5": 0, "soon": 0, "": 0, "99999999999999999999": 0,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		d, err := forward.New(hookgate.DestinationSettings{Type: "http", URL: literal(server.URL)}, forward.Options{Now: func() time.Time { return received }})
		if err != nil {
			t.Fatal(err)
		}
		var tr *forward.Trouble
		if err := publishOne(t, d, event(1, "k")); !errors.As(err, &tr) || tr.RetryAfter != want {
			t.Errorf("%q: %v", value, err)
		}
		_ = d.Close()
		server.Close()
	}
}

// THREATS O2: nothing follows a redirect, least of all a credential.
func TestO02_NoRedirectWithCredentials(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	d := target(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			t.Error("the URL's user was not sent")
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}, func(s *hookgate.DestinationSettings) {
		s.URL = literal(strings.Replace(string(s.URL.Reveal()), "http://", "http://user:hidden@", 1))
	})
	var r *forward.Trouble
	if err := publishOne(t, d, event(1, "k")); !errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}

// THREATS O3: answers without end, by body, by header and by time.
func TestO03_AnswersWithoutEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"header": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("a", 1000))
			}
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
			<-r.Context().Done()
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := target(t, h, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			var tr *forward.Trouble
			if err := d.Publish(ctx, batchOf(event(1, "k")))[0]; !errors.As(err, &tr) || strings.Contains(err.Error(), "secret-token") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("body", func(t *testing.T) {
		t.Parallel()
		sent := make(chan int, 1)
		d := target(t, func(w http.ResponseWriter, r *http.Request) {
			n := 0
			for r.Context().Err() == nil {
				m, err := w.Write(make([]byte, 32<<10))
				n += m
				if err != nil {
					break
				}
			}
			sent <- n
		}, nil)
		if err := publishOne(t, d, event(1, "k")); err != nil {
			t.Error(err)
		}
		if n := <-sent; n > 64<<20 {
			t.Errorf("%d bytes were taken", n)
		}
	})
}

func TestHTTPNoProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9")
	t.Setenv("http_proxy", "http://192.0.2.1:9")
	d := target(t, func(http.ResponseWriter, *http.Request) {}, nil)
	if err := publishOne(t, d, event(1, "k")); err != nil {
		t.Error(err)
	}
}

// THREATS B14: an id that carries a line break never reaches a header.
func TestB14_HeaderInjection(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"structured", "binary"} {
		for name, change := range map[string]func(*hookgate.Event){
			"id":           func(e *hookgate.Event) { e.ID = "a\r\nX-Evil: 1" },
			"subject":      func(e *hookgate.Event) { e.Subject = "a\r\nX-Evil: 1\x00" },
			"content type": func(e *hookgate.Event) { e.ContentType = "text/plain\r\nX-Evil: 1" },
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				d := target(t, func(_ http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Evil") != "" {
						t.Error("injected")
					}
				}, func(s *hookgate.DestinationSettings) {
					s.Mode, s.Secrets = mode, []hookgate.Secret{literal(whsec(32, "k"))}
				})
				e := event(1, "k")
				change(e)
				var r *forward.Refusal
				if err := publishOne(t, d, e); err != nil && !errors.As(err, &r) {
					t.Errorf("not a refusal of this event: %v", err)
				}
			})
		}
	}
}

// A connection that ends without an answer is trouble, and so is a name that does not resolve.
func TestHTTPConnectionTrouble(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	for name, url := range map[string]string{"refused": closed, "no such name": "http://no-such-host.invalid/secret-token"} {
		d, err := forward.New(hookgate.DestinationSettings{Type: "http", URL: literal(url)}, forward.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var tr *forward.Trouble
		if err := publishOne(t, d, event(1, "k")); !errors.As(err, &tr) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: %v", name, err)
		}
		_ = d.Close()
	}
}
