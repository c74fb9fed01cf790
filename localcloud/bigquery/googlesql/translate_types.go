package googlesql

import (
	"fmt"
	"strings"
)

// common is the type that holds values of both.
func common(a, b Type) (Type, bool) {
	switch {
	case a == b, b == null:
		return a, true
	case a == null:
		return b, true
	case a == Int64 && b == Float64, a == Float64 && b == Int64:
		return Float64, true
	}
	return null, false
}

// comparable gives both sides of a comparison one type: a string that is written or given as a
// parameter becomes the TIMESTAMP, DATE or BYTES that it is compared with.
func (tr *translator) comparable(op string, x, y typed, at int) (a, b typed, err error) {
	if x, err = tr.coerce(x, y.typ, at); err != nil {
		return x, y, err
	}
	if y, err = tr.coerce(y, x.typ, at); err != nil {
		return x, y, err
	}
	if typ, ok := common(x.typ, y.typ); !ok || typ == JSON {
		return x, y, tr.fail(at, "No matching signature for operator %s for argument types: %s, %s", op, x.typ, y.typ)
	}
	return x, y, nil
}

func (tr *translator) coerce(x typed, to Type, at int) (typed, error) {
	if to != Timestamp && to != Date || x.typ != String {
		return x, nil
	}
	switch {
	case x.literal != nil:
		s, err := ReadTime(to, x.literal.val)
		if err != nil {
			return x, tr.fail(at, "Could not cast literal %.100q to type %s", x.literal.val, to)
		}
		return typed{sql: quoteString(s), typ: to}, nil
	case x.loose:
		return typed{sql: "gsql_time('" + string(to) + "', " + x.sql + ")", typ: to}, nil
	}
	return x, nil
}

func (tr *translator) binary(b *binary, s *scope) (typed, error) {
	if n, ok := b.y.(*interval); ok && (b.op == "+" || b.op == "-") {
		return tr.shift(b.x, n, b.op, s, b.at)
	}
	ts, err := tr.exprs([]expr{b.x, b.y}, s)
	if err != nil {
		return typed{}, err
	}
	x, y := ts[0], ts[1]
	typ, ok := common(x.typ, y.typ)
	result := func(op string, typ Type) (typed, error) {
		return typed{sql: "(" + x.sql + " " + op + " " + y.sql + ")", typ: typ}, nil
	}
	switch b.op {
	case "=", "<", ">", "<=", ">=", "<>", "!=":
		if x, y, err = tr.comparable(b.op, x, y, b.at); err != nil {
			return typed{}, err
		}
		return result(b.op, Bool)
	case "AND", "OR":
		if ok && (typ == Bool || typ == null) {
			return result(b.op, Bool)
		}
	case "LIKE":
		if ok && (typ == String || typ == null) {
			return result(b.op, Bool)
		}
	case "||":
		if ok && (typ == String || typ == Bytes || typ == null) {
			return result(b.op, typ)
		}
	case "+", "-", "*":
		if ok && (typ == Int64 || typ == Float64 || typ == null) {
			return result(b.op, typ)
		}
	case "/":
		if ok && (typ == Int64 || typ == Float64 || typ == null) {
			x.sql = "CAST(" + x.sql + " AS REAL)"
			return result(b.op, Float64)
		}
	case "^":
		if ok && typ == Int64 { // SQLite has no XOR
			return typed{sql: "((" + x.sql + " | " + y.sql + ") - (" + x.sql + " & " + y.sql + "))", typ: Int64}, nil
		}
	default: // | & << >>
		if ok && typ == Int64 {
			return result(b.op, Int64)
		}
	}
	return typed{}, tr.fail(b.at, "No matching signature for operator %s for argument types: %s, %s", b.op, x.typ, y.typ)
}

// shift translates a time ± INTERVAL.
func (tr *translator) shift(e expr, n *interval, op string, s *scope, at int) (typed, error) {
	x, err := tr.expr(e, s)
	if err != nil {
		return x, err
	}
	if x.typ != Timestamp && x.typ != Date {
		return x, tr.fail(at, "No matching signature for operator %s for argument types: %s, INTERVAL", op, x.typ)
	}
	by, err := tr.expr(n.n, s)
	if err != nil {
		return by, err
	}
	if by.typ != Int64 {
		return by, tr.fail(at, "INTERVAL expects an INT64, not %s", by.typ)
	}
	sign := ""
	if op == "-" {
		sign = "-"
	}
	// The service makes a DATETIME of DATE ± INTERVAL, which is not served: a DATE moves by days.
	return typed{sql: "gsql_add('" + string(x.typ) + "', " + x.sql + ", " + sign + "(" + by.sql + "), '" + n.unit + "')", typ: x.typ}, nil
}

// casts are what CAST turns into what, by a function of the connection (gsql_…) or SQLite's own.
var casts = map[[2]Type]string{
	{Int64, Float64}: "CAST(%s AS REAL)", {Int64, String}: "CAST(%s AS TEXT)", {Int64, Bool}: "(%s <> 0)",
	{Float64, Int64}: "CAST(ROUND(%s) AS INTEGER)", {Float64, String}: "gsql_float_text(%s)",
	{Bool, Int64}: "%s", {Bool, String}: "IIF(%s, 'true', 'false')",
	{String, Bytes}: "CAST(%s AS BLOB)", {Bytes, String}: "gsql_utf8(%s)",
	{String, Int64}: "gsql_read('INT64', %s)", {String, Float64}: "gsql_read('FLOAT64', %s)", {String, Bool}: "gsql_read('BOOL', %s)",
	{String, Timestamp}: "gsql_time('TIMESTAMP', %s)", {String, Date}: "gsql_time('DATE', %s)",
	{Timestamp, String}: "gsql_timestamp_text(%s)", {Timestamp, Date}: "substr(%s, 1, 10)",
	{Date, String}: "%s", {Date, Timestamp}: "(%s || ' 00:00:00.000000')",
}

func (tr *translator) cast(c *cast, s *scope) (typed, error) {
	x, err := tr.expr(c.x, s)
	if err != nil || x.typ == c.typ || x.typ == null {
		return typed{sql: x.sql, typ: c.typ}, err
	}
	as, ok := casts[[2]Type{x.typ, c.typ}]
	if !ok {
		return typed{}, tr.fail(c.at, "Invalid cast from %s to %s", x.typ, c.typ)
	}
	if c.safe {
		as = strings.Replace(as, "gsql_", "gsql_safe_", 1)
	}
	return typed{sql: fmt.Sprintf(as, x.sql), typ: c.typ}, nil
}
