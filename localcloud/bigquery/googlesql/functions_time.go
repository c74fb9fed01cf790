package googlesql

import (
	"slices"
	"strings"
)

// units are the parts of a time that are understood.
var units = wordSet("MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR")

// parts are those of EXTRACT.
var extracts = wordSet("MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY DAYOFWEEK DAYOFYEAR MONTH QUARTER YEAR DATE")

// unit reads an argument that is the name of a part of a time.
func (tr *translator) unit(c *call, i int, known map[string]bool) (string, error) {
	if i < len(c.args) {
		if col, ok := c.args[i].(*column); ok && len(col.path) == 1 && known[strings.ToUpper(col.path[0])] {
			return strings.ToUpper(col.path[0]), nil
		}
	}
	return "", tr.fail(c.at, "the date part of %s is not understood by the local BigQuery", c.name)
}

// timed is the type of a function that is called TIMESTAMP_… or DATE_…, and the argument as
// such a time.
func (tr *translator) timed(c *call, x typed) (Type, typed, error) {
	typ := Timestamp
	if strings.HasPrefix(c.name, "DATE") {
		typ = Date
	}
	x, err := tr.coerce(x, typ, c.at)
	if err == nil && x.typ != typ && x.typ != null {
		err = tr.mismatch(c, x)
	}
	return typ, x, err
}

// now is the same in the whole of a query.
func now(tr *translator, c *call, s *scope) (typed, error) {
	if _, err := tr.take(c, s, 0, 0); err != nil {
		return typed{}, err
	}
	if c.name == "CURRENT_DATE" {
		return typed{sql: quoteString(tr.now[:len(dateLayout)]), typ: Date}, nil
	}
	return typed{sql: quoteString(tr.now), typ: Timestamp}, nil
}

func extract(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 2, 1)
	if err != nil {
		return typed{}, err
	}
	part, err := tr.unit(c, 1, extracts)
	if err != nil {
		return typed{}, err
	}
	if a[0].typ != Timestamp && a[0].typ != Date {
		return typed{}, tr.mismatch(c, a...)
	}
	if part == "DATE" {
		return typed{sql: "substr(" + a[0].sql + ", 1, 10)", typ: Date}, nil
	}
	return typed{sql: "gsql_extract('" + string(a[0].typ) + "', " + a[0].sql + ", '" + part + "')", typ: Int64}, nil
}

func dateOf(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 1, 1)
	if err != nil {
		return typed{}, err
	}
	x, err := tr.coerce(a[0], Timestamp, c.at)
	if err != nil || !slices.Contains([]Type{Timestamp, Date, null}, x.typ) {
		return typed{}, tr.orMismatch(err, c)
	}
	return typed{sql: "substr(" + x.sql + ", 1, 10)", typ: Date}, nil
}

func timestampOf(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 1, 1)
	if err != nil {
		return typed{}, err
	}
	switch a[0].typ {
	case Timestamp, null:
		return a[0], nil
	case Date:
		return typed{sql: "(" + a[0].sql + " || ' 00:00:00.000000')", typ: Timestamp}, nil
	case String:
		return typed{sql: "gsql_time('TIMESTAMP', " + a[0].sql + ")", typ: Timestamp}, nil
	}
	return typed{}, tr.mismatch(c, a...)
}

func trunc(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 2, 1)
	if err != nil {
		return typed{}, err
	}
	part, err := tr.unit(c, 1, units)
	if err != nil {
		return typed{}, err
	}
	typ, x, err := tr.timed(c, a[0])
	return typed{sql: "gsql_trunc('" + string(typ) + "', " + x.sql + ", '" + part + "')", typ: typ}, err
}

func diff(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 3, 2)
	if err != nil {
		return typed{}, err
	}
	part, err := tr.unit(c, 2, units)
	if err != nil {
		return typed{}, err
	}
	typ, x, err := tr.timed(c, a[0])
	if err != nil {
		return typed{}, err
	}
	_, y, err := tr.timed(c, a[1])
	return typed{sql: "gsql_diff('" + string(typ) + "', " + x.sql + ", " + y.sql + ", '" + part + "')", typ: Int64}, err
}

// add is TIMESTAMP_ADD(x, INTERVAL n unit) and its like.
func add(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 2, 1)
	if err != nil {
		return typed{}, err
	}
	n, ok := c.args[1].(*interval)
	if !ok {
		return typed{}, tr.fail(c.at, "%s takes a time and an INTERVAL", c.name)
	}
	typ, x, err := tr.timed(c, a[0])
	if err != nil {
		return typed{}, err
	}
	op := "+"
	if strings.HasSuffix(c.name, "SUB") {
		op = "-"
	}
	return tr.shift(&ready{typed{sql: x.sql, typ: typ}}, n, op, s, c.at)
}

// ready is an expression that is translated already.
type ready struct{ typed }

// formatTime is FORMAT_TIMESTAMP with the elements that SQLite has too.
func formatTime(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 2, 2)
	if err != nil {
		return typed{}, err
	}
	if a[0].literal == nil || a[0].typ != String {
		return typed{}, tr.fail(c.at, "the format of %s must be a literal for the local BigQuery", c.name)
	}
	for f := a[0].literal.val; ; {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			break
		}
		if i+1 >= len(f) || strings.IndexByte("YmdHMSjFTRV%", f[i+1]) < 0 {
			return typed{}, tr.fail(c.at, "element %.2q in the format of %s is not served by the local BigQuery", f[i:], c.name)
		}
		f = f[i+2:]
	}
	_, x, err := tr.timed(&call{name: strings.TrimPrefix(c.name, "FORMAT_"), at: c.at}, a[1])
	whole := "substr(" + x.sql + ", 1, 19)" // SQLite would round the seconds
	return typed{sql: "strftime(" + a[0].sql + ", " + whole + ")", typ: String}, err
}
