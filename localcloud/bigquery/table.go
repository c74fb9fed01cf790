package bigquery

import (
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	bq "google.golang.org/api/bigquery/v2"

	"iotbridge/localcloud/bigquery/googlesql"
)

// maxColumns is SQLite's own bound; BigQuery's is 10,000.
const maxColumns = 2000

// table is one table or view as it is at the moment. It is immutable: a change makes
// another.
type table struct {
	name     tableName
	resource *bq.Table // as it is returned, but for the count of rows
	columns  []column
}

// column is one column of a table.
type column struct {
	name     string
	typ      googlesql.Type
	required bool
}

// isView tells a view from a table.
func (t *table) isView() bool { return t.resource.View != nil }

// newTable checks a resource and reads its columns.
func newTable(name tableName, r *bq.Table) (*table, error) {
	t := &table{name: name, resource: r}
	switch {
	case r.MaterializedView != nil, r.ExternalDataConfiguration != nil, r.SnapshotDefinition != nil, r.CloneDefinition != nil:
		return nil, fmt.Errorf("table %s: the local BigQuery has plain tables and views only", name)
	case r.View != nil && r.View.UseLegacySql:
		return nil, fmt.Errorf("view %s: the local BigQuery has no legacy SQL", name)
	}
	if r.Schema == nil {
		return t, nil
	}
	if len(r.Schema.Fields) > maxColumns {
		return nil, fmt.Errorf("table %s: %d columns, the local BigQuery has at most %d", name, len(r.Schema.Fields), maxColumns)
	}
	seen := map[string]bool{}
	for _, f := range r.Schema.Fields {
		c, err := newColumn(f)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		if low := strings.ToLower(c.name); seen[low] {
			return nil, fmt.Errorf("table %s: two columns are named %s", name, c.name)
		}
		seen[strings.ToLower(c.name)] = true
		t.columns = append(t.columns, c)
	}
	return t, nil
}

func newColumn(f *bq.TableFieldSchema) (column, error) {
	c := column{name: f.Name, required: f.Mode == "REQUIRED"}
	if !isName(f.Name, "") || f.Name[0] >= '0' && f.Name[0] <= '9' {
		return c, fmt.Errorf("column %.100q: a letter or '_', then letters, digits and '_'", f.Name)
	}
	if f.Mode != "" && f.Mode != "NULLABLE" && f.Mode != "REQUIRED" {
		return c, fmt.Errorf("column %s: the local BigQuery has no %.20s columns", f.Name, f.Mode)
	}
	if f.DefaultValueExpression != "" {
		return c, fmt.Errorf("column %s: the local BigQuery has no default values", f.Name)
	}
	var ok bool
	if c.typ, ok = googlesql.ParseType(f.Type); !ok {
		return c, fmt.Errorf("column %s: the local BigQuery has no type %.50q", f.Name, f.Type)
	}
	return c, nil
}

// ddl is a column in SQLite's CREATE TABLE. The first word is the BigQuery type, and
// the whole gives the affinity. NOT NULL stays out: the judge of a row is the append,
// and a column may be relaxed.
func (c column) ddl() string {
	typ := map[googlesql.Type]string{
		googlesql.String: "TEXT", googlesql.JSON: "JSON TEXT", googlesql.Timestamp: "TIMESTAMP TEXT", googlesql.Date: "DATE TEXT",
		googlesql.Int64: "INTEGER", googlesql.Bool: "BOOL INTEGER", googlesql.Float64: "REAL", googlesql.Bytes: "BLOB",
	}[c.typ]
	return quote(c.name) + " " + typ
}

// restTypes and writeTypes are the names that the two services use.
var (
	restTypes = map[googlesql.Type]string{
		googlesql.String: "STRING", googlesql.JSON: "JSON", googlesql.Timestamp: "TIMESTAMP", googlesql.Date: "DATE",
		googlesql.Int64: "INTEGER", googlesql.Bool: "BOOLEAN", googlesql.Float64: "FLOAT", googlesql.Bytes: "BYTES",
	}
	writeTypes = map[googlesql.Type]storagepb.TableFieldSchema_Type{
		googlesql.String: storagepb.TableFieldSchema_STRING, googlesql.JSON: storagepb.TableFieldSchema_JSON,
		googlesql.Timestamp: storagepb.TableFieldSchema_TIMESTAMP, googlesql.Date: storagepb.TableFieldSchema_DATE,
		googlesql.Int64: storagepb.TableFieldSchema_INT64, googlesql.Bool: storagepb.TableFieldSchema_BOOL,
		googlesql.Float64: storagepb.TableFieldSchema_DOUBLE, googlesql.Bytes: storagepb.TableFieldSchema_BYTES,
	}
)

// writeSchema is the table's schema as the Storage Write service tells it.
func (t *table) writeSchema() *storagepb.TableSchema {
	s := &storagepb.TableSchema{}
	for i, c := range t.columns {
		mode := storagepb.TableFieldSchema_NULLABLE
		if c.required {
			mode = storagepb.TableFieldSchema_REQUIRED
		}
		s.Fields = append(s.Fields, &storagepb.TableFieldSchema{
			Name: c.name, Type: writeTypes[c.typ], Mode: mode,
			Description: t.resource.Schema.Fields[i].Description,
		})
	}
	return s
}
