package configs

import (
	"strconv"
	"strings"
)

// maxShown is how much of a name that is not known is shown, in bytes. A name is short; what is longer may be a secret
// that lost its place.
const maxShown = 32

// shown quotes a name for a message, unless it is too long to be one.
func shown(s string) string {
	if len(s) > maxShown {
		return "(too long to show)"
	}
	return strconv.Quote(s)
}

// suggest says what to write instead of got: the nearest name, or all of them where none is near.
func suggest(got string, names []string) string {
	if best := nearest(got, names); best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	return "known here: " + strings.Join(names, ", ")
}

// nearest is the name that the fewest slips lead to got from, at most one slip for each three characters; empty for none.
func nearest(got string, names []string) string {
	best, least := "", max(1, min(len(got), maxShown)/3)+1
	for _, name := range names {
		if d := slips(strings.ToLower(got), name); d < least {
			best, least = name, d
		}
	}
	return best
}

// slips counts inserted, dropped, wrong and swapped characters between two names.
func slips(a, b string) int {
	if len(a) > maxShown {
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
