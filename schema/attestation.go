package schema

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
)

const (
	keySize       = sha256.Size
	maxKeyID      = 64
	signatureSize = 43 // base64url without padding
	sealVersion   = "v1."
)

// sealed are the attributes under the signature, in order.
var sealed = [...]string{
	AttrDeviceID, AttrDeviceNumID, AttrRegistryID, AttrRegistryLocation, AttrProjectID, AttrSubFolder, AttrGatewayID,
}

// Keyring signs and verifies the attestation: "v1.", a key's id, "." and the
// base64url HMAC-SHA256 over each of the trusted attributes in order (a 4-byte
// big-endian length and the bytes; absent is empty), then the data's 8-byte length
// and the data. Several goroutines may use it.
type Keyring struct{ keys []*key } // the first one signs

type key struct {
	id    string
	macs  sync.Pool // of *seal
	bytes [keySize]byte
}

// seal is a signature in the making.
type seal struct {
	mac   hash.Hash
	frame [8]byte
	sum   [keySize]byte
	text  [signatureSize]byte
}

// ParseKeyring reads a key file: "key-id base64(32 bytes)" a line, blank lines and
// those that begin with # apart. The first key signs, all verify. Its errors say
// the line, never what stands there.
func ParseKeyring(file []byte) (*Keyring, error) {
	ring := new(Keyring)
	n := 0
	for line := range bytes.Lines(file) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if ring.find([]byte(k.id)) != nil {
			return nil, fmt.Errorf("line %d: a key id that is there already", n)
		}
		ring.keys = append(ring.keys, k)
	}
	if len(ring.keys) == 0 {
		return nil, errors.New("no key: a line is key-id base64(32 bytes)")
	}
	return ring, nil
}

func parseKey(line []byte) (*key, error) {
	fields := bytes.Fields(line)
	if len(fields) != 2 {
		return nil, errors.New("not of the form key-id base64(32 bytes)")
	}
	if !validKeyID(fields[0]) {
		return nil, fmt.Errorf("a key id has 1 to %d letters, digits, - and _", maxKeyID)
	}
	// Not base64's own error: it quotes the key.
	secret, err := base64.StdEncoding.Strict().DecodeString(string(fields[1]))
	if err != nil || len(secret) != keySize {
		return nil, fmt.Errorf("a key is the base64 of %d bytes", keySize)
	}
	k := &key{id: string(fields[0]), bytes: [keySize]byte(secret)}
	k.macs.New = func() any { return &seal{mac: hmac.New(sha256.New, k.bytes[:])} }
	return k, nil
}

func validKeyID(id []byte) bool {
	for _, c := range id {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return 1 <= len(id) && len(id) <= maxKeyID
}

// Sign returns the attestation of a message that has all its other attributes.
func (r *Keyring) Sign(m *Message) string {
	k := r.keys[0]
	s := k.macs.Get().(*seal)
	defer k.macs.Put(s)
	return sealVersion + k.id + "." + string(s.sign(m))
}

// Verify returns nil when the message carries a signature of one of the keys, else
// attestation_missing or attestation_invalid.
func (r *Keyring) Verify(m *Message) *Rejection {
	attestation, ok := m.Attr(AttrAttestation)
	if !ok {
		return &Rejection{AttestationMissing, "no attribute attestation"}
	}
	rest, ok := bytes.CutPrefix(attestation, []byte(sealVersion))
	id, signature, dot := bytes.Cut(rest, []byte("."))
	if !ok || !dot || len(signature) != signatureSize {
		return &Rejection{AttestationInvalid, "not of the form v1.KEY.SIGNATURE"}
	}
	k := r.find(id)
	if k == nil {
		return &Rejection{AttestationInvalid, "signed with a key that is not in the key file"}
	}
	s := k.macs.Get().(*seal)
	defer k.macs.Put(s)
	if !hmac.Equal(s.sign(m), signature) {
		return &Rejection{AttestationInvalid, "the signature does not match attributes and data"}
	}
	return nil
}

func (r *Keyring) find(id []byte) *key {
	for _, k := range r.keys {
		if k.id == string(id) {
			return k
		}
	}
	return nil
}

// sign returns the signature's text, which holds until the seal is used again.
func (s *seal) sign(m *Message) []byte {
	s.mac.Reset()
	for _, name := range sealed {
		value, _ := m.Attr(name)
		binary.BigEndian.PutUint32(s.frame[:4], uint32(len(value)))
		s.mac.Write(s.frame[:4])
		s.mac.Write(value)
	}
	binary.BigEndian.PutUint64(s.frame[:], uint64(len(m.Data)))
	s.mac.Write(s.frame[:])
	s.mac.Write(m.Data)
	base64.RawURLEncoding.Encode(s.text[:], s.mac.Sum(s.sum[:0]))
	return s.text[:]
}
