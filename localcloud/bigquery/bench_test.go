//go:build unix

package bigquery

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	bqclient "cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// BenchmarkAppend appends requests of 500 rows of 16 columns by the stock client, several in
// flight, each of them durable when it is answered.
func BenchmarkAppend(b *testing.B) {
	for _, streams := range []int{1, 4} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) { benchmarkAppend(b, streams) })
	}
}

func benchmarkAppend(b *testing.B, streams int) {
	const rowsPerRequest, inFlight = 500, 8
	ctx := context.Background()
	s, h := serve(b, filepath.Join(b.TempDir(), "bigquery.db"), Options{})
	rest, err := bqclient.NewClient(ctx, h.Project, h.REST...)
	if err != nil {
		b.Fatal(err)
	}
	defer rest.Close()
	schema, descriptor, row := sixteen()
	if err := rest.Dataset("d").Create(ctx, nil); err != nil {
		b.Fatal(err)
	}
	if err := rest.Dataset("d").Table("t").Create(ctx, &bqclient.TableMetadata{Schema: schema}); err != nil {
		b.Fatal(err)
	}
	write, err := managedwriter.NewClient(ctx, h.Project, h.Write...)
	if err != nil {
		b.Fatal(err)
	}
	defer write.Close()
	rows := make([][]byte, rowsPerRequest)
	for i := range rows {
		rows[i] = row
	}
	var open []*managedwriter.ManagedStream
	for range streams {
		ms, err := write.NewManagedStream(ctx, managedwriter.WithType(managedwriter.DefaultStream),
			managedwriter.WithDestinationTable(managedwriter.TableParentFromParts(h.Project, "d", "t")), managedwriter.WithSchemaDescriptor(descriptor))
		if err != nil {
			b.Fatal(err)
		}
		defer ms.Close()
		open = append(open, ms)
	}
	b.SetBytes(int64(rowsPerRequest * len(row)))
	b.ResetTimer()
	cpu := cpuTime(b)
	var waiting []*managedwriter.AppendResult
	for i := range b.N {
		if len(waiting) == inFlight*streams {
			if _, err := waiting[0].GetResult(ctx); err != nil {
				b.Fatal(err)
			}
			waiting = waiting[1:]
		}
		r, err := open[i%streams].AppendRows(ctx, rows)
		if err != nil {
			b.Fatal(err)
		}
		waiting = append(waiting, r)
	}
	for _, r := range waiting {
		if _, err := r.GetResult(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*1e6/float64(b.N*rowsPerRequest), "cpu-µs/row")
	b.ReportMetric(float64(b.N*rowsPerRequest)/b.Elapsed().Seconds(), "rows/s")
	if n, err := s.Count(ctx, h.Project+".d.t"); err != nil || n != int64(b.N*rowsPerRequest) {
		b.Errorf("%d rows, %v: want %d", n, err, b.N*rowsPerRequest)
	}
}

// sixteen is a table like the product's: ten texts, four times, a number and JSON; and a row.
func sixteen() (schema bqclient.Schema, d *descriptorpb.DescriptorProto, row []byte) {
	d = &descriptorpb.DescriptorProto{Name: proto.String("row")}
	for i := range 16 {
		typ, kind := bqclient.StringFieldType, protoString
		n := protowire.Number(i + 1)
		switch {
		case i < 10:
			row = protowire.AppendTag(row, n, protowire.BytesType)
			row = protowire.AppendString(row, "some-device-0001")
		case i < 14:
			typ, kind = bqclient.TimestampFieldType, protoInt64
			row = protowire.AppendTag(row, n, protowire.VarintType)
			row = protowire.AppendVarint(row, 1795418977123456)
		case i == 14:
			typ, kind = bqclient.FloatFieldType, protoDouble
			row = protowire.AppendTag(row, n, protowire.Fixed64Type)
			row = protowire.AppendFixed64(row, 0x4035700000000000)
		default:
			typ = bqclient.JSONFieldType
			row = protowire.AppendTag(row, n, protowire.BytesType)
			row = protowire.AppendString(row, `{"humidity":40}`)
		}
		name := fmt.Sprint("c", i)
		schema = append(schema, &bqclient.FieldSchema{Name: name, Type: typ})
		d.Field = append(d.Field, &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: proto.Int32(int32(n)), Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	return schema, d, row
}

// cpuTime is what client and server together have used: on a busy machine it says more than
// the clock does.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
