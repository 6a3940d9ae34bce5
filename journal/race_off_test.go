//go:build !race

package journal_test

const raceFactor = 1
