package configs

import (
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/hookgate/hookgate"
)

// Size is a number of bytes; 0 means that none was set.
type Size int64

// Rate is so many a period; the zero value means that none was set.
type Rate = hookgate.Rate

const (
	durationHint = "write a number with a unit, such as 30s, 15m, 168h or 7d"
	sizeHint     = "write a whole number with B, KiB, MiB, GiB or TiB, such as 1MiB"
	rateHint     = "write a whole number for each s, m or h, such as 100/s"
)

var (
	placeholder     = regexp.MustCompile(`\$\{[^}]*\}`)
	days            = regexp.MustCompile(`^([0-9]{1,5})d$`)
	durationGrammar = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|h|m|s))+$`)
	sizeGrammar     = regexp.MustCompile(`^([1-9][0-9]{0,15})(B|KiB|MiB|GiB|TiB)$`)
	rateGrammar     = regexp.MustCompile(`^([1-9][0-9]{0,8})/(s|m|h)$`)
	numberGrammar   = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
)

var sizeUnits = map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// parseDuration reads Go's form without signs, or whole days. Zero is refused: no setting means anything by it.
func parseDuration(s string) (time.Duration, bool) {
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	if !durationGrammar.MatchString(s) {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

func parseSize(s string) (Size, bool) {
	m := sizeGrammar.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit := sizeUnits[m[2]]
	if err != nil || n > math.MaxInt64/unit {
		return 0, false
	}
	return Size(n * unit), true
}

func parseRate(s string) (Rate, bool) {
	m := rateGrammar.FindStringSubmatch(s)
	if m == nil {
		return Rate{}, false
	}
	n, err := strconv.Atoi(m[1])
	return Rate{Count: n, Per: rateUnits[m[2]]}, err == nil
}

func (l *loader) duration(n ast.Node, path string) time.Duration {
	return scalar(l, n, path, BadDuration, "a duration", durationHint, parseDuration)
}

func (l *loader) size(n ast.Node, path string) Size {
	return scalar(l, n, path, BadSize, "a size", sizeHint, parseSize)
}

func (l *loader) rate(n ast.Node, path string) Rate {
	return scalar(l, n, path, BadRate, "a rate", rateHint, parseRate)
}

// scalar reads text of one grammar.
func scalar[T any](l *loader, n ast.Node, path string, rule Rule, what, hint string, parse func(string) (T, bool)) T {
	if s, ok := n.(*ast.StringNode); ok {
		if v, ok := parse(s.Value); ok {
			return v
		}
	}
	l.bad(rule, path, "is not "+what, hint)
	var zero T
	return zero
}

// number is a whole number that is not negative, in plain decimal: 010 is 8 to YAML and 10 to whoever wrote it.
func (l *loader) number(n ast.Node, path string, bits int) int64 {
	if i, ok := n.(*ast.IntegerNode); ok && numberGrammar.MatchString(i.GetToken().Value) {
		if v, err := strconv.ParseInt(i.GetToken().Value, 10, bits); err == nil {
			return v
		}
	}
	l.bad(BadNumber, path, "is not a whole number from 0 up", "write plain digits, without quotes")
	return 0
}

// setDefault fills v from a default tag. The tags are ours, and a test reads every one; one that does not fit is a
// mistake in the program.
func setDefault(v reflect.Value, def string) {
	ok := true
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = def
	case *time.Duration:
		*p, ok = parseDuration(def)
	case *Size:
		*p, ok = parseSize(def)
	case *Rate:
		*p, ok = parseRate(def)
	case *hookgate.Secret:
		*p = hookgate.NewSecret([]byte(def), def)
	case *bool:
		*p = def == "true"
	case *int:
		n, err := strconv.Atoi(def)
		*p, ok = n, err == nil
	case *int64:
		n, err := strconv.ParseInt(def, 10, 64)
		*p, ok = n, err == nil
	default:
		ok = false
	}
	if !ok {
		panic("configs: a default tag does not fit its field: " + def)
	}
}

// String is the size as it would be written in the file.
func (s Size) String() string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := sizeUnits[unit]; s > 0 && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// plain writes a duration as a person would: 168h, not 168h0m0s.
func plain(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
