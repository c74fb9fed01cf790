package deploycheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// Google's clients come with one that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

func TestFlagsAreWhatTheProgramsSay(t *testing.T) {
	for _, c := range []struct {
		line string
		want Flag
	}{
		{"iotbridge-ingest", Flag{Name: "--ops", Env: "INGEST_OPS", Default: "localhost:9102"}},
		{"iotbridge-ingest", Flag{Name: "--drain", Env: "INGEST_DRAIN", Switch: true}},
		{"iotbridge-ingest", Flag{Name: "--shutdown-grace", Env: "INGEST_SHUTDOWN_GRACE", Default: "25s"}},
		{"iotbridge-ingest", Flag{Name: "--location", Env: "INGEST_LOCATION", Default: "US"}},
		{"iotbridge-ingest", Flag{Name: "--table", Env: "INGEST_TABLE"}},
		{"iotbridge-ingest", Flag{Name: "--version", Switch: true}},
		{"iotbridge-gateway", Flag{Name: "--mqtt", Env: "GATEWAY_MQTT", Default: ":8883"}},
		{"iotbridge-gateway", Flag{Name: "--protocols", Env: "GATEWAY_PROTOCOLS", Default: "mqtt,http"}},
		{"iotbridge local", Flag{Name: "--parts", Env: "IOTBRIDGE_PARTS", Default: "cloud,gateway,worker,devices"}},
		{"iotbridge local", Flag{Name: "--pubsub", Env: "IOTBRIDGE_PUBSUB", Default: "127.0.0.1:8085"}},
	} {
		words := strings.Fields(c.line)
		if diff := cmp.Diff(c.want, Flags(t, words[0], words[1:]...)[c.want.Name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, diff)
		}
	}
	if short, long := Flags(t, "iotbridge-agent", "run")["-c"], Flags(t, "iotbridge-agent", "run")["--config"]; short != long || short.Env != "AGENT_CONFIG" {
		t.Errorf("-c is %+v, --config %+v", short, long)
	}
}

// told is a test that keeps what it is told.
type told struct {
	*testing.T
	lines []string
}

func (r *told) Errorf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func TestACommandLineIsHeldAgainstItsProgram(t *testing.T) {
	worker := []string{"--subscription=projects/p/subscriptions/s", "--table", "p.d.t", "--quarantine-table=p.d.q"}
	with := func(args ...string) []string { return append(append([]string{}, worker...), args...) }
	for _, c := range []struct {
		name, program string
		args          []string
		env           map[string]string
		want          string // "" when all is well
	}{
		{"well", "iotbridge-ingest", with("--drain", "--ops=:9102"), map[string]string{"INGEST_WRITERS": "3", "GOMEMLIMIT": "1GiB"}, ""},
		{"all by variables", "iotbridge-ingest", nil, map[string]string{
			"INGEST_SUBSCRIPTION": "projects/p/subscriptions/s", "INGEST_TABLE": "p.d.t", "INGEST_QUARANTINE_TABLE": "p.d.q",
		}, ""},
		{"a command", "iotbridge", []string{"local", "--data=/data", "--spoofers=0"}, map[string]string{"IOTBRIDGE_DEVICES": "3"}, ""},
		{"an agent", "iotbridge-agent", []string{"run", "-c", "/etc/iotbridge/agent.conf"}, nil, ""},
		{"no such flag", "iotbridge-ingest", with("--drains"), nil, "there is no flag --drains"},
		{"another's flag", "iotbridge-gateway", []string{"--drain"}, nil, "there is no flag --drain"},
		{"no such short flag", "iotbridge-ingest", with("-v"), nil, "there is no flag -v"},
		{"no value", "iotbridge-ingest", with("--ops"), nil, "--ops wants a value"},
		{"no such variable", "iotbridge-ingest", worker, map[string]string{"INGEST_DRAINS": "1"}, "nothing reads the variable INGEST_DRAINS"},
		{"another's variable", "iotbridge-ingest", worker, map[string]string{"GATEWAY_OPS": ":1"}, "nothing reads the variable GATEWAY_OPS"},
		{"a wrong value", "iotbridge-ingest", with("--batch-age=20"), nil, "--batch-age: expected duration"},
		{"a wrong value in a variable", "iotbridge-ingest", worker, map[string]string{"INGEST_WRITERS": "two"}, "two"},
		{"something is missing", "iotbridge-ingest", worker[:3], nil, "quarantine-table is missing"},
		{"tokens in the open", "iotbridge-gateway", []string{
			"--project=p", "--location=l", "--store=sqlite:/f", "--tls-cert=/c", "--tls-key=/k", "--operators=/o", "--api=:8080",
		}, nil, "unencrypted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := told{T: t}
			CommandLine(&r, c.program, c.args, c.env)
			got := strings.Join(r.lines, "\n")
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
