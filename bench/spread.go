//go:build linux

package main

import (
	"fmt"
	"slices"
)

// spread is a figure over all rounds.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Clone(values)
	slices.Sort(v)
	middle := len(v) / 2
	s := spread{Median: v[middle], Least: v[0], Most: v[len(v)-1]}
	if len(v)%2 == 0 {
		s.Median = (v[middle-1] + v[middle]) / 2
	}
	return s
}

// over takes one figure of each of the samples.
func over[T any](samples []T, figure func(T) float64) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return spreadOf(values)
}

// in writes median, least and most with one format.
func (s spread) in(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Least, s.Most)
}
