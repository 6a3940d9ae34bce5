package journal

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hookgate/hookgate"
	"github.com/redis/go-redis/v9"
)

// Fetch gives the entries at these places of the whole journal, in the order asked for; those that are not there are left
// out.
func (r *Redis) Fetch(ctx context.Context, numbers []int64) ([]hookgate.Entry, error) {
	asked := map[*Shard][]int64{}
	for _, number := range numbers {
		if number > 0 {
			s, n := r.Place(number)
			asked[s] = append(asked[s], n)
		}
	}
	found := map[int64]hookgate.Entry{}
	for s, own := range asked {
		entries, err := s.Fetch(ctx, own)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			e.Seq = s.Number(e.Seq)
			found[e.Seq] = e
		}
	}
	entries := make([]hookgate.Entry, 0, len(found))
	for _, number := range numbers {
		if e, ok := found[number]; ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// below is the highest number of the shard whose place lies before another place; 0 when there is none.
func (s *Shard) below(place int64) int64 {
	if place <= s.Number(1) {
		return 0
	}
	return (place-1-s.Number(1))/int64(len(s.r.shards)) + 1
}

// DeadLetters lists a destination's dead letters of all shards that follow a place in the journal, by their places, which
// they have as Seq. Fetch gives their events; Ask of the shard has one sent again.
func (r *Redis) DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error) {
	limit = bounded(limit)
	answers := make([]*redis.StringSliceCmd, len(r.shards))
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, s := range r.shards {
			from := strconv.FormatInt(s.below(max(after, 0)+1)+1, 10)
			answers[i] = p.ZRangeByScore(ctx, s.key("dead:"+destination), &redis.ZRangeBy{Min: from, Max: "+inf", Count: int64(limit)})
		}
		return nil
	})
	if err != nil {
		return nil, redisError(err)
	}
	var all []hookgate.Parked
	for i, s := range r.shards {
		list, err := parseParked(answers[i].Val(), true)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			p.Seq = s.Number(p.Seq)
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b hookgate.Parked) int { return cmp.Compare(a.Seq, b.Seq) })
	return all[:min(len(all), limit)], nil
}

// Quarantine lists, from the newest, the quarantined parts before a place in the quarantine of all shards; 0 begins at the
// newest. Each shard has its own row there, so that the order of parts in different shards is roughly that of time.
func (r *Redis) Quarantine(ctx context.Context, before int64, limit int) ([]Quarantined, error) {
	limit = bounded(limit)
	rows := make([]*asideRow, len(r.shards))
	for i, s := range r.shards {
		rows[i] = &asideRow{shard: s, next: "+"}
		if before > 0 {
			rows[i].until(s.below(before))
		}
	}
	var list []Quarantined
	for len(list) < limit {
		if err := r.fill(ctx, rows, (limit-len(list))/len(rows)+1); err != nil {
			return nil, err
		}
		newest := slices.MaxFunc(rows, func(a, b *asideRow) int { return cmp.Compare(a.head(), b.head()) })
		if newest.head() == 0 {
			break
		}
		list = append(list, newest.parts[0])
		newest.parts = newest.parts[1:]
	}
	return list, nil
}

// asideRow is what has been read of a shard's quarantine, from the newest on.
type asideRow struct {
	shard *Shard
	parts []Quarantined
	next  string // the place to read on at; empty when there is no more
}

func (a *asideRow) head() int64 {
	if len(a.parts) == 0 {
		return 0
	}
	return a.parts[0].Seq
}

func (a *asideRow) until(n int64) {
	a.next = ""
	if n > 0 {
		a.next = entryID(n)
	}
}

// fill reads on where a row has run out. A part holds its payload, so that no more are read than are likely to be wanted.
func (r *Redis) fill(ctx context.Context, rows []*asideRow, count int) error {
	answers := map[*asideRow]*redis.XMessageSliceCmd{}
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, a := range rows {
			if len(a.parts) == 0 && a.next != "" {
				answers[a] = p.XRevRangeN(ctx, a.shard.key("quarantine"), a.next, "-", int64(count))
			}
		}
		return nil
	})
	if err != nil {
		return redisError(err)
	}
	for a, answer := range answers {
		a.next = ""
		for _, m := range answer.Val() {
			e, err := parseEntry(m)
			if err != nil {
				return err
			}
			e.Event.Quarantine, e.Event.ContentType = fields(m.Values).text("x"), "" // of what cannot be read nobody knows the type
			a.parts = append(a.parts, Quarantined{Seq: a.shard.Number(e.Seq), Event: e.Event, Reason: e.Event.Quarantine, Received: e.Event.Received})
			a.until(e.Seq - 1)
		}
	}
	return nil
}

