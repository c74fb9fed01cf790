package googlesql

import (
	"fmt"
	"strings"
)

// function is one function: how many arguments it takes, of which types, and what it is in
// SQLite's words, where %[1]s is the first argument and %s all of them.
type function struct {
	min, max int
	args     []Type // of the arguments; the last one of those that follow; null: any
	typ      Type   // of the result; null: common to the arguments
	sql      string
	role     role
}

// role is where a function may stand.
type role uint8

const (
	plain     role = iota
	aggregate      // over a group
	windowed       // over a group, or with OVER
	analytic       // only with OVER
)

var (
	aNumber  = []Type{"NUMBER"}
	anything = []Type{null}
	aString  = []Type{String}
)

// functions are those that are a pattern. Others are in special.
var functions = map[string]function{
	// Aggregates; those that can be a window function too.
	"COUNT":                 {1, 1, anything, Int64, "COUNT(%s)", windowed},
	"SUM":                   {1, 1, aNumber, null, "SUM(%s)", windowed},
	"AVG":                   {1, 1, aNumber, Float64, "AVG(%s)", windowed},
	"MIN":                   {1, 1, anything, null, "MIN(%s)", windowed},
	"MAX":                   {1, 1, anything, null, "MAX(%s)", windowed},
	"ANY_VALUE":             {1, 1, anything, null, "MIN(%s)", windowed},
	"COUNTIF":               {1, 1, []Type{Bool}, Int64, "COUNT(NULLIF(%s, 0))", windowed},
	"LOGICAL_OR":            {1, 1, []Type{Bool}, Bool, "MAX(%s)", windowed},
	"LOGICAL_AND":           {1, 1, []Type{Bool}, Bool, "MIN(%s)", windowed},
	"STRING_AGG":            {1, 2, aString, String, "GROUP_CONCAT(%s)", aggregate},
	"APPROX_COUNT_DISTINCT": {1, 1, anything, Int64, "COUNT(DISTINCT %s)", aggregate},

	// Window functions.
	"ROW_NUMBER":   {0, 0, nil, Int64, "ROW_NUMBER()", analytic},
	"RANK":         {0, 0, nil, Int64, "RANK()", analytic},
	"DENSE_RANK":   {0, 0, nil, Int64, "DENSE_RANK()", analytic},
	"PERCENT_RANK": {0, 0, nil, Float64, "PERCENT_RANK()", analytic},
	"NTILE":        {1, 1, []Type{Int64}, Int64, "NTILE(%s)", analytic},
	"LAG":          {1, 3, []Type{null, Int64, null}, "FIRST", "LAG(%s)", analytic},
	"LEAD":         {1, 3, []Type{null, Int64, null}, "FIRST", "LEAD(%s)", analytic},
	"FIRST_VALUE":  {1, 1, anything, null, "FIRST_VALUE(%s)", analytic},
	"LAST_VALUE":   {1, 1, anything, null, "LAST_VALUE(%s)", analytic},

	// Of any type.
	"COALESCE": {1, 100, anything, null, "COALESCE(%s)", plain},
	"IFNULL":   {2, 2, anything, null, "IFNULL(%s)", plain},
	"NULLIF":   {2, 2, anything, null, "NULLIF(%s)", plain},
	"GREATEST": {2, 100, anything, null, "MAX(%s)", plain},
	"LEAST":    {2, 100, anything, null, "MIN(%s)", plain},

	// Numbers.
	"ABS":         {1, 1, aNumber, null, "ABS(%s)", plain},
	"SIGN":        {1, 1, aNumber, null, "SIGN(%s)", plain},
	"ROUND":       {1, 2, []Type{"NUMBER", Int64}, Float64, "ROUND(%s)", plain},
	"FLOOR":       {1, 1, aNumber, Float64, "CAST(FLOOR(%s) AS REAL)", plain},
	"CEIL":        {1, 1, aNumber, Float64, "CAST(CEIL(%s) AS REAL)", plain},
	"CEILING":     {1, 1, aNumber, Float64, "CAST(CEIL(%s) AS REAL)", plain},
	"SQRT":        {1, 1, aNumber, Float64, "SQRT(%s)", plain},
	"POW":         {2, 2, aNumber, Float64, "CAST(POW(%s) AS REAL)", plain},
	"LN":          {1, 1, aNumber, Float64, "LN(%s)", plain},
	"EXP":         {1, 1, aNumber, Float64, "EXP(%s)", plain},
	"MOD":         {2, 2, []Type{Int64}, Int64, "(%[1]s %% %[2]s)", plain},
	"DIV":         {2, 2, []Type{Int64}, Int64, "(%[1]s / %[2]s)", plain},
	"SAFE_DIVIDE": {2, 2, aNumber, Float64, "(CAST(%[1]s AS REAL) / %[2]s)", plain},
	"IS_NAN":      {1, 1, aNumber, Bool, "(%s = 'NaN')", plain},

	// Text and bytes.
	"LENGTH":                       {1, 1, anything, Int64, "LENGTH(%s)", plain},
	"CHAR_LENGTH":                  {1, 1, aString, Int64, "LENGTH(%s)", plain},
	"BYTE_LENGTH":                  {1, 1, anything, Int64, "OCTET_LENGTH(%s)", plain},
	"LOWER":                        {1, 1, aString, String, "gsql_lower(%s)", plain},
	"UPPER":                        {1, 1, aString, String, "gsql_upper(%s)", plain},
	"TRIM":                         {1, 2, aString, String, "TRIM(%s)", plain},
	"SUBSTR":                       {2, 3, []Type{null, Int64}, "FIRST", "SUBSTR(%s)", plain},
	"SUBSTRING":                    {2, 3, []Type{null, Int64}, "FIRST", "SUBSTR(%s)", plain},
	"LEFT":                         {2, 2, []Type{null, Int64}, "FIRST", "SUBSTR(%[1]s, 1, %[2]s)", plain},
	"REPLACE":                      {3, 3, aString, String, "REPLACE(%s)", plain},
	"STRPOS":                       {2, 2, aString, Int64, "INSTR(%s)", plain},
	"STARTS_WITH":                  {2, 2, aString, Bool, "(SUBSTR(%[1]s, 1, LENGTH(%[2]s)) = %[2]s)", plain},
	"ENDS_WITH":                    {2, 2, aString, Bool, "gsql_ends_with(%s)", plain},
	"REGEXP_CONTAINS":              {2, 2, aString, Bool, "gsql_regexp_contains(%s)", plain},
	"TO_HEX":                       {1, 1, []Type{Bytes}, String, "LOWER(HEX(%s))", plain},
	"FROM_HEX":                     {1, 1, aString, Bytes, "UNHEX(%s)", plain},
	"TO_BASE64":                    {1, 1, []Type{Bytes}, String, "gsql_to_base64(%s)", plain},
	"FROM_BASE64":                  {1, 1, aString, Bytes, "gsql_from_base64(%s)", plain},
	"SAFE_CONVERT_BYTES_TO_STRING": {1, 1, []Type{Bytes}, String, "gsql_replace_utf8(%s)", plain},

	// JSON, by a path such as '$.a.b'.
	"JSON_VALUE": {2, 2, []Type{null, String}, String, "(CASE json_type(%[1]s, %[2]s) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'" +
		" WHEN 'text' THEN json_extract(%[1]s, %[2]s) WHEN 'integer' THEN %[1]s -> %[2]s WHEN 'real' THEN CAST(json_extract(%[1]s, %[2]s) AS TEXT) END)", plain},
	"JSON_QUERY":     {2, 2, []Type{JSON, String}, JSON, "(%[1]s -> %[2]s)", plain},
	"TO_JSON_STRING": {1, 1, []Type{JSON}, String, "%s", plain},
	"PARSE_JSON":     {1, 1, aString, JSON, "JSON(%s)", plain},

	// Times.
	"TIMESTAMP_MICROS":  {1, 1, []Type{Int64}, Timestamp, "gsql_from_unix(%s, 1)", plain},
	"TIMESTAMP_MILLIS":  {1, 1, []Type{Int64}, Timestamp, "gsql_from_unix(%s, 1000)", plain},
	"TIMESTAMP_SECONDS": {1, 1, []Type{Int64}, Timestamp, "gsql_from_unix(%s, 1000000)", plain},
	"UNIX_MICROS":       {1, 1, []Type{Timestamp}, Int64, "gsql_unix(%s, 1)", plain},
	"UNIX_MILLIS":       {1, 1, []Type{Timestamp}, Int64, "gsql_unix(%s, 1000)", plain},
	"UNIX_SECONDS":      {1, 1, []Type{Timestamp}, Int64, "gsql_unix(%s, 1000000)", plain},
}

