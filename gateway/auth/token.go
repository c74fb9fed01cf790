package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"iotbridge/gateway"
)

// MaxToken bounds a token, in bytes, before anything else looks at it.
const MaxToken = 4096

const (
	es256 = "ES256"
	rs256 = "RS256"
)

// token is a JWT (RFC 7519) of three segments that has kept all rules of form.
type token struct {
	algorithm string
	claims    claims
	signed    string // what the signature is over, as it came
	signature []byte
}

// parse reads a token. Its error is a *gateway.Refusal.
func parse(text []byte) (*token, error) {
	switch {
	case len(text) == 0:
		return nil, refuse(gateway.TokenMissing)
	case len(text) > MaxToken:
		return nil, refuse(gateway.TokenTooLong)
	// base64 skips line ends, wherever they are.
	case bytes.Count(text, []byte(".")) != 2 || bytes.ContainsAny(text, "\r\n"):
		return nil, refuse(gateway.TokenMalformed)
	}
	dot := bytes.LastIndexByte(text, '.')
	header, body, _ := bytes.Cut(text[:dot], []byte("."))
	t := &token{signed: string(text[:dot])}
	steps := []struct {
		segment []byte
		read    func([]byte) error
	}{
		{header, func(b []byte) error { return t.readHeader(b) }},
		{body, func(b []byte) error { return t.claims.read(b) }},
		{text[dot+1:], func(b []byte) error { t.signature = b; return nil }},
	}
	for _, s := range steps {
		b, err := decode(s.segment)
		if err == nil {
			err = s.read(b)
		}
		var refusal *gateway.Refusal
		if errors.As(err, &refusal) {
			return nil, refusal
		}
		if err != nil {
			return nil, refuse(gateway.TokenMalformed)
		}
	}
	return t, nil
}

// decode reads base64url (RFC 4648, section 5) without stray bits. Google's C SDK
// pads, others do not.
func decode(segment []byte) ([]byte, error) {
	encoding := base64.RawURLEncoding
	if bytes.HasSuffix(segment, []byte("=")) {
		encoding = base64.URLEncoding
	}
	return encoding.Strict().AppendDecode(nil, segment)
}

// readHeader takes alg, and typ and kid if they are strings; any other member could
// ask for something that we do not do. kid chooses nothing: all keys of the device
// are tried.
func (t *token) readHeader(text []byte) error {
	err := document(text, func(d *jsontext.Decoder, name string) error {
		value, ok, err := readString(d)
		switch {
		case err != nil:
			return err
		case !ok:
			return refuse(gateway.TokenHeader)
		case name == "alg":
			t.algorithm = value
		case name == "typ" && !strings.EqualFold(value, "JWT") || name != "typ" && name != "kid":
			return refuse(gateway.TokenHeader)
		}
		return nil
	})
	if err == nil && t.algorithm != es256 && t.algorithm != rs256 {
		return refuse(gateway.TokenAlgorithm)
	}
	return err
}
