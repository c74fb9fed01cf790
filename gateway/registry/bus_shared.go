package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

const (
	beatEvery = 5 * time.Second
	trimEvery = time.Minute
	// A run that has not beaten for so long is dead, and its claims with it.
	alive = `beat > now() - interval '20 seconds'`
)

// sharedBus connects the gateways of one database. Every Open is a run of its own:
// the claims of a gateway that died do not come to life with the next of its name.
type sharedBus struct {
	store *Store
	watchers
	waiting
	ear  *ear
	self int64
	held held
}

func newSharedBus(ctx context.Context, s *Store, config *pgx.ConnConfig) (*sharedBus, error) {
	b := &sharedBus{store: s, self: newRun(), held: held{claims: map[uint64]*holding{}}}
	b.ear = &ear{bus: b, config: config, missing: map[int64]time.Time{}}
	if err := b.ear.begin(ctx); err != nil {
		return nil, err
	}
	return b, b.beat(ctx)
}

// newRun is a random number above 0.
func newRun() int64 {
	var raw [8]byte
	rand.Read(raw[:]) // never fails
	return int64(binary.BigEndian.Uint64(raw[:])>>1 | 1)
}

func (b *sharedBus) run(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { return b.ear.run(ctx) })
	g.Go(func() error { return b.regularly(ctx, beatEvery, b.live) })
	g.Go(func() error { return b.regularly(ctx, trimEvery, b.trim) })
}

// regularly does what may fail and is then done the next time.
func (b *sharedBus) regularly(ctx context.Context, every time.Duration, do func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			limited, done := context.WithTimeout(ctx, every)
			if err := do(limited); err != nil && ctx.Err() == nil {
				b.store.log.Warn("registry", zap.Error(b.store.engine.explain(err)))
			}
			done()
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *sharedBus) live(ctx context.Context) error {
	if err := b.beat(ctx); err != nil {
		return err
	}
	return b.settle(ctx)
}

func (b *sharedBus) beat(ctx context.Context) error {
	_, err := b.store.read().exec(ctx, `INSERT INTO runs (id, beat) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET beat = now()`, b.self)
	return err
}

// trim forgets what every gateway has read, or has to be told of by Resync.
func (b *sharedBus) trim(ctx context.Context) error {
	for _, query := range []string{
		`DELETE FROM changes WHERE at < now() - interval '10 minutes'`,
		`DELETE FROM commands WHERE at < now() - interval '10 minutes'`,
		`DELETE FROM runs WHERE beat < now() - interval '1 day'`,
	} {
		if _, err := b.store.read().exec(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// close ends this run: its claims lapse at once.
func (b *sharedBus) close() {
	ctx, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	if _, err := b.store.read().exec(ctx, `DELETE FROM runs WHERE id = $1`, b.self); err != nil {
		b.store.log.Warn("registry: its claims lapse in 20 s", zap.Error(err))
	}
}

// record writes what the transaction announces, and wakes who listens once it is
// committed.
func (b *sharedBus) record(ctx context.Context, t *tx) error {
	for _, n := range t.notices {
		if _, err := t.exec(ctx, `INSERT INTO changes (kind, device, project, location, registry, instance, epoch, run, command, verdict)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, n.Kind, int64(n.Device), n.Registry.Project, n.Registry.Location, n.Registry.Registry,
			n.Instance, n.Epoch, n.run, n.command, n.verdict); err != nil {
			return err
		}
	}
	if len(t.notices) == 0 {
		return nil
	}
	_, err := t.exec(ctx, `SELECT pg_notify($1, '')`, channel)
	return err
}

func (b *sharedBus) committed([]notice) {} // the ear hears it, as the others do

func (b *sharedBus) Watch(ctx context.Context, changed func(gateway.Change)) error {
	return b.watch(ctx, changed)
}

// Claim asks the database, and where that does not answer, what this run knows.
func (b *sharedBus) Claim(ctx context.Context, device uint64, instance string) (epoch int64, err error) {
	mayStand := b.held.begin(device, instance)
	defer func() { b.held.end(device, epoch) }()
	asking := ctx
	if mayStand {
		var done context.CancelFunc
		asking, done = context.WithTimeout(ctx, standAfter)
		defer done()
	}
	claimed, err := b.claim(asking, device, instance)
	if err == nil {
		return claimed, nil
	}
	if errors.Is(err, gateway.ErrNotFound) || ctx.Err() != nil {
		return 0, err
	}
	stood, ok := b.held.stand(device)
	if !ok {
		return 0, err
	}
	b.store.log.Warn("registry: a device is claimed without the database", zap.Uint64("device", device), zap.Error(b.store.engine.explain(err)))
	return stood, nil
}

func (b *sharedBus) claim(ctx context.Context, device uint64, instance string) (epoch int64, err error) {
	err = b.store.write(ctx, func(t *tx) error {
		before, err := t.one(ctx, `SELECT run FROM claims WHERE device = $1 FOR UPDATE`, int64(device))
		first := errors.Is(err, gateway.ErrNotFound)
		if err != nil && !first {
			return err
		}
		epoch, err = t.one(ctx, `INSERT INTO claims (device, epoch, run, instance) SELECT number, 1, $2, $3 FROM devices WHERE number = $1
			ON CONFLICT (device) DO UPDATE SET epoch = claims.epoch + 1, run = excluded.run, instance = excluded.instance RETURNING epoch`,
			int64(device), b.self, instance)
		if err != nil {
			return fmt.Errorf("device %d: %w", device, err)
		}
		// Two that both saw no row were numbered one after the other.
		if before != 0 || first && epoch > 1 {
			t.announce(gateway.Change{Kind: gateway.Claimed, Device: device, Instance: instance, Epoch: epoch})
		}
		return nil
	})
	return epoch, err
}

func (b *sharedBus) Release(ctx context.Context, device uint64, epoch int64) error {
	if !b.held.leave(device, epoch) {
		return nil
	}
	return b.free(ctx, device, epoch)
}

func (b *sharedBus) free(ctx context.Context, device uint64, epoch int64) error {
	_, err := b.store.read().exec(ctx, `UPDATE claims SET run = 0 WHERE device = $1 AND epoch = $2`, int64(device), epoch)
	if err == nil {
		b.held.settled(device, epoch, false)
	}
	return err
}

func (b *sharedBus) Holder(ctx context.Context, device uint64) (instance string, epoch int64, err error) {
	instance, epoch, _, err = b.holder(ctx, device)
	return instance, epoch, err
}

func (b *sharedBus) holder(ctx context.Context, device uint64) (instance string, epoch, run int64, err error) {
	err = b.store.read().row(ctx, `SELECT c.instance, c.epoch, c.run FROM claims c JOIN runs r ON r.id = c.run WHERE c.device = $1 AND r.`+alive,
		int64(device)).Scan(&instance, &epoch, &run)
	if errors.Is(err, sql.ErrNoRows) {
		err = notConnected(device)
	}
	return instance, epoch, run, err
}
