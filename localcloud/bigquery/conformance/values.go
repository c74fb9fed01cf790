package conformance

import (
	"context"
	"encoding/base64"
	"math"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
)

// testValues: what is appended is read as it was, at the edges of each type.
func (s *suite) testValues(ctx context.Context, t *testing.T) {
	table := s.table(ctx, t, required("n", "INTEGER"), column("s", "STRING"), column("b", "BYTES"), column("i", "INTEGER"),
		column("f", "FLOAT"), column("ok", "BOOLEAN"), column("seen", "TIMESTAMP"), column("j", "JSON"), column("d", "DATE"))
	micros := func(t time.Time) int64 { return t.UnixMicro() }
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	before := time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC)
	odd := "quote ' and \" and ` and \\ and \x00 and \u2028 and \U0001f321"
	s.store(ctx, t, table,
		map[string]any{"n": 1, "s": "", "b": []byte{}, "i": int64(math.MinInt64), "f": -1.5, "ok": false, "seen": micros(first), "j": `{}`, "d": -719162},
		map[string]any{"n": 2, "s": odd, "b": []byte{0, 255}, "i": int64(math.MaxInt64), "f": 1e300, "ok": true, "seen": micros(last), "j": `[1, "two"]`, "d": 2932896},
		map[string]any{"n": 3, "s": "1.0", "f": math.Inf(-1), "seen": micros(before), "j": `"x"`, "d": -1},
		map[string]any{"n": 4})
	date := func(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }
	s.wantRows(ctx, t, "SELECT n, s, b, i, f, ok, seen, d FROM "+sql(table)+" ORDER BY n", nil,
		[]bigquery.Value{int64(1), "", []byte{}, int64(math.MinInt64), -1.5, false, first, date(1, 1, 1)},
		[]bigquery.Value{int64(2), odd, []byte{0, 255}, int64(math.MaxInt64), 1e300, true, last, date(9999, 12, 31)},
		[]bigquery.Value{int64(3), "1.0", nil, nil, math.Inf(-1), nil, before, date(1969, 12, 31)},
		[]bigquery.Value{int64(4), nil, nil, nil, nil, nil, nil, nil})
	// Times compare as times, whatever their form.
	for _, where := range []string{
		"seen < TIMESTAMP '1970-01-01'", "seen < '1970-01-01T00:00:00Z'", "seen BETWEEN '1969-12-31 23:59:59.000001+00' AND '1969-12-31 23:59:59.000001 UTC'",
		"seen = TIMESTAMP('1970-01-01 00:59:59.000001+01:00')", "d = '1969-12-31'", "DATE(seen) = d AND n = 3",
	} {
		got := s.rows(ctx, t, "SELECT MAX(n) FROM "+sql(table)+" WHERE n > 1 AND "+where, nil)
		if got[0][0] != int64(3) {
			t.Errorf("WHERE %s: %v, want row 3", where, got)
		}
	}
	s.wantRows(ctx, t, "SELECT TO_JSON_STRING(j), JSON_VALUE(j, '$[1]') FROM "+sql(table)+" WHERE n = 3", nil, []bigquery.Value{`"x"`, nil})
	s.wantRows(ctx, t, "SELECT TO_HEX(b), TO_BASE64(b), FROM_BASE64('"+base64.StdEncoding.EncodeToString([]byte("hi"))+"') FROM "+sql(table)+" WHERE n = 2", nil,
		[]bigquery.Value{"00ff", "AP8=", []byte("hi")})
}
