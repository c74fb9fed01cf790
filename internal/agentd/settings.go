package agentd

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Settings are those of run and doctor; kong makes flags, variables and keys of them.
type Settings struct {
	Identity       `embed:""`
	GoogleRootCert string `default:"roots.pem" placeholder:"FILE" help:"Who may have issued the gateway's certificate, in PEM, in KEY_PATH; nobody else is trusted."`

	Host          string        `placeholder:"NAME" help:"The gateway's name or address."`
	Port          uint16        `default:"8883" help:"Its port for MQTT over TLS."`
	Keepalive     time.Duration `default:"60s" help:"How often a silent connection shows that it lives."`
	TokenLifetime time.Duration `default:"1h" help:"How long a token is good; it is renewed before."`

	Sensor      []string      `sep:"\n" placeholder:"ds18b20|exec:COMMAND" help:"What measures; may be repeated, in a variable by a new line. ds18b20: every probe on the 1-wire bus; w1:DIR: those below DIR. exec: a command that prints a number or a JSON object. simulate:SEED: none, it invents. Default ds18b20."`
	Simulate    bool          `help:"Invent temperatures instead of measuring."`
	OneWire     string        `type:"path" default:"/sys/bus/w1/devices" placeholder:"DIR" help:"Where the kernel shows the probes of its 1-wire buses."`
	Interval    time.Duration `default:"5s" help:"From one reading to the next. The cloud may change it, within the next two."`
	MinInterval time.Duration `default:"1s" help:"The shortest that the cloud may ask for."`
	MaxInterval time.Duration `default:"24h" help:"The longest."`
	Subfolder   string        `default:"temperature" help:"Below events/, where readings are published."`

	Spool     `embed:""`
	Readings  `embed:""`
	Enrolment `embed:""`

	awaits bool // there is no key yet, and one will be asked for
}

// Spool is how readings are kept that the gateway has not confirmed.
type Spool struct {
	Place       `embed:""`
	SpoolSize   Bytes         `default:"256MiB" placeholder:"BYTES" help:"How much they may take, as 256MiB."`
	SpoolAge    time.Duration `default:"720h" help:"After which they are given up; 0 is never."`
	SpoolPolicy string        `default:"drop-oldest" enum:"drop-oldest,block" help:"What happens when the spool is full: ${enum}. Block keeps what waits; of what is new the last 1024 stay, in memory."`
	SpoolSync   string        `default:"always" placeholder:"always|DURATION" help:"When a reading is safe from a power cut: always before it counts as taken, or within a time, as 30s, which spares an SD card."`
}

// Place is where the agent keeps what must outlive it.
type Place struct {
	SpoolDir string `type:"path" placeholder:"DIR" help:"Where readings wait until they are confirmed, and the agent's state is. Default: iotbridge-spool beside the configuration; /var/lib/iotbridge-agent for one below /etc."`
}

// Readings are how they are sent.
type Readings struct {
	Window      int `default:"32" help:"Readings under way that are not confirmed yet."`
	BacklogRate int `default:"600" help:"Readings a second of those that have waited; fresh ones go first."`
}

// OldHost was IoT Core's.
const oldHost = "mqtt.googleapis.com"

// Fault is what is wrong with the settings by themselves; nil when nothing is. What the
// gateway says to a device that is yet to be enrolled may be left out.
func (s *Settings) Fault() error {
	if s.awaits {
		return s.filled(&unfilled).Fault()
	}
	if err := s.Enrolment.fault(); err != nil {
		return err
	}
	if err := s.Identity.fault(); err != nil {
		return err
	}
	switch {
	case s.Host == "":
		return errors.New("HOST is not set: say where the gateway is, with HOST = its.name in the file, --host or AGENT_HOST (" + oldHost + " ended with IoT Core)")
	case strings.EqualFold(s.Host, oldHost):
		return errors.New("HOST is " + oldHost + ", which ended with IoT Core in August 2023: name your gateway")
	case !hostname(s.Host):
		return fmt.Errorf("HOST is %s: want a name or an address alone, as gateway.example.com; the port is PORT's", clip(s.Host))
	case s.Port == 0:
		return errors.New("PORT is 0: want the gateway's, 8883 as a rule")
	case s.GoogleRootCert == "":
		return errors.New("GOOGLE_ROOT_CERT is empty: name the file of the gateway's root certificate")
	case s.Subfolder != "" && (len(s.Subfolder) > 256 || !only(s.Subfolder, letters+"-._~%/") || strings.Contains("/"+s.Subfolder+"/", "//")):
		return fmt.Errorf("SUBFOLDER is %s: want words of A-Z a-z 0-9 - . _ ~ %%, with / between them", clip(s.Subfolder))
	}
	return s.bounds()
}

