package deploycheck

import (
	"testing"

	"github.com/alecthomas/kong"

	"iotbridge/internal/config"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ingestd"
	"iotbridge/internal/logging"
)

// judges parse as the programs do, and say what is wrong with the values. Beside a
// program's settings stands rest.
var judges = map[string]func(rest any, args []string) error{
	"iotbridge-ingest": func(rest any, args []string) error {
		var s struct {
			ingestd.Settings `embed:""`
			kong.Plugins
		}
		s.Plugins = kong.Plugins{rest}
		p := config.Program{Name: "iotbridge-ingest", EnvPrefix: "INGEST", Structured: map[string]any{"routes": &s.Routes}}
		if _, err := p.Parse(&s, args); err != nil {
			return err
		}
		return s.Fault()
	},
	"iotbridge-gateway": func(rest any, args []string) error {
		var s struct {
			gatewayd.Settings `embed:""`
			kong.Plugins
		}
		s.Plugins = kong.Plugins{rest}
		if _, err := (config.Program{Name: "iotbridge-gateway", EnvPrefix: "GATEWAY"}).Parse(&s, args); err != nil {
			return err
		}
		return s.Fault()
	},
}

// both is what the two programs have beside their settings.
type both struct {
	logging.Flags `embed:""`
	Check         bool
	Version       kong.VersionFlag
}

// elsewhere is where the file of settings is not opened: it is where it is deployed.
type elsewhere struct {
	both   `embed:""`
	Config string
}

// here is where it is opened.
type here struct {
	both   `embed:""`
	Config config.File
}

// ConfigFile reports what is wrong with the program's arguments together with a file of
// its settings, as the program itself finds it.
func ConfigFile(t testing.TB, program, file string, args ...string) {
	t.Helper()
	judge := judges[program]
	if judge == nil {
		t.Fatalf("%s reads no file", program)
	}
	args = append(args, "--config="+file)
	if err := judge(&here{}, args); err != nil {
		t.Errorf("%s %q: %v", program, args, err)
	}
}
