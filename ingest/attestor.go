package ingest

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/zap"

	"iotbridge/internal/watched"
	"iotbridge/schema"
)

// Attestor checks the gateway's signature on each message.
type Attestor struct {
	keys    *watched.File[*schema.Keyring]
	require bool
}

// OpenAttestor reads the key file, which must be there and not readable by
// others. With require, a message without a signature is at fault too.
func OpenAttestor(path string, require bool) (*Attestor, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("attestation keys: %s can be read by everyone: chmod 600 it", path)
	}
	keys, err := watched.Open(path, schema.ParseKeyring)
	if err != nil {
		return nil, fmt.Errorf("attestation keys: %w", err)
	}
	return &Attestor{keys, require}, nil
}

// Watch keeps the keys fresh until ctx ends.
func (a *Attestor) Watch(ctx context.Context, log *zap.Logger) { a.keys.Watch(ctx, log) }

func (a *Attestor) verify(m *schema.Message) *schema.Rejection {
	why := a.keys.Current().Verify(m)
	if why != nil && why.Reason == schema.AttestationMissing && !a.require {
		return nil
	}
	return why
}
