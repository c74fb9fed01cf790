package provision

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
)

// The armour of a certification request, the second as old tools write it.
const (
	armourRequest    = "CERTIFICATE REQUEST"
	armourNewRequest = "NEW CERTIFICATE REQUEST"
	armourPublicKey  = "PUBLIC KEY"
)

const spaces = " \t\r\n"

var errBody = errors.New("want DER, its base64 (RFC 4648 section 4), or one block of PEM")

// unwrap returns the DER of a body: as it is, in base64 with any line breaks, or as one
// block of PEM with one of the names. Which of them it is the bytes say: the DER of what
// is sent here begins with 0x30, its base64 with M. A Content-Transfer-Encoding is not
// asked (RFC 8951, section 3). What the DER holds is not looked at.
func unwrap(body []byte, armours ...string) ([]byte, error) {
	trimmed := bytes.Trim(body, spaces)
	if text, ok := bytes.CutPrefix(trimmed, []byte("-----BEGIN ")); ok {
		for _, name := range armours {
			inner, ok := bytes.CutPrefix(text, []byte(name+"-----"))
			if !ok {
				continue
			}
			if inner, ok = bytes.CutSuffix(inner, []byte("-----END "+name+"-----")); ok {
				return decodeBase64(inner)
			}
		}
		return nil, errBody
	}
	switch {
	case len(trimmed) == 0:
		return nil, errBody
	case trimmed[0] == 'M':
		return decodeBase64(trimmed)
	case body[0] == 0x30: // and its spaces are its own
		return body, nil
	}
	return nil, errBody
}

// decodeBase64 reads the standard alphabet; all of the padding may be missing.
func decodeBase64(text []byte) ([]byte, error) {
	dense := bytes.Map(func(r rune) rune {
		if strings.ContainsRune(spaces, r) {
			return -1
		}
		return r
	}, text)
	alphabet := base64.StdEncoding
	if !bytes.HasSuffix(dense, []byte{'='}) {
		alphabet = base64.RawStdEncoding
	}
	der, err := alphabet.Strict().AppendDecode(nil, dense)
	if err != nil || len(der) == 0 || der[0] != 0x30 {
		return nil, errBody
	}
	return der, nil
}

// lineLength is what RFC 7468 and every tool break base64 at.
const lineLength = 64

// encodeBase64 writes lines of 64 characters, each with its end.
func encodeBase64(der []byte) []byte {
	text := base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(der))), der)
	out := make([]byte, 0, len(text)+len(text)/lineLength+1)
	for len(text) > 0 {
		n := min(lineLength, len(text))
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	return out
}
