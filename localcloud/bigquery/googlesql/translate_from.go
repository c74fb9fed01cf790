package googlesql

import (
	"fmt"
	"strings"
)

// from translates FROM, with its keyword, and puts its relations in the scope.
func (tr *translator) from(src source, s *scope) (string, error) {
	if src == nil {
		return "", nil
	}
	sql, err := tr.source(src, s)
	return " FROM " + sql, err
}

func (tr *translator) source(src source, s *scope) (string, error) {
	switch src := src.(type) {
	case *tablePath:
		return tr.table(src, s)
	case *derived:
		q, err := tr.query(src.query, &scope{ctes: allCTEs(s)}) // no LATERAL: it sees the names of WITH alone
		if err != nil {
			return "", err
		}
		return tr.named("("+q.SQL+")", src.alias, q.Columns, s)
	case *join:
		return tr.join(src, s)
	}
	return "", wrong("%T is not understood", src)
}

// named gives a relation its name and puts it in the scope.
func (tr *translator) named(sql, name string, columns []Column, s *scope) (string, error) {
	if name == "" {
		tr.names++
		name = fmt.Sprintf("subquery.%d", tr.names) // no name in a query has a dot
	}
	for _, r := range s.relations {
		if strings.EqualFold(r.name, name) {
			return "", wrong("Duplicate table alias %s in the same FROM clause", name)
		}
	}
	s.relations = append(s.relations, relation{name: name, columns: columns})
	return sql + " AS " + quote(name), nil
}

// table translates the name of a WITH subquery, a table or a view.
func (tr *translator) table(t *tablePath, s *scope) (string, error) {
	name := t.alias
	if name == "" {
		name = t.path[len(t.path)-1]
	}
	if len(t.path) == 1 {
		if columns, ok := s.cte(t.path[0]); ok {
			return tr.named(quote(t.path[0]), name, columns, s)
		}
	}
	r, err := tr.catalog(t.path)
	if err != nil {
		return "", err
	}
	if r.View == "" {
		return tr.named("main."+quote(r.Table), name, r.Columns, s)
	}
	if tr.views++; tr.views > maxViews {
		return "", tr.fail(t.at, "views are nested deeper than %d", maxViews)
	}
	defer func() { tr.views-- }()
	q, err := tr.text(r.View)
	if err != nil {
		return "", fmt.Errorf("view %s: %w", strings.Join(t.path, "."), err)
	}
	return tr.named("("+q.SQL+")", name, q.Columns, s)
}

func (tr *translator) join(j *join, s *scope) (string, error) {
	left, err := tr.source(j.left, s)
	if err != nil {
		return "", err
	}
	before := len(s.relations)
	right, err := tr.source(j.right, s)
	if err != nil {
		return "", err
	}
	if _, nested := j.right.(*join); nested {
		right = "(" + right + ")"
	}
	sql := left + " " + j.kind + " " + right
	switch {
	case j.on != nil:
		on, err := tr.condition(" ON ", j.on, s)
		return sql + on, err
	case j.using != nil:
		quoted := make([]string, len(j.using))
		for i, n := range j.using {
			if err := using(n, s, before); err != nil {
				return "", err
			}
			quoted[i] = quote(n)
		}
		return sql + " USING (" + strings.Join(quoted, ", ") + ")", nil
	}
	return sql, nil
}

// using makes a column of the relations from before on one with that of those before.
func using(name string, s *scope, before int) error {
	left := &scope{relations: s.relations[:before]}
	right := &scope{relations: s.relations[before:]}
	_, l := left.find([]string{name})
	_, r := right.find([]string{name})
	if l != 1 || r != 1 {
		return wrong("Column %s in USING clause not found on both sides of the join", name)
	}
	for i := range right.relations {
		rel := &right.relations[i]
		if rel.joined == nil {
			rel.joined = map[string]bool{}
		}
		rel.joined[strings.ToLower(name)] = true
	}
	return nil
}

// allCTEs are the WITH subqueries that can be seen from a scope.
func allCTEs(s *scope) map[string][]Column {
	all := map[string][]Column{}
	for ; s != nil; s = s.parent {
		for n, c := range s.ctes {
			if _, ok := all[n]; !ok {
				all[n] = c
			}
		}
	}
	return all
}
