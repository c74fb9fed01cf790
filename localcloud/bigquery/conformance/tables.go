package conformance

import (
	"context"
	"errors"
	"slices"
	"testing"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

func (s *suite) testDataset(ctx context.Context, t *testing.T) {
	m, err := s.dataset.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.Location == "" || m.CreationTime.IsZero() || m.ETag == "" {
		t.Errorf("metadata %+v, want location, creation time and etag", m)
	}
	wantREST(t, s.dataset.Create(ctx, nil), 409, "duplicate")
	_, err = s.rest.Dataset("not_there").Metadata(ctx)
	wantREST(t, err, 404, "notFound")
	var names []string
	for it := s.rest.Datasets(ctx); ; {
		d, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, d.DatasetID)
	}
	if !slices.Contains(names, s.dataset.DatasetID) {
		t.Errorf("datasets %q, want %s among them", names, s.dataset.DatasetID)
	}
}

func (s *suite) testTable(ctx context.Context, t *testing.T) {
	table := s.dataset.Table("partitioned")
	want := &bigquery.TableMetadata{
		Description:      "a table",
		Schema:           bigquery.Schema{required("id", "STRING"), required("at", "TIMESTAMP"), column("body", "JSON"), column("n", "INTEGER")},
		TimePartitioning: &bigquery.TimePartitioning{Type: bigquery.DayPartitioningType, Field: "at"},
		Clustering:       &bigquery.Clustering{Fields: []string{"id"}},
		Labels:           map[string]string{"team": "iot"},
	}
	if err := table.Create(ctx, want); err != nil {
		t.Fatal(err)
	}
	m, err := table.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.TimePartitioning == nil || m.TimePartitioning.Field != "at" || m.TimePartitioning.Type != "DAY" {
		t.Errorf("time partitioning %+v, want DAY of at", m.TimePartitioning)
	}
	if m.Clustering == nil || !slices.Equal(m.Clustering.Fields, []string{"id"}) {
		t.Errorf("clustering %+v, want id", m.Clustering)
	}
	if len(m.Schema) != 4 || m.Schema[0].Type != "STRING" || !m.Schema[0].Required || m.Schema[3].Type != "INTEGER" || m.Schema[3].Required {
		t.Errorf("schema %+v", m.Schema)
	}
	if m.Type != bigquery.RegularTable || m.Description != "a table" || m.Labels["team"] != "iot" || m.NumRows != 0 || m.ETag == "" {
		t.Errorf("metadata %+v", m)
	}
	wantREST(t, table.Create(ctx, want), 409, "duplicate")
	_, err = s.dataset.Table("not_there").Metadata(ctx)
	wantREST(t, err, 404, "notFound")
	wantREST(t, s.rest.Dataset("not_there").Table("x").Create(ctx, want), 404, "notFound")
	listed := false
	for it := s.dataset.Tables(ctx); ; {
		next, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		listed = listed || next.TableID == table.TableID
	}
	if !listed {
		t.Error("the list of tables lacks it")
	}
	if err := table.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = table.Metadata(ctx)
	wantREST(t, err, 404, "notFound")
}

func (s *suite) testTableChange(ctx context.Context, t *testing.T) {
	table := s.table(ctx, t, required("a", "STRING"))
	before, err := table.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wider := bigquery.Schema{before.Schema[0], column("b", "FLOAT")}
	after, err := table.Update(ctx, bigquery.TableMetadataToUpdate{Schema: wider, Description: "wider"}, before.ETag)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Schema) != 2 || after.Description != "wider" || after.ETag == before.ETag {
		t.Errorf("after the change: %+v", after)
	}
	_, err = table.Update(ctx, bigquery.TableMetadataToUpdate{Description: "late"}, before.ETag)
	wantREST(t, err, 412, "conditionNotMet")
	relaxed := bigquery.Schema{column("a", "STRING"), column("b", "FLOAT")}
	if _, err := table.Update(ctx, bigquery.TableMetadataToUpdate{Schema: relaxed}, ""); err != nil {
		t.Errorf("relax a column: %v", err)
	}
	for name, schema := range map[string]bigquery.Schema{
		"another type":        {column("a", "INTEGER"), column("b", "FLOAT")},
		"a column less":       {column("a", "STRING")},
		"a required one more": {column("a", "STRING"), column("b", "FLOAT"), required("c", "STRING")},
	} {
		_, err := table.Update(ctx, bigquery.TableMetadataToUpdate{Schema: schema}, "")
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantREST(t, err, 400, "invalid")
	}
}

func (s *suite) testView(ctx context.Context, t *testing.T) {
	table := s.table(ctx, t, column("a", "STRING"), column("n", "INTEGER"))
	s.store(ctx, t, table, map[string]any{"a": "x", "n": 1}, map[string]any{"a": "x", "n": 2}, map[string]any{"a": "y", "n": 3})
	view := s.dataset.Table("per_a")
	if err := view.Create(ctx, &bigquery.TableMetadata{ViewQuery: "SELECT a, COUNT(*) AS n, MAX(n) AS top FROM " + sql(table) + " GROUP BY a"}); err != nil {
		t.Fatal(err)
	}
	m, err := view.Metadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.Type != bigquery.ViewTable || m.ViewQuery == "" || len(m.Schema) != 3 || m.Schema[1].Type != "INTEGER" {
		t.Errorf("metadata %+v", m)
	}
	s.wantRows(ctx, t, "SELECT * FROM "+sql(view)+" WHERE n > 1", nil, []bigquery.Value{"x", int64(2), int64(2)})
	err = s.dataset.Table("broken").Create(ctx, &bigquery.TableMetadata{ViewQuery: "SELECT nothing FROM " + sql(table)})
	wantREST(t, err, 400, "invalidQuery")
}
