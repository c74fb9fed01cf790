package ingestd_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/internal/ingestd"
	"iotbridge/localcloud/fault"
)

func TestWrongSettingsAreNamed(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"--subscription=", "subscription is missing"},
		{"--subscription=temperature", "want projects/PROJECT/subscriptions/NAME"},
		{"--subscription=projects/p/subscriptions/temperature\x00", "want projects/PROJECT/subscriptions/NAME"},
		{"--table=p.iot.temperature\x00", "PROJECT.DATASET.TABLE"},
		{"--schema=/dev/zero", "the most is"},
		{"--table=temperature", "temperature"},
		{"--quarantine-table=", "quarantine-table is missing"},
		{"--schema=nowhere.yaml", "no built-in"},
		{"--batch-bytes=10000000", "the service takes"},
		{"--batch-rows=0", "at least 1"},
		{"--lease=1s", "10s to 600s"},
		{"--attestation=require", "attestation-keys names no file"},
		{"--attestation-keys=" + keys, "say verify or require"},
		{"--drain-idle=0s", "more than 0"},
		{"--max-outstanding-bytes=1", "max-outstanding-bytes"},
	} {
		s, err := parse(strings.Fields(c.args))
		if err == nil {
			err = s.Fault()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.args, err, c.want)
		}
	}
	s, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fault(); err != nil {
		t.Errorf("good settings: %v", err)
	}
	one := ingestd.Route{Subscription: subscription, Table: table, QuarantineTable: quarantine}
	two, err := parse([]string{"--subscription=", "--table=", "--quarantine-table=", "--max-outstanding-messages=3", "--pull-streams=2"})
	if err != nil {
		t.Fatal(err)
	}
	two.Routes = []ingestd.Route{one, one}
	if err := two.Fault(); err == nil || !strings.Contains(err.Error(), "max-outstanding-messages") {
		t.Errorf("less budget than streams: %v", err)
	}
	s.Routes = []ingestd.Route{one}
	if err := s.Fault(); err == nil || !strings.Contains(err.Error(), "do not go with them") {
		t.Errorf("routes beside flags: %v", err)
	}
}

// --check names the first fault, and what is well before it.
func TestCheck(t *testing.T) {
	s := start(t)
	settings, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	settings.Endpoints = ingestd.Endpoints{PubSub: s.cloud.PubSub(), BigQuery: s.cloud.BigQuery(), BigQueryStorage: s.cloud.BigQueryStorage()}
	check := func(want string, lines int) {
		t.Helper()
		var out bytes.Buffer
		err := ingestd.Check(t.Context(), settings, &out)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q in it", err, want)
		}
		if n := strings.Count(out.String(), "ok "); n != lines {
			t.Errorf("%d things are well, want %d:\n%s", n, lines, &out)
		}
	}
	check(subscription+" does not exist", 1)
	s.subscribe()
	check("temperature", 2)
	s.stop(s.workerOnce("--create-tables"))
	check("", 4)
	denied := s.faults.Add(fault.Rule{Method: "GetWriteStream", Err: status.Error(codes.PermissionDenied, "injected")})
	check("bigquery.tables", 2)
	fired(t, denied)
}

// workerOnce runs a worker until it has made the tables.
func (s *system) workerOnce(args ...string) worker {
	s.t.Helper()
	w := s.worker(args...)
	s.honest(1)
	s.exact()
	return w
}

// A job on a schedule: it ends by itself, with what there was in the table.
func TestDrain(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.honest(500)
	settings, err := parse([]string{"--create-tables", "--drain", "--drain-idle=1s"})
	if err != nil {
		t.Fatal(err)
	}
	settings.Endpoints = ingestd.Endpoints{PubSub: s.cloud.PubSub(), BigQuery: s.cloud.BigQuery(), BigQueryStorage: s.cloud.BigQueryStorage()}
	if err := ingestd.Run(context.Background(), settings, quiet(), registry()); err != nil {
		t.Error(err)
	}
	if n := s.number(distinct); n != 500 {
		t.Errorf("%d messages in the table after the drain, want 500", n)
	}
}

// A file that is not there is found before anything runs.
func TestAMissingFileIsNamed(t *testing.T) {
	for _, args := range [][]string{
		{"--deny-devices=/nowhere/denied"},
		{"--attestation=require", "--attestation-keys=/nowhere/keys"},
	} {
		settings, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := ingestd.Run(t.Context(), settings, quiet(), registry()); err == nil || !strings.Contains(err.Error(), "/nowhere/") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
