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
	return append(e.appendStored(dst, whole), ']')
}

// AppendHandedOn writes two members more, the window in milliseconds and the time that follows from the identity in
// microseconds: what another journal needs to mark the event as known. Only a journal that hands its events on needs them.
func (e *Event) AppendHandedOn(dst []byte, whole bool) []byte {
	dst = append(e.appendStored(dst, whole), ',')
	dst = strconv.AppendInt(dst, e.Window.Milliseconds(), 10)
	dst = append(dst, ',')
	return append(strconv.AppendInt(dst, e.IdentityTime, 10), ']')
}

// appendStored leaves the array open.
func (e *Event) appendStored(dst []byte, whole bool) []byte {
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
	return strconv.AppendInt(dst, int64(e.Attempt), 10)
}

// ParseStored reads back what AppendStored or AppendHandedOn wrote. The event owns data from then on.
func ParseStored(stored []byte, received time.Time, data []byte) (*Event, error) {
	e := &Event{Received: received, Data: data}
	var at, window int64
	fields := []any{&e.ID, &e.Provider, &e.Source, &e.Type, &e.Subject, &e.Tenant, &e.EntityType, &e.Action,
		&e.NativeID, &e.ContentType, &e.TimeSource, &e.VerifiedBy, &e.KeyID, &e.RawSHA256, &at, &e.Attempt, &window, &e.IdentityTime}
	handedOn := len(fields)
	usual := handedOn - 2
	if err := json.Unmarshal(stored, &fields); err != nil {
		return nil, fmt.Errorf("stored event: %w", err)
	}
	if len(fields) != usual && len(fields) != handedOn {
		return nil, fmt.Errorf("stored event: %d fields, not %d or %d", len(fields), usual, handedOn)
	}
	e.Window = time.Duration(window) * time.Millisecond
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
