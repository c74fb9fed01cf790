package schema

import "unicode/utf8"

// appendQuoted appends s as a JSON string. A byte that is not UTF-8 becomes U+FFFD.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

// appendAttributesJSON appends the attributes as one object of strings, as they came.
func appendAttributesJSON(dst []byte, attributes []Attribute) []byte {
	dst = append(dst, '{')
	for i := range attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, attributes[i].Key)
		dst = append(dst, ':')
		dst = appendQuoted(dst, attributes[i].Value)
	}
	return append(dst, '}')
}
