package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"iotbridge/internal/config"
)

type settings struct {
	Config       config.File      `placeholder:"FILE.yaml" help:"Read settings from this file."`
	Version      kong.VersionFlag `help:"Show the version."`
	Subscription string           `required:"" help:"What to pull."`
	BatchRows    int              `default:"500" help:"Rows of a batch."`
	BatchAge     time.Duration    `default:"20ms" placeholder:"D" help:"Age of a batch."`
	Claim        string           `enum:"optional,required" default:"optional" help:"Whether a claim is needed."`
	Topics       []string         `help:"Some topics."`
	DryRun       bool             `help:"Write nothing."`
}

type route struct {
	Subscription string `yaml:"subscription"`
	Table        string `yaml:"table"`
}

// parse runs the program in a directory with the file, and returns what it printed.
func parse(t *testing.T, yaml string, args ...string) (settings, []route, string, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if yaml != "" {
		if err := os.WriteFile("worker.yaml", []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config=worker.yaml")
	}
	var cli settings
	var routes []route
	var out bytes.Buffer
	p := config.Program{
		Name: "worker", Description: "Moves.", EnvPrefix: "INGEST", Stdout: &out,
		Structured: map[string]any{"routes": &routes},
	}
	_, err := p.Parse(&cli, args)
	return cli, routes, out.String(), err
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	const yaml = "subscription: file\nbatch-rows: 1\nbatch-age: 1s\nclaim: required\n"
	want := settings{Config: "worker.yaml", Subscription: "file", BatchRows: 1, BatchAge: time.Second, Claim: "required"}
	for _, step := range []struct {
		name   string
		env    map[string]string
		args   []string
		change func(*settings)
	}{
		{"file", nil, nil, func(*settings) {}},
		{"environment", map[string]string{"INGEST_BATCH_ROWS": "2"}, nil, func(s *settings) { s.BatchRows = 2 }},
		{"flag", map[string]string{"INGEST_BATCH_ROWS": "2"}, []string{"--batch-rows=3"}, func(s *settings) { s.BatchRows = 3 }},
	} {
		t.Run(step.name, func(t *testing.T) {
			for k, v := range step.env {
				t.Setenv(k, v)
			}
			got, _, _, err := parse(t, yaml, step.args...)
			if err != nil {
				t.Fatal(err)
			}
			want := want
			step.change(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
	t.Run("default", func(t *testing.T) {
		got, _, _, err := parse(t, "", "--subscription=s")
		if err != nil || got.BatchRows != 500 || got.BatchAge != 20*time.Millisecond || got.Claim != "optional" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestTheFileCanBeNamedByTheEnvironment(t *testing.T) {
	name := filepath.Join(t.TempDir(), "named.yaml")
	if err := os.WriteFile(name, []byte("subscription: s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INGEST_CONFIG", name)
	if got, _, _, err := parse(t, ""); err != nil || got.Subscription != "s" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestListsAndStructuredKeys(t *testing.T) {
	got, routes, _, err := parse(t, `
subscription: s
dry-run: yes
topics: [a, "b,c", 010]
routes:
  - {subscription: one, table: t1}
  - subscription: two
    table: t2
`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b,c", "010"}, got.Topics); diff != "" || !got.DryRun {
		t.Errorf("dry-run %v, topics want -, got +:\n%s", got.DryRun, diff)
	}
	if diff := cmp.Diff([]route{{"one", "t1"}, {"two", "t2"}}, routes); diff != "" {
		t.Errorf("routes want -, got +:\n%s", diff)
	}
}

func TestAWrongFileIsAnErrorThatSaysWhere(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"unknown key", "subscription: s\nbatch-row: 1\n", `worker.yaml:2: unknown key "batch-row"`},
		{"underscores are another key", "batch_rows: 1\n", `worker.yaml:1: unknown key "batch_rows"`},
		{"the file cannot name a file", "config: other.yaml\n", `worker.yaml:1: unknown key "config"`},
		{"nor ask for help", "help: true\n", `worker.yaml:1: unknown key "help"`},
		{"duplicate key", "batch-rows: 1\nsubscription: s\nbatch-rows: 1\n", `worker.yaml:3: "batch-rows" is set twice, first in line 1`},
		{"duplicate structured key", "routes: []\nroutes: []\n", `worker.yaml:2: "routes" is set twice`},
		{"wrong type", "subscription: s\nbatch-rows: many\n", `worker.yaml:2: --batch-rows: expected a valid 64 bit int but got "many"`},
		{"wrong unit", "batch-age: 20\n", `worker.yaml:1: --batch-age: expected duration`},
		{"outside the enum", "\nclaim: maybe\n", `worker.yaml:2: claim is "maybe", want one of optional,required`},
		{"nothing", "batch-rows:\n", `worker.yaml:1: batch-rows wants a plain value`},
		{"a list for one value", "batch-rows: [1]\n", `worker.yaml:1: batch-rows wants a plain value`},
		{"an alias", "subscription: &a s\nclaim: *a\n", `worker.yaml:2: claim wants a plain value`},
		{"no mapping", "- a\n", `worker.yaml:1: want settings`},
		{"no YAML", "a: [\n", `worker.yaml: `},
		{"two documents", "subscription: s\n---\nsubscription: s\n", `worker.yaml:2: a second document`},
		{"unknown structured key", "routes:\n  - subscription: s\n    tabel: t\n", `worker.yaml:3: routes: field tabel not found`},
		{"duplicate inside a structured key", "routes:\n  - table: s\n    table: t\n", `worker.yaml:3: routes: mapping key "table" already defined at line 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, _, err := parse(t, c.yaml, "--subscription=s")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestAFileOfCommentsSetsNothing(t *testing.T) {
	if _, _, _, err := parse(t, "# subscription: s\n", "--subscription=s"); err != nil {
		t.Error(err)
	}
}

func TestAMissingFileIsAnError(t *testing.T) {
	_, _, _, err := parse(t, "", "--config=absent.yaml", "--subscription=s")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("got %v", err)
	}
}

func TestARequiredFlagMayComeFromTheFile(t *testing.T) {
	if _, _, _, err := parse(t, "batch-rows: 1\n"); err == nil || !strings.Contains(err.Error(), "--subscription") {
		t.Errorf("without: got %v", err)
	}
	if _, _, _, err := parse(t, "subscription: s\n"); err != nil {
		t.Errorf("with: got %v", err)
	}
}

func TestHelpShowsDefaultsAndVariables(t *testing.T) {
	_, _, out, err := parse(t, "", "--help")
	if !errors.Is(err, config.ErrDone) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"--batch-rows=500", "($INGEST_BATCH_ROWS)", "--batch-age=D", "Default 20ms.", "--config=FILE.yaml"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "INGEST_VERSION") {
		t.Errorf("--version has a variable:\n%s", out)
	}
}

func TestVersionNamesTheProgram(t *testing.T) {
	_, _, out, err := parse(t, "", "--version")
	if !errors.Is(err, config.ErrDone) || !strings.HasPrefix(out, "worker devel (") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestTheShellCompletesFlags(t *testing.T) {
	t.Setenv("COMP_LINE", "worker --batch-")
	_, _, out, err := parse(t, "")
	if !errors.Is(err, config.ErrDone) || !strings.Contains(out, "--batch-rows") || strings.Contains(out, "--subscription") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCommandsFlagsStandBelowTheirName(t *testing.T) {
	type commands struct {
		Config config.File
		Level  string `default:"info"`
		Local  struct {
			Devices int `default:"3"`
		} `cmd:""`
		Other struct {
			Devices int `default:"9"`
		} `cmd:""`
	}
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name, yaml, want string
		devices          int
	}{
		{"set", "level: debug\nlocal: {devices: 5}\n", "", 5},
		{"of the other command only", "other: {devices: 5}\n", "", 3},
		{"at the wrong place", "devices: 5\n", `c.yaml:1: unknown key "devices"`, 0},
		{"unknown below the command", "local:\n  device: 5\n", `c.yaml:2: unknown key "device"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile("c.yaml", []byte(c.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			var cli commands
			ctx, err := config.Program{Name: "x", EnvPrefix: "IOTBRIDGE"}.Parse(&cli, []string{"local", "--config=c.yaml"})
			switch {
			case c.want != "":
				t.Log(err)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
			case err != nil:
				t.Error(err)
			case cli.Local.Devices != c.devices || ctx.Command() != "local":
				t.Errorf("got %+v, command %q", cli, ctx.Command())
			}
		})
	}
}
