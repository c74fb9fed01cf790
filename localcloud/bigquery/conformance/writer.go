package conformance

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// writerOf is a writer schema: a descriptor made by the stock client from columns.
type writerOf struct {
	message    protoreflect.MessageDescriptor
	normalized *descriptorpb.DescriptorProto
}

func newWriterOf(t *testing.T, columns ...*bigquery.FieldSchema) writerOf {
	t.Helper()
	schema, err := adapt.BQSchemaToStorageTableSchema(columns)
	if err != nil {
		t.Fatal(err)
	}
	d, err := adapt.StorageSchemaToProto2Descriptor(schema, "root")
	if err != nil {
		t.Fatal(err)
	}
	m := d.(protoreflect.MessageDescriptor)
	normalized, err := adapt.NormalizeDescriptor(m)
	if err != nil {
		t.Fatal(err)
	}
	return writerOf{m, normalized}
}

// row encodes values by column; a column that is left out is NULL.
func (w writerOf) row(values map[string]any) []byte {
	m := dynamicpb.NewMessage(w.message)
	for name, v := range values {
		fd := w.message.Fields().ByName(protoreflect.Name(name))
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		if n, ok := v.(int64); ok && fd.Kind() == protoreflect.Int32Kind {
			v = int32(n)
		}
		m.Set(fd, protoreflect.ValueOf(v))
	}
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m) // rows that lack a required field are wanted too
	if err != nil {
		panic(err)
	}
	return b
}

// stream opens a writer on a table's default stream.
func (s *suite) stream(ctx context.Context, t *testing.T, table *bigquery.Table, w writerOf) *managedwriter.ManagedStream {
	t.Helper()
	ms, err := s.write.NewManagedStream(ctx, managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable(path(table)), managedwriter.WithSchemaDescriptor(w.normalized))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ms.Close() })
	return ms
}

func path(t *bigquery.Table) string {
	return managedwriter.TableParentFromParts(t.ProjectID, t.DatasetID, t.TableID)
}

// columnsOf reads a table's schema.
func columnsOf(ctx context.Context, t *testing.T, table *bigquery.Table) bigquery.Schema {
	t.Helper()
	m, err := table.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m.Schema
}

// store appends rows and waits until they are confirmed.
func (s *suite) store(ctx context.Context, t *testing.T, table *bigquery.Table, rows ...map[string]any) {
	t.Helper()
	w := newWriterOf(t, columnsOf(ctx, t, table)...)
	if _, err := s.append(ctx, t, s.stream(ctx, t, table, w), w, rows...); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) append(ctx context.Context, t *testing.T, ms *managedwriter.ManagedStream, w writerOf, rows ...map[string]any) (*storagepb.AppendRowsResponse, error) {
	t.Helper()
	encoded := make([][]byte, len(rows))
	for i, r := range rows {
		encoded[i] = w.row(r)
	}
	result, err := ms.AppendRows(ctx, encoded)
	if err != nil {
		return nil, err
	}
	return result.FullResponse(ctx)
}

// count is how many rows a query sees.
func (s *suite) count(ctx context.Context, t *testing.T, table *bigquery.Table) int64 {
	t.Helper()
	return s.rows(ctx, t, "SELECT COUNT(*) FROM "+sql(table), nil)[0][0].(int64)
}

// wantStatus checks the code of an append's error and returns its StorageError, if any.
func wantStatus(t *testing.T, err error, code codes.Code, text string) *storagepb.StorageError {
	t.Helper()
	ae, ok := apierror.FromError(err)
	if !ok {
		t.Fatalf("error %v, want %v", err, code)
	}
	if ae.GRPCStatus().Code() != code || !strings.Contains(ae.GRPCStatus().Message(), text) {
		t.Errorf("error %v, want %v with %q", err, code, text)
	}
	se := &storagepb.StorageError{}
	if ae.Details().ExtractProtoMessage(se) != nil {
		return nil
	}
	return se
}
