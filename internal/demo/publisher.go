package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/device"
	"iotbridge/device/mqtt"
)

// Publisher publishes what a fleet sends.
type Publisher struct {
	Fleet    *Fleet
	Dir      string        // a folder in it for each device
	Registry string        // projects/P/locations/L/registries/R
	Address  string        // of the gateway's MQTT
	Roots    string        // the file that says who may have issued its certificate
	Interval time.Duration // between a device's readings
	Books    *Books
	Log      *zap.Logger

	identities []identity // of those registered, or enrolled; without a key: refused
}

// Run lets the registered devices measure until stop is closed, and returns when the
// gateway has confirmed all they hold. It ends at once with ctx. What a device holds
// that could not be sent stays in its spool; else, when it returns, nothing is under
// way: each message that was confirmed is in the books.
func (p *Publisher) Run(ctx context.Context, stop <-chan struct{}) error {
	if len(p.identities) < p.Fleet.Size() {
		return errors.New("the fleet is neither registered nor enrolled")
	}
	all, ctx := errgroup.WithContext(ctx)
	for index, i := range p.identities {
		if i.key == nil {
			continue
		}
		all.Go(func() error {
			// Not all at once.
			turn := time.NewTimer(p.Interval * time.Duration(index) / time.Duration(p.Fleet.Size()))
			defer turn.Stop()
			select {
			case <-turn.C:
			case <-stop:
			case <-ctx.Done():
				return nil
			}
			return p.named(index, p.newUnit(index, i, p.uplink(index, i)).run(ctx, stop))
		})
	}
	return all.Wait()
}

// uplink is the agent's own.
func (p *Publisher) uplink(index int, i identity) device.Uplink {
	at := strings.Split(p.Registry, "/")
	return &mqtt.Uplink{
		Address: p.Address, Project: at[1], Region: at[3], Registry: at[5], Device: i.name,
		Key: i.key, Roots: p.Roots, Now: time.Now, Log: p.log(index),
	}
}

func (p *Publisher) folder(index int) string { return filepath.Join(p.Dir, p.Fleet.Name(index)) }

func (p *Publisher) named(index int, err error) error {
	if err != nil {
		return fmt.Errorf("device %s: %w", p.Fleet.Name(index), err)
	}
	return nil
}

// log of a device: of what goes well, a fleet's would be too much.
func (p *Publisher) log(index int) *zap.Logger {
	log := p.Log.With(zap.String("device", p.Fleet.Name(index)))
	if log.Level() < zap.WarnLevel {
		log = log.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	}
	return log
}
