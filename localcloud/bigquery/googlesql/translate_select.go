package googlesql

import (
	"fmt"
	"strings"
)

// selection translates a SELECT. The scope that it returns is that of an ORDER BY.
func (tr *translator) selection(sel *selection, outer *scope) (*Query, *scope, error) {
	s := &scope{parent: outer}
	from, err := tr.from(sel.from, s)
	if err != nil {
		return nil, nil, err
	}
	where, err := tr.condition(" WHERE ", sel.where, s)
	if err != nil {
		return nil, nil, err
	}
	s.aggregate = true
	columns, values, err := tr.items(sel.items, s)
	if err != nil {
		return nil, nil, err
	}
	var sql strings.Builder
	sql.WriteString("SELECT ")
	if sel.distinct {
		sql.WriteString("DISTINCT ")
	}
	named := &scope{parent: outer, relations: s.relations, aggregate: true, aliases: map[string]typed{}}
	byAlias := &scope{parent: outer, relations: s.relations, aggregate: true, aliases: map[string]typed{}}
	for i, c := range columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(values[i].sql + " AS " + quote(c.Name))
		low := strings.ToLower(c.Name)
		byAlias.aliases[low] = typed{sql: quote(c.Name), typ: c.Type}
		if _, n := s.find([]string{c.Name}); n == 0 {
			named.aliases[low] = values[i]
		}
	}
	sql.WriteString(from + where)
	group, err := tr.grouping(sel.group, named, len(columns))
	if err != nil {
		return nil, nil, err
	}
	having, err := tr.condition(" HAVING ", sel.having, named)
	if err != nil {
		return nil, nil, err
	}
	sql.WriteString(group + having)
	return &Query{sql.String(), columns}, byAlias, nil
}

func (tr *translator) condition(keyword string, e expr, s *scope) (string, error) {
	if e == nil {
		return "", nil
	}
	t, err := tr.expr(e, s)
	if err != nil {
		return "", err
	}
	if t.typ != Bool && t.typ != null {
		return "", wrong("%sclause should return type BOOL, but returns %s", keyword[1:], t.typ)
	}
	return keyword + t.sql, nil
}

// grouping translates GROUP BY; a name that no table has stands for its item of the select list.
func (tr *translator) grouping(group []expr, s *scope, items int) (string, error) {
	var out []string
	for _, e := range group {
		if l, ok := e.(*literal); ok && l.typ != Int64 {
			return "", wrong("Cannot GROUP BY literal values")
		}
		t, err := tr.expr(e, s)
		if err != nil {
			return "", err
		}
		if t.typ == JSON {
			return "", wrong("Grouping by expressions of type JSON is not allowed")
		}
		out = append(out, t.sql)
	}
	if out == nil {
		return "", nil
	}
	return " GROUP BY " + strings.Join(out, ", "), nil
}

// items translates a select list, its stars opened.
func (tr *translator) items(items []item, s *scope) (columns []Column, values []typed, err error) {
	unnamed := 0
	for _, it := range items {
		if it.expr == nil {
			c, v, err := tr.star(it, s)
			if err != nil {
				return nil, nil, err
			}
			columns, values = append(columns, c...), append(values, v...)
			continue
		}
		t, err := tr.expr(it.expr, s)
		if err != nil {
			return nil, nil, err
		}
		name := it.alias
		if c, ok := it.expr.(*column); ok && name == "" {
			name = c.path[len(c.path)-1]
		}
		if name == "" {
			name = fmt.Sprintf("f%d_", unnamed)
			unnamed++
		}
		typ := t.typ
		if typ == null {
			typ = Int64 // what the service makes of an untyped NULL
		}
		columns, values = append(columns, Column{name, typ}), append(values, t)
	}
	return columns, values, nil
}

func (tr *translator) star(it item, s *scope) (columns []Column, values []typed, err error) {
	except := map[string]bool{}
	for _, n := range it.except {
		except[strings.ToLower(n)] = true
	}
	found := false
	for _, r := range s.relations {
		if it.of != "" && !strings.EqualFold(it.of, r.name) {
			continue
		}
		found = true
		for _, c := range r.columns {
			low := strings.ToLower(c.Name)
			if except[low] || it.of == "" && r.joined[low] {
				continue
			}
			columns = append(columns, c)
			values = append(values, typed{sql: quote(r.name) + "." + quote(c.Name), typ: c.Type})
		}
	}
	if !found {
		return nil, nil, tr.fail(it.at, "* has nothing to stand for: FROM has no %s", it.of)
	}
	if len(columns) == 0 {
		return nil, nil, tr.fail(it.at, "SELECT * EXCEPT leaves no column")
	}
	return columns, values, nil
}
