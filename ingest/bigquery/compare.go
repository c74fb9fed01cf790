package bigquery

import (
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"

	"iotbridge/schema"
)

// Difference is one way in which a live table refuses the rows of ours.
type Difference struct{ Column, Want, Have string }

func (d Difference) String() string {
	return fmt.Sprintf("column %s: want %s, have %s", d.Column, d.Want, d.Have)
}

// LiveColumn is a column as BigQuery has it.
type LiveColumn struct {
	Name string
	Type string // by its GoogleSQL name
	Mode string // NULLABLE, REQUIRED or REPEATED
}

func (c LiveColumn) String() string { return c.Mode + " " + c.Type }

// Compare tells what keeps rows of table out of a table with these columns. Columns
// that only the live table has are fine as long as they need no value, and so is a
// NULLABLE column where ours is REQUIRED.
func Compare(table *schema.Table, live []LiveColumn) []Difference {
	var out []Difference
	ours := map[string]bool{}
	for _, want := range table.Columns {
		ours[strings.ToLower(want.Name)] = true
		mode := "NULLABLE"
		if want.Required {
			mode = "REQUIRED"
		}
		have, ok := find(live, want.Name)
		switch {
		case !ok:
			out = append(out, Difference{want.Name, mode + " " + string(want.Type), "no such column"})
		case have.Type != string(want.Type) || have.Mode == "REPEATED" || have.Mode == "REQUIRED" && !want.Required:
			out = append(out, Difference{want.Name, mode + " " + string(want.Type), have.String()})
		}
	}
	for _, have := range live {
		if have.Mode == "REQUIRED" && !ours[strings.ToLower(have.Name)] {
			out = append(out, Difference{have.Name, "NULLABLE, as nothing is written to it", have.String()})
		}
	}
	return out
}

// find ignores case, as BigQuery does in column names.
func find(live []LiveColumn, name string) (LiveColumn, bool) {
	for _, c := range live {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return LiveColumn{}, false
}

// describe is one line of all the differences.
func describe(differences []Difference) string {
	words := make([]string, len(differences))
	for i, d := range differences {
		words[i] = d.String()
	}
	return strings.Join(words, "; ")
}

// googleSQL maps the names that REST and the Storage Write API have for types.
var googleSQL = map[string]string{"INTEGER": "INT64", "FLOAT": "FLOAT64", "DOUBLE": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}

func liveColumn(name, typ, mode string) LiveColumn {
	if n, ok := googleSQL[typ]; ok {
		typ = n
	}
	return LiveColumn{name, typ, mode}
}

func fromREST(s bigquery.Schema) []LiveColumn {
	var out []LiveColumn
	for _, f := range s {
		mode := "NULLABLE"
		switch {
		case f.Repeated:
			mode = "REPEATED"
		case f.Required:
			mode = "REQUIRED"
		}
		out = append(out, liveColumn(f.Name, string(f.Type), mode))
	}
	return out
}

func fromStorage(s *storagepb.TableSchema) []LiveColumn {
	var out []LiveColumn
	for _, f := range s.GetFields() {
		mode := "NULLABLE"
		if m := f.GetMode(); m != storagepb.TableFieldSchema_MODE_UNSPECIFIED {
			mode = m.String()
		}
		out = append(out, liveColumn(f.GetName(), f.GetType().String(), mode))
	}
	return out
}
