package googlesql

import (
	"strconv"
	"strings"
)

// expr translates an expression. What it returns stands in brackets where it has to.
func (tr *translator) expr(e expr, s *scope) (typed, error) {
	switch e := e.(type) {
	case *column:
		return tr.lookup(e, s)
	case *literal:
		return typed{sql: e.sql, typ: e.typ, literal: e}, nil
	case *parameter:
		return tr.parameter(e)
	case *unary:
		return tr.unary(e, s)
	case *binary:
		return tr.binary(e, s)
	case *is:
		x, err := tr.expr(e.x, s)
		return typed{sql: "(" + x.sql + " IS " + strings.NewReplacer("TRUE", "1", "FALSE", "0").Replace(e.what) + ")", typ: Bool}, err
	case *in:
		return tr.in(e, s)
	case *between:
		return tr.between(e, s)
	case *choice:
		return tr.choice(e, s)
	case *cast:
		return tr.cast(e, s)
	case *call:
		return tr.call(e, s)
	case *scalar:
		return tr.scalar(e, s)
	case *ready:
		return e.typed, nil
	}
	return typed{}, tr.fail(0, "INTERVAL stands where a value must")
}

func (tr *translator) exprs(list []expr, s *scope) ([]typed, error) {
	out := make([]typed, len(list))
	for i, e := range list {
		var err error
		if out[i], err = tr.expr(e, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (tr *translator) parameter(p *parameter) (typed, error) {
	n, have, err := tr.given(p)
	if err != nil {
		return typed{}, err
	}
	if have.Array {
		return typed{}, tr.fail(p.at, "an array parameter is served in IN UNNEST(…) only")
	}
	return typed{sql: n, typ: have.Type, loose: have.Type == String}, nil
}

// given finds a parameter and says how SQLite names it.
func (tr *translator) given(p *parameter) (string, *Parameter, error) {
	for i := range tr.parameters {
		have := &tr.parameters[i]
		if tr.views == 0 && (p.name != "" && strings.EqualFold(have.Name, p.name) || p.name == "" && have.Name == "" && i == p.index) {
			return "?" + strconv.Itoa(i+1), have, nil
		}
	}
	if p.name == "" {
		return "", nil, tr.fail(p.at, "Query parameter number %d is not given", p.index+1)
	}
	return "", nil, tr.fail(p.at, "Query parameter '%s' not found", p.name)
}

func (tr *translator) unary(u *unary, s *scope) (typed, error) {
	x, err := tr.expr(u.x, s)
	if err != nil {
		return x, err
	}
	want := map[string][]Type{"NOT": {Bool}, "~": {Int64}}[u.op]
	if want == nil {
		want = []Type{Int64, Float64}
	}
	for _, t := range want {
		if x.typ == t || x.typ == null {
			return typed{sql: "(" + u.op + " " + x.sql + ")", typ: x.typ}, nil
		}
	}
	return typed{}, tr.fail(0, "No matching signature for operator %s for argument type: %s", u.op, x.typ)
}

func (tr *translator) in(n *in, s *scope) (typed, error) {
	x, err := tr.expr(n.x, s)
	if err != nil {
		return x, err
	}
	var inside []string
	switch {
	case n.query != nil:
		q, err := tr.query(n.query, s)
		if err != nil {
			return typed{}, err
		}
		if len(q.Columns) != 1 {
			return typed{}, tr.fail(n.at, "Subquery of type IN must have only one output column")
		}
		if _, ok := common(x.typ, q.Columns[0].Type); !ok {
			return typed{}, tr.fail(n.at, "Cannot execute IN subquery with uncomparable types %s and %s", x.typ, q.Columns[0].Type)
		}
		inside = []string{q.SQL}
	case n.unnest != nil:
		sql, err := tr.array(n.unnest, x)
		if err != nil {
			return typed{}, err
		}
		inside = []string{sql}
	default:
		for _, e := range n.list {
			y, err := tr.expr(e, s)
			if err != nil {
				return typed{}, err
			}
			a, b, err := tr.comparable("IN", x, y, n.at)
			if err != nil {
				return typed{}, err
			}
			x = a
			inside = append(inside, b.sql)
		}
	}
	op := " IN ("
	if n.not {
		op = " NOT IN ("
	}
	return typed{sql: "(" + x.sql + op + strings.Join(inside, ", ") + "))", typ: Bool}, nil
}

// array translates the parameter in IN UNNEST(@p).
func (tr *translator) array(e expr, x typed) (string, error) {
	p, ok := e.(*parameter)
	if !ok {
		return "", tr.fail(0, "UNNEST of anything but a parameter is not served by the local BigQuery")
	}
	n, have, err := tr.given(p)
	if err != nil {
		return "", err
	}
	if _, ok := common(x.typ, have.Type); !ok || !have.Array {
		return "", tr.fail(p.at, "No matching signature for operator IN UNNEST for argument types: %s and a parameter of %s", x.typ, have.Type)
	}
	return "SELECT value FROM json_each(" + n + ")", nil
}

func (tr *translator) between(b *between, s *scope) (typed, error) {
	ts, err := tr.exprs([]expr{b.x, b.low, b.high}, s)
	if err != nil {
		return typed{}, err
	}
	x, low, err := tr.comparable("BETWEEN", ts[0], ts[1], b.at)
	if err != nil {
		return typed{}, err
	}
	x, high, err := tr.comparable("BETWEEN", x, ts[2], b.at)
	op := " BETWEEN "
	if b.not {
		op = " NOT BETWEEN "
	}
	return typed{sql: "(" + x.sql + op + low.sql + " AND " + high.sql + ")", typ: Bool}, err
}

func (tr *translator) choice(c *choice, s *scope) (typed, error) {
	sql := "(CASE"
	var of typed
	if c.of != nil {
		var err error
		if of, err = tr.expr(c.of, s); err != nil {
			return of, err
		}
		sql += " " + of.sql
	}
	typ := null
	take := func(e expr) (string, error) {
		t, err := tr.expr(e, s)
		if err != nil {
			return "", err
		}
		both, ok := common(typ, t.typ)
		if !ok {
			return "", tr.fail(c.at, "No matching signature for operator CASE: a branch is %s, another %s", typ, t.typ)
		}
		typ = both
		return t.sql, nil
	}
	for i, w := range c.when {
		when, err := tr.expr(w, s)
		if err != nil {
			return when, err
		}
		if c.of != nil {
			_, when, err = tr.comparable("CASE", of, when, c.at)
		} else if when.typ != Bool && when.typ != null {
			err = tr.fail(c.at, "the condition of CASE should be BOOL, but is %s", when.typ)
		}
		if err != nil {
			return typed{}, err
		}
		then, err := take(c.then[i])
		if err != nil {
			return typed{}, err
		}
		sql += " WHEN " + when.sql + " THEN " + then
	}
	if c.other != nil {
		other, err := take(c.other)
		if err != nil {
			return typed{}, err
		}
		sql += " ELSE " + other
	}
	return typed{sql: sql + " END)", typ: typ}, nil
}

func (tr *translator) scalar(e *scalar, s *scope) (typed, error) {
	q, err := tr.query(e.query, s)
	if err != nil {
		return typed{}, err
	}
	if e.exists {
		return typed{sql: "EXISTS (" + q.SQL + ")", typ: Bool}, nil
	}
	if len(q.Columns) != 1 {
		return typed{}, tr.fail(0, "Scalar subquery cannot have more than one column unless using SELECT AS STRUCT to build STRUCT values")
	}
	return typed{sql: "(" + q.SQL + ")", typ: q.Columns[0].Type}, nil
}
