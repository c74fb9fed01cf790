package device

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// sampleDeadline bounds one measurement.
const sampleDeadline = 5 * time.Second

// sampler takes a reading each interval.
type sampler struct {
	sensor Sensor
	times  *timebase
	keeper *keeper
	board  *board
	log    *zap.Logger

	least time.Duration // between two readings, whatever the cloud says

	mu       sync.Mutex
	interval time.Duration
	probes   []string // those that are sent; none means all
	restart  bool
	wake     chan struct{} // one of these has changed

	failing bool
	told    map[string]bool // further members that were left out, and said to be
}

func newSampler(s *Settings, sensor Sensor, t *timebase, k *keeper, b *board, log *zap.Logger) *sampler {
	return &sampler{
		sensor: sensor, times: t, keeper: k, board: b, log: log,
		least: s.MinInterval, interval: s.Interval, probes: s.Sensors, wake: make(chan struct{}, 1), told: map[string]bool{},
	}
}

// set changes what is sampled and how often.
func (s *sampler) set(interval time.Duration, probes []string) {
	s.mu.Lock()
	s.interval, s.probes = interval, probes
	s.mu.Unlock()
	signal(s.wake)
}

// again takes a reading as soon as the owner allows, and counts the interval from there.
func (s *sampler) again() {
	s.mu.Lock()
	s.restart = true
	s.mu.Unlock()
	signal(s.wake)
}

func (s *sampler) wanted() (interval time.Duration, probes []string, restart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	restart, s.restart = s.restart, false
	return s.interval, s.probes, restart
}

func (s *sampler) run(ctx context.Context) {
	last := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			interval, _, restart := s.wanted()
			if restart {
				timer.Reset(time.Until(last.Add(s.least)))
			} else {
				timer.Reset(time.Until(last.Add(interval)))
			}
			continue
		case <-timer.C:
		}
		interval, probes, restart := s.wanted()
		due := last.Add(interval)
		if now := time.Now(); restart || now.Sub(due) >= interval || due.After(now) {
			due = now // the first one, or the machine was away
		}
		last = due
		s.sample(ctx, probes)
		timer.Reset(time.Until(last.Add(interval)))
	}
}

func (s *sampler) sample(ctx context.Context, probes []string) {
	within, cancel := context.WithTimeout(ctx, sampleDeadline)
	samples, err := s.sensor.Sample(within)
	cancel()
	if ctx.Err() != nil {
		err = nil // it was us who hurried
	}
	var when record
	s.times.stamp(&when)
	taken := 0
	for _, one := range samples {
		if len(probes) > 0 && !slices.Contains(probes, one.Probe) {
			continue
		}
		r := when
		r.probe, r.temperature, r.suspect = one.Probe, one.Temperature, one.Suspect
		r.extra = s.extra(one.Extra)
		if bad := r.check(); bad != nil {
			err = errors.Join(err, bad)
			continue
		}
		s.keeper.put(r.append(nil))
		taken++
	}
	s.report(when.wall, taken, err)
}

// extra cleans further members. A reading is worth more than they are: those that
// cannot be sent are left out.
func (s *sampler) extra(extra []byte) []byte {
	clean, left, err := cleanExtra(extra)
	if err != nil {
		left = []string{err.Error()}
	}
	for _, name := range left {
		name = printable(name, maxProbe)
		if !s.told[name] && len(s.told) < maxProbes {
			s.told[name] = true
			s.log.Warn("the sensor gives members that cannot be sent beside ours: they are left out", zap.String("what", name))
		}
	}
	return clean
}

func (s *sampler) report(wall int64, taken int, err error) {
	switch {
	case err != nil && !s.failing:
		s.log.Warn("the sensor", zap.String("error", brief(err)))
	case err == nil && s.failing:
		s.log.Info("the sensor measures again")
	}
	s.failing = err != nil
	s.board.update(func(st *Status) {
		if taken > 0 {
			st.LastSample = time.UnixMilli(wall).UTC()
		}
		st.SensorError = ""
		if err == nil {
			return
		}
		st.SensorError = brief(err)
		eachFault(err, func(probe, class string) {
			count(&st.SensorErrors, probe)
			count(&st.SensorFaults, class)
		})
	})
}

// count adds one to what has that name, of at most 64 names.
func count(to *map[string]uint64, name string) {
	if *to == nil {
		*to = map[string]uint64{}
	}
	if name = printable(name, maxProbe); (*to)[name] > 0 || len(*to) < maxProbes {
		(*to)[name]++
	}
}

// eachFault names the probes that an error is about, "" for one that does not say, and
// what kind of fault each has.
func eachFault(err error, f func(probe, class string)) {
	switch e := err.(type) { //nolint:errorlint // it is the walk through the tree
	case ProbeError:
		f(e.FaultyProbe(), classOf(e))
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			eachFault(one, f)
		}
	case interface{ Unwrap() error }:
		eachFault(e.Unwrap(), f)
	default:
		f("", classOf(e))
	}
}

func classOf(err error) string {
	if e, ok := err.(ClassedError); ok { //nolint:errorlint // the one at hand, and none below
		return e.FaultClass()
	}
	return "other"
}
