package bigquery

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	bq "google.golang.org/api/bigquery/v2"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"iotbridge/localcloud/bigquery/googlesql"
)

// parameter is a query parameter of a request. The generated type cannot tell a NULL from
// an empty text.
type parameter struct {
	Name           string                 `json:"name"`
	ParameterType  *bq.QueryParameterType `json:"parameterType"`
	ParameterValue *parameterValue        `json:"parameterValue"`
}

type parameterValue struct {
	Value       *string           `json:"value"`
	ArrayValues []*parameterValue `json:"arrayValues"`
}

// readParameters turns a request's parameters into those of the translation and the
// arguments of its query.
func readParameters(in []*parameter) (out []googlesql.Parameter, args []any, err error) {
	for i, p := range in {
		if p.ParameterType == nil || p.ParameterValue == nil {
			return nil, nil, invalid("query parameter %d has no type or no value", i+1)
		}
		param := googlesql.Parameter{Name: p.Name, Array: p.ParameterType.Type == "ARRAY"}
		typ := p.ParameterType
		if param.Array && typ.ArrayType != nil {
			typ = typ.ArrayType
		}
		var ok bool
		if param.Type, ok = googlesql.ParseType(typ.Type); !ok {
			return nil, nil, invalid("query parameter '%s': type %.50q is not served by the local BigQuery", p.Name, typ.Type)
		}
		var v any
		if param.Array {
			v, err = arrayValue(param.Type, p.ParameterValue.ArrayValues)
		} else {
			v, err = scalarValue(param.Type, p.ParameterValue)
		}
		if err != nil {
			return nil, nil, invalid("query parameter '%s': %v", p.Name, err)
		}
		out, args = append(out, param), append(args, v)
	}
	return out, args, nil
}

func arrayValue(typ googlesql.Type, in []*parameterValue) (any, error) {
	if typ == googlesql.Bytes {
		return nil, errors.New("arrays of BYTES are not served by the local BigQuery")
	}
	values := make([]any, len(in))
	for i, p := range in {
		var err error
		if values[i], err = scalarValue(typ, p); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(values)
	return string(b), err
}

// scalarValue is a parameter as it would be stored.
func scalarValue(typ googlesql.Type, p *parameterValue) (any, error) {
	if p == nil || p.Value == nil {
		return nil, nil
	}
	text := *p.Value
	switch typ {
	case googlesql.Int64:
		return strconv.ParseInt(text, 10, 64)
	case googlesql.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if math.IsNaN(f) {
			return "NaN", err
		}
		return f, err
	case googlesql.Bool:
		b, err := strconv.ParseBool(text)
		if b {
			return int64(1), err
		}
		return int64(0), err
	case googlesql.Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		return b, err
	case googlesql.Timestamp, googlesql.Date:
		return googlesql.ReadTime(typ, text)
	case googlesql.JSON:
		if !json.Valid([]byte(text)) {
			return nil, errors.New("the value is not valid JSON")
		}
	}
	return text, nil
}

// asQueryError is the error of a translation: that of a name as it is, any other the query's.
func asQueryError(err error) error {
	var e *apiError
	if errors.As(err, &e) {
		return err
	}
	return invalidQuery(err)
}

// queryFailed is the error of a query that SQLite ran: the query's fault, unless it is the disk's.
func (s *Server) queryFailed(err error) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if e.Code()&0xff == sqlite3.SQLITE_ERROR {
		return invalidQuery(fmt.Errorf("the query failed: %w", err))
	}
	return s.store.explain(err)
}
