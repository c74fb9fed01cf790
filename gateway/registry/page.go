package registry

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"iotbridge/gateway"
)

// Most entries of a page, what a page of 0 gets, and the bytes after which a page of
// devices ends early: a stock gRPC client takes 4 MiB.
const (
	maxPage     = 500
	defaultPage = 100
	pageBytes   = 3 << 20
)

var badToken = &gateway.InvalidError{Field: "page_token", Reason: "was not given for this list; begin without one"}

// pageKey signs page tokens, so that a token only says what we said. It is kept in
// the store: every gateway, and a restored copy, takes what another gave.
//
//	token = base64url( HMAC-SHA256(len(scope) ‖ scope ‖ last)[:16] ‖ last )
//
// scope is the list that it pages through, last the key of the page's last entry.
type pageKey []byte

const macLen, maxToken = 16, 1024

func (k pageKey) mac(scope, last string) []byte {
	h := hmac.New(sha256.New, k)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(scope)))
	h.Write(n[:])
	h.Write([]byte(scope))
	h.Write([]byte(last))
	return h.Sum(nil)[:macLen]
}

func (k pageKey) sign(scope, last string) string {
	return base64.RawURLEncoding.EncodeToString(append(k.mac(scope, last), last...))
}

// open returns the last key that was seen, "" at the beginning, and the size to use.
func (k pageKey) open(scope string, p gateway.Page) (last string, size int, err error) {
	if p.Size < 0 {
		return "", 0, &gateway.InvalidError{Field: "page_size", Reason: "is negative"}
	}
	if size = min(p.Size, maxPage); size == 0 {
		size = defaultPage
	}
	if p.Token == "" {
		return "", size, nil
	}
	if len(p.Token) > maxToken || strings.ContainsAny(p.Token, "\r\n") { // which base64 passes over
		return "", 0, badToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Token)
	if err != nil || len(raw) <= macLen {
		return "", 0, badToken
	}
	last = string(raw[macLen:])
	if !hmac.Equal(raw[:macLen], k.mac(scope, last)) {
		return "", 0, badToken
	}
	return last, size, nil
}

// loadPageKey reads the store's key, and makes it the first time.
func (s *Store) loadPageKey(ctx context.Context) error {
	key, err := s.Fleet().Secret(ctx, "page_key")
	if err != nil {
		return err
	}
	if len(key) != secretLen {
		return fmt.Errorf("the key of page tokens has %d bytes, want %d", len(key), secretLen)
	}
	s.pages = key
	return nil
}
