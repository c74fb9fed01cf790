package bigquery

import (
	"fmt"
	"strings"
	"unicode"
)

// TableID names one table.
type TableID struct{ Project, Dataset, Table string }

// ParseTableID reads PROJECT.DATASET.TABLE. A project may itself contain dots.
func ParseTableID(s string) (TableID, error) {
	rest, table, ok := cutLast(s)
	project, dataset, ok2 := cutLast(rest)
	if !ok || !ok2 || project == "" || dataset == "" || table == "" || strings.ContainsFunc(s, noName) {
		return TableID{}, fmt.Errorf("table %.100q is not of the form PROJECT.DATASET.TABLE", s)
	}
	return TableID{project, dataset, table}, nil
}

// noName says which runes no name has: a query may quote what has none of them.
func noName(r rune) bool {
	return strings.ContainsRune("/`\\", r) || !unicode.IsGraphic(r) || unicode.IsSpace(r)
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func (id TableID) String() string { return id.Project + "." + id.Dataset + "." + id.Table }

// UnmarshalText makes a TableID a setting.
func (id *TableID) UnmarshalText(text []byte) error {
	parsed, err := ParseTableID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// resource is the table's name in the Storage Write API.
func (id TableID) resource() string {
	return "projects/" + id.Project + "/datasets/" + id.Dataset + "/tables/" + id.Table
}
