package journal_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/journal"
)

// TestR02_PowerLoss cuts the power at a random operation, keeps a random part of what was not synced and demands every
// event that was acknowledged before. The same with a weaker promise must lose, or the test could not see a loss.
func TestR02_PowerLoss(t *testing.T) {
	t.Parallel()
	images := sized(120, 20_000) / raceFactor
	if lost := powerLoss(t, "FULL", images); lost != 0 {
		t.Errorf("%d of %d images have lost what was acknowledged", lost, images)
	}
	if lost := powerLoss(t, "NORMAL", 40/raceFactor); lost == 0 {
		t.Error("the broken journal has lost nothing: this test cannot fail")
	}
}

// sized is a test's size: the short one in every run, the long one where HOOKGATE_TEST_LONG is set.
func sized(short, long int) int {
	if os.Getenv("HOOKGATE_TEST_LONG") != "" {
		return long
	}
	return short
}

func powerLoss(t *testing.T, synchronous string, images int) int {
	t.Helper()
	dir := t.TempDir()
	d := shimmed(t, dir)
	d.keep = true
	j, err := journal.OpenTuned(filepath.Join(dir, "j.db"), journal.Options{Now: clock, Destinations: []string{"d"}}, journal.Tuning{VFS: shimName, Synchronous: synchronous})
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		seq int64
		id  string
		ops int
	}
	var mu sync.Mutex
	var answers []answer
	var wg sync.WaitGroup
	pad := strings.Repeat("x", 20_000)
	for c := range 4 {
		wg.Go(func() {
			for i := range 65 {
				id := fmt.Sprintf("%d-%d", c, i)
				req, events := request(start, part{id: id, data: id + pad})
				results, err := j.Accept(context.Background(), req, events)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				answers = append(answers, answer{results[0].Seq, id, d.operations()})
				mu.Unlock()
				if i%20 == 0 {
					if err := j.Record(context.Background(), "d", hookgate.Step{Cursor: results[0].Seq}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	total := d.operations()
	var losses atomic.Int32
	for w := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := w; i < images; i += 4 {
				n := answers[0].ops + random.IntN(total-answers[0].ops+1)
				image := t.TempDir()
				d.image(t, image, n, []float64{0, 0.1, 0.5, 0.9, 1}[i%5], random)
				want := map[int64]string{}
				for _, a := range answers {
					if a.ops <= n {
						want[a.seq] = a.id
					}
				}
				if missing := examine(t, filepath.Join(image, "j.db"), want); missing > 0 {
					losses.Add(1)
				}
				_ = os.RemoveAll(image) // thousands of them are more than a disk holds; the test's end removes what is left
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	return int(losses.Load())
}

// examine opens an image, demands that it is sound and counts what of want is not in it.
func examine(t *testing.T, path string, want map[int64]string) (missing int) {
	t.Helper()
	j, err := journal.OpenSQLite(path, journal.Options{Now: clock})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer j.Close()
	got := map[int64]string{}
	for last := int64(0); last < j.Stats(t.Context()).Last; {
		entries, err := j.Read(t.Context(), last, 1000)
		if err != nil {
			t.Error(err)
			return 0
		}
		for _, e := range entries {
			last = e.Seq
			got[e.Seq], _, _ = strings.Cut(string(e.Event.Data), "x")
		}
	}
	for seq, id := range want {
		if got[seq] != id {
			missing++
		}
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Error(err)
		return 0
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %q, %v", verdict, err)
	}
	return missing
}

// TestR03_DuplicateDuringSync holds up the sync of the first copy: its duplicate must not be answered before, and a reader
// must not see the event.
func TestR03_DuplicateDuringSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := shimmed(t, dir)
	j, err := journal.OpenTuned(filepath.Join(dir, "j.db"), journal.Options{Now: clock}, journal.Tuning{VFS: shimName})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	syncing, release := make(chan struct{}), make(chan struct{})
	d.mu.Lock()
	d.syncing, d.release = syncing, release
	d.mu.Unlock()
	answers := make(chan hookgate.Result, 3)
	send := func() {
		req, events := request(start, part{id: "e"})
		results, err := j.Accept(context.Background(), req, events)
		if err != nil {
			t.Error(err)
			results = make([]hookgate.Result, 1)
		}
		answers <- results[0]
	}
	go send()
	<-syncing // the commit of the first copy waits for the disk
	read := make(chan []hookgate.Entry, 1)
	go func() {
		entries, _ := j.Read(context.Background(), 0, 1) // an error gives no entries
		read <- entries
	}()
	go send()
	go send()
	eventually(t, "both duplicates wait", func() bool { return j.Stats(t.Context()).Queue == 2 })
	select {
	case r := <-answers:
		t.Fatalf("%+v was answered before the sync returned", r)
	case e := <-read:
		t.Fatalf("%+v was read before the sync returned", e)
	default:
	}
	d.mu.Lock()
	d.syncing = nil
	d.mu.Unlock()
	close(release)
	fresh := 0
	for range 3 {
		if r := <-answers; r.New() {
			fresh++
		}
	}
	if entries := <-read; fresh != 1 || len(entries) != 1 {
		t.Errorf("%d new, %d read", fresh, len(entries))
	}
}

// TestR04_Faults lets one operation fail, each once. Whatever was acknowledged is there afterwards; after a failed write or
// sync nothing is acknowledged any more, and the journal says that it has failed.
func TestR04_Faults(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name  string
		code  int32
		fatal bool
	}{{"write", failWrite, true}, {"sync", failSync, true}, {"full", failFull, false}} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= 40/raceFactor; n++ {
				oneFault(t, n, fault.code, fault.fatal)
			}
		})
	}
}

func oneFault(t *testing.T, n int, code int32, fatal bool) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "j.db")
	d := shimmed(t, dir)
	j, err := journal.OpenTuned(path, journal.Options{Now: clock, Destinations: []string{"d"}}, journal.Tuning{VFS: shimName})
	if err != nil {
		t.Fatal(err)
	}
	d.arm(n, code)
	want := map[int64]string{}
	for i := 0; i < 100; i++ {
		before := d.fired()
		req, events := request(start, part{id: strconv.Itoa(i), data: strconv.Itoa(i)})
		results, err := j.Accept(t.Context(), req, events)
		if err == nil {
			want[results[0].Seq] = strconv.Itoa(i)
			if before && fatal {
				t.Errorf("operation %d: %d was acknowledged after the fault", n, i)
			}
		} else if hookgate.AsError(err).Code != hookgate.Unavailable {
			t.Errorf("operation %d: %v", n, err)
		}
		if before {
			break
		}
	}
	if !d.fired() {
		t.Fatalf("operation %d never came", n)
	}
	if fatal {
		select {
		case <-j.Failed():
		default:
			t.Errorf("operation %d: the journal has not failed", n)
		}
		if j.Ready() == nil {
			t.Errorf("operation %d: still ready", n)
		}
	}
	d.arm(0, 0)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if missing := examine(t, path, want); missing > 0 {
		t.Errorf("operation %d: %d acknowledged events are gone", n, missing)
	}
}
