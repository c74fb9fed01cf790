package schema

import "time"

// What BigQuery takes as a TIMESTAMP, µs since the epoch: 0001-01-01T00:00:00Z to
// 9999-12-31T23:59:59.999999Z.
const (
	minMicros = -62135596800_000000
	maxMicros = 253402300799_999999
)

// epochMicros returns the µs that a JSON number of a unit is; scale is the power of
// ten from that unit to a µs. It reads decimal text, in any form, and cuts off the
// digits past the microsecond. ok is false outside of what BigQuery takes.
func epochMicros(b []byte, scale int) (micros int64, ok bool) {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	mantissa, exponent := splitExponent(b)
	// The value is 0.d₁d₂d₃… × 10^point, its digits those of the mantissa.
	point := scale + exponent
	for i := 0; i < len(mantissa) && mantissa[i] != '.'; i++ {
		point++
	}
	var v int64
	for _, c := range mantissa {
		if c == '.' {
			continue
		}
		if point <= 0 {
			break
		}
		point--
		if v = v*10 + int64(c-'0'); v > maxMicros {
			return 0, false
		}
	}
	if v == 0 {
		return 0, true
	}
	for ; point > 0; point-- {
		if v *= 10; v > maxMicros {
			return 0, false
		}
	}
	if negative {
		v = -v
	}
	return v, v >= minMicros
}

// splitExponent cuts the exponent off. No exponent past its bound says anything
// else than the bound: a body is shorter.
func splitExponent(b []byte) (mantissa []byte, exponent int) {
	const bound = 10 * MaxBody
	for i, c := range b {
		if c|0x20 != 'e' {
			continue
		}
		sign := 1
		for _, c := range b[i+1:] {
			switch {
			case c == '-':
				sign = -1
			case c != '+':
				exponent = min(exponent*10+int(c-'0'), bound)
			}
		}
		return b[:i], sign * exponent
	}
	return b, 0
}

// rfc3339Micros returns the µs of an RFC 3339 timestamp: T or t, Z or z or an
// offset, digits past the microsecond cut off. A leap second is the first second
// after it. form is false when b is no such text, ok when BigQuery does not take it.
func rfc3339Micros(b []byte) (micros int64, form, ok bool) {
	const pattern = "dddd-dd-ddTdd:dd:dd"
	if len(b) <= len(pattern) {
		return 0, false, false
	}
	for i, p := range []byte(pattern) {
		switch c := b[i]; {
		case p == 'd' && isDigit(c), p == c, p == 'T' && c == 't':
		default:
			return 0, false, false
		}
	}
	year, month, day := digits2(b[0:])*100+digits2(b[2:]), digits2(b[5:]), digits2(b[8:])
	hour, minute, second := digits2(b[11:]), digits2(b[14:]), digits2(b[17:])
	fraction, rest, form := fractionMicros(b[len(pattern):])
	offset, form2 := offsetSeconds(rest)
	if !form || !form2 || hour > 23 || minute > 59 || second > 60 {
		return 0, false, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Month() != time.Month(month) || date.Day() != day {
		return 0, false, false // no such day
	}
	seconds := date.Unix() + int64(hour*3600+minute*60+second-offset)
	if second == 60 && !beginsMonth(seconds) {
		return 0, false, false // no leap second can be here
	}
	micros = seconds*1e6 + fraction
	return micros, true, minMicros <= micros && micros <= maxMicros
}

func digits2(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }

// fractionMicros reads ".ddd…", if it is there.
func fractionMicros(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	i := 1
	for unit := int64(100_000); i < len(b) && isDigit(b[i]); i++ {
		micros += int64(b[i]-'0') * unit
		unit /= 10
	}
	return micros, b[i:], i > 1
}

// offsetSeconds reads "Z" or "±hh:mm" to the end.
func offsetSeconds(b []byte) (seconds int, ok bool) {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) != len("+hh:mm") || b[0] != '+' && b[0] != '-' || b[3] != ':' ||
		!isDigit(b[1]) || !isDigit(b[2]) || !isDigit(b[4]) || !isDigit(b[5]) {
		return 0, false
	}
	hours, minutes := digits2(b[1:]), digits2(b[4:])
	seconds = hours*3600 + minutes*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, hours <= 23 && minutes <= 59
}

func beginsMonth(seconds int64) bool {
	return seconds%86400 == 0 && time.Unix(seconds, 0).UTC().Day() == 1
}
