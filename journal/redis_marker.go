package journal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/hookgate/hookgate"
)

// The marker as accept.lua writes it: sequence number, end of its window, digest, token; then, unless every one of them is
// 1, the first attempt, the highest, the copies and a bit for every attempt seen. The value stays below 64 bytes, the
// longest that Redis keeps in a compact hash.
const (
	markerShort = 5 + 6 + 8 + 8
	markerLong  = markerShort + 3*4
	copyLen     = 6 + 4 + 1 + 1 + 8 + 8
)

// redisMarker is what a shard remembers of an event within its window.
type redisMarker struct {
	seq                    int64
	expires                int64 // Unix ms
	first, highest, copies int64
	digest                 [8]byte
}

func parseMarker(value string) (redisMarker, error) {
	m := redisMarker{first: 1, highest: 1, copies: 1}
	b := []byte(value)
	if len(b) < markerShort || (len(b) > markerShort && len(b) < markerLong) {
		return m, errors.New("a marker on Redis is not of this program's form")
	}
	m.seq, m.expires = bigEndian(b[:5]), bigEndian(b[5:11])
	copy(m.digest[:], b[11:19])
	if len(b) >= markerLong {
		b = b[markerShort:]
		m.first, m.highest, m.copies = bigEndian(b[:4]), bigEndian(b[4:8]), bigEndian(b[8:12])
	}
	return m, nil
}

// parseCopy reads one element of an event's copies, of which the first is none.
func parseCopy(value string) (Attempt, error) {
	b := []byte(value)
	classes := hookgate.Classes()
	if len(b) != copyLen || int(b[10]) >= len(classes) {
		return Attempt{}, errors.New("a copy on Redis is not of this program's form")
	}
	return Attempt{
		Received: fromMilli(bigEndian(b[:6])), Attempt: int(bigEndian(b[6:10])), Class: classes[b[10]], Conflict: b[11] == 1,
		Digest: hex.EncodeToString(b[12:20]),
	}, nil
}

// markerKey is where the marker of an event is, by its id in binary: a key or, in the compact form, a field of one of
// 16,384 buckets. With 512 entries a bucket, up to which Redis keeps a hash compact, that is for some seven million markers
// a shard.
func (s *Shard) markerKey(id []byte) (key, field string) {
	if !s.r.o.Compact {
		return s.key("m:") + string(id), ""
	}
	return s.key("b:") + bucketOf(id), string(id)
}

func bucketOf(id []byte) string {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], binary.BigEndian.Uint16(id)>>2)
	return hex.EncodeToString(b[:])
}

// copiesKey is the list of an event's later copies.
func (s *Shard) copiesKey(id []byte) string { return s.key("h:") + string(id) }

func bigEndian(b []byte) int64 {
	n := int64(0)
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return n
}
