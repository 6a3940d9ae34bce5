package admin

import "github.com/prometheus/client_golang/prometheus"

// snapshotCollector turns a Snapshot into metrics at every scrape.
type snapshotCollector func() Snapshot

var _ prometheus.Collector = snapshotCollector(nil)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	journalReady = desc("hookgate_journal_ready", "1 while the journal takes events.")
	journalLast  = desc("hookgate_journal_last_sequence", "Sequence of the newest event.")
	journalBytes = desc("hookgate_journal_bytes", "Size of the journal's files; 0 on Redis.")
	journalQueue = desc("hookgate_journal_queue", "Requests that wait for a commit.")
	journalLost  = desc("hookgate_journal_missing", "Events that were committed once and were not found at the start: the disk has lost them.")
	journalParts = desc("hookgate_journal_parts", "Parts of the journal that this node forwards: 1 for a file, its share of the shards on Redis.")
	spilling     = desc("hookgate_spilling", "1 while new events go to the spill.")
	spillWaiting = desc("hookgate_spill_waiting", "Spilled events that the journal does not have yet.")
	logDropped   = desc("hookgate_log_lines_dropped_total", "Log lines dropped because nobody read them fast enough.")
	connections  = desc("hookgate_connections", "Open connections of senders.")
	refused      = desc("hookgate_connections_refused_total", "Connections closed at once, because their address had as many as limits.per_address.")
	delivered    = desc("hookgate_delivered_total", "Events confirmed by the destination since the start.", "destination")
	failed       = desc("hookgate_delivery_failures_total", "Failed attempts since the start.", "destination")
	deadLetters  = desc("hookgate_dead_letters", "Events given up after the last attempt.", "destination")
	parked       = desc("hookgate_parked", "Events that wait for another attempt or for an earlier one of their key.", "destination")
	backlog      = desc("hookgate_backlog", "Events behind the newest one.", "destination")
	inFlight     = desc("hookgate_in_flight", "Events on their way, not confirmed.", "destination")
	breakerOpen  = desc("hookgate_breaker_open", "1 while the destination is left alone after failures.", "destination")
	up           = desc("hookgate_destination_up", "0 while the destination as a whole is in trouble.", "destination")

	outboundWaiting = desc("hookgate_outbound_waiting", "Outbound deliveries that wait for an attempt.", "provider")
	outboundFailed  = desc("hookgate_outbound_failed", "Outbound deliveries given up that are still in the log.", "provider")
)

// Describe and Collect make it a prometheus.Collector.
func (c snapshotCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		journalReady, journalLast, journalBytes, journalQueue, journalLost, journalParts, spilling, spillWaiting, logDropped, connections, refused,
		delivered, failed, deadLetters, parked, backlog, inFlight, breakerOpen, up, outboundWaiting, outboundFailed,
	} {
		ch <- d
	}
}

func (c snapshotCollector) Collect(ch chan<- prometheus.Metric) {
	s := c()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(journalReady, bit(s.JournalReady))
	gauge(journalLast, float64(s.LastSequence))
	gauge(journalBytes, float64(s.JournalBytes))
	gauge(journalQueue, float64(s.JournalQueue))
	gauge(journalLost, float64(s.JournalLost))
	gauge(journalParts, float64(s.JournalParts))
	gauge(spilling, bit(s.Spilling))
	gauge(spillWaiting, float64(s.SpillWaiting))
	count(logDropped, s.LogDropped)
	gauge(connections, float64(s.Connections))
	count(refused, s.ConnectionsRefused)
	for _, d := range s.Destinations {
		count(delivered, d.Delivered, d.Name)
		count(failed, d.Failed, d.Name)
		gauge(deadLetters, float64(d.DeadLetters), d.Name)
		gauge(parked, float64(d.Parked), d.Name)
		gauge(backlog, float64(d.Backlog), d.Name)
		gauge(inFlight, float64(d.InFlight), d.Name)
		gauge(breakerOpen, bit(d.BreakerOpen), d.Name)
		gauge(up, bit(d.Up), d.Name)
	}
	for _, o := range s.Outbound {
		gauge(outboundWaiting, float64(o.Waiting), o.Provider)
		gauge(outboundFailed, float64(o.Failed), o.Provider)
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
