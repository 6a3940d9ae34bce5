package issuer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/issuer"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request      *http.Request
		token, scope string
	}{
		"client credentials in the form":   {asked("grant_type", "client_credentials"), "sprinklr/care,chat/read,write", "read write"},
		"client credentials in the header": {basicly(id, secret, grant), "sprinklr/care,chat/read,write", "read write"},
		"the scheme in other letters":      {withHeader(basicly(id, secret, grant), func(v string) string { return "bASIC" + v[5:] }), "sprinklr/care,chat/read,write", "read write"},
		"the bare id beside the header":    {basicly(id, secret, grant+"&client_id=sprinklr"), "sprinklr/care,chat/read,write", "read write"},
		"an empty secret beside the header": {basicly(id, secret, grant+"&client_secret="), "sprinklr/care,chat/read,write",
			"read write"},
		"the next secret":              {basicly("commbox", next, grant), "commbox/inbox/", ""},
		"fewer scopes":                 {asked("grant_type", "client_credentials", "scope", "write"), "sprinklr/care,chat/write", "write"},
		"scopes in another order":      {asked("grant_type", "client_credentials", "scope", "write read write"), "sprinklr/care,chat/read,write", "read write"},
		"an empty scope":               {asked("grant_type", "client_credentials", "scope", ""), "sprinklr/care,chat/read,write", "read write"},
		"password":                     {asked("grant_type", "password", "username", user, "password", password), "sprinklr/care,chat/read,write", "read write"},
		"password, with a scope":       {asked("grant_type", "password", "username", user, "password", password, "scope", "read"), "sprinklr/care,chat/read", "read"},
		"password, by the header":      {basicly(id, secret, form("grant_type", "password", "username", user, "password", password)), "sprinklr/care,chat/read,write", "read write"},
		"the first user":               {asked("grant_type", "password", "username", "other", "password", secret), "sprinklr/care,chat/read,write", "read write"},
		"escapes in any letters":       {with(post(grant+"&x=%ef%BF%Bd%2f%2F%09"), "Authorization", "Basic c3ByaW4lNkJscjpzM2NyM3QlMmQwMTIzNDU2Nzg5YWJjZGVm"), "sprinklr/care,chat/read,write", "read write"},
		"unknown parameters":           {asked("grant_type", "client_credentials", "audience", "x", "resource", "y", "", "z"), "sprinklr/care,chat/read,write", "read write"},
		"empty pairs":                  {post("&&" + form("grant_type", "client_credentials", "client_id", id, "client_secret", secret) + "&&"), "sprinklr/care,chat/read,write", "read write"},
		"a query is not read":          {request(http.MethodPost, "/oauth/token?scope=none&client_secret=x&grant_type=y", form("grant_type", "client_credentials", "client_id", id, "client_secret", secret)), "sprinklr/care,chat/read,write", "read write"},
		"a charset":                    {withType(asked("grant_type", "client_credentials"), "Application/X-WWW-Form-Urlencoded; charset=UTF-8"), "sprinklr/care,chat/read,write", "read write"},
		"identity":                     {withEncoding(asked("grant_type", "client_credentials"), "identity"), "sprinklr/care,chat/read,write", "read write"},
		"a secret with odd characters": {basicly("typed", "t+y%p e:d-0123456789", form("grant_type", "password", "username", "u", "password", secret)), "typed/inbox/", ""},
		"the same in the form":         {post(form("client_id", "typed", "client_secret", "t+y%p e:d-0123456789", "grant_type", "password", "username", "u", "password", secret)), "typed/inbox/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantIssued(t, serve(endpoint(), c.request), c.token, c.scope)
		})
	}
}

func withHeader(r *http.Request, change func(string) string) *http.Request {
	r.Header.Set("Authorization", change(r.Header.Get("Authorization")))
	return r
}

func withType(r *http.Request, kind string) *http.Request {
	r.Header.Set("Content-Type", kind)
	return r
}

func withEncoding(r *http.Request, coding string) *http.Request {
	r.Header.Set("Content-Encoding", coding)
	return r
}

