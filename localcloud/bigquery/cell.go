package bigquery

import (
	"encoding/base64"
	"fmt"
	"strconv"

	bq "google.golang.org/api/bigquery/v2"

	"iotbridge/localcloud/bigquery/googlesql"
)

// cellText is a value as REST tells it; false is NULL. A TIMESTAMP is µs since the epoch here.
func cellText(typ googlesql.Type, v any) (string, bool) {
	if v == nil {
		return "", false
	}
	switch typ {
	case googlesql.Bytes:
		switch v := v.(type) {
		case []byte:
			return base64.StdEncoding.EncodeToString(v), true
		case string:
			return base64.StdEncoding.EncodeToString([]byte(v)), true
		}
	case googlesql.Bool:
		if truth, ok := v.(bool); ok {
			return strconv.FormatBool(truth), true
		}
		return strconv.FormatBool(v != int64(0)), true
	case googlesql.Float64:
		if n, ok := v.(int64); ok {
			v = float64(n)
		}
		return googlesql.FormatFloat(v), true
	case googlesql.Timestamp:
		if micros, ok := googlesql.ParseStoredTimestamp(fmt.Sprint(v)); ok {
			return strconv.FormatInt(micros, 10), true
		}
	}
	if b, ok := v.([]byte); ok {
		return string(b), true
	}
	return fmt.Sprint(v), true
}

// page is a part of the rows as REST tells them.
func (r *result) page(from, to int, wholeMicros bool) []*bq.TableRow {
	out := make([]*bq.TableRow, 0, to-from)
	for _, row := range r.rows[from:to] {
		cells := make([]*bq.TableCell, len(row))
		for i, v := range row {
			if r.columns[i].Type == googlesql.Timestamp && v != nil && !wholeMicros {
				micros, _ := strconv.ParseInt(v.(string), 10, 64)
				v = strconv.FormatFloat(float64(micros)/1e6, 'E', -1, 64)
			}
			cells[i] = &bq.TableCell{V: v}
			if v == nil {
				cells[i].NullFields = []string{"V"}
			}
		}
		out = append(out, &bq.TableRow{F: cells})
	}
	return out
}

func restSchema(columns []googlesql.Column) *bq.TableSchema {
	s := &bq.TableSchema{}
	for _, c := range columns {
		s.Fields = append(s.Fields, &bq.TableFieldSchema{Name: c.Name, Type: restTypes[c.Type], Mode: "NULLABLE"})
	}
	return s
}
