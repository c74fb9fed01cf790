package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"
)

const (
	maxConfig = 64 << 10
	maxNamed  = 16 // names from outside that are told back
)

// config is what the cloud wishes; nil is no wish.
type config struct {
	version  int64
	interval *time.Duration
	sensors  []string
	level    *zapcore.Level
	unknown  []string // members that mean nothing here
}

// parseConfig reads
//
//	{"version":7,"interval":"5s","sensors":["28-0316a2795b12"],"log_level":"debug"}
//
// in which everything may be left out, and the interval may be a number of seconds.
// Nothing at all is a configuration without wishes: a new device has that.
func parseConfig(data []byte) (config, error) {
	var c config
	if len(data) > maxConfig {
		return c, fmt.Errorf("a configuration of %d bytes, the most is %d", len(data), maxConfig)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return c, nil
	}
	seen := map[string]bool{}
	err := eachMember(data, func(name string, value json.RawMessage) error {
		if seen[name] {
			return fmt.Errorf("%s: there twice", printable(name, maxProbe))
		}
		seen[name] = true
		var err error
		switch name {
		case "version":
			if c.version, err = strconv.ParseInt(string(value), 10, 64); err != nil || c.version < 0 {
				return errors.New("version: want a whole number")
			}
		case "interval":
			c.interval, err = parseInterval(value)
		case "sensors":
			c.sensors, err = parseSensors(value)
		case "log_level":
			var text string
			var level zapcore.Level
			if json.Unmarshal(value, &text) != nil || text == "" || level.UnmarshalText([]byte(text)) != nil || level > zapcore.ErrorLevel {
				return errors.New("log_level: want debug, info, warn or error")
			}
			c.level = &level
		default:
			if len(c.unknown) < maxNamed {
				c.unknown = append(c.unknown, printable(name, maxProbe))
			}
		}
		return err
	})
	if err != nil {
		return config{}, err
	}
	return c, nil
}

func parseInterval(value json.RawMessage) (*time.Duration, error) {
	var d time.Duration
	var text string
	var seconds float64
	var err error
	switch {
	case json.Unmarshal(value, &text) == nil && value[0] == '"':
		d, err = time.ParseDuration(text)
	case json.Unmarshal(value, &seconds) == nil && value[0] != 'n':
		d = time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2))
	default:
		err = errors.New("neither")
	}
	if err != nil || d <= 0 {
		return nil, errors.New("interval: want a time above 0, as \"5s\" or seconds")
	}
	return &d, nil
}

func parseSensors(value json.RawMessage) ([]string, error) {
	var list []string
	if err := json.Unmarshal(value, &list); err != nil || value[0] != '[' || len(list) > maxProbes {
		return nil, fmt.Errorf("sensors: want a list of at most %d names", maxProbes)
	}
	for _, name := range list {
		if !shown(name, maxProbe) {
			return nil, fmt.Errorf("sensors: want names of 1 to %d bytes that can be printed", maxProbe)
		}
	}
	return list, nil
}

// applied is what is in force.
type applied struct {
	interval time.Duration
	sensors  []string
	level    zapcore.Level
}

// within clamps what the cloud wishes to what the owner allows, and says what was
// changed on the way. A wish that would leave no probe is an error.
func (c *config) within(s *Settings) (now applied, changed []string, err error) {
	now = applied{s.Interval, s.Sensors, s.LogLevel}
	if c.interval != nil {
		now.interval = min(max(*c.interval, s.MinInterval), s.MaxInterval)
		if now.interval != *c.interval {
			changed = append(changed, fmt.Sprintf("interval: this machine takes %s to %s", s.MinInterval, s.MaxInterval))
		}
	}
	if len(c.sensors) > 0 {
		now.sensors = nil
		for _, name := range c.sensors {
			if len(s.Sensors) == 0 || slices.Contains(s.Sensors, name) {
				now.sensors = append(now.sensors, name)
			}
		}
		if len(now.sensors) == 0 {
			return applied{}, nil, errors.New("sensors: this machine allows none of them")
		}
		if left := len(c.sensors) - len(now.sensors); left > 0 {
			changed = append(changed, fmt.Sprintf("sensors: this machine does not allow %d of them", left))
		}
	}
	if c.level != nil {
		if s.SetLogLevel == nil {
			changed = append(changed, "log_level: this machine does not let it be changed")
		} else {
			now.level = *c.level
		}
	}
	return now, changed, nil
}
