package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/grpc/codes"
)

func (s *suite) testAppend(ctx context.Context, t *testing.T) {
	columns := bigquery.Schema{required("id", "STRING"), column("n", "INTEGER")}
	table := s.table(ctx, t, columns...)
	w := newWriterOf(t, columns...)
	ms := s.stream(ctx, t, table, w)
	for i := range 3 {
		resp, err := s.append(ctx, t, ms, w, map[string]any{"id": fmt.Sprint("a", i), "n": i}, map[string]any{"id": fmt.Sprint("b", i)})
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetAppendResult() == nil {
			t.Errorf("response %v, want an append result", resp)
		}
	}
	s.wantRows(ctx, t, "SELECT id, n FROM "+sql(table)+" ORDER BY id", nil,
		[]bigquery.Value{"a0", int64(0)}, []bigquery.Value{"a1", int64(1)}, []bigquery.Value{"a2", int64(2)},
		[]bigquery.Value{"b0", nil}, []bigquery.Value{"b1", nil}, []bigquery.Value{"b2", nil})

	// A writer that knows fewer columns is welcome; so is one that changes its schema on the way.
	narrow := newWriterOf(t, columns[:1]...)
	result, err := ms.AppendRows(ctx, [][]byte{narrow.row(map[string]any{"id": "c"})}, managedwriter.UpdateSchemaDescriptor(narrow.normalized))
	if err == nil {
		_, err = result.FullResponse(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := s.count(ctx, t, table); n != 7 {
		t.Errorf("%d rows, want 7", n)
	}
}

func (s *suite) testRowErrors(ctx context.Context, t *testing.T) {
	columns := bigquery.Schema{required("id", "STRING"), column("at", "TIMESTAMP"), column("body", "JSON")}
	table := s.table(ctx, t, columns...)
	w := newWriterOf(t, columns...)
	ms := s.stream(ctx, t, table, w)
	good := func() []byte { return w.row(map[string]any{"id": "good"}) }
	for name, bad := range map[string][]byte{
		"required column missing": w.row(map[string]any{"body": "{}"}),
		"no JSON":                 w.row(map[string]any{"id": "x", "body": "{"}),
		"time out of range":       w.row(map[string]any{"id": "x", "at": int64(1) << 62}),
		"no UTF-8":                {0x0a, 2, 0xff, 0xfe},
		"no protobuf":             {0x0a, 200, 1},
	} {
		result, err := ms.AppendRows(ctx, [][]byte{good(), good(), bad, good()})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := result.FullResponse(ctx)
		wantStatus(t, err, codes.InvalidArgument, "")
		rows := resp.GetRowErrors()
		if len(rows) != 1 || rows[0].GetIndex() != 2 || rows[0].GetMessage() == "" {
			t.Errorf("%s: row errors %v, want one of row 2", name, rows)
		}
	}
	if n := s.count(ctx, t, table); n != 0 {
		t.Errorf("%d rows are stored of requests with a bad row, want none", n)
	}
	if _, err := s.append(ctx, t, ms, w, map[string]any{"id": "after"}); err != nil {
		t.Errorf("the stream after row errors: %v", err)
	}
}

func (s *suite) testSchemaMismatch(ctx context.Context, t *testing.T) {
	table := s.table(ctx, t, column("id", "STRING"))
	extra := newWriterOf(t, column("id", "STRING"), column("more", "STRING"))
	_, err := s.append(ctx, t, s.stream(ctx, t, table, extra), extra, map[string]any{"id": "x"})
	if se := wantStatus(t, err, codes.InvalidArgument, ""); se.GetCode() != storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS {
		t.Errorf("storage error %v, want SCHEMA_MISMATCH_EXTRA_FIELDS", se)
	}
	other := newWriterOf(t, column("id", "INTEGER"))
	if s.Local { // Google takes some numbers for strings
		_, err = s.append(ctx, t, s.stream(ctx, t, table, other), other, map[string]any{"id": 1})
		wantStatus(t, err, codes.InvalidArgument, "mismatched with BigQuery field at root.id, the proto field type int64, BigQuery field type STRING")
	}
	if n := s.count(ctx, t, table); n != 0 {
		t.Errorf("%d rows, want none", n)
	}

	// The cure: the table gets the column, the same writer goes on.
	if _, err := table.Update(ctx, bigquery.TableMetadataToUpdate{Schema: bigquery.Schema{column("id", "STRING"), column("more", "STRING")}}, ""); err != nil {
		t.Fatal(err)
	}
	if !s.Local {
		return // the service may take minutes to see the column
	}
	if _, err := s.append(ctx, t, s.stream(ctx, t, table, extra), extra, map[string]any{"id": "x", "more": "y"}); err != nil {
		t.Errorf("after the column was added: %v", err)
	}
}

func (s *suite) testTooLarge(ctx context.Context, t *testing.T) {
	columns := bigquery.Schema{column("data", "BYTES")}
	table := s.table(ctx, t, columns...)
	w := newWriterOf(t, columns...)
	ms := s.stream(ctx, t, table, w)
	_, err := s.append(ctx, t, ms, w, map[string]any{"data": make([]byte, 11<<20)})
	wantStatus(t, err, codes.InvalidArgument, "AppendRows request too large")
	if _, err := s.append(ctx, t, s.stream(ctx, t, table, w), w, map[string]any{"data": make([]byte, 9<<20)}); err != nil {
		t.Errorf("9 MiB: %v", err)
	}
	if n := s.count(ctx, t, table); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func (s *suite) testMissingTable(ctx context.Context, t *testing.T) {
	w := newWriterOf(t, column("id", "STRING"))
	_, err := s.write.NewManagedStream(ctx, managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable(path(s.dataset.Table("not_there"))), managedwriter.WithSchemaDescriptor(w.normalized))
	wantStatus(t, err, codes.NotFound, "")

	table := s.table(ctx, t, column("id", "STRING"))
	ms := s.stream(ctx, t, table, w)
	if _, err := s.append(ctx, t, ms, w, map[string]any{"id": "x"}); err != nil {
		t.Fatal(err)
	}
	if !s.Local {
		return // Google notices a deletion only after minutes
	}
	if err := table.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = s.append(ctx, t, ms, w, map[string]any{"id": "x"})
	if se := wantStatus(t, err, codes.NotFound, ""); se.GetCode() != storagepb.StorageError_TABLE_NOT_FOUND {
		t.Errorf("storage error %v, want TABLE_NOT_FOUND", se)
	}
}

func (s *suite) testWriteStream(ctx context.Context, t *testing.T) {
	table := s.table(ctx, t, required("id", "STRING"), column("at", "TIMESTAMP"))
	for _, name := range []string{path(table) + "/streams/_default", path(table) + "/_default"} {
		for _, view := range []storagepb.WriteStreamView{storagepb.WriteStreamView_BASIC, storagepb.WriteStreamView_FULL} {
			got, err := s.write.GetWriteStream(ctx, &storagepb.GetWriteStreamRequest{Name: name, View: view})
			if err != nil {
				t.Fatal(err)
			}
			if got.GetLocation() == "" || got.GetType() != storagepb.WriteStream_COMMITTED {
				t.Errorf("%s: %v, want a committed stream with a location", name, got)
			}
			fields := got.GetTableSchema().GetFields()
			if view == storagepb.WriteStreamView_BASIC {
				if len(fields) != 0 {
					t.Errorf("%s: a schema without asking for it", name)
				}
				continue
			}
			if len(fields) != 2 || fields[0].GetMode() != storagepb.TableFieldSchema_REQUIRED || fields[1].GetType() != storagepb.TableFieldSchema_TIMESTAMP {
				t.Errorf("%s: schema %v", name, fields)
			}
		}
	}
}

func (s *suite) testPipelined(ctx context.Context, t *testing.T) {
	columns := bigquery.Schema{required("n", "INTEGER")}
	table := s.table(ctx, t, columns...)
	w := newWriterOf(t, columns...)
	ms := s.stream(ctx, t, table, w)
	var results []*managedwriter.AppendResult
	for i := range 100 {
		row := w.row(map[string]any{"n": i})
		if i%10 == 7 {
			row = nil // no n
		}
		r, err := ms.AppendRows(ctx, [][]byte{row})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	for i, r := range results {
		resp, err := r.FullResponse(ctx)
		if bad := i%10 == 7; bad != (err != nil) || bad != (len(resp.GetRowErrors()) == 1) {
			t.Errorf("request %d: %v, %v: answers must come in the order of the requests", i, resp, errors.Unwrap(err))
		}
	}
	s.wantRows(ctx, t, "SELECT COUNT(*), COUNT(DISTINCT n) FROM "+sql(table), nil, []bigquery.Value{int64(90), int64(90)})
}
