package agentd

import (
	"fmt"
	"hash/fnv"
	"path/filepath"

	"iotbridge/device"
	"iotbridge/device/sensor"
)

// sensors makes what the settings name. It touches no hardware.
func (s *Settings) sensors() (device.Sensor, error) {
	specs := s.Sensor
	switch {
	case s.Simulate:
		specs = append([]string{"simulate"}, specs...)
	case len(specs) == 0:
		specs = []string{"ds18b20"}
	}
	var all []sensor.Named
	buses := map[string]bool{}
	for _, spec := range specs {
		if spec == "simulate" {
			spec = fmt.Sprint("simulate:", s.seed())
		}
		one, err := sensor.Parse(spec)
		if err != nil {
			return nil, fmt.Errorf("SENSOR: %w", err)
		}
		if bus, ok := one.Sensor.(*sensor.OneWire); ok {
			if bus.Root == "" {
				bus.Root = s.OneWire
			}
			at := filepath.Clean(bus.Root)
			if buses[at] {
				return nil, fmt.Errorf("SENSOR names the probes below %s twice: once is every probe there", clip(at))
			}
			buses[at] = true
		}
		all = append(all, one)
	}
	return sensor.Join(all...), nil
}

// seed is the device's own, so that two of them do not invent the same.
func (s *Settings) seed() uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.client()))
	return h.Sum64()
}
