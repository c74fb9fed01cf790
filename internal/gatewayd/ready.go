package gatewayd

import (
	"context"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

const (
	askEvery = 5 * time.Second
	askTime  = 2 * time.Second
)

// ask keeps readiness true of the store, which ping asks, until ctx ends.
func (a *assembly) ask(ctx context.Context, ping func(context.Context) error) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for down := false; ; {
		asking, cancel := context.WithTimeout(ctx, askTime)
		err := ping(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.holds.Set("store", gateway.CauseStore, "does not answer, no new device is let in: "+err.Error())
			if !down {
				a.log.Error("the store does not answer", zap.Error(err))
			}
		case down:
			a.holds.Clear("store")
			a.log.Info("the store answers again")
		}
		down = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
