package bigquery

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bqclient "cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"cloud.google.com/go/bigquery/storage/managedwriter"

	"iotbridge/schema"
)

// The product's tables and views are made and answer as they should.
func TestProductViews(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	temperature, err := schema.Builtin("temperature")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range schema.BuiltinNames() {
		table, err := schema.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := bqclient.SchemaFromJSON([]byte(table.BigQueryJSON()))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.rest.Dataset("d").Table(name).Create(ctx, &bqclient.TableMetadata{
			Schema:           columns,
			TimePartitioning: &bqclient.TimePartitioning{Type: bqclient.DayPartitioningType, Field: table.Partition},
			Clustering:       &bqclient.Clustering{Fields: table.Cluster},
		}); err != nil {
			t.Fatal(err)
		}
	}
	b.readings(ctx, t, temperature)
	for _, name := range []string{"temperature_dedup", "temperature_latest", "temperature_hourly", "temperature_daily"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "schema", "sql", name+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		query := strings.NewReplacer("${PROJECT}", "demo", "${DATASET}", "d").Replace(string(text))
		if err := b.rest.Dataset("d").Table(name).Create(ctx, &bqclient.TableMetadata{ViewQuery: query}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	hour := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	for query, want := range map[string][][]bqclient.Value{
		"SELECT COUNT(*) FROM d.temperature":                                         {{int64(5)}},
		"SELECT device_id, temperature FROM d.temperature_dedup ORDER BY event_time": {{"a", 20.0}, {"a", 22.0}, {"b", 5.0}, {"a", 23.0}},
		"SELECT device_id, event_time, temperature FROM d.temperature_latest ORDER BY device_id": {
			{"a", hour.Add(time.Hour), 23.0}, {"b", hour.Add(30 * time.Minute), 5.0},
		},
		"SELECT device_id, hour, readings, mean_temperature, max_temperature FROM `demo.d.temperature_hourly` ORDER BY 1, 2": {
			{"a", hour, int64(2), 21.0, 22.0}, {"a", hour.Add(time.Hour), int64(1), 23.0, 23.0}, {"b", hour, int64(1), 5.0, 5.0},
		},
		"SELECT device_id, day, readings, hours_with_readings, mean_temperature FROM d.temperature_daily ORDER BY 1": {
			{"a", hour.Truncate(24 * time.Hour), int64(3), int64(2), 65.0 / 3}, {"b", hour.Truncate(24 * time.Hour), int64(1), int64(1), 5.0},
		},
		"SELECT COUNT(*) FROM d.temperature_hourly WHERE hour >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 60 DAY) AND hour < TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR) AND FALSE": {{int64(0)}},
	} {
		if diff := cmp.Diff(want, b.ask(ctx, t, query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// readings stores five rows in demo.d.temperature, one of them twice but for its message id.
func (b *bench) readings(ctx context.Context, t *testing.T, table *schema.Table) {
	d := &descriptorpb.DescriptorProto{Name: proto.String("row")}
	number := map[string]protowire.Number{}
	for i, c := range table.Columns {
		kind := map[schema.Type]descriptorpb.FieldDescriptorProto_Type{schema.Timestamp: protoInt64, schema.Float64: protoDouble}[c.Type]
		if kind == 0 {
			kind = protoString
		}
		number[c.Name] = protowire.Number(i + 1)
		d.Field = append(d.Field, &descriptorpb.FieldDescriptorProto{
			Name: proto.String(c.Name), Number: proto.Int32(int32(i + 1)), Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	var rows [][]byte
	for i, r := range []struct {
		device, reading string
		minute          int
		celsius         float64
	}{{"a", "r1", 0, 20}, {"a", "r1", 0, 20}, {"a", "", 10, 22}, {"b", "r1", 30, 5}, {"a", "r2", 60, 23}} {
		var row []byte
		text := func(column, value string) {
			row = protowire.AppendString(protowire.AppendTag(row, number[column], protowire.BytesType), value)
		}
		at := time.Date(2026, 11, 23, 7, r.minute, 0, 0, time.UTC).UnixMicro()
		text("device_id", r.device)
		text("registry_id", "reg")
		text("message_id", string(rune('0'+i)))
		if r.reading != "" {
			text("reading_id", r.reading)
		}
		for _, c := range []string{"event_time", "publish_time"} {
			row = protowire.AppendVarint(protowire.AppendTag(row, number[c], protowire.VarintType), uint64(at))
		}
		row = protowire.AppendFixed64(protowire.AppendTag(row, number["temperature"], protowire.Fixed64Type), math.Float64bits(r.celsius))
		rows = append(rows, row)
	}
	ms, err := b.write.NewManagedStream(ctx, managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable("projects/demo/datasets/d/tables/temperature"), managedwriter.WithSchemaDescriptor(d))
	if err != nil {
		t.Fatal(err)
	}
	defer ms.Close()
	r, err := ms.AppendRows(ctx, rows)
	if err == nil {
		_, err = r.GetResult(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) ask(ctx context.Context, t *testing.T, query string) (out [][]bqclient.Value) {
	t.Helper()
	it, err := b.rest.Query(query).Read(ctx)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for {
		var row []bqclient.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		out = append(out, row)
	}
}
