package googlesql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// literalPrefix finds r, b, rb or br before a quote.
func literalPrefix(s string) (prefix string, n int) {
	for n < len(s) && n < 3 && isLetter(s[n]) {
		n++
	}
	if n >= len(s) || s[n] != '\'' && s[n] != '"' {
		return "", 0
	}
	switch p := strings.ToLower(s[:n]); p {
	case "r", "b", "rb", "br":
		return p, n
	}
	return "", 0
}

// scanString reads a quoted literal; i is at its first quote.
func scanString(s string, i int, prefix string) (t token, next int, err error) {
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = s[i : i+3]
	}
	t.kind = text
	if strings.Contains(prefix, "b") {
		t.kind = blob
	}
	raw := strings.Contains(prefix, "r")
	var out []byte
	for i += len(quote); i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], quote):
			t.text = string(out)
			if t.kind == text && !utf8.ValidString(t.text) {
				return t, 0, wrong("the string is not valid UTF-8")
			}
			return t, i + len(quote), nil
		case s[i] == '\n' && len(quote) == 1:
			return t, 0, wrong("unclosed string literal")
		case s[i] == '\\' && raw:
			if i+1 >= len(s) {
				return t, 0, wrong("unclosed string literal")
			}
			out = append(out, s[i], s[i+1])
			i += 2
		case s[i] == '\\':
			if out, i, err = unescape(out, s, i+1, t.kind == blob); err != nil {
				return t, 0, err
			}
		default:
			out = append(out, s[i])
			i++
		}
	}
	return t, 0, wrong("unclosed string literal")
}

var escapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '?': '?', '"': '"', '\'': '\'', '`': '`',
}

// unescape appends what an escape stands for; i is after its backslash.
func unescape(out []byte, s string, i int, bytes bool) ([]byte, int, error) {
	if i >= len(s) {
		return nil, 0, wrong("unclosed string literal")
	}
	c := s[i]
	if e, ok := escapes[c]; ok {
		return append(out, e), i + 1, nil
	}
	var digits int
	base, start := 16, i+1
	switch {
	case c == 'x' || c == 'X':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c >= '0' && c <= '3':
		digits, base, start = 3, 8, i
	default:
		return nil, 0, wrong("illegal escape sequence \\%c", c)
	}
	if start+digits > len(s) {
		return nil, 0, wrong("unclosed string literal")
	}
	n, err := strconv.ParseUint(s[start:start+digits], base, 32)
	if err != nil || c == 'U' && n > utf8.MaxRune {
		return nil, 0, wrong("illegal escape sequence \\%c", c)
	}
	if bytes && digits < 4 {
		return append(out, byte(n)), start + digits, nil
	}
	return utf8.AppendRune(out, rune(n)), start + digits, nil
}
