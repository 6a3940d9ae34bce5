//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
)

// The size of a plot and of the room around its field, in pixels.
const (
	plotWidth, plotHeight           = 720, 360
	plotLeft, plotRight             = 70, 30
	plotTop, plotBottom             = 50, 60
	fieldWidth, fieldHeight float64 = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
	plotStyle                       = `
text{font:13px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.grid{stroke:#ddd}.line{fill:none;stroke:#0b62a8;stroke-width:2}
.dot{fill:#0b62a8}.range{stroke:#0b62a8;stroke-width:1.5;opacity:.6}.paper{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#ccc}.grid{stroke:#3a3f45}.line,.range{stroke:#6cb6ff}.dot{fill:#6cb6ff}.paper{fill:#0d1117}}
`
)

// plot draws the processor time of an event over the axis: a dot for each median, a bar from least to most. The places of the
// x axis are logarithmic; those of the y axis only where the figures differ tenfold.
func (g *grown) plot() string {
	most, least := 0.0, math.Inf(1)
	for _, p := range g.Points {
		most, least = max(most, p.CPU.Most), min(least, p.CPU.Least)
	}
	y := newScale(least, most)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s"><style>%s</style>`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight, g.Title, plotStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/><text class="title" x="%d" y="24">%s: gateway's processor time an event, microseconds</text>`+"\n", plotWidth, plotHeight, plotLeft, g.Title)
	for _, v := range y.ticks {
		at := plotTop + fieldHeight*(1-y.place(v))
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, plotWidth-plotRight, at, at, plotLeft-8, at+4, short(v))
	}
	var line, dots strings.Builder
	for i, p := range g.Points {
		x := plotLeft + fieldWidth*g.place(i)
		at := func(v float64) float64 { return plotTop + fieldHeight*(1-y.place(v)) }
		fmt.Fprintf(&line, "%.1f,%.1f ", x, at(p.CPU.Median))
		fmt.Fprintf(&dots, `<line class="range" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><circle class="dot" cx="%.1f" cy="%.1f" r="4"><title>%s: %.1f us</title></circle>`+"\n",
			x, x, at(p.CPU.Least), at(p.CPU.Most), x, at(p.CPU.Median), thousands(p.X), p.CPU.Median)
		fmt.Fprintf(&dots, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, plotHeight-plotBottom+20, short(float64(p.X)))
	}
	fmt.Fprintf(&b, `<polyline class="line" points="%s"/>`+"\n%s", strings.TrimSpace(line.String()), dots.String())
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text></svg>`+"\n", plotLeft+fieldWidth/2, plotHeight-14, g.X)
	return b.String()
}

// place is where the i-th point stands along the axis, 0 to 1. Nothing stands where one would.
func (g *grown) place(i int) float64 {
	log := func(i int) float64 { return math.Log10(float64(max(g.Points[i].X, 1))) }
	first, last := log(0), log(len(g.Points)-1)
	if last == first {
		return .5
	}
	if g.Points[0].X == 0 && len(g.Points) > 2 { // and the next ones follow at a step's distance
		first = 2*log(1) - log(2)
		if i == 0 {
			return 0
		}
	}
	return (log(i) - first) / (last - first)
}

// scale is the y axis.
type scale struct {
	from, to    float64
	logarithmic bool
	ticks       []float64
}

func newScale(least, most float64) scale {
	if least > 0 && most/least > 10 {
		s := scale{from: math.Floor(math.Log10(least)), to: math.Ceil(math.Log10(most)), logarithmic: true}
		for e := s.from; e <= s.to; e++ {
			s.ticks = append(s.ticks, math.Pow(10, e))
		}
		return s
	}
	step := math.Pow(10, math.Floor(math.Log10(max(most, 1e-3))))
	for _, smaller := range []float64{.2, .5} {
		if most/(step*smaller) <= 8 {
			step *= smaller
			break
		}
	}
	s := scale{to: math.Ceil(most/step) * step}
	for v := 0.0; v <= s.to+step/2; v += step {
		s.ticks = append(s.ticks, v)
	}
	return s
}

func (s scale) place(v float64) float64 {
	if s.logarithmic {
		v = math.Log10(v)
	}
	return (v - s.from) / (s.to - s.from)
}

// short writes a round number with k or M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", math.Round(v*100)/100)
}
