package archtest

import (
	"strings"
	"testing"
)

func TestEachRuleCanBeBroken(t *testing.T) {
	for _, c := range []struct {
		path, imported string
		want           string // "" when allowed
	}{
		{"schema", "strconv", ""},
		{"schema", "go.yaml.in/yaml/v4", ""},
		{"schema", "google.golang.org/protobuf/encoding/protowire", "standard library"},
		{"schema", "internal/config", "standard library"},
		{"schema", "ingest", "standard library"},

		{"ingest", "schema", ""},
		{"ingest", "github.com/prometheus/client_golang/prometheus", ""},
		{"ingest", "gateway", "another core"},
		{"ingest", "ingest/pubsub", "an edge"},
		{"ingest", "device/spool", "an edge"},
		{"ingest", "google.golang.org/grpc/codes", "the network"},
		{"gateway", "ingest", "another core"},

		{"ingest/pubsub", "ingest", ""},
		{"ingest/pubsub", "google.golang.org/grpc", ""},
		{"ingest/pubsub", "gateway", "its own core"},
		{"gateway/mqtt", "ingest/pubsub", "its own core"},

		{"ingest", "localcloud", "localcloud is for tests"},
		{"ingest/bigquery", "localcloud/fault", "localcloud is for tests"},
		{"cmd/iotbridge-ingest", "localcloud", "localcloud is for tests"},
		{"cmd/iotbridge", "localcloud", ""},
		{"cmd/iotbridge/local", "localcloud/pubsub", ""},
		{"localcloud/pubsub", "localcloud/fault", ""},
		{"localcloud/pubsub", "ingest", "stands in for Google"},

		{"internal/ops", "cmd/iotbridge", "built on a command"},
	} {
		got := Violations([]Package{{Path: c.path, Imports: []string{c.imported}}})
		switch {
		case c.want == "" && len(got) != 0:
			t.Errorf("%s may import %s, got %q", c.path, c.imported, got)
		case c.want != "" && (len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), c.want)):
			t.Errorf("%s imports %s: got %q, want %q", c.path, c.imported, got, c.want)
		}
	}
}

func TestTheAgentIsKeptSmallThroughEveryDependency(t *testing.T) {
	for _, path := range []string{"device", "device/spool", "cmd/iotbridge-agent"} {
		for _, dep := range []string{"cloud.google.com/go/pubsub/v2", "google.golang.org/protobuf/proto", "github.com/prometheus/client_golang/prometheus", "google.golang.org/grpc"} {
			if got := Violations([]Package{{Path: path, Deps: []string{"fmt", dep}}}); len(got) != 1 {
				t.Errorf("%s through %s: got %q", path, dep, got)
			}
		}
		if got := Violations([]Package{{Path: path, Deps: []string{"schema", "github.com/eclipse/paho.mqtt.golang"}}}); len(got) != 0 {
			t.Errorf("%s: got %q", path, got)
		}
	}
}
