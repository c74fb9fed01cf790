package googlesql

import (
	"strings"
)

// special are the functions whose arguments are no plain values, or whose form depends on them.
var special map[string]func(*translator, *call, *scope) (typed, error)

func init() { // it refers to itself through expr
	special = map[string]func(*translator, *call, *scope) (typed, error){
		"CURRENT_TIMESTAMP": now, "CURRENT_DATE": now, "IF": ifElse, "CONCAT": concat, "EXTRACT": extract, "DATE": dateOf, "TIMESTAMP": timestampOf,
		"TIMESTAMP_TRUNC": trunc, "DATE_TRUNC": trunc, "TIMESTAMP_DIFF": diff, "DATE_DIFF": diff,
		"TIMESTAMP_ADD": add, "TIMESTAMP_SUB": add, "DATE_ADD": add, "DATE_SUB": add,
		"FORMAT_TIMESTAMP": formatTime, "FORMAT_DATE": formatTime,
	}
}

// take translates the arguments that are values, after it has checked how many there are.
func (tr *translator) take(c *call, s *scope, total, values int) ([]typed, error) {
	if len(c.args) != total {
		return nil, tr.fail(c.at, "Number of arguments does not match for function %s", c.name)
	}
	return tr.exprs(c.args[:values], s)
}

func (tr *translator) mismatch(c *call, args ...typed) error {
	var have []string
	for _, a := range args {
		have = append(have, string(a.typ))
	}
	return tr.fail(c.at, "No matching signature for function %s for argument types: %s", c.name, strings.Join(have, ", "))
}

func ifElse(tr *translator, c *call, s *scope) (typed, error) {
	a, err := tr.take(c, s, 3, 3)
	if err != nil {
		return typed{}, err
	}
	typ, ok := common(a[1].typ, a[2].typ)
	if !ok || a[0].typ != Bool && a[0].typ != null {
		return typed{}, tr.mismatch(c, a...)
	}
	return typed{sql: "IIF(" + a[0].sql + ", " + a[1].sql + ", " + a[2].sql + ")", typ: typ}, nil
}

// concat is NULL when one of its arguments is, as || is and SQLite's CONCAT is not.
func concat(tr *translator, c *call, s *scope) (typed, error) {
	args, err := tr.exprs(c.args, s)
	if err != nil || len(args) == 0 {
		return typed{}, tr.orMismatch(err, c)
	}
	typ := null
	var parts []string
	for _, a := range args {
		both, ok := common(typ, a.typ)
		if !ok || both != String && both != Bytes && both != null {
			return typed{}, tr.mismatch(c, args...)
		}
		typ = both
		parts = append(parts, a.sql)
	}
	sql := "(" + strings.Join(parts, " || ") + ")"
	if typ == Bytes {
		sql = "CAST(" + sql + " AS BLOB)"
	}
	return typed{sql: sql, typ: typ}, nil
}

func (tr *translator) orMismatch(err error, c *call) error {
	if err != nil {
		return err
	}
	return tr.mismatch(c)
}
