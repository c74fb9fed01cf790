package gatewayd

import (
	"context"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// claims is what of a provision.Store hears that a credential was used.
type claims interface {
	Used(ctx context.Context, device uint64, credential gateway.Credential, at time.Time) error
}

const (
	usedTime  = 2 * time.Second
	lateEvery = 5 * time.Second
	maxUses   = 100_000
)

// uses tells the store of the first use of each credential that may be a claim's: of
// those that came with a certificate. A gateway that starts again tells it once more,
// which changes nothing.
type uses struct {
	Claims claims
	Log    *zap.Logger

	mu   sync.Mutex
	told map[use]bool
	late map[use]lateUse
}

// lateUse is one that the store could not be told of in time.
type lateUse struct {
	credential gateway.Credential
	at         time.Time
}

type use struct {
	device     uint64
	credential [sha256.Size]byte
}

// tell returns when the store knows, or cannot be told now: then Run tells it. No device
// is kept out by that.
func (u *uses) tell(ctx context.Context, a *gateway.Admission, now time.Time) {
	if u == nil || a.Credential < 0 {
		return
	}
	c := a.Device.Credentials[a.Credential]
	if c.Format != gateway.ES256X509 && c.Format != gateway.RSAX509 {
		return
	}
	one := use{a.Device.Number, sha256.Sum256([]byte(c.PEM))}
	u.mu.Lock()
	known := u.told[one]
	u.mu.Unlock()
	if known {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, usedTime)
	defer cancel()
	if err := u.Claims.Used(ctx, one.device, c, now); err != nil {
		u.Log.Warn("a claim does not know yet that its device has connected", zap.Stringer("device", a.Device.Key), zap.Error(err))
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.late == nil {
			u.late = map[use]lateUse{}
		}
		if len(u.late) < maxUses {
			u.late[one] = lateUse{c, now}
		}
		return
	}
	u.keep(one)
}

// keep remembers what the store knows.
func (u *uses) keep(one use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.late, one)
	if u.told == nil || len(u.told) >= maxUses {
		u.told = map[use]bool{}
	}
	u.told[one] = true
}

// Run tells what was late, until ctx ends.
func (u *uses) Run(ctx context.Context) error {
	tick := time.NewTicker(lateEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		u.mu.Lock()
		late := maps.Clone(u.late)
		u.mu.Unlock()
		for one, l := range late {
			asking, cancel := context.WithTimeout(ctx, lateEvery)
			err := u.Claims.Used(asking, one.device, l.credential, l.at)
			cancel()
			if err != nil {
				break // the store is not there yet
			}
			u.keep(one)
		}
	}
}
