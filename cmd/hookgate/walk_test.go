package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/admin"
)

// gappy is a part whose numbers have gaps, as retention leaves them.
func gappy(rng *rand.Rand, n int, start time.Time) *fakePart {
	f, seq := &fakePart{}, int64(0)
	for range n {
		seq++
		switch rng.IntN(40) {
		case 0:
			seq += rng.Int64N(100_000)
		case 1, 2:
			seq += rng.Int64N(300)
		}
		f.entries = append(f.entries, hookgate.Entry{Seq: seq, Event: fakeEvent(seq, start.Add(time.Duration(seq)*time.Millisecond))})
	}
	return f
}

// TestWalk goes through journals with gaps in both directions, in one go and with a new walk every few entries: each entry
// comes once, in order within its part, and between parts by time.
func TestWalk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		start := time.Now()
		var fakes []*fakePart
		var parts []part
		total := 0
		for range 1 + rng.IntN(3) {
			f := gappy(rng, rng.IntN(700), start)
			fakes, parts, total = append(fakes, f), append(parts, f.part()), total+len(f.entries)
		}
		for _, oldest := range []bool{true, false} {
			for _, stride := range []int{total + 1, 1 + rng.IntN(50)} {
				seen := make([][]int64, len(parts))
				var times []time.Time
				place := ""
				for more := true; more; {
					w, err := newWalk(parts, oldest, place)
					if err != nil {
						t.Fatal(err)
					}
					for range stride {
						e, of, ok, err := w.next(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if more = ok; !ok {
							break
						}
						seen[of] = append(seen[of], e.Seq)
						times = append(times, e.Event.Received)
					}
					place = w.place()
				}
				for i, f := range fakes {
					var want []int64
					for k := range f.entries {
						if oldest {
							want = append(want, f.entries[k].Seq)
						} else {
							want = append(want, f.entries[len(f.entries)-1-k].Seq)
						}
					}
					if !reflect.DeepEqual(seen[i], want) {
						t.Fatalf("seed %d, oldest %v, stride %d: part %d gave %d of %d", seed, oldest, stride, i, len(seen[i]), len(want))
					}
				}
				for k := 1; k < len(times); k++ {
					if times[k].Before(times[k-1]) == oldest && !times[k].Equal(times[k-1]) {
						t.Fatalf("seed %d, oldest %v: entry %d is out of order", seed, oldest, k)
					}
				}
			}
		}
	}
}

// TestWalk_AtItsEnd: a list that has come to the newest event goes on there with what comes later.
func TestWalk_AtItsEnd(t *testing.T) {
	t.Parallel()
	f := filled(3, time.Now())
	place := ""
	for round, want := range []int{3, 0, 2, 0} {
		if round == 2 {
			f.entries = filled(5, time.Now()).entries
		}
		w, err := newWalk([]part{f.part()}, true, place)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			_, _, ok, err := w.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			n++
		}
		if place = w.place(); n != want {
			t.Errorf("round %d gave %d, want %d", round, n, want)
		}
	}
}

// TestWalk_LargePayloads: going back, it holds little at a time.
func TestWalk_LargePayloads(t *testing.T) {
	t.Parallel()
	f := filled(300, time.Now())
	large := make([]byte, 1<<20)
	for _, e := range f.entries {
		e.Event.Data = large
	}
	w, err := newWalk([]part{f.part()}, false, "")
	if err != nil {
		t.Fatal(err)
	}
	for want := int64(300); want > 0; want-- {
		e, _, ok, err := w.next(t.Context())
		if err != nil || !ok || e.Seq != want {
			t.Fatalf("%v, %v, %d, want %d", err, ok, e.Seq, want)
		}
		if held := len(w.tracks[0].held) * len(large); held > 2*walkBytes {
			t.Fatalf("holds %d bytes", held)
		}
	}
}

func TestWalk_WrongPlaces(t *testing.T) {
	t.Parallel()
	two := []part{filled(1, time.Now()).part(), filled(1, time.Now()).part()}
	for _, place := range []string{"1", "1-2-3", "a-b", "1--2", "-1", "9223372036854775808-1", "1- 2", "1-0x2"} {
		if _, err := newWalk(two, false, place); !errors.Is(err, admin.ErrWrongPlace) {
			t.Errorf("%q: %v", place, err)
		}
	}
	// Every number is a place, however far off.
	for _, place := range []string{"0-0", "1-1", "2-9223372036854775807", "9223372036854775806-5"} {
		for _, oldest := range []bool{true, false} {
			w, err := newWalk(two, oldest, place)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, _, _, err := w.next(t.Context()); err != nil {
					t.Errorf("%q: %v", place, err)
				}
			}
		}
	}
}

// TestWalk_Error: what cannot be read is an error and no end.
func TestWalk_Error(t *testing.T) {
	t.Parallel()
	for _, oldest := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w, err := newWalk([]part{filled(3, time.Now()).part()}, oldest, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok, err := w.next(ctx); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("oldest %v: %v, %v", oldest, ok, err)
		}
	}
}
