package forward

import "github.com/hookgate/hookgate"

// turn is one batch on its way.
type turn struct {
	batch   []hookgate.Entry
	values  [][]byte // the envelope of each entry
	errs    []error
	stopped map[string]int // by key the entry that was refused, behind which no other may go
}

// newTurn writes the envelopes. They point into the buffer only once it has stopped growing.
func (k *kafka) newTurn(batch []hookgate.Entry) *turn {
	t := &turn{batch: batch, values: make([][]byte, len(batch)), errs: make([]error, len(batch)), stopped: map[string]int{}}
	ends := make([]int, len(batch))
	k.buf = k.buf[:0]
	for i, e := range batch {
		start := len(k.buf)
		size := len(e.Event.Data)
		if size <= maxKafkaEvent {
			k.buf = e.Event.AppendSigned(k.buf, false, k.sign)
			size = len(k.buf) - start
		}
		if size > maxKafkaEvent {
			t.refuse(i, &Refusal{Err: hookgate.Errorf(hookgate.TooLarge, "kafka: an event of %d bytes, at most %d are sent", size, maxKafkaEvent)})
			k.buf = k.buf[:start]
		}
		ends[i] = len(k.buf)
	}
	start := 0
	for i, end := range ends {
		t.values[i] = k.buf[start:end:end]
		start = end
	}
	return t
}

// rounds divides the entries that are not refused yet, in order, into parts of at most limit bytes. One that is larger goes
// alone, and after all others: should the target hang up over it, they have passed. What comes behind it waits for it.
func (t *turn) rounds(limit int) [][]int {
	var rounds, alone [][]int
	var round []int
	size := 0
	behind := map[string]bool{}
	for i, e := range t.batch {
		n := len(t.values[i])
		switch key := e.Event.PartitionKey; {
		case t.errs[i] != nil:
			continue
		case behind[key]:
			t.errs[i] = ErrHeld
			continue
		case n > limit:
			behind[key] = true
			alone = append(alone, []int{i})
			continue
		}
		if len(round) == kafkaRoundRecords || size+n > limit {
			rounds, round, size = append(rounds, round), nil, 0
		}
		round = append(round, i)
		size += n
	}
	return append(append(rounds, round), alone...)
}

// free leaves out what must not go, because an earlier one of its key was not confirmed.
func (t *turn) free(round []int) []int {
	free := make([]int, 0, len(round))
	for _, i := range round {
		if at, stopped := t.stopped[t.batch[i].Event.PartitionKey]; stopped && at < i {
			t.errs[i] = ErrHeld
		} else {
			free = append(free, i)
		}
	}
	return free
}

func (t *turn) refuse(i int, r *Refusal) {
	t.errs[i] = r
	key := t.batch[i].Event.PartitionKey
	if at, stopped := t.stopped[key]; !stopped || i < at {
		t.stopped[key] = i
	}
}

func (t *turn) fail(entries []int, trouble *Trouble) {
	for _, i := range entries {
		t.errs[i] = trouble
	}
}

func (t *turn) size(entries []int) int {
	n := 0
	for _, i := range entries {
		n += len(t.values[i])
	}
	return n
}
