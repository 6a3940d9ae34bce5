package outbound

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// fill sets every field below v to something that is not zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d <&>", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(fmt.Sprintf(`{"n":%d}`, *n)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(int64(*n)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a kind that the test does not know: " + v.Kind().String())
	}
}

// TestSubscriptionIsKeptWhole demands that every field, secrets too, is there after a restart, and that what is given out
// shares nothing with what is kept.
func TestSubscriptionIsKeptWhole(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	s := open(t, path, nil, nil)
	var n int
	sub := &Subscription{}
	fill(reflect.ValueOf(sub).Elem(), &n)
	sub.Provider = "bird"
	if err := s.Create(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	want := sub.clone()
	scribble := func(sub *Subscription) {
		sub.Events[0], sub.Auth[0].Secret, sub.Auth[0].Keys[0].Private, sub.Auth[0].OAuth.ClientSecret = "x", "x", "x", "x"
		sub.Settings[0], sub.Retries[0] = 'x', 0
		clear(sub.Headers)
	}
	scribble(sub)
	for range 2 {
		got, err := s.Get(t.Context(), "bird", want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n%+v, not\n%+v", err, got, want)
		}
		scribble(got)
		list, _, err := s.List(t.Context(), "bird", Page{})
		if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want) {
			t.Fatalf("%v, %+v", err, list)
		}
		scribble(list[0])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, nil, nil)
	}
}

