package outbound

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hookgate/hookgate"
)

// maxBody is how many bytes of a request's body the APIs read: our bound.
const maxBody = 1 << 20

// Handler serves the providers' management APIs and the plain API.
func (s *Server) Handler() http.Handler {
	r := mux.NewRouter().UseEncodedPath().SkipClean(true)
	for _, name := range slices.Sorted(maps.Keys(s.providers)) {
		if routes := s.providers[name].routes; routes != nil {
			routes(s, r)
		}
	}
	s.plainRoutes(r)
	r.NotFoundHandler = problem(http.StatusNotFound, "not_found", "there is nothing here")
	r.MethodNotAllowedHandler = problem(http.StatusMethodNotAllowed, "method_not_allowed", "this address does not take this method")
	return s.outermost(r)
}

// outermost bounds the body, sets the headers that every answer has, and turns a panic into a plain 500.
func (s *Server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		defer func() {
			trouble := recover()
			if trouble == nil {
				return
			}
			if trouble == http.ErrAbortHandler {
				panic(trouble) // net/http's own way to end an answer
			}
			s.note("a request of the API failed", map[string]string{"error": fmt.Sprint(trouble), "path": r.URL.Path})
			problem(http.StatusInternalServerError, "internal", "the server made a mistake")(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// problem answers with an error of the plain API.
func problem(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		reply(w, status, struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}{code, message})
	}
}

// reply writes v as compact JSON, <>& unescaped.
func reply(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("outbound: an answer that is no JSON: " + err.Error()) // a mistake in this package, not of a caller's
	}
	if h := w.Header(); h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n"))) // a caller that has gone needs no answer
}

// readJSON reads a JSON body of at most 1 MiB into v; strict refuses members that v does not have. Numbers that go into
// an any keep their digits. The error is a *hookgate.Error, whose detail may be shown to the caller.
func readJSON(w http.ResponseWriter, r *http.Request, v any, strict bool) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return hookgate.Errorf(hookgate.TooLarge, "the body has more than %d bytes", maxBody)
	}
	if err != nil {
		return hookgate.Errorf(hookgate.BrokenBody, "the body broke off")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return hookgate.Errorf(hookgate.Malformed, "the body is empty, and JSON was expected")
		}
		if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
			return hookgate.Errorf(hookgate.Malformed, "the body's %s has the wrong type: %s", cmp.Or(wrong.Field, "value"), wrong.Value)
		}
		return hookgate.Errorf(hookgate.Malformed, "the body is not the expected JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return hookgate.Errorf(hookgate.Malformed, "the body has something after its JSON value")
	}
	return nil
}

// closed lets only a caller through whose one Authorization header is scheme, a space and the server's token (all callers
// when there is none); others are answered by refuse. The scheme may be in any case, and when it is empty the header is the
// token alone. Constant time.
func (s *Server) closed(scheme string, refuse http.HandlerFunc) mux.MiddlewareFunc {
	token := s.options.Token.Reveal()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(token) > 0 && !hookgate.SecretEqual(credentials(r, scheme), token) {
				refuse(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// credentials is what follows the scheme in the only Authorization header; nil when there is no such header.
func credentials(r *http.Request, scheme string) []byte {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return nil
	}
	if scheme == "" {
		return []byte(values[0])
	}
	word, rest, found := strings.Cut(values[0], " ")
	if !found || len(word) != len(scheme) || !strings.EqualFold(word, scheme) {
		return nil
	}
	return []byte(rest)
}