// bounds are of numbers.
func (s *Settings) bounds() error {
	for _, b := range []struct {
		key           string
		is, low, high time.Duration
	}{
		{"INTERVAL", s.Interval, 100 * time.Millisecond, 24 * time.Hour},
		{"KEEPALIVE", s.Keepalive, 5 * time.Second, 20 * time.Minute},
		{"TOKEN_LIFETIME", s.TokenLifetime, 5 * time.Minute, 24 * time.Hour},
		{"SPOOL_AGE", s.SpoolAge, 0, 10 * 365 * 24 * time.Hour},
		{"MIN_INTERVAL", s.MinInterval, 100 * time.Millisecond, 24 * time.Hour},
		{"MAX_INTERVAL", s.MaxInterval, s.MinInterval, 24 * time.Hour},
	} {
		if b.is < b.low || b.is > b.high {
			return fmt.Errorf("%s is %s: want %s to %s", b.key, b.is, b.low, b.high)
		}
	}
	if _, err := s.sensors(); err != nil {
		return err
	}
	switch {
	case s.Window < 1 || s.Window > 1000:
		return fmt.Errorf("WINDOW is %d: want 1 to 1000", s.Window)
	case s.BacklogRate < 1 || s.BacklogRate > 10_000:
		return fmt.Errorf("BACKLOG_RATE is %d: want 1 to 10000", s.BacklogRate)
	case s.SpoolSize < 1<<20 || s.SpoolSize > 1<<40:
		return fmt.Errorf("SPOOL_SIZE is %d bytes: want 1MiB to 1TiB", s.SpoolSize)
	}
	_, err := s.syncs()
	return err
}

// syncs is how long a reading may be at risk of a power cut; 0 is not at all.
func (s *Spool) syncs() (time.Duration, error) {
	if s.SpoolSync == "always" {
		return 0, nil
	}
	d, err := time.ParseDuration(s.SpoolSync)
	if err != nil || d < 0 || d > time.Hour {
		return 0, fmt.Errorf("SPOOL_SYNC is %s: want always, or a time up to 1h, as 30s", clip(s.SpoolSync))
	}
	return d, nil
}

// dir is the directory.
func (s *Place) dir(config string) string {
	switch {
	case s.SpoolDir != "":
		return s.SpoolDir
	case config != "":
		if at, err := filepath.Abs(config); err == nil && strings.HasPrefix(at, "/etc/") {
			return "/var/lib/iotbridge-agent"
		}
	}
	return filepath.Join(filepath.Dir(config), "iotbridge-spool")
}

// address is the gateway's.
func (s *Settings) address() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

func hostname(s string) bool {
	if net.ParseIP(s) != nil {
		return true
	}
	return len(s) <= 253 && s != "." && !strings.HasPrefix(s, "-") && only(s, letters+"-._")
}

// Bytes is a size.
type Bytes int64

// UnmarshalText takes a number, and KiB, MiB, GiB, kB, MB or GB behind it.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(1)
	for _, u := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}} {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > 1<<50/unit {
		return errors.New("want a size as 256MiB")
	}
	*b = Bytes(n * unit)
	return nil
}

// SettingError is what is wrong with the settings, and not with the world.
type SettingError struct{ error }

// Unwrap returns what it is.
func (e *SettingError) Unwrap() error { return e.error }
