package sensor

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Parse reads what a setting names:
//
//	ds18b20  w1  w1:DIR        all DS18B20 probes of this machine, or below DIR
//	simulate  simulate:SEED    one probe that is not there; the seed is 1 unless said
//	exec:COMMAND               see Exec and Words
func Parse(spec string) (Named, error) {
	kind, rest, given := strings.Cut(strings.TrimSpace(spec), ":")
	switch {
	case given && rest == "":
		return Named{}, fmt.Errorf("sensor %q: nothing follows the colon", clip(spec, 100))
	case kind == "w1" || kind == "ds18b20":
		return Named{Name: "w1", Sensor: &OneWire{Root: rest}}, nil
	case kind == "simulate":
		seed := uint64(1)
		if given {
			var err error
			if seed, err = strconv.ParseUint(rest, 10, 64); err != nil {
				return Named{}, fmt.Errorf("sensor %q: the seed is a whole number from 0 on", clip(spec, 100))
			}
		}
		return Named{Name: kind, Sensor: &Simulated{Seed: seed}}, nil
	case kind == "exec" && given:
		argv, err := Words(rest)
		if err != nil {
			return Named{}, fmt.Errorf("sensor %q: %w", clip(spec, 100), err)
		}
		return Named{Name: filepath.Base(argv[0]), Sensor: &Exec{Argv: argv}}, nil
	}
	return Named{}, fmt.Errorf("sensor %q is none of ds18b20, w1:DIR, simulate:SEED and exec:COMMAND", clip(spec, 100))
}