// History finds the copies of an event by its id while its marker lives; ok is false when there is none. The id does not
// tell the shard, so that all are asked. When the first copy was received is known only while its entry is kept.
func (r *Redis) History(ctx context.Context, id string) (h History, ok bool, err error) {
	binary, err := appendID(nil, id)
	if err != nil {
		return h, false, err
	}
	markers, copies := make([]*redis.StringCmd, len(r.shards)), make([]*redis.StringSliceCmd, len(r.shards))
	_, _ = r.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its own error
		for i, s := range r.shards {
			if key, field := s.markerKey(binary); field == "" {
				markers[i] = p.Get(ctx, key)
			} else {
				markers[i] = p.HGet(ctx, key, field)
			}
			copies[i] = p.LRange(ctx, s.copiesKey(binary), 0, maxHistory)
		}
		return nil
	})
	for i, s := range r.shards {
		value, missing := markers[i].Result()
		list, failed := copies[i].Result()
		switch {
		case missing == nil && failed == nil:
			return s.history(ctx, value, list)
		case missing != nil && !errors.Is(missing, redis.Nil):
			err = redisError(missing)
		case failed != nil:
			err = redisError(failed)
		}
	}
	return h, false, err // a shard that does not answer may have it
}

func (s *Shard) history(ctx context.Context, value string, copies []string) (h History, ok bool, err error) {
	bad := func(err error) (History, bool, error) {
		return History{}, false, hookgate.Errorf(hookgate.Unavailable, "journal: %w", err)
	}
	m, err := parseMarker(value)
	if err != nil {
		return bad(err)
	}
	h = History{Copies: m.copies, Expires: fromMilli(m.expires)}
	first := Attempt{Attempt: int(m.first), Class: firstClass(m.first), Digest: hex.EncodeToString(m.digest[:])}
	if m.seq > 0 {
		h.Seq = s.Number(m.seq)
		entries, err := s.Fetch(ctx, []int64{m.seq})
		if err != nil {
			return History{}, false, err
		}
		if len(entries) > 0 {
			first.Received = entries[0].Event.Received
		}
	}
	h.Attempts = []Attempt{first}
	for _, value := range copies {
		a, err := parseCopy(value)
		if err != nil {
			return bad(err)
		}
		h.Attempts = append(h.Attempts, a)
	}
	return h, true, nil
}

// RawRequest gives the request that brought the event at a place of the journal, as it was received; ok is false when it
// is no longer kept.
func (r *Redis) RawRequest(ctx context.Context, number int64) (raw *Raw, ok bool, err error) {
	return r.rawOf(ctx, "log", number)
}

// QuarantinedRequest does the same for a place in the quarantine.
func (r *Redis) QuarantinedRequest(ctx context.Context, number int64) (raw *Raw, ok bool, err error) {
	return r.rawOf(ctx, "quarantine", number)
}

func (r *Redis) rawOf(ctx context.Context, stream string, number int64) (*Raw, bool, error) {
	if number <= 0 {
		return nil, false, nil
	}
	s, n := r.Place(number)
	messages, err := r.client.XRange(ctx, s.key(stream), entryID(n), entryID(n)).Result()
	if err != nil {
		return nil, false, redisError(err)
	}
	if len(messages) == 0 {
		return nil, false, nil
	}
	f := fields(messages[0].Values)
	head, body, kept := f.text("q"), f.text("b"), f.has("q")
	if !kept {
		head, body, kept, err = r.rawAside(ctx, f.text("w"))
		if err != nil || !kept {
			return nil, false, err
		}
	}
	raw, err := parseRawHead([]byte(head))
	if err != nil {
		return nil, false, hookgate.Errorf(hookgate.Unavailable, "journal entry %d: %w", number, err)
	}
	raw.Body = []byte(body)
	return raw, true, nil
}

// rawAside reads a request of several events, which its entries name as <shard>/<token>.
func (r *Redis) rawAside(ctx context.Context, name string) (head, body string, ok bool, err error) {
	for _, s := range r.shards {
		token, is := strings.CutPrefix(name, strconv.Itoa(s.id)+"/")
		if !is {
			continue
		}
		values, err := r.client.HGetAll(ctx, s.key("raw:"+token)).Result()
		if err != nil {
			return "", "", false, redisError(err)
		}
		head, ok = values["q"]
		return head, values["b"], ok, nil
	}
	return "", "", false, nil
}

// DeadLetters lists those of the shard, by its own numbers.
func (s *Shard) DeadLetters(ctx context.Context, destination string, after int64, limit int) ([]hookgate.Parked, error) {
	list, err := s.r.client.ZRangeByScore(ctx, s.key("dead:"+destination), &redis.ZRangeBy{Min: strconv.FormatInt(after+1, 10), Max: "+inf", Count: int64(bounded(limit))}).Result()
	if err != nil {
		return nil, redisError(err)
	}
	return parseParked(list, true)
}
