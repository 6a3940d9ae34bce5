//go:build race

package journal_test

// raceFactor makes the crash suites smaller where every step is several times slower.
const raceFactor = 4
