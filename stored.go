package hookgate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// AppendStored writes, as a JSON array, what a journal must keep of a sealed event beside its payload and the time of
// receipt. What follows from those is left out: as an object with every attribute it was three times as long, and a third
// of all that went to disk. whole says that the payload is the whole raw body, so that its digest follows, too.
func (e *Event) AppendStored(dst []byte, whole bool) []byte {
	contentType, rawSHA256 := e.ContentType, e.RawSHA256
	if contentType == JSON {
		contentType = "" // the usual one
	}
	if whole {
		rawSHA256 = ""
	}
	dst = append(dst, '[')
	for _, text := range [...]string{e.ID, e.Provider, e.Source, e.Type, e.Subject, e.Tenant, e.EntityType, e.Action,
		e.NativeID, contentType, e.TimeSource, e.VerifiedBy, e.KeyID, rawSHA256} {
		dst = appendString(dst, text)
		dst = append(dst, ',')
	}
	dst = strconv.AppendInt(dst, e.Time.UnixMilli(), 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(e.Attempt), 10)
	return append(dst, ']')
}

// ParseStored reads back what AppendStored wrote. The event owns data from then on.
func ParseStored(stored []byte, received time.Time, data []byte) (*Event, error) {
	e := &Event{Received: received, Data: data}
	var at int64
	fields := []any{&e.ID, &e.Provider, &e.Source, &e.Type, &e.Subject, &e.Tenant, &e.EntityType, &e.Action,
		&e.NativeID, &e.ContentType, &e.TimeSource, &e.VerifiedBy, &e.KeyID, &e.RawSHA256, &at, &e.Attempt}
	want := len(fields)
	if err := json.Unmarshal(stored, &fields); err != nil {
		return nil, fmt.Errorf("stored event: %w", err)
	}
	if len(fields) != want {
		return nil, fmt.Errorf("stored event: %d fields, not %d", len(fields), want)
	}
	e.Time = time.UnixMilli(at).UTC()
	if e.ContentType == "" {
		e.ContentType = JSON
	}
	if e.RawSHA256 == "" {
		sum := sha256.Sum256(data)
		e.RawSHA256 = hex.EncodeToString(sum[:])
	}
	e.PartitionKey = e.partitionKey()
	return e, nil
}
