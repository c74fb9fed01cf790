package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// Send lays the command down and tells the holder's run to fetch it. Whoever stops
// waiting takes it away again: a command is not delivered after its Send has ended,
// unless it was fetched before.
func (b *sharedBus) Send(ctx context.Context, c gateway.Command) error {
	instance, epoch, run, err := b.holder(ctx, c.Device)
	if err != nil {
		return err
	}
	id := rand.Text()
	defer func() {
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer done()
		if _, err := b.store.read().exec(ctx, `DELETE FROM commands WHERE id = $1`, id); err != nil {
			b.store.log.Warn("registry: a command lies for 10 min", zap.Error(err))
		}
	}()
	return b.wait(ctx, id, func() error {
		return b.store.write(ctx, func(t *tx) error {
			if _, err := t.exec(ctx, `INSERT INTO commands (id, device, sub_folder, data) VALUES ($1, $2, $3, $4)`,
				id, int64(c.Device), c.SubFolder, blob(c.Data)); err != nil {
				return err
			}
			t.notices = append(t.notices, notice{Change: gateway.Change{Kind: gateway.CommandSent, Device: c.Device, Instance: instance, Epoch: epoch}, run: run, command: id})
			return nil
		})
	})
}

func (b *sharedBus) Answer(ctx context.Context, command string, err error) error {
	return b.store.write(ctx, func(t *tx) error {
		t.notices = append(t.notices, notice{Change: gateway.Change{Kind: commandAnswered}, command: command, verdict: verdict(err)})
		return nil
	})
}

// verdict is an Answer's error as it travels.
func verdict(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gateway.ErrNotConnected):
		return "not connected"
	}
	return "error " + printable(err.Error(), 1024)
}

func fromVerdict(v string) error {
	if v == "" {
		return nil
	}
	if text, ok := strings.CutPrefix(v, "error "); ok {
		return errors.New(text)
	}
	return gateway.ErrNotConnected
}
