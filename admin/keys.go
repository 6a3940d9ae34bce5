package admin

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookgate/hookgate"
)

// OtherKey is the label of a key that the configuration does not name, such as one of an issuer's key set.
const OtherKey = "other"

// key is a key of a source, by the name that proofs give it.
type key struct{ source, scheme, id string }

// keyUse counts what a key has proved.
type keyUse struct {
	proofs atomic.Uint64
	last   atomic.Int64 // Unix milliseconds
}

// keyUses are all known keys. The map is replaced and never changed, so that a request looks its key up without a lock.
type keyUses struct {
	known atomic.Pointer[map[key]*keyUse]
	first func(source string, p hookgate.Proof) // may be nil
}

// expect makes the series of the sources' keys; an entry without keys has none.
func (u *keyUses) expect(sources []*hookgate.Source) {
	all := make(map[key]*keyUse)
	if known := u.known.Load(); known != nil {
		maps.Copy(all, *known)
	}
	for _, s := range sources {
		for _, proof := range s.Keys {
			k := key{s.Name, proof.Scheme, proof.KeyID}
			if all[k] == nil {
				all[k] = new(keyUse)
			}
		}
	}
	u.known.Store(&all)
}

// observe counts the proofs of one request, and tells of a key that has not proved anything since the start.
func (u *keyUses) observe(source string, verdict hookgate.Verdict) {
	known := u.known.Load()
	if known == nil {
		return
	}
	for _, p := range verdict {
		use := (*known)[key{source, p.Scheme, p.KeyID}]
		if use == nil {
			use = (*known)[key{source, p.Scheme, OtherKey}]
		}
		if use == nil {
			continue
		}
		use.last.Store(time.Now().UnixMilli())
		if use.proofs.Add(1) == 1 && u.first != nil {
			u.first(source, p)
		}
	}
}

var (
	keyProofs = desc("hookgate_key_proofs_total", "Deliveries that a key has proved since the start; other stands for the keys of an issuer's set.", "source", "scheme", "key")
	keyLast   = desc("hookgate_key_last_proof_timestamp_seconds", "When a key last proved a delivery; 0 if it has not since the start.", "source", "scheme", "key")
)

// Describe and Collect make it a prometheus.Collector.
func (u *keyUses) Describe(ch chan<- *prometheus.Desc) {
	ch <- keyProofs
	ch <- keyLast
}

func (u *keyUses) Collect(ch chan<- prometheus.Metric) {
	known := u.known.Load()
	if known == nil {
		return
	}
	for k, use := range *known {
		ch <- prometheus.MustNewConstMetric(keyProofs, prometheus.CounterValue, float64(use.proofs.Load()), k.source, k.scheme, k.id)
		ch <- prometheus.MustNewConstMetric(keyLast, prometheus.GaugeValue, float64(use.last.Load())/1000, k.source, k.scheme, k.id)
	}
}
