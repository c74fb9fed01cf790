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
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/schema"
)

// row is a row of one of the product's tables; what it does not say is NULL.
type row map[string]any

var (
	day  = time.Date(2021, 11, 23, 0, 0, 0, 0, time.UTC) // over, whatever the clock says
	hex  = strings.Repeat("0123456789abcdef", 2)
	trap = []string{ // what the queries must not trip over
		"not json", `{"reading_id":7}`, "\xff\xfe", "", `{"reading_id":"` + hex + `-3"`,
	}
)

func at(d time.Duration) time.Time { return day.Add(d) }

// read is a temperature reading of the device, published as it was measured.
func read(device, id, message string, when time.Duration, more ...row) row {
	r := row{
		"project_id": "p", "location": "l", "registry_id": "r", "device_id": device, "message_id": message,
		"event_time": at(when), "publish_time": at(when), "temperature": 20.0,
	}
	if id != "" {
		r["reading_id"] = id
	}
	for _, m := range more {
		for k, v := range m {
			r[k] = v
		}
	}
	return r
}

func refuse(device, reason, message, data string, when time.Duration, more ...row) row {
	r := row{
		"device_id": device, "reason": reason, "message_id": message, "data": []byte(data), "publish_time": at(when), "quarantine_time": at(when),
		"attributes": `{"projectId":"p","deviceRegistryLocation":"l","deviceRegistryId":"r"}`,
	}
	for _, m := range more {
		for k, v := range m {
			r[k] = v
		}
	}
	return r
}

const null = "" // of a device that nobody knows