// TestOverrides demands that no retries and the provider's own retries stay two things.
func TestOverrides(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	s := open(t, path, nil, nil)
	subscribe(t, s, "none", "http://a/", func(sub *Subscription) { sub.Retries = []time.Duration{} })
	subscribe(t, s, "own", "http://a/", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, nil, nil)
	for id, isNil := range map[string]bool{"none": false, "own": true} {
		sub, err := s.Get(t.Context(), "bird", id)
		if err != nil || (sub.Retries == nil) != isNil || len(sub.Retries) != 0 {
			t.Errorf("%s: %v, %v", id, sub.Retries, err)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	path := storePath(t)
	s := open(t, path, clock, nil)
	for i := range 5 {
		subscribe(t, s, fmt.Sprint("s", 9-i), "http://a/", nil)
	}
	s.providers["commbox"] = fake()
	if err := s.Create(t.Context(), &Subscription{Provider: "commbox", ID: "s9"}); err != nil {
		t.Errorf("the id of another provider: %v", err)
	}
	if err := s.Create(t.Context(), &Subscription{Provider: "bird", ID: "s7"}); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken id: %v", err)
	}
	for _, bad := range []*Subscription{{Provider: "nobody", ID: "x"}, {Provider: "bird"}} {
		if err := s.Create(t.Context(), bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	if err := s.Delete(t.Context(), "bird", "s8"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	created := clock.Now().Add(-time.Minute)
	changed, err := s.Update(t.Context(), "bird", "s6", func(sub *Subscription) error {
		sub.Name, sub.ID, sub.Provider, sub.Created = "new", "other", "commbox", time.Time{}
		return nil
	})
	if err != nil || changed.Name != "new" || changed.ID != "s6" || changed.Provider != "bird" || !changed.Created.Equal(created) || !changed.Updated.Equal(clock.Now()) {
		t.Errorf("%+v, %v", changed, err)
	}
	failure := errors.New("refused")
	if _, err := s.Update(t.Context(), "bird", "s6", func(sub *Subscription) error { sub.Name = "worse"; return failure }); err != failure {
		t.Errorf("a refused change: %v", err)
	}
	if _, err := s.Update(t.Context(), "bird", "s6", func(sub *Subscription) error { panic("a mistake") }); err == nil {
		t.Error("a panic is no error")
	}
	for range 2 {
		var got []string
		for p := (Page{Limit: 2}); ; {
			list, next, err := s.List(t.Context(), "bird", p)
			if err != nil || len(list) > 2 {
				t.Fatalf("%d, %v", len(list), err)
			}
			for _, sub := range list {
				got = append(got, sub.ID+sub.Name)
			}
			if p.After = next; next == "" {
				break
			}
		}
		if want := "s9 s7 s6new s5"; strings.Join(got, " ") != want {
			t.Errorf("%q, not %q", got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, clock, nil)
	}
	for _, err := range []error{
		func() error { _, err := s.Get(t.Context(), "bird", "s8"); return err }(),
		func() error { _, err := s.Update(t.Context(), "bird", "s8", nil); return err }(),
		func() error { _, _, err := s.List(t.Context(), "bird", Page{After: "s8"}); return err }(),
		s.Delete(t.Context(), "commbox", "nothing"),
		func() error { _, _, err := s.Delivery(t.Context(), "nothing"); return err }(),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%v is not ErrNotFound", err)
		}
	}
	if list, next, err := s.List(t.Context(), "salesiq", Page{}); len(list) != 0 || next != "" || err != nil {
		t.Errorf("%v, %q, %v", list, next, err)
	}
}

// TestUpdatesAtOnce demands that no change is lost among many.
func TestUpdatesAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	subscribe(t, s, "a", "http://a/", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := s.Update(t.Context(), "bird", "a", func(sub *Subscription) error { sub.Failures++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if sub, err := s.Get(t.Context(), "bird", "a"); err != nil || sub.Failures != 200 {
		t.Errorf("%d, %v", sub.Failures, err)
	}
}

// TestTooManySubscriptions demands a clear error beyond the bound.
func TestTooManySubscriptions(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	if err := s.store.change(t.Context(), func(tx *tx) error {
		for i := range int64(maxSubscriptions) {
			tx.job.setSub(&entry{key: 10 + i, place: 10 + i, sub: &Subscription{Provider: "bird", ID: fmt.Sprint(i)}})
		}
		tx.st.lastWord, tx.st.lastPlace = 1<<20, 1<<20
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), &Subscription{Provider: "bird", ID: "one more"}); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
}

// TestFile demands that nobody else may read the store, and that what is no store of ours is refused and left alone.
func TestFile(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, nil, nil)
	subscribe(t, s, "a", "http://a/", nil)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has the mode %o", suffix, mode)
		}
	}
	if _, err := New(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "is in use; stop the other process") {
		t.Errorf("opened twice: %v", err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Path: link}); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("opened under another name: %v", err)
	}
	dir := t.TempDir()
	made := func(name, script string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(script); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("words "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		made("other", "CREATE TABLE a (b); PRAGMA user_version=1"):                                               "a database of another program",
		made("newer", fmt.Sprint("CREATE TABLE a (b); PRAGMA application_id=", mark, "; PRAGMA user_version=2")): "written by a newer Hookgate",
		made("older", fmt.Sprint("CREATE TABLE a (b); PRAGMA application_id=", mark, "; PRAGMA user_version=0")): "which no Hookgate writes",
		made("empty", "PRAGMA user_version=7"):                                                                   "a database of another program",
		text:                                                                                                     "is it an SQLite file?",
		"":                                                                                                       "no path",
		filepath.Join(dir, "no", "such"):                                                                         "make the folder first",
	} {
		before, _ := os.ReadFile(path)
		_, err := New(Options{Path: path})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestJobs demands that a job that fails leaves nothing and costs the others in its transaction nothing.
func TestJobs(t *testing.T) {
	t.Parallel()
	s := open(t, storePath(t), nil, nil)
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // holds the writer until all others are queued, which then share a transaction
		if err := s.store.change(context.Background(), func(*tx) error { close(started); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-started
	create := func(id string, fail error) func(*tx) error {
		return func(tx *tx) error {
			key := tx.key(word{"bird", subscriptionWord, id})
			if tx.sub(key) != nil {
				return ErrConflict
			}
			tx.st.lastPlace++
			tx.job.setSub(&entry{key: key, place: tx.st.lastPlace, sub: &Subscription{Provider: "bird", ID: id}})
			if _, err := tx.exec("INSERT INTO payloads VALUES (?, 'x', NULL)", key); err != nil {
				return err
			}
			return fail
		}
	}
	failure := errors.New("refused")
	results := make([]error, 7)
	for i, do := range []func(*tx) error{create("a", nil), create("b", failure), create("a", nil), create("b", nil),
		func(tx *tx) error { panic("a mistake") },
		func(tx *tx) error { _, err := tx.exec("INSERT INTO payloads VALUES (1, NULL, NULL)"); return err },
		create("c", nil)} {
		wg.Go(func() { results[i] = s.store.change(context.Background(), do) })
		eventually(t, "queued", func() bool { return len(s.store.jobs) == i+1 })
	}
	close(release)
	wg.Wait()
	if results[0] != nil || results[1] != failure || results[2] != ErrConflict || results[3] != nil || results[4] == nil || results[5] == nil || results[6] != nil {
		t.Errorf("%v", results)
	}
	var n int
	if err := s.store.reader.QueryRow("SELECT count(*) FROM payloads").Scan(&n); err != nil || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
	for id, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
		if _, err := s.Get(t.Context(), "bird", id); (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.store.change(ctx, create("d", nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.store.change(t.Context(), create("d", nil)); err != errClosed {
		t.Errorf("a closed store: %v", err)
	}
	if err := s.Run(t.Context()); err != errClosed {
		t.Errorf("Run of a closed server: %v", err)
	}
}
