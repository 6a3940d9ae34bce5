// Package outbound is the other side: it keeps webhook subscriptions and delivers to them as the five providers do, with
// their wire formats, time-outs, success rules and retry schedules. One file a provider holds what is its own; the
// delivery engine is the same for all.
package outbound
