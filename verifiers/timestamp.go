package verifiers

import (
	"time"

	"github.com/hookgate/hookgate"
)

// maxSecondDigits bounds a time in seconds, far from overflow: it reaches beyond the year 30000, and a time in milliseconds
// has thirteen.
const maxSecondDigits = 12

// plainNumber reads 1 to most ASCII digits without sign, blank or leading zero, so that one number has one text.
func plainNumber(text string, most int) (int64, bool) {
	if text == "" || len(text) > most || (text[0] == '0' && len(text) > 1) {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	return n, true
}

// fresh refuses a signed time that lies further back from the receipt, or further ahead of it, than is accepted. It is asked
// only when the signature is good: before, anybody could have written the time.
func fresh(signed, now time.Time, back, ahead time.Duration) error {
	switch age := now.Sub(signed); {
	case age > back:
		return hookgate.Refuse(hookgate.TooOld, "signed %s before receipt, at most %s is accepted", age.Round(time.Second), back)
	case age < -ahead:
		return hookgate.Refuse(hookgate.TooEarly, "signed %s after receipt, at most %s is accepted", (-age).Round(time.Second), ahead)
	}
	return nil
}
