package bigquery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"iotbridge/localcloud/bigquery/googlesql"
)

// Count returns how many rows a table (P.D.T) has.
func (s *Server) Count(ctx context.Context, table string) (int64, error) {
	t, err := s.find(table)
	if err != nil {
		return 0, err
	}
	return s.count(ctx, t)
}

// Rows yields the rows of a table (P.D.T) in the order in which they were stored, each the
// values of the named columns, or of all: string (JSON and DATE too), []byte,
// int64, float64, bool, time.Time, or nil for NULL. A row holds until the next one.
func (s *Server) Rows(ctx context.Context, table string, columns ...string) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		if err := s.scan(ctx, table, columns, func(row []any) bool { return yield(row, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (s *Server) find(name string) (*table, error) {
	n, err := parseTableName(name)
	if err != nil {
		return nil, err
	}
	t := s.catalog.table(n)
	if t == nil || t.isView() {
		return nil, notFound("Table", n.rest())
	}
	return t, nil
}

// count is the highest rowid: rows are never deleted.
func (s *Server) count(ctx context.Context, t *table) (n int64, err error) {
	err = s.store.readers.QueryRowContext(ctx, "SELECT COALESCE(MAX(rowid), 0) FROM "+quote(t.name.String())).Scan(&n)
	return n, s.store.explain(err)
}

func (s *Server) scan(ctx context.Context, name string, columns []string, yield func([]any) bool) error {
	t, err := s.find(name)
	if err != nil {
		return err
	}
	cols := t.columns
	if len(columns) > 0 {
		cols = nil
		for _, want := range columns {
			i := indexColumn(t.columns, want)
			if i < 0 {
				return fmt.Errorf("table %s has no column %s", name, want)
			}
			cols = append(cols, t.columns[i])
		}
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = quote(c.name)
	}
	stop := errors.New("no more wanted")
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + quote(t.name.String()) + " ORDER BY rowid"
	err = s.store.read(ctx, query, nil, func(row []any) error {
		for i := range row {
			row[i] = goValue(cols[i].typ, row[i])
		}
		if !yield(row) {
			return stop
		}
		return nil
	})
	if errors.Is(err, stop) {
		return nil
	}
	return s.store.explain(err)
}

func indexColumn(columns []column, name string) int {
	for i, c := range columns {
		if strings.EqualFold(c.name, name) {
			return i
		}
	}
	return -1
}

// goValue is what Rows yields for a stored value.
func goValue(typ googlesql.Type, v any) any {
	switch v := v.(type) {
	case string:
		if typ == googlesql.Timestamp {
			if micros, ok := googlesql.ParseStoredTimestamp(v); ok {
				return time.UnixMicro(micros).UTC()
			}
		}
		if typ == googlesql.Float64 {
			return math.NaN()
		}
	case int64:
		if typ == googlesql.Bool {
			return v != 0
		}
	}
	return v
}
