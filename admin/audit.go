package admin

import (
	"io"
	"net/http"
)

// Act is something that an operator did: who, by the address that he came from, what, and what came of it. There is one
// token, so that the address is all that tells operators apart.
type Act struct {
	Remote, Method, Path string
	Order                string // the body, cut
	Status               int
}

// maxOrder bounds the body in an Act, in bytes.
const maxOrder = 1024

// audited tells of whatever may change something.
func (o Options) audited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Audit == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		order, answer := &firstBytes{}, &statusWriter{ResponseWriter: w}
		r.Body = readCloser{io.TeeReader(r.Body, order), r.Body}
		next.ServeHTTP(answer, r)
		o.Audit(Act{r.RemoteAddr, r.Method, r.URL.EscapedPath(), string(order.kept), answer.status})
	})
}

type readCloser struct {
	io.Reader
	io.Closer
}

// firstBytes keeps the beginning of what is written.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(b []byte) (int, error) {
	f.kept = append(f.kept, b[:min(len(b), maxOrder-len(f.kept))]...)
	return len(b), nil
}

// statusWriter remembers the status. Every page of an operator writes one.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
