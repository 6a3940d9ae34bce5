package outbound

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestScheduleModel compares the schedule with a plain list over many random steps.
func TestScheduleModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	inactive, gone := map[int64]bool{}, map[int64]bool{}
	s := newSchedule(3, func(key int64) (bool, bool) { return !inactive[key], !gone[key] })
	var waiting []item
	busy := map[int64]int{}
	var seq int64
	picked := 0
	for step := range 20_000 {
		sub := int64(random.IntN(6))
		switch random.IntN(8) {
		case 0, 1, 2:
			seq++
			it := item{seq: seq, at: int64(random.IntN(50)), sub: sub}
			s.add(it)
			if !gone[sub] {
				waiting = append(waiting, it)
			}
		case 3:
			inactive[sub] = !inactive[sub]
			s.refresh(sub)
		case 4:
			if gone[sub] = !gone[sub] && random.IntN(4) == 0; gone[sub] {
				waiting = slices.DeleteFunc(waiting, func(it item) bool { return it.sub == sub })
			}
			s.refresh(sub)
		case 5:
			if busy[sub] > 0 {
				busy[sub]--
				s.done(sub)
			}
		default:
			now := int64(random.IntN(60))
			var want *item
			for i, it := range waiting {
				if !inactive[it.sub] && busy[it.sub] < 3 && (want == nil || it.before(*want)) {
					want = &waiting[i]
				}
			}
			got, ok, next := s.pick(now)
			switch {
			case want == nil:
				if ok || next != 0 {
					t.Fatalf("step %d: picked %+v, next %d, of nothing", step, got, next)
				}
			case want.at > now:
				if ok || next != want.at {
					t.Fatalf("step %d: picked %+v, next %d, not %d", step, got, next, want.at)
				}
			case !ok || got != *want:
				t.Fatalf("step %d: picked %+v, not %+v", step, got, *want)
			default:
				picked++
				busy[got.sub]++
				waiting = slices.DeleteFunc(waiting, func(it item) bool { return it == got })
			}
		}
	}
	if picked < 1000 {
		t.Errorf("only %d were picked", picked)
	}
}
