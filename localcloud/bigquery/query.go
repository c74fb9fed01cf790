package bigquery

import (
	"context"
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
