package googlesql

import (
	"fmt"
	"strings"
	"time"
)

// Column is one column of a table, a view or a result.
type Column struct {
	Name string
	Type Type
}

// Relation is what a name in FROM stands for: a table, by its name in SQLite, or a view, by
// its query.
type Relation struct {
	Table   string
	Columns []Column
	View    string
}

// Catalog finds a table or view by a path of one to three names. Its error is told as it is.
type Catalog func(path []string) (*Relation, error)

// Parameter is a query parameter. Its value is as it would be stored; of an array, JSON text.
type Parameter struct {
	Name  string // "" is positional
	Type  Type
	Array bool
	Value any
}

// Query is a query in SQLite's words. Its arguments are the values of all the
// parameters, in their order.
type Query struct {
	SQL     string
	Columns []Column
}

// Translate translates a query. Errors are the query's fault, but for those of the catalog.
func Translate(sql string, catalog Catalog, parameters []Parameter) (*Query, error) {
	tr := &translator{catalog: catalog, parameters: parameters, now: FormatTimestamp(time.Now().UnixMicro())}
	out, err := tr.text(sql)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, c := range out.Columns {
		low := strings.ToLower(c.Name)
		if seen[low] {
			return nil, wrong("Duplicate column names in the result are not supported. Found duplicate(s): %s", c.Name)
		}
		seen[low] = true
	}
	return out, nil
}

// wrong is an error in the service's words, which begin like a sentence.
func wrong(format string, args ...any) error { return queryError(fmt.Sprintf(format, args...)) }

type queryError string

func (e queryError) Error() string { return string(e) }

// translator is one translation: of a query, and of the views that it reads.
type translator struct {
	catalog    Catalog
	parameters []Parameter
	now        string // one time for the whole query
	sql        string // the text that positions refer to
	views      int    // how deep in views of views
	names      int    // of unnamed subqueries
}

// maxViews bounds views of views.
const maxViews = 16

// text translates a text of its own: a query, or a view's.
func (tr *translator) text(sql string) (*Query, error) {
	q, err := parse(sql)
	if err != nil {
		return nil, err
	}
	outer := tr.sql
	tr.sql = sql
	defer func() { tr.sql = outer }()
	return tr.query(q, &scope{})
}

func (tr *translator) fail(at int, format string, args ...any) error {
	return wrong("%s at %s", fmt.Sprintf(format, args...), position(tr.sql, at))
}

// scope is what names stand for at some place of a query.
type scope struct {
	parent    *scope // of a subquery: the query around it
	relations []relation
	ctes      map[string][]Column
	aliases   map[string]typed // of the select list, where they may be used
	aggregate bool             // an aggregate may stand here
}

type relation struct {
	name    string
	columns []Column
	joined  map[string]bool // columns that USING made one with those before it
}

// typed is an expression in SQLite's words.
type typed struct {
	sql     string
	typ     Type
	literal *literal // a literal takes the type of what it meets
	loose   bool     // so does a parameter
}

func (s *scope) cte(name string) ([]Column, bool) {
	for ; s != nil; s = s.parent {
		if c, ok := s.ctes[strings.ToLower(name)]; ok {
			return c, true
		}
	}
	return nil, false
}

// lookup finds a column by its path, here or in the queries around.
func (tr *translator) lookup(c *column, s *scope) (typed, error) {
	for at := s; at != nil; at = at.parent {
		if len(c.path) == 1 {
			if a, ok := at.aliases[strings.ToLower(c.path[0])]; ok {
				return a, nil
			}
		}
		t, n := at.find(c.path)
		if n > 1 {
			return typed{}, tr.fail(c.at, "Column name %s is ambiguous", c.path[0])
		}
		if n == 1 {
			return t, nil
		}
	}
	return typed{}, tr.fail(c.at, "Unrecognized name: %.200s", strings.Join(c.path, "."))
}

// find looks a path up among the relations of FROM: column, or relation.column.
func (s *scope) find(path []string) (t typed, n int) {
	if len(path) > 2 {
		return t, 0
	}
	want := path[len(path)-1]
	for _, r := range s.relations {
		if len(path) == 2 && !strings.EqualFold(path[0], r.name) {
			continue
		}
		for _, c := range r.columns {
			if !strings.EqualFold(c.Name, want) || len(path) == 1 && r.joined[strings.ToLower(want)] {
				continue
			}
			t = typed{sql: quote(r.name) + "." + quote(c.Name), typ: c.Type}
			n++
		}
	}
	return t, n
}

func quote(s string) string       { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteBytes(s string) string  { return fmt.Sprintf("x'%x'", s) }
