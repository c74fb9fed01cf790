package googlesql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxQuery is the longest text of a query, in bytes, as the service has it.
const maxQuery = 1 << 20

type kind uint8

const (
	end      kind = iota
	word          // an identifier or keyword
	quoted        // an identifier in backquotes
	text          // a string literal, its value
	blob          // a bytes literal, its value
	number        // as written
	argument      // @name, or ? with an empty text
	symbol        // one of the symbols below, or a single character
)

// token is one token: of literals the value, else the text.
type token struct {
	kind  kind
	text  string
	at    int  // where it begins
	glued bool // nothing stands between it and the token before
}

var symbols = []string{"<=", ">=", "<>", "!=", "||", "=>", "<<", ">>"}

// tokenize cuts a query into tokens.
func tokenize(s string) ([]token, error) {
	if len(s) > maxQuery {
		return nil, wrong("the query is longer than %d bytes", maxQuery)
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, wrong("the query is not valid UTF-8 text")
	}
	var out []token
	for i, last := 0, -1; ; {
		i = skipSpace(s, i)
		if i >= len(s) {
			return append(out, token{kind: end, at: len(s)}), nil
		}
		t, next, err := scan(s, i)
		if err != nil {
			return nil, fmt.Errorf("Syntax error: %w at %s", err, position(s, i))
		}
		t.at, t.glued = i, i == last
		out = append(out, t)
		i, last = next, next
	}
}

func skipSpace(s string, i int) int {
	for i < len(s) {
		switch {
		case strings.IndexByte(" \t\r\n\f", s[i]) >= 0:
			i++
		case s[i] == '#' || strings.HasPrefix(s[i:], "--"):
			n := strings.IndexByte(s[i:], '\n')
			if n < 0 {
				return len(s)
			}
			i += n
		case strings.HasPrefix(s[i:], "/*"):
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return len(s)
			}
			i += n + 4
		default:
			return i
		}
	}
	return i
}

// scan reads the token that begins at i.
func scan(s string, i int) (t token, next int, err error) {
	c := s[i]
	switch {
	case c == '`':
		n := strings.IndexByte(s[i+1:], '`')
		if n <= 0 {
			return t, 0, wrong("unclosed or empty identifier")
		}
		return token{kind: quoted, text: s[i+1 : i+1+n]}, i + n + 2, nil
	case isLetter(c):
		if prefix, n := literalPrefix(s[i:]); n > 0 {
			return scanString(s, i+n, prefix)
		}
		return token{kind: word, text: s[i:wordEnd(s, i)]}, wordEnd(s, i), nil
	case c == '\'' || c == '"':
		return scanString(s, i, "")
	case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
		n := numberEnd(s, i)
		if n < len(s) && isLetter(s[n]) {
			return t, 0, wrong("missing whitespace between literal and alias")
		}
		return token{kind: number, text: s[i:n]}, n, nil
	case c == '@':
		n := wordEnd(s, i+1)
		if n == i+1 {
			return t, 0, wrong("'@' without a parameter's name")
		}
		return token{kind: argument, text: s[i+1 : n]}, n, nil
	case c == '?':
		return token{kind: argument}, i + 1, nil
	case c >= utf8.RuneSelf:
		r, _ := utf8.DecodeRuneInString(s[i:])
		return t, 0, wrong("illegal input character %q", r)
	}
	for _, sym := range symbols {
		if strings.HasPrefix(s[i:], sym) {
			return token{kind: symbol, text: sym}, i + 2, nil
		}
	}
	return token{kind: symbol, text: s[i : i+1]}, i + 1, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func wordEnd(s string, i int) int {
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
		i++
	}
	return i
}

// numberEnd finds the end of 12, 1.5, .5, 1e-3 or 0xff.
func numberEnd(s string, i int) int {
	if strings.HasPrefix(s[i:], "0x") || strings.HasPrefix(s[i:], "0X") {
		for i += 2; i < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0; i++ {
		}
		return i
	}
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			for i = j; i < len(s) && isDigit(s[i]); i++ {
			}
		}
	}
	return i
}

// position says where in the query, as the service does: [line:column].
func position(s string, at int) string {
	at = min(at, len(s))
	line := strings.Count(s[:at], "\n")
	return fmt.Sprintf("[%d:%d]", line+1, at-strings.LastIndexByte(s[:at], '\n'))
}
