package journal_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// oldFormat makes the file of an earlier release.
func oldFormat(t *testing.T, golden string) (path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", golden))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "j.db")
	byHand(t, path, string(text))
	return path
}

func version(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("PRAGMA user_version").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestR19_Format1 opens the file of the first release: all that it held is there, and it can do what is new.
func TestR19_Format1(t *testing.T) {
	t.Parallel()
	path := oldFormat(t, "format-1.sql")
	o := journal.Options{Now: clock, Destinations: []string{"events"}}
	check := func(j *journal.SQLite) {
		t.Helper()
		entries, err := j.Read(t.Context(), 0, 10)
		if err != nil || len(entries) != 3 || string(entries[2].Event.Data) != `{"n":3}` || entries[2].Event.Attempt != 2 {
			t.Errorf("%+v, %v", entries, err)
		}
		if r := accept(t, j, start, part{id: "a", data: `{"n":1}`})[0]; r.Class != hookgate.Replay || r.Seq != 1 {
			t.Errorf("a known event: %+v", r)
		}
	}
	j := openAt(t, path, o)
	check(j)
	p, err := j.Progress(t.Context(), "events")
	want := hookgate.Parked{Seq: 1, Key: "t1/case/a", Attempts: 2, NextAt: start.Add(time.Minute), Error: "refused"}
	if err != nil || p.Cursor != 3 || len(p.Parked) != 1 || p.Parked[0] != want {
		t.Errorf("%+v, %v", p, err)
	}
	dead, err := j.DeadLetters(t.Context(), "events", 0, 10)
	if err != nil || len(dead) != 1 || dead[0].Error != "gone" || dead[0].Replayed {
		t.Errorf("%+v, %v", dead, err)
	}
	if err := j.Record(t.Context(), "events", hookgate.Step{Park: []hookgate.Parked{{Seq: 2, Replayed: true}}}); err != nil {
		t.Error(err)
	}
	if parts, err := j.Quarantine(t.Context(), 0, 10); err != nil || len(parts) != 1 || parts[0].Reason != "not JSON" {
		t.Errorf("%+v, %v", parts, err)
	}
	_ = j.Close()
	if n := version(t, path); n != 2 {
		t.Errorf("the file has format %d", n)
	}
	check(openAt(t, path, o))
}

// TestR19_Interrupted lets the change to the present format fail: the file stays one of the old format, whole.
func TestR19_Interrupted(t *testing.T) {
	t.Parallel()
	path := oldFormat(t, "format-1.sql")
	byHand(t, path, "ALTER TABLE parked ADD COLUMN replayed TEXT") // in the way
	if j, err := journal.OpenSQLite(path, journal.Options{}); err == nil {
		_ = j.Close()
		t.Fatal("it was opened")
	}
	if n := version(t, path); n != 1 {
		t.Errorf("the file has format %d", n)
	}
	byHand(t, path, "ALTER TABLE parked DROP COLUMN replayed")
	openAt(t, path, journal.Options{})
}

func TestReplayedIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.db")
	o := journal.Options{Now: clock, Destinations: []string{"d"}}
	j := openAt(t, path, o)
	parked := []hookgate.Parked{{Seq: 1, Key: "k", Replayed: true}, {Seq: 2, Key: "k"}, {Seq: 3, Key: "k", Dead: true, Replayed: true}, {Seq: 4, Key: "k", Dead: true}}
	if err := j.Record(t.Context(), "d", hookgate.Step{Park: parked}); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	j = openAt(t, path, o)
	p, err := j.Progress(t.Context(), "d")
	if err != nil || len(p.Parked) != 2 || p.Parked[0] != parked[0] || p.Parked[1] != parked[1] {
		t.Errorf("%+v, %v", p, err)
	}
	dead, err := j.DeadLetters(t.Context(), "d", 0, 10)
	if err != nil || len(dead) != 2 || dead[0] != parked[2] || dead[1] != parked[3] {
		t.Errorf("%+v, %v", dead, err)
	}
}
