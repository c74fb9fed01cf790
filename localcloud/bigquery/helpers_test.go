package bigquery

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bqclient "cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/localcloud/bigquery/conformance"
	"iotbridge/localcloud/fault"
)

// idSchema is a table demo.d.t of one column, id STRING REQUIRED.
var idSchema = &descriptorpb.DescriptorProto{Name: proto.String("row"), Field: []*descriptorpb.FieldDescriptorProto{{
	Name: proto.String("id"), Number: proto.Int32(1), Type: protoString.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
}}}

const idTable = "demo.d.t"

func ids(values ...string) (rows [][]byte) {
	for _, v := range values {
		rows = append(rows, protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), v))
	}
	return rows
}

// bench is a server with demo.d.t, and the stock clients.
type bench struct {
	*Server
	conformance.Harness
	faults *fault.Injector
	rest   *bqclient.Client
	write  *managedwriter.Client
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newBench(t testing.TB) *bench {
	t.Helper()
	ctx := testContext(t)
	b := &bench{faults: &fault.Injector{}}
	b.Server, b.Harness = serve(t, filepath.Join(t.TempDir(), "bigquery.db"), Options{Faults: b.faults})
	b.connect(ctx, t)
	if err := b.rest.Dataset("d").Create(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.rest.Dataset("d").Table("t").Create(ctx, &bqclient.TableMetadata{Schema: bqclient.Schema{{Name: "id", Type: "STRING", Required: true}}}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) connect(ctx context.Context, t testing.TB) {
	t.Helper()
	var err error
	if b.rest, err = bqclient.NewClient(ctx, b.Project, b.REST...); err != nil {
		t.Fatal(err)
	}
	if b.write, err = managedwriter.NewClient(ctx, b.Project, b.Write...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.rest.Close(); b.write.Close() })
}

// stream opens a writer on demo.d.t.
func (b *bench) stream(ctx context.Context, t testing.TB, o ...managedwriter.WriterOption) *managedwriter.ManagedStream {
	t.Helper()
	ms, err := b.write.NewManagedStream(ctx, append(o, managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable("projects/demo/datasets/d/tables/t"), managedwriter.WithSchemaDescriptor(idSchema))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ms.Close() })
	return ms
}

// stored is what demo.d.t holds, in order, joined by spaces.
func (b *bench) stored(ctx context.Context, t testing.TB) string {
	t.Helper()
	var out []string
	for row, err := range b.Rows(ctx, idTable, "id") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row[0].(string))
	}
	return strings.Join(out, " ")
}
