package sensor

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"iotbridge/device"
)

// Named is a sensor and what its probes without a name are called among others.
type Named struct {
	Name   string
	Sensor device.Sensor
}

// Join makes several sensors one. At most four measure at a time. A sample without
// a probe is given its sensor's name, and a second sensor of that name a number:
// "exec", "exec-2". A single sensor stays as it is.
func Join(sensors ...Named) device.Sensor {
	if len(sensors) == 1 {
		return sensors[0].Sensor
	}
	names := make(map[string]bool, len(sensors))
	joined := make(joined, 0, len(sensors))
	for _, s := range sensors {
		name := s.Name
		for n := 2; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", s.Name, n)
		}
		names[name] = true
		joined = append(joined, Named{Name: name, Sensor: s.Sensor})
	}
	return joined
}

type joined []Named

const together = 4

// Sample returns the samples and the faults in the order of the sensors.
func (j joined) Sample(ctx context.Context) ([]device.Sample, error) {
	samples := make([][]device.Sample, len(j))
	faults := make([]Faults, len(j))
	var group errgroup.Group
	group.SetLimit(together)
	for i, s := range j {
		group.Go(func() error {
			had, err := s.Sensor.Sample(ctx)
			samples[i], faults[i] = had, faultsOf(err)
			return nil // one's trouble does not end the others
		})
	}
	_ = group.Wait()

	var all []device.Sample
	var wrong Faults
	for i, s := range j {
		for _, sample := range samples[i] {
			if sample.Probe == "" {
				sample.Probe = s.Name
			}
			all = append(all, sample)
		}
		for _, f := range faults[i] {
			if f.Probe == "" {
				f.Probe = s.Name
			}
			wrong = append(wrong, f)
		}
	}
	return all, wrong.err()
}
