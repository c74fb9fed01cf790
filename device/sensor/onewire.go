package sensor

import (
	"context"
	"maps"
	"slices"
	"time"

	"iotbridge/device"
)

const (
	// DefaultTree is where the kernel shows the slaves of all its 1-wire buses.
	DefaultTree = "/sys/bus/w1/devices"

	maxProbes = 256
	readers   = 16    // at a time; externally powered probes convert side by side
	attempts  = 4     // a reading, and three more when the answer was garbled
	believed  = 5_000 // m°C around the last good value, within which 85 °C is taken
)

// OneWire reads all DS18B20 probes below a folder of w1_therm's files. Probes may
// come and go while it runs; one that was there and is gone is a fault from then on.
type OneWire struct {
	Root string // "" is DefaultTree

	read   func(path string, buf []byte) (int, error) // nil is readAttribute
	probes map[string]*probe
}

// probe is what is remembered of one.
type probe struct {
	reader slot[conversion]
	since  time.Time // when the reader that is under way was started
	last   *int      // the last good value, m°C
}

// conversion is one answer.
type conversion struct {
	milli   int
	checked bool // the driver made sure that the probe has converted
	err     *Error
}

// Sample reads every probe once, in at most five seconds. Its errors are Faults.
func (o *OneWire) Sample(parent context.Context) ([]device.Sample, error) {
	ctx, cancel := within(parent)
	defer cancel()
	files := o.tree()
	listed, err := files.list()
	if err != nil {
		return nil, Faults{err}
	}
	var faults Faults
	if !o.remember(listed) {
		faults = append(faults, fault(Timeout, "%s has shown more than %d probes, most of which do not answer: check the bus", files.root, maxProbes))
	}
	asked := o.ask(ctx, files, listed)

	var samples []device.Sample
	for _, name := range slices.Sorted(maps.Keys(o.probes)) {
		milli, suspect, err := o.probes[name].answer(ctx, slices.Contains(listed, name), asked[name])
		if err != nil {
			err.Probe = name
			faults = append(faults, err)
			continue
		}
		samples = append(samples, device.Sample{Probe: name, Temperature: float64(milli) / 1000, Suspect: suspect})
	}
	if len(samples)+len(faults) == 0 {
		faults = Faults{fault(Missing, "%s shows no DS18B20 (28-…): check the wiring and the pull-up resistor", files.root)}
	}
	return samples, faults.err()
}

func (o *OneWire) tree() tree {
	t := tree{root: o.Root, read: o.read}
	if t.root == "" {
		t.root = DefaultTree
	}
	if t.read == nil {
		t.read = readAttribute
	}
	return t
}

// ask starts a reader for each probe that has none under way, and says for which.
func (o *OneWire) ask(ctx context.Context, files tree, names []string) map[string]bool {
	places := make(chan struct{}, readers)
	asked := make(map[string]bool, len(names))
	for _, name := range names {
		p := o.probes[name]
		if p == nil {
			continue
		}
		asked[name] = p.reader.start(func() conversion {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				return files.measure(ctx, name)
			case <-ctx.Done():
				return conversion{err: fault(Timeout, "was not reached: the other probes took all the time")}
			}
		})
		if asked[name] {
			p.since = time.Now()
		}
	}
	return asked
}

// answer waits for the probe's reader and judges what the probe says.
func (p *probe) answer(ctx context.Context, listed, asked bool) (milli int, suspect bool, err *Error) {
	switch {
	case !listed:
		p.last = nil
		return 0, false, fault(Missing, "is gone: check its wire")
	case !asked:
		return 0, false, fault(Timeout, "has not answered for %s: check its wire, or its bus for a short", time.Since(p.since).Round(time.Second))
	}
	c, ok := p.reader.wait(ctx)
	switch {
	case !ok:
		return 0, false, fault(Timeout, "has not answered in time: check its wire, or its bus for a short")
	case c.err != nil:
		return 0, false, c.err
	}
	if c.milli == powerOn && !c.checked {
		if p.last == nil || max(*p.last-c.milli, c.milli-*p.last) > believed {
			return 0, false, fault(PowerOn, "says 85 °C, as a probe does that has not measured: check its power, or let the driver check (echo 1 > features)")
		}
		suspect = true
	}
	p.last = &c.milli
	return c.milli, suspect, nil
}

// remember makes room for those that are listed, and says whether all found room. A
// noisy bus shows ids that never were: what is gone is forgotten for what is new.
func (o *OneWire) remember(listed []string) bool {
	if o.probes == nil {
		o.probes = make(map[string]*probe)
	}
	room := true
	for _, name := range listed {
		if o.probes[name] != nil {
			continue
		}
		if len(o.probes) >= maxProbes {
			o.forget(listed)
		}
		if len(o.probes) >= maxProbes {
			room = false
			continue
		}
		o.probes[name] = &probe{}
	}
	return room
}

// forget drops what is not listed, but for a probe whose reader has not ended.
func (o *OneWire) forget(listed []string) {
	maps.DeleteFunc(o.probes, func(name string, p *probe) bool {
		return !slices.Contains(listed, name) && !p.reader.busy()
	})
}
