package bigquery

import (
	"fmt"
	"strings"
)

// datasetName and tableName are full names.
type datasetName struct{ project, dataset string }

type tableName struct {
	datasetName
	table string
}

// String is the name as GoogleSQL and this file's tables have it.
func (n tableName) String() string { return n.project + "." + n.dataset + "." + n.table }

// path is the name as the Storage Write service has it.
func (n tableName) path() string {
	return "projects/" + n.project + "/datasets/" + n.dataset + "/tables/" + n.table
}

// parseTableName reads P.D.T.
func parseTableName(s string) (tableName, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return tableName{}, fmt.Errorf("table %.100q: want PROJECT.DATASET.TABLE", s)
	}
	n := tableName{datasetName{parts[0], parts[1]}, parts[2]}
	return n, n.check()
}

// parseStream reads the name of a table's default stream, in either spelling.
func parseStream(s string) (tableName, error) {
	p := strings.Split(s, "/")
	ok := len(p) == 8 && p[6] == "streams" || len(p) == 7
	if !ok || p[0] != "projects" || p[2] != "datasets" || p[4] != "tables" {
		return tableName{}, fmt.Errorf("stream %.200q: want projects/P/datasets/D/tables/T/streams/_default", s)
	}
	if last := p[len(p)-1]; last != "_default" {
		return tableName{}, fmt.Errorf("stream %.100q: the local BigQuery has default streams only", last)
	}
	n := tableName{datasetName{p[1], p[3]}, p[5]}
	return n, n.check()
}

func (n datasetName) check() error {
	if !isName(n.project, "-:") {
		return fmt.Errorf("project %.100q: letters, digits, '-', '_' and ':' only", n.project)
	}
	if !isName(n.dataset, "") {
		return fmt.Errorf("dataset %.100q: letters, digits and '_' only", n.dataset)
	}
	return nil
}

func (n tableName) check() error {
	if err := n.datasetName.check(); err != nil {
		return err
	}
	if !isName(n.table, "-") {
		return fmt.Errorf("table %.100q: letters, digits, '-' and '_' only", n.table)
	}
	return nil
}

// isName says whether s is 1 to 300 letters, digits, '_' and what else is given.
func isName(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || strings.IndexByte(also, c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 300
}

// quote is an identifier in SQLite's SQL.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
