package schema

import (
	"encoding/json"
	"strings"
)

// The names that stand in exported SQL where the caller names no project and
// dataset: a shell's envsubst and Terraform's templatefile both fill them in.
const (
	ProjectPlaceholder = "${PROJECT}"
	DatasetPlaceholder = "${DATASET}"
)

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
func (t *Table) BigQueryJSON() string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(t.fields()) // strings into memory: cannot fail
	return b.String()
}