// call translates a function's call.
func (tr *translator) call(c *call, s *scope) (typed, error) {
	if f, ok := special[c.name]; ok {
		if c.over != nil || c.distinct || c.star {
			return typed{}, tr.fail(c.at, "%s takes neither DISTINCT nor OVER", c.name)
		}
		return f(tr, c, s)
	}
	f, ok := functions[c.name]
	switch {
	case !ok:
		return typed{}, tr.fail(c.at, "Function not found, or not served by the local BigQuery: %.100s", c.name)
	case c.over != nil && f.role < windowed:
		return typed{}, tr.fail(c.at, "Window functions are not served by the local BigQuery for %s", c.name)
	case c.over == nil && f.role == analytic:
		return typed{}, tr.fail(c.at, "Window function %s cannot be called without an OVER clause", c.name)
	case f.role != plain && !s.aggregate:
		return typed{}, tr.fail(c.at, "Aggregate function %s not allowed here", c.name)
	case c.distinct && (f.role == plain || c.over != nil):
		return typed{}, tr.fail(c.at, "%s takes no DISTINCT", c.name)
	case c.star:
		if c.name != "COUNT" {
			return typed{}, tr.fail(c.at, "Argument * can only be used in COUNT(*)")
		}
		return tr.over(typed{sql: "COUNT(*)", typ: Int64}, c, s)
	case len(c.args) < f.min || len(c.args) > f.max:
		return typed{}, tr.fail(c.at, "Number of arguments does not match for function %s", c.name)
	}
	inner := *s
	inner.aggregate = s.aggregate && (f.role == plain || c.over != nil) // no aggregate in an aggregate, but under OVER
	args, err := tr.exprs(c.args, &inner)
	if err != nil {
		return typed{}, err
	}
	typ, err := tr.signature(c, f, args)
	if err != nil {
		return typed{}, err
	}
	sql := f.format(args)
	if c.distinct {
		sql = strings.Replace(sql, "(", "(DISTINCT ", 1)
	}
	return tr.over(typed{sql: sql, typ: typ}, c, s)
}

