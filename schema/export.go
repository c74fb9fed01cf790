package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Formats are the forms that a table is exported in.
func Formats() []string { return []string{"bigquery", "ddl", "terraform"} }

// The names that stand in exported SQL where the caller names no project and
// dataset: a shell's envsubst and Terraform's templatefile both fill them in.
const (
	ProjectPlaceholder = "${PROJECT}"
	DatasetPlaceholder = "${DATASET}"
)

// Export returns the table as text: bigquery is BigQuery's JSON schema, ddl a
// CREATE TABLE over the placeholders, terraform a google_bigquery_table. The
// same table gives the same bytes.
func (t *Table) Export(format string) ([]byte, error) {
	switch format {
	case "bigquery":
		return t.BigQueryJSON(), nil
	case "ddl":
		return []byte(t.DDL("", "")), nil
	case "terraform":
		return []byte(t.Terraform()), nil
	}
	return nil, fmt.Errorf("no export format %q: there are %s", format, strings.Join(Formats(), ", "))
}

// field is a column as BigQuery's REST API and the bq tool name its parts.
type field struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Mode        string `json:"mode"`
	Description string `json:"description"`
}

// fields are the columns with the type names that the API answers with, so
// that neither bq nor Terraform sees a difference where there is none.
func (t *Table) fields() []field {
	list := make([]field, len(t.Columns))
	for i, c := range t.Columns {
		f := field{c.Name, string(c.Type), "NULLABLE", c.Description}
		switch c.Type {
		case Int64:
			f.Type = "INTEGER"
		case Float64:
			f.Type = "FLOAT"
		case Bool:
			f.Type = "BOOLEAN"
		}
		if c.Required {
			f.Mode = "REQUIRED"
		}
		list[i] = f
	}
	return list
}

// BigQueryJSON is the schema as `bq mk --table P:D.T FILE.json` takes it.
func (t *Table) BigQueryJSON() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(t.fields()) // strings into memory: cannot fail
	return b.Bytes()
}
