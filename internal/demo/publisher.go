package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// confirmTimeout is how long a device waits for the confirmation of one message.
const confirmTimeout = 10 * time.Second

// How long a device waits before it connects again: twice as long each time.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Publisher publishes what a fleet sends.
type Publisher struct {
	Fleet    *Fleet
	API      Registrar
	Registry string         // projects/P/locations/L/registries/R
	Address  string         // of the gateway's MQTT
	Roots    *x509.CertPool // who issued its certificate
	Interval time.Duration  // between a device's messages
	Books    *Books
	Log      *zap.Logger
}

// Run registers the fleet, and publishes until ctx ends. When it returns, nothing is
// under way: each message that was confirmed is in the books.
func (p *Publisher) Run(ctx context.Context) error {
	identities, err := p.Fleet.register(ctx, p.API, p.Registry)
	switch {
	case err == nil:
		p.publishAll(ctx, identities)
	case ctx.Err() != nil: // it is what cut the registration off
		err = nil
	}
	return err
}

func (p *Publisher) publishAll(ctx context.Context, identities []identity) {
	config := &tls.Config{RootCAs: p.Roots, ServerName: serverName(p.Address), MinVersion: tls.VersionTLS12}
	var group sync.WaitGroup
	for i, identity := range identities {
		group.Go(func() {
			d := &device{identity: identity, registry: p.Registry, project: strings.Split(p.Registry, "/")[1], address: p.Address, tls: config}
			defer d.disconnect()
			p.run(ctx, i, d)
		})
	}
	group.Wait()
}

// run sends a device's next message when the one before is confirmed. One that is not
// is left: it may have arrived, and would be there twice.
func (p *Publisher) run(ctx context.Context, index int, d *device) {
	// Not all at once.
	next := time.NewTimer(p.Interval * time.Duration(index) / time.Duration(p.Fleet.Size()))
	defer next.Stop()
	pause := firstPause
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		start := time.Now()
		if d.client == nil {
			if err := d.connect(); err != nil {
				p.Log.Warn("not connected, it is tried again", zap.String("device", p.Fleet.Name(index)), zap.Duration("pause", pause), zap.Error(err))
				next.Reset(pause)
				pause = min(2*pause, lastPause)
				continue
			}
			pause = firstPause
		}
		m := p.Fleet.Message(index, n, start)
		if err := publish(ctx, d, &m); err != nil {
			p.Log.Warn("not confirmed", zap.String("device", m.Device), zap.Error(err))
		} else {
			p.Books.Enter(&m)
		}
		n++
		next.Reset(p.Interval - min(time.Since(start), p.Interval))
	}
}

// publish waits for the confirmation also when ctx has ended: the message may have
// arrived.
func publish(ctx context.Context, d *device, m *Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	return d.publish(ctx, m)
}
