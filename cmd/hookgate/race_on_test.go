//go:build race

package main

// raceFactor makes a request smaller where every step takes several times as long, and the journal waits no longer for it.
const raceFactor = 5
