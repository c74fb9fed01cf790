package gateway

import (
	"fmt"
	"os"

	"iotbridge/internal/watched"
	"iotbridge/schema"
)

// Signer attests messages: by its signature the worker knows the gateway.
type Signer struct {
	keys *watched.File[*schema.Keyring]
}

// OpenSigner reads the key file, which must be there and not readable by everyone.
// While the bridge runs it is read again when it changes.
func OpenSigner(path string) (*Signer, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("attestation keys: %s can be read by everyone: chmod 600 it", path)
	}
	keys, err := watched.Open(path, schema.ParseKeyring)
	if err != nil {
		return nil, fmt.Errorf("attestation keys: %w", err)
	}
	return &Signer{keys}, nil
}

// sign returns the attestation of a message with these attributes.
func (s *Signer) sign(attributes []Attribute, data []byte) string {
	m := schema.Message{Attributes: make([]schema.Attribute, 0, len(attributes)), Data: data}
	for _, a := range attributes {
		m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(a.Key), Value: []byte(a.Value)})
	}
	return s.keys.Current().Sign(&m)
}
