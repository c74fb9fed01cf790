package deploycheck

import (
	"testing"

	"iotbridge/internal/config"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ingestd"
	"iotbridge/internal/logging"
)

// ConfigFile reports what is wrong with the program's arguments together with a file of
// its settings, as the program itself finds it.
func ConfigFile(t testing.TB, program, file string, args ...string) {
	t.Helper()
	args = append(args, "--config="+file)
	var err error
	switch program {
	case "iotbridge-ingest":
		var s struct {
			ingestd.Settings `embed:""`
			fileToo          `embed:""`
		}
		p := config.Program{Name: program, EnvPrefix: "INGEST", Structured: map[string]any{"routes": &s.Routes}}
		if _, err = p.Parse(&s, args); err == nil {
			err = s.Fault()
		}
	case "iotbridge-gateway":
		var s struct {
			gatewayd.Settings `embed:""`
			fileToo           `embed:""`
		}
		if _, err = (config.Program{Name: program, EnvPrefix: "GATEWAY"}).Parse(&s, args); err == nil {
			err = s.Fault()
		}
	default:
		t.Fatalf("%s reads no file", program)
	}
	if err != nil {
		t.Errorf("%s %q: %v", program, args, err)
	}
}

// fileToo is all, with the file that is opened.
type fileToo struct {
	logging.Flags `embed:""`
	Config        config.File
}