func with(r *http.Request, name string, values ...string) *http.Request {
	r.Header[name] = values
	return r
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const good = "Basic c3ByaW5rbHI6czNjcjN0LTAxMjM0NTY3ODlhYmNkZWY="
	whole := form("grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	broken := post(whole)
	broken.ContentLength, broken.Body = 100, io.NopCloser(io.MultiReader(strings.NewReader("grant"), failing{}))
	announced := post("")
	announced.ContentLength, announced.Body = 8<<10+1, io.NopCloser(failing{})
	var many strings.Builder
	for n := range 62 {
		fmt.Fprintf(&many, "&a%d=b", n)
	}
	endless := post("")
	endless.ContentLength, endless.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat("a", 8<<10+1)))
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		word    string
		client  string
	}{
		"GET":                             {request(http.MethodGet, "/oauth/token?"+whole, ""), 405, "invalid_request", "unknown"},
		"PUT":                             {request(http.MethodPut, "/oauth/token", whole), 405, "invalid_request", "unknown"},
		"no Content-Type":                 {with(post(whole), "Content-Type"), 400, "invalid_request", "unknown"},
		"two Content-Types":               {with(post(whole), "Content-Type", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"), 400, "invalid_request", "unknown"},
		"JSON":                            {withType(post(`{"grant_type":"client_credentials"}`), "application/json"), 400, "invalid_request", "unknown"},
		"multipart":                       {withType(post(whole), "multipart/form-data; boundary=x"), 400, "invalid_request", "unknown"},
		"a broken Content-Type":           {withType(post(whole), "application/x-www-form-urlencoded; charset"), 400, "invalid_request", "unknown"},
		"gzip":                            {withEncoding(post(whole), "gzip"), 415, "invalid_request", "unknown"},
		"too large":                       {post(strings.Repeat("a", 8<<10+1)), 413, "invalid_request", "unknown"},
		"too large, without a length":     {endless, 413, "invalid_request", "unknown"},
		"broken off":                      {broken, 400, "invalid_request", "unknown"},
		"too large, not read":             {announced, 413, "invalid_request", "unknown"},
		"too many parameters":             {post(whole + many.String()), 400, "invalid_request", "unknown"},
		"half an escape of digits":        {post(whole + "&a=%4z"), 400, "invalid_request", "unknown"},
		"a DEL":                           {post(whole + "&a=%7F"), 400, "invalid_request", "unknown"},
		"a parameter twice":               {post(whole + "&scope=read&scope=read"), 400, "invalid_request", "unknown"},
		"an unknown one twice":            {post(whole + "&x=1&x=1"), 400, "invalid_request", "unknown"},
		"one twice, once empty":           {post(whole + "&client_secret="), 400, "invalid_request", "unknown"},
		"one twice, once escaped":         {post(whole + "&client%5Fsecret=x"), 400, "invalid_request", "unknown"},
		"a broken escape":                 {post(whole + "&a=%4"), 400, "invalid_request", "unknown"},
		"an escape of no digits":          {post(whole + "&a=%zz"), 400, "invalid_request", "unknown"},
		"an escape of signs":              {post(whole + "&a=%+1"), 400, "invalid_request", "unknown"},
		"a line feed":                     {post(whole + "&a=%0A"), 400, "invalid_request", "unknown"},
		"a NUL":                           {post(whole + "&a=\x00"), 400, "invalid_request", "unknown"},
		"no UTF-8":                        {post(whole + "&a=%ff"), 400, "invalid_request", "unknown"},
		"header and form":                 {with(post(whole), "Authorization", good), 400, "invalid_request", "unknown"},
		"two headers":                     {with(post(grant), "Authorization", good, good), 400, "invalid_request", "unknown"},
		"another id beside the header":    {with(post(grant+"&client_id=commbox"), "Authorization", good), 400, "invalid_request", "unknown"},
		"no credentials":                  {post(grant), 401, "invalid_client", "unknown"},
		"no secret":                       {post(grant + "&client_id=" + id), 401, "invalid_client", "unknown"},
		"an empty secret":                 {post(grant + "&client_secret=&client_id=" + id), 401, "invalid_client", "unknown"},
		"no id":                           {post(grant + "&client_secret=" + secret), 401, "invalid_client", "unknown"},
		"an empty header":                 {with(post(grant), "Authorization", ""), 401, "invalid_client", "unknown"},
		"a bearer token":                  {with(post(grant), "Authorization", "Bearer x"), 401, "invalid_client", "unknown"},
		"another scheme":                  {with(post(grant), "Authorization", strings.Replace(good, "Basic", "Digest", 1)), 401, "invalid_client", "unknown"},
		"Basic without credentials":       {with(post(grant), "Authorization", "Basic"), 401, "invalid_client", "unknown"},
		"Basic with two blanks":           {with(post(grant), "Authorization", strings.Replace(good, " ", "  ", 1)), 401, "invalid_client", "unknown"},
		"Basic that is no base64":         {with(post(grant), "Authorization", good+"!"), 401, "invalid_client", "unknown"},
		"Basic without padding":           {with(post(grant), "Authorization", strings.TrimRight(good, "=")), 401, "invalid_client", "unknown"},
		"Basic with other padding bits":   {with(post(grant), "Authorization", strings.Replace(good, "Y=", "Z=", 1)), 401, "invalid_client", "unknown"},
		"Basic over two lines":            {with(post(grant), "Authorization", good[:20]+"\r\n"+good[20:]), 401, "invalid_client", "unknown"},
		"Basic without a colon":           {with(post(grant), "Authorization", "Basic c3ByaW5rbHI="), 401, "invalid_client", "unknown"},
		"Basic with a broken escape":      {with(post(grant), "Authorization", "Basic JTpzM2NyM3Q="), 401, "invalid_client", "unknown"},
		"a wrong secret":                  {basicly(id, "wr0ng", grant), 401, "invalid_client", "sprinklr"},
		"a wrong secret in the form":      {post(form("client_id", id, "client_secret", "wr0ng", "grant_type", "client_credentials")), 401, "invalid_client", "sprinklr"},
		"the secret of another":           {basicly(id, next, grant), 401, "invalid_client", "sprinklr"},
		"a secret cut short":              {basicly(id, secret[:len(secret)-1], grant), 401, "invalid_client", "sprinklr"},
		"a secret with more":              {basicly(id, secret+" ", grant), 401, "invalid_client", "sprinklr"},
		"an unknown client":               {basicly("nobody", secret, grant), 401, "invalid_client", "unknown"},
		"the word for unknown":            {basicly("unknown", secret, grant), 401, "invalid_client", "unknown"},
		"an id in other letters":          {basicly("Sprinklr", secret, grant), 401, "invalid_client", "unknown"},
		"no grant_type":                   {basicly(id, secret, ""), 400, "invalid_request", "sprinklr"},
		"another grant":                   {basicly(id, secret, "grant_type=authorization_code&code=x"), 400, "unsupported_grant_type", "sprinklr"},
		"another grant, wrong secret":     {basicly(id, "wr0ng", "grant_type=authorization_code&code=x"), 401, "invalid_client", "sprinklr"},
		"a grant in other letters":        {basicly(id, secret, "grant_type=PASSWORD"), 400, "unsupported_grant_type", "sprinklr"},
		"a grant that is not the clients": {basicly("commbox", next, "grant_type=password&username=u&password=p"), 400, "unauthorized_client", "commbox"},
		"client credentials without":      {basicly("typed", "t+y%p e:d-0123456789", grant), 400, "unauthorized_client", "typed"},
		"no username":                     {basicly(id, secret, "grant_type=password&password=x"), 400, "invalid_request", "sprinklr"},
		"an empty password":               {basicly(id, secret, "grant_type=password&username=robin&password="), 400, "invalid_request", "sprinklr"},
		"a wrong password":                {basicly(id, secret, "grant_type=password&username=robin&password=wr0ng"), 400, "invalid_grant", "sprinklr"},
		"a password of another user":      {basicly(id, secret, form("grant_type", "password", "username", user, "password", secret)), 400, "invalid_grant", "sprinklr"},
		"a user of another client":        {basicly(id, secret, form("grant_type", "password", "username", "u", "password", secret)), 400, "invalid_grant", "sprinklr"},
		"a user as password":              {basicly(id, secret, form("grant_type", "password", "username", password, "password", user)), 400, "invalid_grant", "sprinklr"},
		"an unknown scope":                {basicly(id, secret, grant+"&scope=admin"), 400, "invalid_scope", "sprinklr"},
		"one scope too many":              {basicly(id, secret, grant+"&scope=read+admin"), 400, "invalid_scope", "sprinklr"},
		"a scope with two blanks":         {basicly(id, secret, grant+"&scope=read++write"), 400, "invalid_scope", "sprinklr"},
		"a scope with a comma":            {basicly(id, secret, grant+"&scope=read,write"), 400, "invalid_scope", "sprinklr"},
		"a scope where there is none":     {basicly("commbox", next, grant+"&scope=read"), 400, "invalid_scope", "commbox"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			basic := len(c.request.Header["Authorization"]) > 0
			w := serve(endpoint(), c.request)
			wantRefused(t, w, c.status, c.word, c.client, hookgate.TokenOutcome(c.word))
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge == `Basic realm="hookgate"`) != (c.status == 401 && basic) {
				t.Errorf("WWW-Authenticate: %q", challenge)
			}
			if c.status == 405 && w.Header().Get("Allow") != "POST" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestAFaultOfOurs: a token that cannot be made is no fault of the client.
func TestAFaultOfOurs(t *testing.T) {
	t.Parallel()
	e := issuer.New(options())
	e.Set(tokenSettings(), signer{err: errors.New("no entropy")})
	w := serve(e, asked("grant_type", "client_credentials"))
	wantRefused(t, w, 503, "temporarily_unavailable", id, hookgate.TokenUnavailable)
}
