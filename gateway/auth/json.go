package auth

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds nesting; the header or the claims themselves are 1.
const maxDepth = 16

var (
	errNotObject = errors.New("not one JSON object")
	errDeep      = errors.New("nested too deep")
	errAmbiguous = errors.New("a name that could be read as another")
)

// document reads a text that is one JSON object; member is called after each name
// and reads the value.
func document(text []byte, member func(d *jsontext.Decoder, name string) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if err := object(d, 1, member); err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF { //nolint:errorlint // the decoder's io.EOF is bare
		return errNotObject
	}
	return nil
}

// object reads one object. No two names in it may be equal but for case, which some
// reader of the token might not see, and none may leave ASCII, where letters are
// that look like others.
func object(d *jsontext.Decoder, depth int, member func(d *jsontext.Decoder, name string) error) error {
	if depth > maxDepth {
		return errDeep
	}
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return errNotObject
	}
	seen := map[string]bool{}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		folded := strings.ToLower(name)
		if seen[folded] || !isASCII(name) {
			return errAmbiguous
		}
		seen[folded] = true
		if err := member(d, name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// skip reads a value for its form alone.
func skip(d *jsontext.Decoder, depth int) error {
	switch d.PeekKind() {
	case '{':
		return object(d, depth+1, func(d *jsontext.Decoder, _ string) error { return skip(d, depth+1) })
	case '[':
		if depth >= maxDepth {
			return errDeep
		}
		_, err := d.ReadToken()
		for err == nil && d.PeekKind() != ']' {
			err = skip(d, depth+1)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// readString reads a string; ok is false for any other value.
func readString(d *jsontext.Decoder) (value string, ok bool, err error) {
	token, err := d.ReadToken()
	if err != nil || token.Kind() != '"' {
		return "", false, err
	}
	return token.String(), true, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
