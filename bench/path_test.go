//go:build linux

package main

import "testing"

// BenchmarkPath is the way of an event of 900 bytes from the listener's handler to the answer, without a journal, and with the
// journal on SQLite and the forwarding behind it. Allocations are an event's; the request itself is about ten of them.
func BenchmarkPath(b *testing.B) {
	b.Run("receive", func(b *testing.B) {
		p, err := newPath(1000, "")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if err := p.receive(n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(whole, func(b *testing.B) {
		p, err := newPath(b.N, b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		if err := p.receiveAll(b.N); err != nil {
			b.Fatal(err)
		}
		if err := p.end(); err != nil {
			b.Fatal(err)
		}
	})
}

// TestPath goes every step with three events, as the counting of instructions does.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, step := range stepNames() {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			if err := (&pathCommand{Step: step, Events: 3, Prepared: 3}).Run(); err != nil {
				t.Error(err)
			}
		})
	}
	if err := (&pathCommand{Step: "fly"}).Run(); err == nil {
		t.Error("a step that there is not is gone")
	}
}
