package googlesql

import (
	"strings"
)

// query translates a query that stands in a scope.
func (tr *translator) query(q *query, outer *scope) (*Query, error) {
	s := &scope{parent: outer, ctes: map[string][]Column{}}
	var sql strings.Builder
	for i, c := range q.with {
		body, err := tr.query(&c.query, s)
		if err != nil {
			return nil, err
		}
		if _, twice := s.ctes[strings.ToLower(c.name)]; twice {
			return nil, wrong("Duplicate alias %s for WITH subquery found", c.name)
		}
		s.ctes[strings.ToLower(c.name)] = body.Columns
		sql.WriteString([]string{"WITH ", ", "}[min(i, 1)] + quote(c.name) + " AS (" + body.SQL + ")")
	}
	if len(q.with) > 0 {
		sql.WriteByte(' ')
	}
	out, inner, err := tr.body(q.body, s)
	if err != nil {
		return nil, err
	}
	sql.WriteString(out.SQL)
	order, err := tr.orderings(q.order, inner)
	if err != nil {
		return nil, err
	}
	sql.WriteString(order)
	for i, n := range []expr{q.limit, q.skip} {
		if n == nil {
			continue
		}
		t, err := tr.expr(n, s)
		if err != nil {
			return nil, err
		}
		if t.typ != Int64 {
			return nil, wrong("LIMIT and OFFSET expect an INT64, not %s", t.typ)
		}
		sql.WriteString([]string{" LIMIT ", " OFFSET "}[i] + t.sql)
	}
	out.SQL = sql.String()
	return out, nil
}

// body translates what ORDER BY follows; inner is the scope of that ORDER BY.
func (tr *translator) body(b any, s *scope) (out *Query, inner *scope, err error) {
	switch b := b.(type) {
	case *selection:
		return tr.selection(b, s)
	case *setOperation:
		out, err = tr.setOperation(b, s)
	case *query:
		if out, err = tr.query(b, s); err == nil {
			out.SQL = "SELECT * FROM (" + out.SQL + ")"
		}
	}
	if err != nil {
		return nil, nil, err
	}
	inner = &scope{parent: s, aliases: map[string]typed{}}
	for _, c := range out.Columns {
		inner.aliases[strings.ToLower(c.Name)] = typed{sql: quote(c.Name), typ: c.Type}
	}
	return out, inner, nil
}

func (tr *translator) setOperation(o *setOperation, s *scope) (*Query, error) {
	left, _, err := tr.body(o.left, s)
	if err != nil {
		return nil, err
	}
	right, _, err := tr.body(o.right, s)
	if err != nil {
		return nil, err
	}
	if len(left.Columns) != len(right.Columns) {
		return nil, wrong("Queries in %s have mismatched column count: %d and %d", o.op, len(left.Columns), len(right.Columns))
	}
	columns := append([]Column(nil), left.Columns...)
	for i, c := range right.Columns {
		typ, ok := common(columns[i].Type, c.Type)
		if !ok {
			return nil, wrong("Column %d in %s has incompatible types: %s, %s", i+1, o.op, columns[i].Type, c.Type)
		}
		columns[i].Type = typ
	}
	// SQLite reads a chain of set operations from left to right; each side is put in a SELECT
	// so that neither's own brackets or order are lost.
	return &Query{"SELECT * FROM (" + left.SQL + ") " + o.op + " SELECT * FROM (" + right.SQL + ")", columns}, nil
}

// orderings translates ORDER BY, with its keyword, or returns "".
func (tr *translator) orderings(order []ordering, s *scope) (string, error) {
	var out []string
	for _, o := range order {
		t, err := tr.expr(o.expr, s)
		if err != nil {
			return "", err
		}
		if t.typ == JSON {
			return "", wrong("ORDER BY does not support expressions of type JSON")
		}
		out = append(out, t.sql+o.suffix)
	}
	if out == nil {
		return "", nil
	}
	return " ORDER BY " + strings.Join(out, ", "), nil
}
