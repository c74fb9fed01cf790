package device

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// Settings are what the machine's owner says. The cloud may change the interval, the
// probes and the log level, within these.
type Settings struct {
	DeviceID  string // as the body claims it: the device's number or name
	Subfolder string // below events/; "" is the registry's default topic

	Interval    time.Duration // from one reading to the next
	MinInterval time.Duration // what the cloud may ask for
	MaxInterval time.Duration
	Sensors     []string // the probes that are sent; none means all

	Window      int           // messages under way that are not confirmed
	BacklogRate int           // readings a second of those that have waited
	AckTimeout  time.Duration // a connection that confirms nothing for so long is dead
	GracePeriod time.Duration // from the end of the context to the end of Run

	RingRecords int // what is kept in memory while the disk takes nothing
	RingBytes   int

	LogLevel    zapcore.Level       // the owner's
	SetLogLevel func(zapcore.Level) // nil: the cloud has no say
}

// DefaultSettings are good for a Raspberry Pi with a few probes.
func DefaultSettings(deviceID string) Settings {
	return Settings{
		DeviceID: deviceID, Subfolder: "temperature",
		Interval: 5 * time.Second, MinInterval: time.Second, MaxInterval: 24 * time.Hour,
		Window: 32, BacklogRate: 600, AckTimeout: time.Minute, GracePeriod: 5 * time.Second,
		RingRecords: 1024, RingBytes: 256 << 10,
	}
}

// Check says what is wrong with them.
func (s *Settings) Check() error {
	switch {
	case !plainID(s.DeviceID):
		return errors.New("device id: want its number or its name, 3 to 255 of A-Z a-z 0-9 - . _ ~ % +")
	case s.Subfolder != "" && !plainFolder(s.Subfolder):
		return errors.New("subfolder: want words of A-Z a-z 0-9 - . _ ~ % with / between them")
	case s.MinInterval <= 0 || s.MaxInterval < s.MinInterval:
		return fmt.Errorf("interval: its limits are %s and %s: want 0 < least <= most", s.MinInterval, s.MaxInterval)
	case s.Interval < s.MinInterval || s.Interval > s.MaxInterval:
		return fmt.Errorf("interval: %s is outside of %s to %s", s.Interval, s.MinInterval, s.MaxInterval)
	case len(s.Sensors) > maxProbes:
		return fmt.Errorf("sensors: %d probes, the most is %d", len(s.Sensors), maxProbes)
	}
	for _, n := range []struct {
		name     string
		is, most int
	}{
		{"window", s.Window, 1000},
		{"backlog rate", s.BacklogRate, 10_000},
		{"ring records", s.RingRecords, 1 << 20},
		{"ring bytes", s.RingBytes, 64 << 20},
		{"ack timeout in ms", int(s.AckTimeout.Milliseconds()), 3_600_000},
		{"grace period in ms", int(s.GracePeriod.Milliseconds()), 3_600_000},
	} {
		if n.is < 1 || n.is > n.most {
			return fmt.Errorf("%s: %d, want 1 to %d", n.name, n.is, n.most)
		}
	}
	return nil
}

func plainID(s string) bool { return len(s) >= 3 && len(s) <= 255 && plain(s, "-._~%+") }

func plainFolder(s string) bool {
	return len(s) <= 256 && plain(s, "-._~%/") && !strings.Contains("/"+s+"/", "//")
}

func plain(s, more string) bool {
	for _, c := range s {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(more, c) {
			return false
		}
	}
	return true
}
