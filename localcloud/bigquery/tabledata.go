package bigquery

import (
	bq "google.golang.org/api/bigquery/v2"

	"iotbridge/localcloud/bigquery/googlesql"
)

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
