package main

import (
	"context"
	"sync"
	"testing"
)

// TestStopDoesNotWaitForAnAuthority that keeps the library waiting which asks it: when the time of a stop is over, it ends.
func TestStopDoesNotWaitForAnAuthority(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var beside sync.WaitGroup
	answer := make(chan struct{})
	beside.Go(func() { <-answer })
	waitFor(over, &beside)
	close(answer)
	waitFor(t.Context(), &beside)
}
