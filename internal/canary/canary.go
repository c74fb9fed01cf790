// Package canary finds private keys where none may be: tests plant one, and look for it
// in all that was written.
package canary

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// Sings says whether the key is in the text: its scalar as it is, as it stands in DER,
// in PEM whose lines may be escaped, in hexadecimal, in base64 of either alphabet
// wherever that begins, as a decimal number, or as a list of bytes.
func Sings(text []byte, key *ecdsa.PrivateKey) bool {
	scalar, err := key.Bytes()
	if err != nil {
		return false
	}
	list := strings.Trim(fmt.Sprintf("%d", scalar), "[]")
	forms := [][]byte{
		scalar, []byte(hex.EncodeToString(scalar)), []byte(strings.ToUpper(hex.EncodeToString(scalar))),
		[]byte(new(big.Int).SetBytes(scalar).String()),
		[]byte(list), []byte(strings.ReplaceAll(list, " ", ",")),
	}
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			// Of the first and the last characters a part is of what stands around.
			forms = append(forms, []byte(alphabet.EncodeToString(append(make([]byte, before), scalar...))[4:40]))
		}
	}
	dense := text
	for _, end := range []string{"\r", "\n", `\r`, `\n`} {
		dense = bytes.ReplaceAll(dense, []byte(end), nil)
	}
	for _, form := range forms {
		if bytes.Contains(text, form) || bytes.Contains(dense, form) {
			return true
		}
	}
	return false
}
