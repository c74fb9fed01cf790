package terraform_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"iotbridge/schema"
)

var least = map[string]cty.Value{"project": cty.StringVal("project"), "region": cty.StringVal("europe-west1")}

// by finds the instance whose attribute has the value.
func (p *plan) by(t *testing.T, typ, attribute, value string) instance {
	t.Helper()
	for _, i := range p.instances {
		if i.typ == typ && i.text(attribute) == value {
			return i
		}
	}
	t.Fatalf("no %s has %s = %q", typ, attribute, value)
	return instance{}
}

func (b body) text(attribute string) string {
	v, ok := b.attributes[attribute]
	if !ok || v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func (b body) list(attribute string) (list []string) {
	v, ok := b.attributes[attribute]
	if !ok || v.IsNull() {
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		list = append(list, e.AsString())
	}
	return list
}

func TestTablesAreThoseOfTheSchema(t *testing.T) {
	p := mustEvaluate(t, ".", least)
	for _, name := range schema.BuiltinNames() {
		want, err := schema.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		got := p.by(t, "google_bigquery_table", "table_id", name)
		if diff := cmp.Diff(want.BigQueryJSON(), got.text("schema")); diff != "" {
			t.Errorf("%s: columns (-want +got):\n%s", name, diff)
		}
		var columns []struct{ Name string }
		if err := json.Unmarshal([]byte(got.text("schema")), &columns); err != nil || len(columns) != len(want.Columns) {
			t.Errorf("%s: %d columns, %v", name, len(columns), err)
		}
		if got.text("description") != want.Description {
			t.Errorf("%s is described otherwise: %s", name, got.text("description"))
		}
		if !slices.Equal(got.list("clustering"), want.Cluster) {
			t.Errorf("%s is clustered by %q, want %q", name, got.list("clustering"), want.Cluster)
		}
		partition := got.blocks["time_partitioning"]
		if len(partition) != 1 || partition[0].text("type") != "DAY" || partition[0].text("field") != want.Partition {
			t.Errorf("%s is not partitioned by the day of %s: %v", name, want.Partition, partition)
		}
		if got.attributes["deletion_protection"].False() {
			t.Errorf("%s can be deleted by a plan", name)
		}
	}
}

func TestTablesForgetOnlyWhatTheyAreToldTo(t *testing.T) {
	given := map[string]cty.Value{"partition_expiration_days": cty.MapVal(map[string]cty.Value{"quarantine": cty.NumberIntVal(2)})}
	for k, v := range least {
		given[k] = v
	}
	p := mustEvaluate(t, ".", given)
	for _, name := range schema.BuiltinNames() {
		ms := p.by(t, "google_bigquery_table", "table_id", name).blocks["time_partitioning"][0].attributes["expiration_ms"]
		if name == "quarantine" && !(ms.IsKnown() && !ms.IsNull() && ms.RawEquals(cty.NumberIntVal(2*24*3600*1000))) || name != "quarantine" && !ms.IsNull() {
			t.Errorf("%s forgets after %#v ms", name, ms)
		}
	}
}

// The comment at a file's head goes into Terraform's view and into no other's.
func TestViewsAreThoseOfTheSchema(t *testing.T) {
	p := mustEvaluate(t, ".", least)
	views := schema.Views("project", "telemetry")
	for _, want := range views {
		got := p.by(t, "google_bigquery_table", "table_id", want.Name)
		query := got.blocks["view"][0].text("query")
		for strings.HasPrefix(query, "--") {
			_, query, _ = strings.Cut(query, "\n")
		}
		if diff := cmp.Diff(want.SQL, strings.TrimSuffix(strings.TrimSpace(query), ";")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Name, diff)
		}
		if got.text("description") != want.Description {
			t.Errorf("%s is described as %q, want %q", want.Name, got.text("description"), want.Description)
		}
	}
	tables := 0
	for _, i := range p.instances {
		if i.typ == "google_bigquery_table" {
			tables++
		}
	}
	if want := len(views) + len(schema.BuiltinNames()); tables != want {
		t.Errorf("%d tables and views are made, want %d", tables, want)
	}
}
