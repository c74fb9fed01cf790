package googlesql

import (
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"modernc.org/sqlite"
)

// Register gives the connections of a driver the functions that translated queries call,
// gsql_…. Each of them is NULL of a NULL.
func Register(d *sqlite.Driver) error {
	var errs []error
	add := func(name string, args int32, f func([]driver.Value) (driver.Value, error)) {
		errs = append(errs, d.RegisterDeterministicScalarFunction("gsql_"+name, args,
			func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				for _, a := range args {
					if a == nil {
						return nil, nil
					}
				}
				return f(args)
			}))
	}
	fallible := func(name string, args int32, f func([]driver.Value) (driver.Value, error)) {
		add(name, args, f)
		add("safe_"+name, args, func(a []driver.Value) (driver.Value, error) {
			if v, err := f(a); err == nil {
				return v, nil
			}
			return nil, nil
		})
	}
	fallible("time", 2, func(a []driver.Value) (driver.Value, error) { return ReadTime(Type(str(a[0])), str(a[1])) })
	fallible("read", 2, read)
	fallible("utf8", 1, func(a []driver.Value) (driver.Value, error) {
		if !utf8.ValidString(str(a[0])) {
			return nil, errors.New("Invalid cast of bytes to UTF-8 string")
		}
		return str(a[0]), nil
	})
	add("replace_utf8", 1, func(a []driver.Value) (driver.Value, error) { return strings.ToValidUTF8(str(a[0]), "\ufffd"), nil })
	add("lower", 1, func(a []driver.Value) (driver.Value, error) { return strings.ToLower(str(a[0])), nil })
	add("upper", 1, func(a []driver.Value) (driver.Value, error) { return strings.ToUpper(str(a[0])), nil })
	add("ends_with", 2, func(a []driver.Value) (driver.Value, error) { return strings.HasSuffix(str(a[0]), str(a[1])), nil })
	add("to_base64", 1, func(a []driver.Value) (driver.Value, error) {
		return base64.StdEncoding.EncodeToString([]byte(str(a[0]))), nil
	})
	add("from_base64", 1, func(a []driver.Value) (driver.Value, error) { return base64.StdEncoding.DecodeString(str(a[0])) })
	add("regexp_contains", 2, func(a []driver.Value) (driver.Value, error) {
		re, err := regexp.Compile(str(a[1]))
		if err != nil {
			return nil, fmt.Errorf("Cannot parse regular expression: %w", err)
		}
		return re.MatchString(str(a[0])), nil
	})
	add("float_text", 1, func(a []driver.Value) (driver.Value, error) { return FormatFloat(a[0]), nil })
	for name, f := range times {
		add(name, -1, f)
	}
	return errors.Join(errs...)
}

// str and num are an argument as text or bytes, and as a number; the translation has checked
// the types.
func str(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func num(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// read is CAST of a STRING.
func read(a []driver.Value) (driver.Value, error) {
	s := strings.TrimSpace(str(a[1]))
	var v driver.Value
	var err error
	switch Type(str(a[0])) {
	case Int64:
		v, err = strconv.ParseInt(s, 0, 64)
	case Float64:
		v, err = strconv.ParseFloat(s, 64)
	case Bool:
		v, err = strconv.ParseBool(strings.ToLower(s))
	}
	if err != nil {
		return nil, wrong("Bad %s value: %.100s", str(a[0]), s)
	}
	if f, ok := v.(float64); ok && math.IsNaN(f) {
		return "NaN", nil
	}
	return v, nil
}

// FormatFloat is a FLOAT64 as the service writes it.
func FormatFloat(v any) string {
	f, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprint(v)
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
