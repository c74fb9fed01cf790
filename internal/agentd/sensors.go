package agentd

import (
	"fmt"
	"hash/fnv"
	"strings"

	"iotbridge/device"
	"iotbridge/device/sensor"
)

// sensors makes what the settings name. It touches no hardware.
func (s *Settings) sensors() (device.Sensor, error) {
	var all []sensor.Named
	if s.Simulate {
		h := fnv.New64a()
		h.Write([]byte(s.client())) // so that two devices do not measure the same
		all = append(all, sensor.Named{Name: "simulated", Sensor: &sensor.Simulated{Seed: h.Sum64()}})
	}
	wanted := s.Sensor
	if len(wanted) == 0 && !s.Simulate {
		wanted = []string{"ds18b20"}
	}
	for i, one := range wanted {
		kind, command, _ := strings.Cut(one, ":")
		switch {
		case one == "ds18b20":
			for _, before := range wanted[:i] {
				if before == one {
					return nil, fmt.Errorf("SENSOR is ds18b20 twice: it is every probe on the bus")
				}
			}
			all = append(all, sensor.Named{Name: "ds18b20", Sensor: &sensor.OneWire{Root: s.OneWire}})
		case kind == "exec":
			argv, err := sensor.Words(command)
			if err != nil {
				return nil, fmt.Errorf("SENSOR is %s: %w", clip(one), err)
			}
			all = append(all, sensor.Named{Name: "exec", Sensor: &sensor.Exec{Argv: argv}})
		default:
			return nil, fmt.Errorf("SENSOR is %s: want ds18b20, or exec:COMMAND", clip(one))
		}
	}
	return sensor.Join(all...), nil
}
