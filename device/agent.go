package device

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"
)

// Agent measures, keeps and sends. Its fields are set before Run and not changed.
type Agent struct {
	Settings Settings
	Sensor   Sensor
	Spool    Spool
	Uplink   Uplink
	Clock    Clock
	Log      *zap.Logger // nil discards
	Version  string      // of the program, told upstream

	// Identify shows a person which machine this is, when the cloud asks; nil only
	// logs. It ends when ctx does.
	Identify func(ctx context.Context)

	board board
}

// Run works until ctx ends, and returns nil then, when all that it started has ended:
// within Settings.GracePeriod, as long as Spool, Sensor and Session keep their word.
// An outage of any kind does not end it; settings that cannot be do.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.Settings.Check(); err != nil {
		return err
	}
	if a.Sensor == nil || a.Spool == nil || a.Uplink == nil || a.Clock == nil {
		return errors.New("agent: a sensor, a spool, an uplink and a clock are needed")
	}
	log := a.Log
	if log == nil {
		log = zap.NewNop()
	}
	a.board.update(func(s *Status) { s.Interval = a.Settings.Interval.String() })

	var (
		ring    = newRing(a.Settings.RingRecords, a.Settings.RingBytes)
		lane    = newLane(a.Settings.Window)
		times   = newTimebase(a.Clock, log)
		keeper  = newKeeper(a.Spool, ring, lane, &a.board, log)
		sampler = newSampler(&a.Settings, a.Sensor, times, keeper, &a.board, log)
		control = newControl(a, sampler, log)
		sender  = newSender(a, ring, lane, times, control, log)
	)
	var all sync.WaitGroup
	all.Go(func() {
		defer close(keeper.queue)
		sampler.run(ctx)
	})
	all.Go(keeper.run)
	all.Go(func() { control.run(ctx) })
	all.Go(func() { sender.run(ctx) })
	all.Wait()
	ring.rescue(a.Spool, log)
	return nil
}

// Status tells how the agent is, at any time and from any goroutine.
func (a *Agent) Status() Status {
	s := a.board.read()
	if a.Clock != nil {
		s.Time, s.ClockSynced = a.Clock.Now(), a.Clock.Plausible()
	}
	return s
}
