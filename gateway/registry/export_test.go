package registry

import (
	"context"
	"time"
)

// Trim is what Run does every minute.
func (s *Store) Trim(ctx context.Context) error { return s.bus.(*sharedBus).trim(ctx) }

// Settle sets right what was done without the database.
func (s *Store) Settle(ctx context.Context) error { return s.bus.(*sharedBus).settle(ctx) }

// ReleaseAndStand releases a claim, and claims the device again while the database is
// being told and does not answer.
func (s *Store) ReleaseAndStand(ctx context.Context, device uint64, epoch int64, instance string) (stood bool, err error) {
	b := s.bus.(*sharedBus)
	b.held.begin(device, instance)
	defer b.held.end(device, 0)
	b.held.leave(device, epoch)
	_, stood = b.held.stand(device)
	return stood, b.free(ctx, device, epoch)
}

// Held is of how many devices this run remembers that it holds them.
func (s *Store) Held() int {
	b := s.bus.(*sharedBus)
	b.held.mu.Lock()
	defer b.held.mu.Unlock()
	return len(b.held.claims)
}

// ExpiringBy is Expiring in pages of another size.
func (s *Store) ExpiringBy(ctx context.Context, now, until time.Time, page int) (int64, error) {
	return s.expiring(ctx, now, until, page)
}
