package bigquery

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

func newCatalog(t *testing.T, e Endpoint) *Catalog {
	t.Helper()
	c, err := NewCatalog(context.Background(), testID.Project, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return c
}

func builtin(t *testing.T, name string) *schema.Table {
	t.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestEnsureMakesWhatIsMissing(t *testing.T) {
	_, _, e := localBigQuery(t)
	c := newCatalog(t, e)
	ctx := context.Background()
	tables := schema.BuiltinNames()
	var workers sync.WaitGroup
	for range 3 { // that start at the same time
		workers.Go(func() {
			if err := c.EnsureDataset(ctx, testID, "EU"); err != nil {
				t.Error(err)
			}
			for _, name := range tables {
				if err := c.EnsureTable(ctx, TableID{"p", "d", name}, builtin(t, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	for _, name := range tables {
		differences, warnings, err := c.Inspect(ctx, TableID{"p", "d", name}, builtin(t, name))
		if err != nil || differences != nil || warnings != nil {
			t.Errorf("%s: %v, %v, %v", name, differences, warnings, err)
		}
	}
	live, err := c.table(TableID{"p", "d", "temperature"}).Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(live.Clustering.Fields, []string{"device_id"}) || live.TimePartitioning.Field != "event_time" || live.Schema[0].Description == "" {
		t.Errorf("%+v", live)
	}
}

func TestEnsureViews(t *testing.T) {
	_, _, e := localBigQuery(t)
	c := newCatalog(t, e)
	ctx := context.Background()
	id := TableID{"p", "d", "temperature"}
	if err := errors.Join(c.EnsureDataset(ctx, id, "EU"), c.EnsureTable(ctx, id, builtin(t, "temperature"))); err != nil {
		t.Fatal(err)
	}
	views := schema.Views("p", "d")
	for range 2 {
		if err := c.EnsureViews(ctx, id, views); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range views {
		if live, err := c.table(TableID{"p", "d", v.Name}).Metadata(ctx); err != nil || live.ViewQuery != v.SQL {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if _, _, err := c.Inspect(ctx, TableID{"p", "d", views[0].Name}, builtin(t, "temperature")); kind(err) != "unknown" {
		t.Errorf("rows into a view: %v", err)
	}
}

func TestInspectSaysWhatDiffers(t *testing.T) {
	_, _, e := localBigQuery(t)
	c := newCatalog(t, e)
	ctx := context.Background()
	ours := testTable()
	ours.Partition, ours.Cluster = "at", []string{"id"}
	theirs := testTable()
	theirs.Columns[1].Type = schema.String
	theirs.Columns[2].Name = "happened"
	if err := errors.Join(c.EnsureDataset(ctx, testID, "EU"), c.EnsureTable(ctx, testID, theirs)); err != nil {
		t.Fatal(err)
	}
	differences, warnings, err := c.Inspect(ctx, testID, ours)
	want := []Difference{
		{"n", "NULLABLE INT64", "NULLABLE STRING"},
		{"at", "REQUIRED TIMESTAMP", "no such column"},
		{"happened", "NULLABLE, as nothing is written to it", "REQUIRED TIMESTAMP"},
	}
	if err != nil || !reflect.DeepEqual(differences, want) {
		t.Errorf("differences %v, %v, want %v", differences, err, want)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "partitioned by nothing, ours by DAY(at)") {
		t.Errorf("warnings %q", warnings)
	}
	// What the sink finds is the same.
	sink := localSink(t, e, ours)
	var held *ingest.Held
	if err := sink.Check(ctx); !errors.As(err, &held) || held.Cause != ingest.Drift || !strings.Contains(held.Detail, want[1].String()) {
		t.Errorf("check: %v", err)
	}
}

func TestRESTErrorsAreSorted(t *testing.T) {
	_, faults, e := localBigQuery(t)
	c := newCatalog(t, e)
	for code, want := range map[codes.Code]string{
		codes.PermissionDenied: "permission", codes.Unauthenticated: "permission", codes.InvalidArgument: "unknown",
	} {
		rule := faults.Add(fault.Rule{Method: "tables.get", Err: status.Error(code, "no")})
		if _, _, err := c.Inspect(context.Background(), testID, testTable()); kind(err) != want {
			t.Errorf("%v: %v, want %s", code, err, want)
		}
		if rule.Fired() == 0 {
			t.Errorf("%v: no fault", code)
		}
		rule.Remove()
	}
	if _, _, err := c.Inspect(context.Background(), testID, testTable()); kind(err) != "missing" {
		t.Errorf("missing table: %v", err)
	}
}
