package deploycheck

import (
	"testing"

	"github.com/alecthomas/kong"

	"iotbridge/internal/config"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ingestd"
	"iotbridge/internal/logging"
)

// judges parse as the programs do, and say what is wrong with the values.
var judges = map[string]func(t testing.TB, args []string, env map[string]string) error{
	"iotbridge-ingest": func(t testing.TB, args []string, env map[string]string) error {
		var s struct {
			ingestd.Settings `embed:""`
			all              `embed:""`
		}
		p := config.Program{Name: "iotbridge-ingest", EnvPrefix: "INGEST", Structured: map[string]any{"routes": &s.Routes}}
		if err := judge(t, p, &s, args, env); err != nil {
			return err
		}
		return s.Fault()
	},
	"iotbridge-gateway": func(t testing.TB, args []string, env map[string]string) error {
		var s struct {
			gatewayd.Settings `embed:""`
			all               `embed:""`
		}
		if err := judge(t, config.Program{Name: "iotbridge-gateway", EnvPrefix: "GATEWAY"}, &s, args, env); err != nil {
			return err
		}
		return s.Fault()
	},
}

// all is what both programs have beside their settings.
type all struct {
	logging.Flags `embed:""`
	Config        string // not opened: where it is deployed is elsewhere
	Check         bool
	Version       kong.VersionFlag
}

func judge(t testing.TB, p config.Program, into any, args []string, env map[string]string) error {
	for name, value := range env {
		t.Setenv(name, value)
	}
	_, err := p.Parse(into, args)
	return err
}
