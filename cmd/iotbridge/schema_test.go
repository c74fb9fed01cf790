package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// schemaOutput runs `iotbridge schema ARGS` and returns what it prints.
func schemaOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	var cli struct {
		Schema schemaCommand `cmd:""`
	}
	parser, err := kong.New(&cli, kong.BindTo(&out, (*io.Writer)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := parser.Parse(append([]string{"schema"}, args...))
	if err != nil {
		return "", err
	}
	err = chosen.Run()
	return out.String(), err
}

const humidity = "../../schema/testdata/humidity.yaml"

func TestSchemaShow(t *testing.T) {
	for _, row := range []struct {
		args, want []string
	}{
		{nil, []string{"temperature  ", "sensordata   ", "quarantine   "}},
		{[]string{"temperature"}, []string{"partitioned by DAY(event_time)\nclustered by device_id\n", "-55..125", "128 bytes", "attribute.deviceId"}},
		{[]string{humidity}, []string{"humidity: Relative", "body.at", " ms "}},
	} {
		out, err := schemaOutput(t, append([]string{"show"}, row.args...)...)
		if err != nil {
			t.Errorf("%v: %v", row.args, err)
		}
		for _, want := range row.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", row.args, want, out)
			}
		}
	}
	if _, err := schemaOutput(t, "show", "pressure"); err == nil || !strings.Contains(err.Error(), "there are temperature, sensordata, quarantine") {
		t.Errorf("got %v", err)
	}
}

func TestSchemaCheck(t *testing.T) {
	out, err := schemaOutput(t, "check", humidity)
	if want := humidity + ": table humidity, 8 columns, ok\n"; out != want || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	good, err := os.ReadFile(humidity)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	for _, row := range []struct{ from, to, want string }{
		{"claim:", "claims:", bad + ":6: "},
		{"cluster: [registry_id", "cluster: [rack", bad + ":9: "},
		{"max: 100", "max: -1", bad + ":26: table humidity: column humidity: "},
	} {
		if err := os.WriteFile(bad, []byte(strings.Replace(string(good), row.from, row.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := schemaOutput(t, "check", bad); err == nil || !strings.HasPrefix(err.Error(), row.want) || out != "" {
			t.Errorf("%s: got %q, %v", row.to, out, err)
		}
	}
	if _, err := schemaOutput(t, "check", "temperature"); err == nil {
		t.Error("a built-in table passed for a file")
	}
}

func TestSchemaExport(t *testing.T) {
	for _, format := range []struct{ name, file string }{
		{"bigquery", "export/temperature.json"}, {"terraform", "export/temperature.tf"}, {"ddl", "sql/temperature.ddl.sql"},
	} {
		want, err := os.ReadFile("../../schema/" + format.file)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := schemaOutput(t, "export", "--format", format.name, "temperature"); out != string(want) || err != nil {
			t.Errorf("%s: %v\n%s", format.name, err, out)
		}
	}
	out, err := schemaOutput(t, "export", "--format", "ddl", "--project", "p", "--dataset", "d")
	if err != nil || strings.Count(out, "CREATE ") != 7 || strings.Contains(out, "$") || !strings.Contains(out, "`p.d.temperature_dedup`") {
		t.Errorf("not all of a dataset: %v\n%s", err, out)
	}
	if _, err := schemaOutput(t, "export", "--format", "bigquery"); err == nil {
		t.Error("three schemas in one JSON")
	}
	if _, err := schemaOutput(t, "export", "--format", "avro", "temperature"); err == nil {
		t.Error("avro")
	}
}

func TestSchemaExportML(t *testing.T) {
	out, err := schemaOutput(t, "export", "--format=ml", "--project=p", "--dataset=d")
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, want := range []string{"CREATE OR REPLACE MODEL `p.d.temperature_model`", "ML.FORECAST(", "ML.DETECT_ANOMALIES(", "AI.FORECAST("} {
		at := strings.Index(out, want)
		if at <= last {
			t.Errorf("%s is missing, or before its time, in\n%s", want, out)
		}
		last = at
	}
	if _, err := schemaOutput(t, "export", "--format=ml", "temperature"); err == nil {
		t.Error("a table was taken")
	}
}
