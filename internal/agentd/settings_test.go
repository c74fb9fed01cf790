package agentd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"iotbridge/device/sensor"
)

// tutorial is the file as the tutorial has it, filled in.
const tutorial = `[SETTINGS]
# Set the path to the location containing your keys
KEY_PATH = /home/pi/GCP/iot_keys/
# Specify the private key and Google root cert names
PRIVATE_KEY      = ec_private.pem
GOOGLE_ROOT_CERT = roots.pem
# Set the details required for using your IoT endpoint
REGISTRY_ID = RaspberryPiDevices
DEVICE_ID   = 2577321808646966
REGION      = us-central1
PROJECT_ID  = iottempstreaming
`

// model is the program's flags.
func model(t testing.TB, c *Commands) *kong.Node {
	t.Helper()
	k, err := kong.New(c, kong.Name("iotbridge-agent"), kong.Vars{"version": ""}, kong.DefaultEnvars("AGENT"))
	if err != nil {
		t.Fatal(err)
	}
	return k.Model.Node
}

// parse reads a command line in a folder of its own, which has the file unless it is
// empty.
func parse(t *testing.T, file string, args ...string) (*Commands, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		write(t, "gcp_iot_config.txt", file, 0o644)
	}
	c := new(Commands)
	_, err := c.parse(args, io.Discard)
	if err != nil {
		return nil, err
	}
	c.Start.config, c.Keygen.config = c.Config, c.Config
	return c, nil
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func TestTheTutorialsFileIsReadUnchanged(t *testing.T) {
	c, err := parse(t, tutorial, "run", "--host=gateway.example.com", "-c", "gcp_iot_config.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Start.Settings
	if err := s.Fault(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"client":    "projects/iottempstreaming/locations/us-central1/registries/RaspberryPiDevices/devices/2577321808646966",
		"key":       "/home/pi/GCP/iot_keys/ec_private.pem",
		"roots":     "/home/pi/GCP/iot_keys/roots.pem",
		"address":   "gateway.example.com:8883",
		"interval":  "5s",
		"subfolder": "temperature",
		"spool":     "iotbridge-spool",
	}
	got := map[string]string{
		"client": s.client(), "key": s.key(), "roots": s.roots(), "address": s.address(), "interval": s.Interval.String(),
		"subfolder": s.Subfolder, "spool": s.dir(s.config),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestFlagBeatsVariableBeatsFileBeatsDefault(t *testing.T) {
	file := tutorial + "Interval = 7s\nbacklog-rate = 10\n"
	for _, c := range []struct {
		name string
		env  string
		args []string
		want time.Duration
	}{
		{"file", "", nil, 7 * time.Second},
		{"variable", "8s", nil, 8 * time.Second},
		{"flag", "8s", []string{"--interval=9s"}, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("AGENT_INTERVAL", c.env)
			}
			got, err := parse(t, file, append([]string{"run"}, c.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			if got.Start.Interval != c.want || got.Start.BacklogRate != 10 || got.Start.Window != 32 {
				t.Errorf("interval %s, backlog rate %d, window %d", got.Start.Interval, got.Start.BacklogRate, got.Start.Window)
			}
		})
	}
}

// Each flag of run that is a setting can be said by the file.
func TestEverySettingIsAKeyOfTheFile(t *testing.T) {
	got, err := parse(t, tutorial+`
HOST = gateway
PORT = 443
KEEPALIVE = 30s
TOKEN_LIFETIME = 20m
SENSOR = ds18b20
SENSOR = exec:/usr/bin/dht --pin 4,5
SIMULATE = no
ONE_WIRE = /tmp/w1
INTERVAL = 1m
MIN_INTERVAL = 5s
MAX_INTERVAL = 1h
SUBFOLDER = other
SPOOL_DIR = /var/spool/x
SPOOL_SIZE = 16MiB
SPOOL_AGE = 24h
SPOOL_POLICY = block
SPOOL_SYNC = 30s
WINDOW = 5
BACKLOG_RATE = 20
LOG_LEVEL = warn
LOG_FORMAT = json
`, "run")
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Start.Fault(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ds18b20", "exec:/usr/bin/dht --pin 4,5"}, got.Start.Sensor); diff != "" {
		t.Errorf("sensors, want -, got +:\n%s", diff)
	}
	if got.Start.Port != 443 || got.Start.SpoolSize != 16<<20 || got.Start.SpoolDir != "/var/spool/x" || got.Flags.LogFormat != "json" {
		t.Errorf("got %+v, %+v", got.Start.Settings, got.Flags)
	}
}

func TestAWrongFileNamesItsLineAndTheCure(t *testing.T) {
	const lines = 11 // of the tutorial
	for _, c := range []struct{ name, more, want string }{
		{"unknown key", "HOSTNAME_ = x\n", `gcp_iot_config.txt:12: unknown key "HOSTNAME_"`},
		{"a slip", "INTERVALL = 5s\n", `gcp_iot_config.txt:12: unknown key "INTERVALL": did you mean INTERVAL?`},
		{"the cure of another device", "DEVICEID = 5\n", "did you mean DEVICE_ID?"},
		{"twice", "region = europe-west1\n", "gcp_iot_config.txt:12: REGION is set twice, first in line 10"},
		{"twice with the other dash", "HOST = a\nSPOOL_DIR = a\nspool-dir = b\n", "gcp_iot_config.txt:14: SPOOL_DIR is set twice, first in line 13"},
		{"no duration", "INTERVAL = 5\n", `gcp_iot_config.txt:12: INTERVAL is "5": `},
		{"no number", "PORT = 70000\n", `gcp_iot_config.txt:12: PORT is "70000": `},
		{"no size", "SPOOL_SIZE = much\n", `gcp_iot_config.txt:12: SPOOL_SIZE is "much": want a size as 256MiB`},
		{"outside the enum", "SPOOL_POLICY = pray\n", `gcp_iot_config.txt:12: SPOOL_POLICY is "pray": want one of drop-oldest,block`},
		{"a placeholder", "HOST = <GATEWAY>\n", `gcp_iot_config.txt:12: HOST is still the placeholder "<GATEWAY>"`},
		{"another section", "[MORE]\n", "gcp_iot_config.txt:12: unknown section"},
		{"what is for command lines", "CHECK = yes\n", `unknown key "CHECK"`},
		{"a file in the file", "CONFIG = other\n", `unknown key "CONFIG"`},
		{"help", "HELP = yes\n", `unknown key "HELP"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(tutorial, "\n") != lines {
				t.Fatal("the tutorial's file has other lines")
			}
			for _, command := range []string{"run", "doctor", "status"} {
				if _, err := parse(t, tutorial+c.more, command); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want %s", command, err, c.want)
				}
			}
		})
	}
}

func TestAWrongSettingSaysWhichAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"--host="}, "HOST is not set"},
		{[]string{"--host=mqtt.googleapis.com"}, "ended with IoT Core"},
		{[]string{"--host=gateway:8883"}, "the port is PORT's"},
		{[]string{"--host=::1"}, ""},
		{[]string{"--port=0"}, "PORT is 0"},
		{[]string{"--device-id=12345"}, "DEVICE_ID is \"12345\""},
		{[]string{"--device-id=device1"}, ""},
		{[]string{"--device-id=googdevice"}, "DEVICE_ID"},
		{[]string{"--device-id=a/b"}, "DEVICE_ID"},
		{[]string{"--device-id="}, "DEVICE_ID: not set"},
		{[]string{"--registry-id=a+b"}, "REGISTRY_ID"},
		{[]string{"--region=Us"}, "REGION"},
		{[]string{"--project-id=My Project"}, "PROJECT_ID"},
		{[]string{"--project-id=example.com:my-project"}, ""},
		{[]string{"--subfolder=a//b"}, "SUBFOLDER"},
		{[]string{"--subfolder="}, ""},
		{[]string{"--interval=1ms"}, "INTERVAL is 1ms: want 100ms to 24h"},
		{[]string{"--min-interval=1m", "--max-interval=1s"}, "MAX_INTERVAL"},
		{[]string{"--window=0"}, "WINDOW"},
		{[]string{"--backlog-rate=0"}, "BACKLOG_RATE"},
		{[]string{"--spool-size=1kB"}, "SPOOL_SIZE"},
		{[]string{"--spool-sync=never"}, "SPOOL_SYNC is \"never\": want always"},
		{[]string{"--spool-sync=0s"}, ""},
		{[]string{"--keepalive=1h"}, "KEEPALIVE"},
		{[]string{"--token-lifetime=48h"}, "TOKEN_LIFETIME"},
		{[]string{"--sensor=bme280"}, `SENSOR: sensor "bme280" is none of ds18b20`},
		{[]string{"--sensor=ds18b20", "--sensor=ds18b20"}, "twice"},
		{[]string{"--sensor=ds18b20", "--sensor=w1:/sys/bus/w1/devices/"}, "twice"},
		{[]string{"--sensor=w1:/tmp/a", "--sensor=w1:/tmp/b", "--sensor=simulate:7"}, ""},
		{[]string{"--sensor=w1:"}, "nothing follows the colon"},
		{[]string{"--sensor=exec:a | b"}, "SENSOR"},
		{[]string{"--sensor=exec:"}, "SENSOR"},
		{[]string{"--sensor=exec:/bin/dht 4", "--sensor=ds18b20", "--simulate"}, ""},
		{[]string{"--google-root-cert="}, "GOOGLE_ROOT_CERT"},
		{[]string{"--private-key="}, "PRIVATE_KEY"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			got, err := parse(t, tutorial, append([]string{"run", "--host=gateway"}, c.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			err = got.Start.Fault()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err == nil { // the core agrees
				core := got.Start.core(nil)
				if err := core.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestWithoutAFileBothPlacesAreNamed(t *testing.T) {
	got, err := parse(t, "", "run", "--host=gateway")
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Start.Fault(); err == nil || !strings.Contains(err.Error(), "gcp_iot_config.txt and /etc/iotbridge/agent.conf") || !strings.Contains(err.Error(), "-c") {
		t.Errorf("got %v", err)
	}
	got, err = parse(t, "", "run", "--host=gateway", "--project-id=p", "--region=r", "--registry-id=reg", "--device-id=dev")
	if err != nil || got.Start.Fault() != nil {
		t.Errorf("all by flags: %v", errors.Join(err, got.Start.Fault()))
	}
}

func TestTheFileThatIsNamedMustBeThere(t *testing.T) {
	for _, name := range []string{"absent.txt", "."} {
		if _, err := parse(t, "", "run", "-c", name); err == nil || !strings.Contains(err.Error(), "--config: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	t.Setenv("AGENT_CONFIG", "absent.txt")
	if _, err := parse(t, tutorial, "run"); err == nil || !strings.Contains(err.Error(), "absent.txt") {
		t.Errorf("by the variable: got %v", err)
	}
}

// D1: who may change the file may have commands run.
func TestD1_AFileThatAnybodyMayChangeIsRefused(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "agent.conf")
	write(t, name, tutorial, 0o646)
	if _, err := parse(t, "", "run", "-c", name); err == nil || !strings.Contains(err.Error(), "chmod o-w") {
		t.Errorf("got %v", err)
	}
}

func TestRelativePathsBelongToTheFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "agent.conf")
	write(t, name, "[SETTINGS]\nKEY_PATH = keys\nSPOOL_DIR = spool\nPRIVATE_KEY = k.pem\nGOOGLE_ROOT_CERT = /etc/ca.pem\n", 0o600)
	got, err := parse(t, "", "run", "-c", name)
	if err != nil {
		t.Fatal(err)
	}
	s := got.Start
	if s.key() != filepath.Join(dir, "keys", "k.pem") || s.roots() != "/etc/ca.pem" || s.dir(s.config) != filepath.Join(dir, "spool") {
		t.Errorf("key %s, roots %s, spool %s", s.key(), s.roots(), s.dir(s.config))
	}
	write(t, name, "[SETTINGS]\nPRIVATE_KEY = k.pem\n", 0o600)
	if got, err = parse(t, "", "run", "-c", name); err != nil {
		t.Fatal(err)
	}
	if s := got.Start; s.key() != filepath.Join(dir, "k.pem") || s.dir(s.config) != filepath.Join(dir, "iotbridge-spool") {
		t.Errorf("without KEY_PATH: key %s, spool %s", s.key(), s.dir(s.config))
	}
	write(t, name, "[SETTINGS]\nONE_WIRE = w1\n", 0o600)
	if got, err = parse(t, "", "run", "-c", name); err != nil || got.Start.OneWire != filepath.Join(dir, "w1") {
		t.Errorf("the bus is %s, %v", got.Start.OneWire, err)
	}
	if got := (&Place{}).dir("/etc/iotbridge/agent.conf"); got != "/var/lib/iotbridge-agent" {
		t.Errorf("below /etc: %s", got)
	}
	t.Chdir("/etc")
	if got := (&Place{}).dir("agent.conf"); got != "/var/lib/iotbridge-agent" {
		t.Errorf("below /etc, by a relative name: %s", got)
	}
}

func TestHelpAndVersionNeedNoFile(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"--version"}} {
		if _, err := parse(t, "", args...); !errors.Is(err, ErrDone) {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

// What would be cut off could be what somebody relies on.
func TestAFileThatIsTooLargeIsNotReadInPart(t *testing.T) {
	text := tutorial + strings.Repeat("#\n", (maxFile-len(tutorial))/2)
	text += strings.Repeat("\n", maxFile-len(text))
	if _, err := parse(t, text, "run", "--host=gateway"); err != nil {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	if _, err := parse(t, text+"\n", "run", "--host=gateway"); err == nil || !strings.Contains(err.Error(), "the file is larger") {
		t.Errorf("a byte more: %v", err)
	}
}

func TestTwoDevicesDoNotInventTheSame(t *testing.T) {
	seeds := map[uint64]bool{}
	for _, args := range [][]string{{"--simulate", "--device-id=device1"}, {"--simulate", "--device-id=device2"}, {"--sensor=simulate", "--device-id=device3"}} {
		got, err := parse(t, tutorial, append([]string{"run", "--host=gateway"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		one, err := got.Start.sensors()
		if err != nil {
			t.Fatal(err)
		}
		simulated, ok := one.(*sensor.Simulated)
		if !ok {
			t.Fatalf("%v: %T", args, one)
		}
		seeds[simulated.Seed] = true
	}
	if len(seeds) != 3 {
		t.Errorf("%d seeds of 3 devices", len(seeds))
	}
}
