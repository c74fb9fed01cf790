package conformance

import (
	"context"
	"errors"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
)

// rows runs a query and reads all of it.
func (s *suite) rows(ctx context.Context, t *testing.T, query string, parameters []bigquery.QueryParameter) [][]bigquery.Value {
	t.Helper()
	q := s.rest.Query(query)
	q.Parameters = parameters
	it, err := q.Read(ctx)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out [][]bigquery.Value
	for {
		var row []bigquery.Value
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

func (s *suite) wantRows(ctx context.Context, t *testing.T, query string, parameters []bigquery.QueryParameter, want ...[]bigquery.Value) {
	t.Helper()
	if diff := cmp.Diff(want, s.rows(ctx, t, query, parameters)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}
