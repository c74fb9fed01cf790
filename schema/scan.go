package schema

import "unicode/utf8"

// maxDepth bounds nesting; the body itself is 1.
const maxDepth = 16

// kind is what a JSON value is.
type kind uint8

const (
	absent      kind = iota
	plainText        // a string without escapes
	escapedText      // a string with escapes
	integer          // a number without fraction and exponent
	number           // any other number
	isTrue
	isFalse
	null
	object
	array
)

// token is a value's place in the text; a string's includes its quotes.
type token struct {
	kind     kind
	from, to int
}

// scanner reads a JSON text as RFC 8259 writes it, in UTF-8 without a byte order
// mark, without lone surrogates, and no deeper than maxDepth. It looks at each
// byte once and keeps nothing.
type scanner struct {
	text  []byte
	at    int
	fault string // why reading ended at at; "" while all is well
}

func (s *scanner) fail(fault string) kind {
	if s.fault == "" {
		s.fault = fault
	}
	return absent
}

// peek skips white space and returns the byte after it, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// more moves over the comma before an element of an object or an array, or over
// its closing byte, and then says false; so it does at a fault.
func (s *scanner) more(closing byte, first bool) bool {
	c := s.peek()
	switch {
	case c == closing && s.fault == "":
		s.at++
		return false
	case first:
		return true
	case c == ',':
		s.at++
		return true
	}
	s.fail("expected a comma or the end of an object or array")
	return false
}

// member reads a name, the colon and a value.
func (s *scanner) member(depth int) (name, value token) {
	if s.peek() != '"' {
		s.fail("expected a member's name")
		return
	}
	from := s.at
	name = token{s.string(), from, s.at}
	if s.fault != "" {
		return
	}
	if s.peek() != ':' {
		s.fail("expected a colon")
		return
	}
	s.at++
	return name, s.value(depth)
}

// value reads any value, inside so many objects and arrays.
func (s *scanner) value(depth int) token {
	c := s.peek()
	v := token{from: s.at}
	switch {
	case c == '"':
		v.kind = s.string()
	case c == '-' || isDigit(c):
		v.kind = s.number()
	case c == '{' || c == '[':
		v.kind = s.nested(c, depth+1)
	case c == 't':
		v.kind = s.literal("true", isTrue)
	case c == 'f':
		v.kind = s.literal("false", isFalse)
	case c == 'n':
		v.kind = s.literal("null", null)
	default:
		s.fail("expected a value")
	}
	v.to = s.at
	return v
}

func (s *scanner) nested(opening byte, depth int) kind {
	if depth > maxDepth {
		return s.fail("nested deeper than 16")
	}
	s.at++
	if opening == '[' {
		for first := true; s.more(']', first); first = false {
			if s.value(depth); s.fault != "" {
				break
			}
		}
		return array
	}
	for first := true; s.more('}', first); first = false {
		if s.member(depth); s.fault != "" {
			break
		}
	}
	return object
}

func (s *scanner) literal(word string, k kind) kind {
	if rest := s.text[s.at:]; len(rest) < len(word) || string(rest[:len(word)]) != word {
		return s.fail("expected a value")
	}
	s.at += len(word)
	return k
}

// number reads a number.
func (s *scanner) number() kind {
	k := integer
	if s.byteAt() == '-' {
		s.at++
	}
	if s.byteAt() == '0' {
		s.at++
	} else if !s.digits() {
		return s.fail("expected a digit")
	}
	if s.byteAt() == '.' {
		s.at++
		if k = number; !s.digits() {
			return s.fail("expected a digit after the point")
		}
	}
	if s.byteAt()|0x20 == 'e' {
		s.at++
		if c := s.byteAt(); c == '+' || c == '-' {
			s.at++
		}
		if k = number; !s.digits() {
			return s.fail("expected a digit in the exponent")
		}
	}
	return k
}

func (s *scanner) byteAt() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) digits() bool {
	from, i := s.at, s.at
	for i < len(s.text) && isDigit(s.text[i]) {
		i++
	}
	s.at = i
	return i > from
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// string reads a string, from quote to quote.
func (s *scanner) string() kind {
	k := plainText
	b, i := s.text, s.at+1
	for {
		for i < len(b) && textBytes[b[i]] {
			i++
		}
		s.at = i
		if i == len(b) {
			return s.fail("ends inside a string")
		}
		switch c := b[i]; {
		case c == '"':
			s.at++
			return k
		case c == '\\':
			k = escapedText
			_, n := unescape(b[i:])
			if n == 0 {
				return s.fail("an escape that JSON does not have, or half a surrogate pair")
			}
			i += n
		case c < ' ':
			return s.fail("a control character inside a string")
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("not UTF-8")
			}
			i += n
		}
	}
}

// textBytes is what stands for itself in a string: ASCII without control
// characters, quote and backslash.
var textBytes = func() (set [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()
