package bigquery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

func selfLink(project string, path ...string) string {
	return "/bigquery/v2/projects/" + project + "/" + strings.Join(path, "/")
}

// etag names a resource's version by its content.
func etag(resource any) string {
	b, _ := json.Marshal(resource) // it came from JSON
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:16])
}

func (s *Server) listTables(c *call) (any, error) {
	if s.catalog.dataset(c.dataset) == nil {
		return nil, notFound("Dataset", c.dataset.project+":"+c.dataset.dataset)
	}
	all := s.catalog.tablesOf(c.dataset)
	from, to, next := c.page(len(all), maxList)
	list := &bq.TableList{Kind: "bigquery#tableList", TotalItems: int64(len(all)), NextPageToken: next}
	for _, t := range all[from:to] {
		r := t.resource
		list.Tables = append(list.Tables, &bq.TableListTables{
			Kind: "bigquery#table", Id: r.Id, TableReference: r.TableReference,
			Type: r.Type, Labels: r.Labels, CreationTime: r.CreationTime, TimePartitioning: r.TimePartitioning, Clustering: r.Clustering,
		})
	}
	return list, nil
}

func (s *Server) insertTable(c *call) (any, error) {
	var r bq.Table
	if err := c.body(&r); err != nil {
		return nil, err
	}
	if r.TableReference == nil {
		return nil, invalid("tableReference is missing")
	}
	n := tableName{c.dataset, r.TableReference.TableId}
	if err := n.check(); err != nil {
		return nil, invalid("%v", err)
	}
	d := s.catalog.dataset(c.dataset)
	if d == nil {
		return nil, notFound("Dataset", n.project+":"+n.dataset)
	}
	if s.catalog.table(n) != nil {
		return nil, duplicate("Table", n.rest())
	}
	r.CreationTime, r.Location = time.Now().UnixMilli(), d.Location
	t, err := s.complete(c.Context(), n, &r)
	if err != nil {
		return nil, err
	}
	return &r, s.catalog.createTable(t)
}

// complete fills in what the service says of a table, and checks it.
func (s *Server) complete(ctx context.Context, n tableName, r *bq.Table) (*table, error) {
	r.Kind, r.Id, r.SelfLink = "bigquery#table", n.rest(), selfLink(n.project, "datasets", n.dataset, "tables", n.table)
	r.TableReference = &bq.TableReference{ProjectId: n.project, DatasetId: n.dataset, TableId: n.table}
	r.LastModifiedTime = uint64(time.Now().UnixMilli())
	r.Type = "TABLE"
	if r.View != nil {
		r.Type = "VIEW"
		if err := s.describeView(ctx, n, r); err != nil {
			return nil, err
		}
	}
	r.NumRows, r.Etag = 0, ""
	t, err := newTable(n, r)
	if err != nil {
		return nil, invalid("%v", err)
	}
	if err := t.checkLayout(); err != nil {
		return nil, err
	}
	r.Etag = etag(r)
	return t, nil
}

// checkLayout checks that partitioning and clustering name columns.
func (t *table) checkLayout() error {
	names := map[string]bool{"": true}
	for _, c := range t.columns {
		names[c.name] = true
	}
	if p := t.resource.TimePartitioning; p != nil && !names[p.Field] {
		return invalid("The field specified for partitioning cannot be found in the schema: %s", p.Field)
	}
	if c := t.resource.Clustering; c != nil {
		for _, f := range c.Fields {
			if !names[f] {
				return invalid("The field specified for clustering cannot be found in the schema: %s", f)
			}
		}
	}
	return nil
}

func (s *Server) readTable(c *call) (any, error) {
	t := s.catalog.table(c.table)
	if t == nil {
		return nil, notFound("Table", c.table.rest())
	}
	r := *t.resource
	if t.isView() {
		return &r, nil
	}
	n, err := s.count(c.Context(), t)
	r.NumRows = uint64(n)
	r.ForceSendFields = append(r.ForceSendFields, "NumRows")
	return &r, err
}

func (s *Server) patchTable(c *call) (any, error) {
	old := s.catalog.table(c.table)
	if old == nil {
		return nil, notFound("Table", c.table.rest())
	}
	var r bq.Table
	if err := c.patch(old.resource, &r); err != nil {
		return nil, err
	}
	r.CreationTime, r.Location = old.resource.CreationTime, old.resource.Location
	t, err := s.complete(c.Context(), c.table, &r)
	if err != nil {
		return nil, err
	}
	return &r, s.catalog.changeTable(old, t)
}

func (s *Server) deleteTable(c *call) (any, error) {
	t := s.catalog.table(c.table)
	if t == nil {
		return nil, notFound("Table", c.table.rest())
	}
	return struct{}{}, s.catalog.dropTable(t)
}
