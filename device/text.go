package device

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable is s in at most n bytes, with ? for what cannot be shown.
func printable(s string, n int) string {
	cut := len(s) > n
	if cut {
		s = s[:n]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= utf8.RuneSelf {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// shown says whether s is UTF-8 of 1 to n bytes that can all be printed.
func shown(s string, n int) bool {
	return s != "" && len(s) <= n && utf8.ValidString(s) && printable(s, n) == s
}
