package registry

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

// localBus connects the one gateway of a file with itself. What it knows ends with
// the process, as the sessions do.
type localBus struct {
	watchers
	waiting

	mu     sync.Mutex
	epoch  int64 // the last one given, to whatever device
	claims map[uint64]claim
	beat   *gateway.Pulse // the latest
}

type claim struct {
	instance string
	epoch    int64
}

func newLocalBus() *localBus { return &localBus{claims: map[uint64]claim{}} }

func (b *localBus) run(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error {
		<-ctx.Done()
		return nil
	})
}

func (b *localBus) record(context.Context, *tx) error { return nil }
func (b *localBus) committed(notices []notice) {
	for _, n := range notices {
		b.tell(n.Change)
	}
}
func (b *localBus) close() {}
func (b *localBus) Watch(ctx context.Context, changed func(gateway.Change)) error {
	return b.watch(ctx, changed)
}

func (b *localBus) Claim(_ context.Context, device uint64, instance string) (int64, error) {
	b.mu.Lock()
	_, held := b.claims[device]
	b.epoch++
	epoch := b.epoch
	b.claims[device] = claim{instance, epoch}
	b.mu.Unlock()
	if held {
		b.tell(gateway.Change{Kind: gateway.Claimed, Device: device, Instance: instance, Epoch: epoch})
	}
	return epoch, nil
}

func (b *localBus) Release(_ context.Context, device uint64, epoch int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.claims[device].epoch == epoch {
		delete(b.claims, device)
	}
	return nil
}

func (b *localBus) Holder(_ context.Context, device uint64) (string, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.claims[device]
	if !ok {
		return "", 0, notConnected(device)
	}
	return c.instance, c.epoch, nil
}

func (b *localBus) Send(ctx context.Context, c gateway.Command) error {
	instance, epoch, err := b.Holder(ctx, c.Device)
	if err != nil {
		return err
	}
	c.ID = rand.Text()
	return b.wait(ctx, c.ID, func() error {
		b.tell(gateway.Change{Kind: gateway.CommandSent, Device: c.Device, Instance: instance, Epoch: epoch, Command: &c})
		return nil
	})
}

func (b *localBus) Answer(_ context.Context, command string, err error) error {
	b.answered(command, err)
	return nil
}

func (b *localBus) holding(arg func(any) string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return `SELECT value AS device FROM json_array_elements(` + arg(encode(slices.AppendSeq([]uint64{}, maps.Keys(b.claims)))) + `)`
}

func (b *localBus) pulse(_ context.Context, p gateway.Pulse) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beat = &p
	return nil
}

func (b *localBus) pulses(context.Context) ([]gateway.Pulse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beat == nil {
		return nil, nil
	}
	return []gateway.Pulse{*b.beat}, nil
}
