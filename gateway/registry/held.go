package registry

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// standAfter is how long the store is waited for when a claim can stand without it.
const standAfter = 2 * time.Second

// held is what this run holds of devices, as far as it was told. While the database
// does not answer, a device that this run was the last to claim may be claimed here
// again, under the same epoch. Nobody can promise then that it is not claimed elsewhere
// too: a gateway that still reaches the database takes it over, and this run hears of
// that when it reaches it again. A device that is another's, or free, is not claimed
// without the database: of one that was released, nobody is told who claims it next.
type held struct {
	mu     sync.Mutex
	claims map[uint64]*holding
}

type holding struct {
	instance  string
	epoch     int64 // ours; 0: none
	elsewhere int64 // the latest of another that was heard of
	claiming  int
	sessions  int  // on this epoch, not released yet: more than one when claims stood in
	unsettled bool // the database may not know it as ours
}

func (h *holding) ours() bool { return h.epoch > h.elsewhere }

// begin is before a claim, end after it: what is heard in between is not missed.
func (h *held) begin(device uint64, instance string) (mayStand bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.claims[device]
	if one == nil {
		one = &holding{}
		h.claims[device] = one
	}
	one.instance = instance
	one.claiming++
	return one.ours()
}

// end books a claim that the database has confirmed; 0 is one that it has not.
func (h *held) end(device uint64, epoch int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.claims[device]
	if epoch > one.epoch {
		one.epoch, one.sessions, one.unsettled = epoch, 1, false
	}
	one.claiming--
	h.tidy(device, one)
}

// stand claims without the database; false when the device is not ours.
func (h *held) stand(device uint64) (epoch int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.claims[device]
	if !one.ours() {
		return 0, false
	}
	one.sessions++
	one.unsettled = true
	return one.epoch, true
}

// heard notes another's claim.
func (h *held) heard(c gateway.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one := h.claims[c.Device]; one != nil && c.Instance != one.instance {
		one.elsewhere = max(one.elsewhere, c.Epoch)
		h.tidy(c.Device, one)
	}
}

// leave is before a claim is released; false when other sessions stand on it.
func (h *held) leave(device uint64, epoch int64) (last bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.claims[device]
	if one == nil || one.epoch != epoch || one.sessions == 0 {
		return true
	}
	one.sessions--
	one.unsettled = true
	return one.sessions == 0
}

// settled is after the database has confirmed what became of a claim.
func (h *held) settled(device uint64, epoch int64, ours bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.claims[device]
	if one == nil || one.epoch != epoch || one.sessions > 0 != ours {
		return // meanwhile it is otherwise: the next time
	}
	if one.unsettled = false; !ours {
		one.epoch = 0
	}
	h.tidy(device, one)
}

// tidy forgets what is nobody's business any more.
func (h *held) tidy(device uint64, one *holding) {
	if one.claiming == 0 && !one.ours() {
		delete(h.claims, device)
	}
}

// open are the claims that the database may have otherwise.
func (h *held) open() map[uint64]holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[uint64]holding{}
	for device, one := range h.claims {
		if one.unsettled {
			found[device] = *one
		}
	}
	return found
}

// settle makes true in the database what was done without it, and tells who is held
// elsewhere by now.
func (b *sharedBus) settle(ctx context.Context) error {
	for device, one := range b.held.open() {
		if one.sessions == 0 {
			if err := b.free(ctx, device, one.epoch); err != nil {
				return err
			}
			continue
		}
		n, err := b.store.read().exec(ctx, `UPDATE claims SET run = $3, instance = $4 WHERE device = $1 AND (run = $3 OR epoch = $2 AND run = 0)`,
			int64(device), one.epoch, b.self, one.instance)
		if err != nil {
			return err
		}
		if n == 1 {
			b.held.settled(device, one.epoch, true)
			continue
		}
		if err := b.lost(ctx, device); err != nil {
			return err
		}
	}
	return nil
}

// lost tells who holds a device that is not ours any more.
func (b *sharedBus) lost(ctx context.Context, device uint64) error {
	c := gateway.Change{Kind: gateway.Claimed, Device: device}
	err := b.store.read().row(ctx, `SELECT instance, epoch FROM claims WHERE device = $1`, int64(device)).Scan(&c.Instance, &c.Epoch)
	if errors.Is(err, sql.ErrNoRows) { // deleted, which is told otherwise
		return nil
	}
	if err != nil {
		return err
	}
	b.store.log.Info("registry: a device that was claimed without the database is another gateway's", zap.Uint64("device", device), zap.String("instance", c.Instance))
	b.held.heard(c)
	b.tell(c)
	return nil
}
