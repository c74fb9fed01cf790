package ingest

import (
	"bytes"
	"context"
	"fmt"

	"go.uber.org/zap"

	"iotbridge/internal/watched"
	"iotbridge/schema"
)

// DenyList names devices whose messages are quarantined: a file with
// registry/device a line, by name or number, blank lines and # comments apart. It
// is read again when it changes.
type DenyList struct {
	list *watched.File[map[string]bool]
}

// OpenDenyList reads the file; it must be there.
func OpenDenyList(path string) (*DenyList, error) {
	list, err := watched.Open(path, parseDenyList)
	if err != nil {
		return nil, fmt.Errorf("deny list: %w", err)
	}
	return &DenyList{list}, nil
}

// Watch keeps the list fresh until ctx ends.
func (d *DenyList) Watch(ctx context.Context, log *zap.Logger) { d.list.Watch(ctx, log) }

func parseDenyList(raw []byte) (map[string]bool, error) {
	list := map[string]bool{}
	n := 0
	for line := range bytes.Lines(raw) {
		n++
		line, _, _ = bytes.Cut(line, []byte("#"))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		registry, device, ok := bytes.Cut(line, []byte("/"))
		if !ok || !schema.ValidID(registry) || !schema.ValidID(device) && !schema.ValidNumID(device) {
			return nil, fmt.Errorf("line %d is not registry/device", n)
		}
		list[string(line)] = true
	}
	return list, nil
}
