package googlesql

import "strings"

// Type is a GoogleSQL type, by its name; "" is the type of an untyped NULL.
type Type string

// The types that are known.
const (
	String    Type = "STRING"
	Bytes     Type = "BYTES"
	Int64     Type = "INT64"
	Float64   Type = "FLOAT64"
	Bool      Type = "BOOL"
	Timestamp Type = "TIMESTAMP"
	Date      Type = "DATE"
	JSON      Type = "JSON"
	null      Type = ""
)

// ParseType reads a type in any of the spellings that SQL and the REST API have.
func ParseType(s string) (Type, bool) {
	switch t := Type(strings.ToUpper(s)); t {
	case String, Bytes, Int64, Float64, Bool, Timestamp, Date, JSON:
		return t, true
	case "INTEGER", "INT", "SMALLINT", "BIGINT", "TINYINT", "BYTEINT":
		return Int64, true
	case "FLOAT":
		return Float64, true
	case "BOOLEAN":
		return Bool, true
	}
	return null, false
}
