package bigquery

import (
	"fmt"
	"sync"
	"testing"

	bqclient "cloud.google.com/go/bigquery"
)

// Columns come while rows do: no append fails for it, none is lost, and the writer hears of
// the new schema.
func TestTableChangesUnderAppends(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	const appends, changes = 200, 10
	var writers sync.WaitGroup
	told := false
	writers.Go(func() {
		ms := b.stream(ctx, t)
		for i := range appends {
			r, err := ms.AppendRows(ctx, ids(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := r.FullResponse(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			told = told || resp.GetUpdatedSchema() != nil
		}
	})
	schema := bqclient.Schema{{Name: "id", Type: "STRING", Required: true}}
	for i := range changes {
		schema = append(schema, &bqclient.FieldSchema{Name: fmt.Sprint("more", i), Type: "INTEGER"})
		if _, err := b.rest.Dataset("d").Table("t").Update(ctx, bqclient.TableMetadataToUpdate{Schema: schema}, ""); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	if n, err := b.Count(ctx, idTable); n != appends || err != nil {
		t.Errorf("%d rows, %v: want %d", n, err, appends)
	}
	r, err := b.stream(ctx, t).AppendRows(ctx, ids("last"))
	if err == nil {
		_, err = r.GetResult(ctx)
	}
	if err != nil {
		t.Error(err)
	}
	t.Logf("the writer was told of a new schema: %v", told)
}