// format puts the arguments into the pattern.
func (f function) format(args []typed) string {
	all := make([]string, len(args))
	each := make([]any, len(args))
	for i, a := range args {
		all[i], each[i] = a.sql, a.sql
	}
	if strings.Contains(f.sql, "%[") {
		return fmt.Sprintf(f.sql, each...)
	}
	if !strings.Contains(f.sql, "%") {
		return f.sql
	}
	return fmt.Sprintf(f.sql, strings.Join(all, ", "))
}

// signature checks the arguments' types and finds the result's.
func (tr *translator) signature(c *call, f function, args []typed) (Type, error) {
	shared := null
	for i, a := range args {
		want := f.args[min(i, len(f.args)-1)]
		ok := a.typ == null || want == null || a.typ == want || want == Float64 && a.typ == Int64 ||
			want == "NUMBER" && (a.typ == Int64 || a.typ == Float64)
		if ok && f.typ == null {
			shared, ok = common(shared, a.typ)
		}
		if !ok {
			var have []string
			for _, a := range args {
				have = append(have, string(a.typ))
			}
			return null, tr.fail(c.at, "No matching signature for function %s for argument types: %s", c.name, strings.Join(have, ", "))
		}
	}
	switch f.typ {
	case null:
		return shared, nil
	case "FIRST":
		return args[0].typ, nil
	}
	return f.typ, nil
}

// over adds OVER (…).
func (tr *translator) over(t typed, c *call, s *scope) (typed, error) {
	if c.over == nil {
		return t, nil
	}
	var parts []string
	if len(c.over.partition) > 0 {
		by, err := tr.exprs(c.over.partition, s)
		if err != nil {
			return t, err
		}
		var names []string
		for _, b := range by {
			names = append(names, b.sql)
		}
		parts = append(parts, "PARTITION BY "+strings.Join(names, ", "))
	}
	order, err := tr.orderings(c.over.order, s)
	if err != nil {
		return t, err
	}
	t.sql += " OVER (" + strings.Join(parts, "") + order + c.over.frame + ")"
	return t, nil
}
