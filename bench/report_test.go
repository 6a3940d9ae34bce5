//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []float64
		want   spread
	}{
		"none": {nil, spread{}},
		"one":  {[]float64{3}, spread{3, 3, 3}},
		"odd":  {[]float64{9, 1, 4}, spread{4, 1, 9}},
		"even": {[]float64{9, 1, 4, 6}, spread{5, 1, 9}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestGoal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wanted float64
		atMost bool
		figure float64
		want   bool
	}{
		"at least, reached": {.55, false, .55, true}, "at least, missed": {.55, false, .549, false},
		"under, reached": {10, true, 9.99, true}, "under, missed": {10, true, 10, false},
	} {
		if got := newGoal(name, c.wanted, c.atMost, spread{Median: c.figure}).Reached; got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestPlot reads the picture as XML and looks for every point inside its field.
func TestPlot(t *testing.T) {
	t.Parallel()
	for name, points := range map[string][]grownPoint{
		"linear":      {{X: 1, CPU: spread{50, 48, 55}}, {X: 10_000, CPU: spread{70, 65, 90}}},
		"logarithmic": {{X: 200, CPU: spread{50, 48, 55}}, {X: 1_000_000, CPU: spread{6000, 5000, 7000}}},
		"from zero":   {{X: 0, CPU: spread{50, 50, 50}}, {X: 10_000, CPU: spread{51, 51, 51}}, {X: 100_000, CPU: spread{52, 52, 52}}, {X: 1_000_000, CPU: spread{60, 52, 61}}},
		"one":         {{X: 5, CPU: spread{50, 48, 55}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := grown{axis: axis{Title: "Size", X: "bytes"}, Points: points}
			decoder := xml.NewDecoder(strings.NewReader(g.plot()))
			dots := 0
			for {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				element, ok := token.(xml.StartElement)
				if !ok || element.Name.Local != "circle" {
					continue
				}
				dots++
				for _, a := range element.Attr {
					var at float64
					if _, err := fmt.Sscan(a.Value, &at); err != nil {
						continue
					}
					if (a.Name.Local == "cx" && (at < plotLeft || at > plotWidth-plotRight)) || (a.Name.Local == "cy" && (at < plotTop || at > plotHeight-plotBottom)) {
						t.Errorf("a dot at %s=%s lies outside of the field", a.Name.Local, a.Value)
					}
				}
			}
			if dots != len(points) {
				t.Errorf("%d dots, want %d", dots, len(points))
			}
		})
	}
}
