package registry

import "context"

// Trim is what Run does every minute.
func (s *Store) Trim(ctx context.Context) error { return s.bus.(*sharedBus).trim(ctx) }
