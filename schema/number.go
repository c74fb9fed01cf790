package schema

import (
	"math"
	"strconv"
	"unsafe"
)

// parseFloat returns a JSON number's value. ok is false when it overflows; what is
// too small is 0, and so is -0.
func parseFloat(b []byte) (v float64, ok bool) {
	v, ok = shortDecimal(b)
	if !ok {
		var room [maxDigits + 32]byte
		if len(b) > maxDigits {
			b = shorten(room[:0], b)
		}
		// ParseFloat keeps no part of its argument.
		var err error
		if v, err = strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64); err != nil { //nolint:gosec // read, and let go of
			return 0, false
		}
	}
	if v == 0 {
		v = 0 // not -0
	}
	return v, true
}

// tens is the powers of ten that a float64 holds exactly.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// shortDecimal is for a number of at most 15 digits without an exponent. Its digits
// and the power of ten below it are exact, so one division rounds correctly.
func shortDecimal(b []byte) (float64, bool) {
	if len(b) > len("-.")+len(tens)-1 {
		return 0, false
	}
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	var digits uint64
	places := 0 // digits after the point, once there is one
	point := false
	for _, c := range b {
		switch {
		case isDigit(c):
			digits = digits*10 + uint64(c-'0')
			if point {
				places++
			}
		case c == '.':
			point = true
		default:
			return 0, false
		}
	}
	if digits >= 1<<53 {
		return 0, false
	}
	v := float64(digits) / tens[places]
	if negative {
		v = -v
	}
	return v, true
}

// maxDigits is how many digits strconv.ParseFloat counts: before the point it
// forgets that there are more. To round, no float64 needs as many.
const maxDigits = 800

// shorten appends a number that rounds to the same float64 as b and has at most
// maxDigits digits, as digits and an exponent.
func shorten(dst, b []byte) []byte {
	if b[0] == '-' {
		dst, b = append(dst, '-'), b[1:]
	}
	mantissa, exponent := splitExponent(b)
	digits, point, below := 0, false, false
	for _, c := range mantissa {
		switch {
		case c == '.':
			point = true
			continue
		case digits == 0 && c == '0': // leads nothing
		case digits < maxDigits-1:
			dst = append(dst, c)
			digits++
		default:
			below = below || c != '0'
			exponent++
		}
		if point {
			exponent--
		}
	}
	if digits == 0 {
		return append(dst, '0')
	}
	if below { // tells a little more than a half from a half
		dst = append(dst, '1')
		exponent--
	}
	return strconv.AppendInt(append(dst, 'e'), int64(exponent), 10)
}

// parseInt returns the value of an integer token; ok is false when it overflows.
func parseInt(b []byte) (v int64, ok bool) {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	const cutoff = (math.MaxUint64 - 9) / 10
	var u uint64
	for _, c := range b {
		if u > cutoff {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	if negative {
		return -int64(u), u <= -math.MinInt64
	}
	return int64(u), u <= math.MaxInt64
}