// Each query of schema/sql/queries over data of which the answer is known. @from and @to
// are that day; what lies outside of it is not in any answer.
func TestAnalystsQueriesAnswer(t *testing.T) {
	second, minute, hour := time.Second, time.Minute, time.Hour
	outside := []row{read("a", hex+"-900", "o1", -time.Second), read("a", hex+"-990", "o2", 24*hour)}
	for _, c := range []struct {
		query   string
		columns string
		rows    map[string][]row
		want    [][]bqclient.Value
	}{
		{
			"hours", "device_id, hour, readings, mean_temperature, min_temperature, max_temperature",
			map[string][]row{"temperature": {
				read("a", "x", "1", hour), read("a", "x", "1", hour), read("a", "x", "2", hour), // once
				read("a", "y", "3", 2*hour-time.Microsecond, row{"temperature": 30.0}), read("a", "", "4", 2*hour), read("b", "x", "5", hour),
			}},
			[][]bqclient.Value{
				{"a", at(hour), int64(2), 25.0, 20.0, 30.0}, {"a", at(2 * hour), int64(1), 20.0, 20.0, 20.0}, {"b", at(hour), int64(1), 20.0, 20.0, 20.0},
			},
		},
		{
			"silent", "device_id, silent_from, silent_until, silent_seconds, usual_seconds",
			map[string][]row{"temperature": {
				// Every 10 s, then 51 s, then 50 s, which is not more than five times as long; then no more.
				read("a", "", "1", 0), read("a", "", "2", 10*second), read("a", "", "2", 10*second), read("a", "", "3", 20*second), read("a", "", "4", 30*second),
				read("a", "", "5", 40*second), read("a", "", "6", 91*second), read("a", "", "7", 141*second),
				// Every eight hours, and at the end of the day no longer silent than that.
				read("slow", "", "8", 0), read("slow", "", "9", 8*hour), read("slow", "", "10", 16*hour),
				// Each stored three times.
				read("twin", "", "13", 0), read("twin", "", "13", 0), read("twin", "", "13", 0), read("twin", "", "14", 10*second), read("twin", "", "14", 10*second),
				read("twin", "", "14", 10*second), read("twin", "", "15", 20*second), read("twin", "", "15", 20*second), read("twin", "", "15", 20*second),
				read("two", "", "11", 0), read("two", "", "12", hour), // no habit yet
			}},
			[][]bqclient.Value{
				{"twin", at(20 * second), nil, 86400.0 - 20, 10.0}, {"a", at(141 * second), nil, 86400.0 - 141, 10.0}, {"a", at(40 * second), at(91 * second), 51.0, 10.0},
			},
		},
		{
			"missing", "device_id, first_missing, last_missing, after_time, before_time, missing, told_lost, unexplained",
			map[string][]row{
				"temperature": {
					read("a", hex+"-1", "1", minute), read("a", hex+"-2", "2", 2*minute), read("a", hex+"-2", "3", 2*minute), // sent again
					// 3 is in quarantine, 4 to 6 are not there, of which 5 was told; 9 is in quarantine, 8 nowhere
					read("a", hex+"-7", "4", 7*minute), read("a", hex+"-10", "5", 10*minute),
					// another device, and streams of its own; names that are not the agent's
					read("b", hex+"-1", "6", minute), read("b", hex+"-2", "7", minute), read("b", strings.Repeat("f", 32)+"-40", "8", minute),
					read("a", "other-1", "9", minute), read("a", "other-5", "10", minute), read("a", hex+"-x", "11", minute), read("a", "", "12", minute),
				},
				"quarantine": {
					refuse("a", "value_out_of_range", "q1", `{"temperature":999,"reading_id":"`+hex+`-3"}`, 3*minute),
					refuse("a", "rejected_by_bigquery", "q2", `{"reading_id":"`+hex+`-9"}`, 30*24*hour, row{"publish_time": at(9 * minute)}),
					refuse("a", "attestation_invalid", "q3", `{"reading_id":"`+hex+`-5"}`, 5*minute), // anybody's
					refuse("a", "malformed_body", "q4", trap[0], minute), refuse("a", "device_mismatch", "q5", trap[1], minute),
					refuse("a", "missing_identity", "q6", trap[2], minute), refuse("a", "malformed_body", "q7", trap[3], minute), refuse("a", "malformed_body", "q8", trap[4], minute),
				},
				"sensordata": {
					{"device_id": "a", "message_id": "g1", "publish_time": at(time.Hour), "sub_folder": "gap", "payload": `{"gap":{"stream":"` + hex + `","first":5,"last":5,"reason":"damaged"}}`},
					{"device_id": "a", "message_id": "g2", "publish_time": at(2 * time.Hour), "sub_folder": "gap", "payload": `{"gap":{"stream":"` + hex + `","first":5,"last":5,"reason":"damaged"}}`}, // told again
					{"device_id": "b", "message_id": "g3", "publish_time": at(time.Hour), "sub_folder": "gap", "payload": `{"gap":{"stream":"` + hex + `","first":4,"last":8,"reason":"full"}}`},        // another's
					{"device_id": "a", "message_id": "g4", "publish_time": at(time.Hour), "sub_folder": "door", "payload": `{"gap":7}`},
				},
			},
			[][]bqclient.Value{
				{"a", int64(4), int64(6), at(3 * minute), at(7 * minute), int64(3), int64(1), int64(2)},
				{"a", int64(8), int64(8), at(7 * minute), at(9 * minute), int64(1), int64(0), int64(1)},
			},
		},
		{
			"reconcile", "hour, messages, stored, quarantined, extra_rows",
			map[string][]row{
				"temperature": {
					read("a", "x", "1", hour), read("a", "x", "1", hour), read("a", "x", "2", hour), // three rows, two messages
					read("a", "y", "3", -30*24*hour, row{"publish_time": at(hour)}), // waited for a month
					read("a", "z", "4", 2*hour, row{"publish_time": at(-hour)}),     // published the day before
					read("a", "u", "5", 2*hour),
				},
				"sensordata": {{"device_id": "a", "message_id": "6", "publish_time": at(hour), "payload": `{}`}},
				"quarantine": {
					refuse("a", "device_mismatch", "7", `{}`, hour),
					refuse("a", "device_mismatch", "8", `{}`, 30*24*hour, row{"publish_time": at(2 * hour)}), // after an outage
					refuse("a", "value_out_of_range", "5", `{}`, 2*hour),                                     // replayed since
				},
			},
			[][]bqclient.Value{
				{at(hour), int64(5), int64(4), int64(1), int64(1)}, {at(2 * hour), int64(2), int64(1), int64(1), int64(1)},
			},
		},
		{
			"duplicates", "device_id, stored_rows, messages, readings, stored_twice, sent_twice",
			map[string][]row{"temperature": {
				read("a", "x", "1", hour), read("a", "x", "1", hour), read("a", "x", "2", hour), read("a", "y", "3", hour), read("a", "", "4", hour), read("a", "", "4", hour),
				read("b", "x", "5", hour), read("b", "", "6", hour),
			}},
			[][]bqclient.Value{{"a", int64(6), int64(4), int64(3), int64(2), int64(1)}},
		},
		{
			"late", "device_id, within_minute, within_hour, within_day, later, oldest_seconds, from_the_future, without_time",
			map[string][]row{"temperature": {
				read("a", "", "1", hour), read("a", "", "2", hour, row{"publish_time": at(hour + minute)}), read("a", "", "3", hour, row{"publish_time": at(hour + 61*second)}),
				read("a", "", "4", hour, row{"publish_time": at(3 * hour)}), read("a", "", "5", hour, row{"publish_time": at(50 * hour)}), read("a", "", "6", hour, row{"publish_time": at(0)}),
				read("a", "", "9", hour, row{"publish_time": at(0)}),
				read("b", "", "7", hour, row{"publish_time": at(50 * hour), "extra": `{"clock":"unsynced"}`}), read("b", "", "8", hour, row{"extra": `{"clock":"restamped"}`}),
			}},
			[][]bqclient.Value{
				{"a", int64(2), int64(1), int64(1), int64(1), int64(49 * 3600), int64(2), int64(0)}, {"b", int64(1), int64(0), int64(0), int64(0), int64(0), int64(0), int64(1)},
			},
		},
		{
			"refused", "reason, registry_id, device_id, messages, claimed, one_claimed, first_refused, last_refused",
			map[string][]row{"quarantine": {
				refuse("a", "device_mismatch", "1", `{}`, hour, row{"claimed_device_id": "b"}), refuse("a", "device_mismatch", "1", `{}`, hour, row{"claimed_device_id": "b"}),
				refuse("a", "device_mismatch", "2", `{}`, 2*hour, row{"claimed_device_id": "c"}), refuse(null, "missing_identity", "3", trap[2], hour), refuse("a", "oversize", "4", `{}`, 24*hour),
			}},
			[][]bqclient.Value{
				{"device_mismatch", "r", "a", int64(2), int64(2), "b", at(hour), at(2 * hour)}, {"missing_identity", "r", nil, int64(1), int64(0), nil, at(hour), at(hour)},
			},
		},
	} {
		t.Run(c.query, func(t *testing.T) {
			ctx := testContext(t)
			b := newBench(t)
			c.rows["temperature"] = append(c.rows["temperature"], outside...)
			for _, name := range schema.BuiltinNames() {
				b.fill(ctx, t, name, c.rows[name])
			}
			text, err := os.ReadFile(filepath.Join("..", "..", "schema", "sql", "queries", c.query+".sql"))
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.NewReplacer(schema.ProjectPlaceholder, "demo", schema.DatasetPlaceholder, "d").Replace(string(text)))
			got := b.answer(ctx, t, string(text))
			if diff := cmp.Diff(c.want, pick(t, got, c.columns)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// fill makes a table of the product and stores the rows.
func (b *bench) fill(ctx context.Context, t *testing.T, name string, rows []row) {
	t.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := bqclient.SchemaFromJSON([]byte(table.BigQueryJSON()))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.rest.Dataset("d").Table(name).Create(ctx, &bqclient.TableMetadata{Schema: columns}); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		return
	}
	d := &descriptorpb.DescriptorProto{Name: proto.String("row")}
	for i, c := range table.Columns {
		kind := map[schema.Type]descriptorpb.FieldDescriptorProto_Type{
			schema.Timestamp: protoInt64, schema.Int64: protoInt64, schema.Float64: protoDouble, schema.Bytes: descriptorpb.FieldDescriptorProto_TYPE_BYTES,
		}[c.Type]
		if kind == 0 {
			kind = protoString
		}
		d.Field = append(d.Field, &descriptorpb.FieldDescriptorProto{
			Name: proto.String(c.Name), Number: proto.Int32(int32(i + 1)), Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	var encoded [][]byte
	for _, r := range rows {
		var wire []byte
		for i, c := range table.Columns {
			n := protowire.Number(i + 1)
			switch v := r[c.Name].(type) {
			case string:
				if v != null {
					wire = protowire.AppendString(protowire.AppendTag(wire, n, protowire.BytesType), v)
				}
			case []byte:
				wire = protowire.AppendBytes(protowire.AppendTag(wire, n, protowire.BytesType), v)
			case float64:
				wire = protowire.AppendFixed64(protowire.AppendTag(wire, n, protowire.Fixed64Type), math.Float64bits(v))
			case time.Time:
				wire = protowire.AppendVarint(protowire.AppendTag(wire, n, protowire.VarintType), uint64(v.UnixMicro()))
			}
		}
		encoded = append(encoded, wire)
	}
	ms, err := b.write.NewManagedStream(ctx, managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable("projects/demo/datasets/d/tables/"+name), managedwriter.WithSchemaDescriptor(d))
	if err != nil {
		t.Fatal(err)
	}
	defer ms.Close()
	r, err := ms.AppendRows(ctx, encoded)
	if err == nil {
		_, err = r.GetResult(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answer runs a query for the day.
func (b *bench) answer(ctx context.Context, t *testing.T, query string) (rows []map[string]bqclient.Value) {
	t.Helper()
	q := b.rest.Query(query)
	q.Parameters = []bqclient.QueryParameter{{Name: "from", Value: day}, {Name: "to", Value: day.Add(24 * time.Hour)}}
	if strings.Contains(query, "@times") {
		q.Parameters = append(q.Parameters, bqclient.QueryParameter{Name: "times", Value: 5.0})
	}
	it, err := q.Read(ctx)
	for err == nil {
		var one map[string]bqclient.Value
		if err = it.Next(&one); err == nil {
			rows = append(rows, one)
		}
	}
	if !errors.Is(err, iterator.Done) {
		t.Fatal(err)
	}
	return rows
}

func pick(t *testing.T, rows []map[string]bqclient.Value, columns string) (out [][]bqclient.Value) {
	t.Helper()
	for _, r := range rows {
		var line []bqclient.Value
		for _, c := range strings.Split(columns, ", ") {
			v, ok := r[c]
			if !ok {
				t.Fatalf("there is no column %s", c)
			}
			line = append(line, v)
		}
		out = append(out, line)
	}
	return out
}
