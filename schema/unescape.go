package schema

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape returns the rune that the escape sequence at b's beginning stands for,
// and its length: 0 when there is none, or only half of a surrogate pair.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r := hex4(b)
	if !utf16.IsSurrogate(r) {
		if r < 0 {
			return 0, 0
		}
		return r, 6
	}
	if low := hex4(b[6:]); low >= 0 {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return 0, 0
}

// hex4 returns the code unit of \uXXXX at b's beginning, or -1.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch lower := c | 0x20; {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= lower && lower <= 'f':
			r = r<<4 | rune(lower-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// appendString appends what a string token says. Only a token with escapes needs it.
func (s *scanner) appendString(dst []byte, t token) []byte {
	b := s.text[t.from+1 : t.to-1]
	for i := 0; i < len(b); {
		from := i
		for i < len(b) && b[i] != '\\' {
			i++
		}
		if dst = append(dst, b[from:i]...); i < len(b) {
			r, n := unescape(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}
