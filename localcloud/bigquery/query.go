package bigquery

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"

	"iotbridge/localcloud/bigquery/googlesql"
)

const (
	maxResultRows  = 1_000_000
	maxResultBytes = 256 << 20
	queryPatience  = 5 * time.Minute
)

// result is what a query answered: the cells as REST tells them, but for the timestamps.
type result struct {
	columns []googlesql.Column
	rows    [][]any // string, or nil for NULL
	bytes   int
}

// run translates a query and reads all of its answer.
func (s *Server) run(ctx context.Context, text string, home *bq.DatasetReference, project string, parameters []*parameter) (*result, error) {
	params, args, err := readParameters(parameters)
	if err != nil {
		return nil, err
	}
	q, err := googlesql.Translate(text, s.relations(home, project), params)
	if err != nil {
		return nil, asQueryError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, queryPatience)
	defer cancel()
	r := &result{columns: q.Columns}
	return r, s.queryFailed(s.store.read(ctx, q.SQL, args, r.add))
}

func (r *result) add(cells []any) error {
	row := make([]any, len(cells))
	for i, v := range cells {
		text, ok := cellText(r.columns[i].Type, v)
		if ok {
			row[i] = text
			r.bytes += len(text)
		}
		r.bytes += 16
	}
	r.rows = append(r.rows, row)
	if len(r.rows) > maxResultRows || r.bytes > maxResultBytes {
		return &apiError{403, "responseTooLarge", "Response too large to return: the local BigQuery keeps at most 1,000,000 rows and 256 MiB of a result"}
	}
	return nil
}

// cellText is a value as REST tells it; false is NULL. A TIMESTAMP is µs since the epoch here.
func cellText(typ googlesql.Type, v any) (string, bool) {
	if v == nil {
		return "", false
	}
	switch typ {
	case googlesql.Bytes:
		switch v := v.(type) {
		case []byte:
			return base64.StdEncoding.EncodeToString(v), true
		case string:
			return base64.StdEncoding.EncodeToString([]byte(v)), true
		}
	case googlesql.Bool:
		return strconv.FormatBool(v != int64(0) && v != false), true
	case googlesql.Float64:
		if n, ok := v.(int64); ok {
			v = float64(n)
		}
		return googlesql.FormatFloat(v), true
	case googlesql.Timestamp:
		if micros, ok := googlesql.ParseStoredTimestamp(fmt.Sprint(v)); ok {
			return strconv.FormatInt(micros, 10), true
		}
	}
	if b, ok := v.([]byte); ok {
		return string(b), true
	}
	return fmt.Sprint(v), true
}

// page is a part of the rows as REST tells them.
func (r *result) page(from, to int, wholeMicros bool) []*bq.TableRow {
	out := make([]*bq.TableRow, 0, to-from)
	for _, row := range r.rows[from:to] {
		cells := make([]*bq.TableCell, len(row))
		for i, v := range row {
			if r.columns[i].Type == googlesql.Timestamp && v != nil && !wholeMicros {
				micros, _ := strconv.ParseInt(v.(string), 10, 64)
				v = strconv.FormatFloat(float64(micros)/1e6, 'E', -1, 64)
			}
			cells[i] = &bq.TableCell{V: v}
			if v == nil {
				cells[i].NullFields = []string{"V"}
			}
		}
		out = append(out, &bq.TableRow{F: cells})
	}
	return out
}

func restSchema(columns []googlesql.Column) *bq.TableSchema {
	s := &bq.TableSchema{}
	for _, c := range columns {
		s.Fields = append(s.Fields, &bq.TableFieldSchema{Name: c.Name, Type: restTypes[c.Type], Mode: "NULLABLE"})
	}
	return s
}

// relations finds tables and views for the translation. A name of two parts is one of project,
// a name of one part needs a default dataset.
func (s *Server) relations(home *bq.DatasetReference, project string) googlesql.Catalog {
	return func(path []string) (*googlesql.Relation, error) {
		n := tableName{datasetName{project: project}, path[len(path)-1]}
		switch len(path) {
		case 3:
			n.project, n.dataset = path[0], path[1]
		case 2:
			n.dataset = path[0]
		case 1:
			if home == nil {
				return nil, invalid("Table %q must be qualified with a dataset (e.g. dataset.table).", path[0])
			}
			n.dataset = home.DatasetId
			if home.ProjectId != "" {
				n.project = home.ProjectId
			}
		default:
			return nil, invalid("Table name of %d parts: want project.dataset.table", len(path))
		}
		if err := n.check(); err != nil {
			return nil, invalid("%v", err)
		}
		t := s.catalog.table(n)
		if t == nil {
			return nil, notFound("Table", n.rest())
		}
		r := &googlesql.Relation{Table: n.String()}
		if t.isView() {
			r.View = t.resource.View.Query
		}
		for _, c := range t.columns {
			r.Columns = append(r.Columns, googlesql.Column{Name: c.name, Type: c.typ})
		}
		return r, nil
	}
}

// describeView gives a view the schema of its query.
func (s *Server) describeView(_ context.Context, n tableName, r *bq.Table) error {
	q, err := googlesql.Translate(r.View.Query, s.relations(nil, n.project), nil)
	if err != nil {
		return asQueryError(err)
	}
	descriptions := map[string]string{}
	if r.Schema != nil {
		for _, f := range r.Schema.Fields {
			descriptions[f.Name] = f.Description
		}
	}
	r.Schema = restSchema(q.Columns)
	for _, f := range r.Schema.Fields {
		f.Description = descriptions[f.Name]
	}
	return nil
}

// listRows is tabledata.list.
func (s *Server) listRows(c *call) (any, error) {
	t := s.catalog.table(c.table)
	if t == nil || t.isView() {
		return nil, notFound("Table", c.table.rest())
	}
	n, err := s.count(c.Context(), t)
	if err != nil {
		return nil, err
	}
	from, to, next := c.page(int(n), maxPage)
	r := &result{}
	for _, col := range t.columns {
		r.columns = append(r.columns, googlesql.Column{Name: col.name, Type: col.typ})
	}
	query := "SELECT * FROM " + quote(t.name.String()) + " WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
	if err := s.store.read(c.Context(), query, []any{from, to}, r.add); err != nil {
		return nil, s.store.explain(err)
	}
	list := &bq.TableDataList{Kind: "bigquery#tableDataList", TotalRows: n, PageToken: next, ForceSendFields: []string{"TotalRows"}}
	list.Rows = r.page(0, len(r.rows), wholeMicros(c))
	return list, nil
}
