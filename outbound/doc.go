// Package outbound is the other side: it keeps webhook subscriptions and delivers to them as the five providers do, with
// their wire formats, time-outs, success rules and retry schedules. What is a provider's own is in the files of its name; the
// delivery engine is the same for all.
package outbound
