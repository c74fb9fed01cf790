package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

// readings makes a table like the product's: three devices, four readings each.
func (s *suite) readings(ctx context.Context, t *testing.T) *bigquery.Table {
	table := s.table(ctx, t, required("device", "STRING"), required("seen", "TIMESTAMP"), required("celsius", "FLOAT"), column("extra", "JSON"), column("seq", "INTEGER"))
	start := time.Date(2026, 11, 23, 7, 30, 0, 0, time.UTC)
	var rows []map[string]any
	for d := range 3 {
		for i := range 4 {
			row := map[string]any{"device": fmt.Sprint("d", d), "seen": start.Add(time.Duration(i) * 20 * time.Minute).UnixMicro(), "celsius": float64(10*d + i), "seq": i}
			if i == 0 {
				row["extra"] = fmt.Sprintf(`{"humidity": %d.50, "tag": "it's", "deep": {"on": true}, "none": null}`, d)
			}
			rows = append(rows, row)
		}
	}
	s.store(ctx, t, table, rows...)
	return table
}

func (s *suite) testQueryParameters(ctx context.Context, t *testing.T) {
	from := " FROM " + sql(s.readings(ctx, t))
	half := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s.wantRows(ctx, t, "SELECT device, celsius"+from+" WHERE device = @d AND seen >= @since AND celsius < @max ORDER BY seen",
		[]bigquery.QueryParameter{{Name: "d", Value: "d1"}, {Name: "since", Value: half}, {Name: "max", Value: 13.0}}, []bigquery.Value{"d1", 12.0})
	s.wantRows(ctx, t, "SELECT ? AS a, COUNT(*)"+from+" WHERE seq = ? LIMIT ?",
		[]bigquery.QueryParameter{{Value: "x"}, {Value: 2}, {Value: 5}}, []bigquery.Value{"x", int64(3)})
	s.wantRows(ctx, t, "SELECT COUNT(*)"+from+" WHERE device IN UNNEST(@list)",
		[]bigquery.QueryParameter{{Name: "list", Value: []string{"d0", "d2", "x' OR 1=1 --"}}}, []bigquery.Value{int64(8)})
	s.wantRows(ctx, t, "SELECT @b, @n, @f, @t, @raw", []bigquery.QueryParameter{
		{Name: "b", Value: true},
		{Name: "n", Value: bigquery.NullString{}},
		{Name: "f", Value: 0.25},
		{Name: "t", Value: half},
		{Name: "raw", Value: []byte{1, 2}},
	}, []bigquery.Value{true, nil, 0.25, half, []byte{1, 2}})
	s.wantRows(ctx, t, "SELECT COUNT(*)"+from+" WHERE device = @d", []bigquery.QueryParameter{{Name: "d", Value: "'; DROP TABLE x; --"}}, []bigquery.Value{int64(0)})
}

func (s *suite) testQueryFunctions(ctx context.Context, t *testing.T) {
	from := " FROM " + sql(s.readings(ctx, t))
	for query, want := range map[string][]bigquery.Value{
		"SELECT COUNT(*), COUNT(extra), COUNT(DISTINCT device), COUNTIF(celsius > 11), MIN(seq), MAX(celsius), SUM(seq), AVG(seq)" + from:                                                                          {int64(12), int64(3), int64(3), int64(6), int64(0), 23.0, int64(18), 1.5},
		"SELECT COALESCE(NULL, 'a'), CONCAT('a', 'b', NULL), CONCAT('a', 'b'), IF(1 < 2, 'y', 'n'), IFNULL(NULL, 7), NULLIF(1, 1)":                                                                                 {"a", nil, "ab", "y", int64(7), nil},
		"SELECT CAST('12' AS INT64), SAFE_CAST('x' AS INT64), CAST(1.5 AS STRING), CAST(1 AS FLOAT64), CAST(TRUE AS STRING)":                                                                                       {int64(12), nil, "1.5", 1.0, "true"},
		"SELECT 7 / 2, DIV(7, 2), MOD(7, 2), ROUND(2.567, 1), ABS(-3), 0x10, 1e2":                                                                                                                                  {3.5, int64(3), int64(1), 2.6, int64(3), int64(16), 100.0},
		"SELECT LOWER('ÄB'), UPPER('äb'), LENGTH('äb'), SUBSTR('abcdef', 2, 3), REPLACE('aXa', 'X', '-'), STARTS_WITH('abc', 'ab')":                                                                                {"äb", "ÄB", int64(2), "bcd", "a-a", true},
		"SELECT 'a' LIKE 'A', 'abc' LIKE 'a%', REGEXP_CONTAINS('abc', r'^a.c$'), TRIM('  x '), 'it''s'":                                                                                                            nil,
		`SELECT 'it\'s', "dq", r'\n', '''tri'ple''', b'\x00\xff', 'caf\u00e9'`:                                                                                                                                     {"it's", "dq", `\n`, "tri'ple", []byte{0, 255}, "café"},
		"SELECT JSON_VALUE(extra, '$.humidity'), JSON_VALUE(extra, '$.tag'), JSON_VALUE(extra, '$.deep.on'), JSON_VALUE(extra, '$.deep'), JSON_VALUE(extra, '$.none')" + from + " WHERE device = 'd1' AND seq = 0": {"1.5", "it's", "true", nil, nil},
		"SELECT CASE WHEN seq = 0 THEN 'first' ELSE 'later' END, CASE seq WHEN 0 THEN 1 END" + from + " WHERE device = 'd0' AND seq = 1":                                                                           {"later", nil},
		"SELECT NULL IS NULL, 1 IS NOT NULL, (1 = 1) IS TRUE, NOT FALSE, 3 BETWEEN 1 AND 5, 2 NOT IN (1, 3), EXISTS (SELECT 1" + from + ")":                                                                        {true, true, true, true, true, true, true},
	} {
		if want == nil { // '' inside '' is two literals: no GoogleSQL
			_, err := s.rest.Query(query).Read(ctx)
			wantREST(t, err, 400, "invalidQuery")
			continue
		}
		s.wantRows(ctx, t, query, nil, want)
	}
	s.wantRows(ctx, t, "SELECT 'a' LIKE 'A', 'abc' LIKE 'a%', REGEXP_CONTAINS('abc', r'^a.c$'), TRIM('  x ')", nil, []bigquery.Value{false, true, true, "x"})
}

func (s *suite) testQueryTimes(ctx context.Context, t *testing.T) {
	at := func(clock string) time.Time {
		v, err := time.Parse("2006-01-02 15:04:05.999999", "2026-11-"+clock)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const x = "TIMESTAMP '2026-11-23 07:29:37.123456'"
	for expression, want := range map[string]bigquery.Value{
		"TIMESTAMP_TRUNC(" + x + ", HOUR)":                                         at("23 07:00:00"),
		"TIMESTAMP_TRUNC(" + x + ", DAY)":                                          at("23 00:00:00"),
		"TIMESTAMP_TRUNC(" + x + ", WEEK)":                                         at("22 00:00:00"),
		"TIMESTAMP_TRUNC(" + x + ", MONTH)":                                        at("01 00:00:00"),
		"TIMESTAMP_TRUNC(" + x + ", MILLISECOND)":                                  at("23 07:29:37.123"),
		"TIMESTAMP_SUB(" + x + ", INTERVAL 30 MINUTE)":                             at("23 06:59:37.123456"),
		"TIMESTAMP_ADD(" + x + ", INTERVAL -1 DAY)":                                at("22 07:29:37.123456"),
		x + " - INTERVAL 1 SECOND":                                                 at("23 07:29:36.123456"),
		"TIMESTAMP_DIFF(" + x + ", TIMESTAMP '2026-11-23 05:30:00', HOUR)":         int64(1),
		"TIMESTAMP_DIFF(TIMESTAMP '2026-11-23', " + x + ", MINUTE)":                int64(-449),
		"EXTRACT(HOUR FROM " + x + ")":                                             int64(7),
		"EXTRACT(DAYOFWEEK FROM " + x + ")":                                        int64(2),
		"UNIX_MICROS(" + x + ")":                                                   at("23 07:29:37.123456").UnixMicro(),
		"UNIX_SECONDS(TIMESTAMP '1969-12-31 23:59:59.5')":                          int64(-1),
		"TIMESTAMP_MILLIS(1795418977123)":                                          at("23 07:29:37.123"),
		"CAST(" + x + " AS STRING)":                                                "2026-11-23 07:29:37.123456+00",
		"CAST(TIMESTAMP '2026-11-23 07:29:37.100' AS STRING)":                      "2026-11-23 07:29:37.100+00",
		"FORMAT_TIMESTAMP('%Y/%m/%d %H:%M', " + x + ")":                            "2026/11/23 07:29",
		"CAST(DATE_DIFF(DATE '2026-11-23', DATE '2026-10-31', MONTH) AS STRING)":   "1",
		"CAST(DATE_ADD(DATE '2026-01-31', INTERVAL 1 MONTH) AS STRING)":            "2026-02-28",
		"CURRENT_TIMESTAMP() = CURRENT_TIMESTAMP":                                  true,
		"ABS(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), @now, SECOND)) < 600":             true,
		"CURRENT_DATE() = DATE(CURRENT_TIMESTAMP())":                               true,
		"TIMESTAMP('2026-11-23T08:29:37+01:00') = TIMESTAMP '2026-11-23 07:29:37'": true,
		"MAX(" + x + ") > '2026-11-23'":                                            true,
	} {
		s.wantRows(ctx, t, "SELECT "+expression+" AS v", []bigquery.QueryParameter{{Name: "now", Value: time.Now()}}, []bigquery.Value{want})
	}
}

func (s *suite) testQueryWindows(ctx context.Context, t *testing.T) {
	table := sql(s.readings(ctx, t))
	last := "SELECT device, celsius FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY device ORDER BY seen DESC) AS nth FROM " + table + ") WHERE nth = 1"
	want := [][]bigquery.Value{{"d0", 3.0}, {"d1", 13.0}, {"d2", 23.0}}
	s.wantRows(ctx, t, last+" ORDER BY device", nil, want...)
	s.wantRows(ctx, t, "WITH numbered AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY device ORDER BY seen DESC) AS nth FROM "+table+
		") SELECT * EXCEPT (nth, seen, extra, seq) FROM numbered WHERE nth = 1 ORDER BY 1", nil, want...)
	s.wantRows(ctx, t, "SELECT TIMESTAMP_TRUNC(seen, HOUR) AS hour, COUNT(*) AS n, AVG(celsius) AS mean FROM "+table+" WHERE device = 'd1' GROUP BY hour HAVING n > 0 ORDER BY hour DESC", nil,
		[]bigquery.Value{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), int64(2), 12.5},
		[]bigquery.Value{time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), int64(2), 10.5})
	s.wantRows(ctx, t, "SELECT a.device, b.celsius - a.celsius AS rise FROM "+table+" a JOIN "+table+" AS b ON a.device = b.device AND b.seq = a.seq + 3 ORDER BY a.device LIMIT 2 OFFSET 1", nil,
		[]bigquery.Value{"d1", 3.0}, []bigquery.Value{"d2", 3.0})
	s.wantRows(ctx, t, "SELECT device FROM "+table+" WHERE seq = 0 UNION ALL SELECT 'd9' ORDER BY device DESC LIMIT 2", nil, []bigquery.Value{"d9"}, []bigquery.Value{"d2"})
	s.wantRows(ctx, t, "SELECT celsius, celsius - LAG(celsius) OVER (ORDER BY seen) AS rise FROM "+table+" WHERE device = 'd0' ORDER BY seen LIMIT 2", nil,
		[]bigquery.Value{0.0, nil}, []bigquery.Value{1.0, 1.0})
	s.wantRows(ctx, t, "SELECT DISTINCT device FROM "+table+" t WHERE celsius = (SELECT MAX(celsius) FROM "+table+" u WHERE u.device = t.device) AND device <> 'd1' ORDER BY device", nil,
		[]bigquery.Value{"d0"}, []bigquery.Value{"d2"})
}

func (s *suite) testQueryPages(ctx context.Context, t *testing.T) {
	table := s.readings(ctx, t)
	it, err := s.rest.Query("SELECT device, seq FROM " + sql(table) + " ORDER BY device, seq").Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := pages(t, it, 5); !slices.Equal(got, []int{5, 5, 2}) {
		t.Errorf("pages of %v rows, want 5, 5, 2", got)
	}
	if it.TotalRows != 12 {
		t.Errorf("%d rows in all, want 12", it.TotalRows)
	}
	if got := pages(t, table.Read(ctx), 7); !slices.Equal(got, []int{7, 5}) {
		t.Errorf("pages of %v rows of the table, want 7, 5", got)
	}
	job, err := s.rest.Query("SELECT COUNT(*) AS n FROM " + sql(table)).Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if it, err = job.Read(ctx); err != nil {
		t.Fatal(err)
	}
	var row struct{ N int64 }
	if err := it.Next(&row); err != nil || row.N != 12 {
		t.Errorf("the job's result: %+v, %v", row, err)
	}
}

// pages reads all and returns how many rows each page has.
func pages(t *testing.T, it *bigquery.RowIterator, size int) (sizes []int) {
	t.Helper()
	pager := iterator.NewPager(it, size, "")
	for {
		var rows [][]bigquery.Value
		token, err := pager.NextPage(&rows)
		if err != nil && !errors.Is(err, iterator.Done) {
			t.Fatal(err)
		}
		sizes = append(sizes, len(rows))
		if token == "" {
			return sizes
		}
	}
}

func (s *suite) testQueryErrors(ctx context.Context, t *testing.T) {
	table := sql(s.readings(ctx, t))
	for query, want := range map[string]struct {
		code   int
		reason string
	}{
		"SELECT nothing FROM " + table:                      {400, "invalidQuery"},
		"SELECT FROM " + table:                              {400, "invalidQuery"},
		"SELECT NO_SUCH_FUNCTION(1)":                        {400, "invalidQuery"},
		"SELECT device FROM " + table + " WHERE celsius":    {400, "invalidQuery"},
		"SELECT device = 1 FROM " + table:                   {400, "invalidQuery"},
		"SELECT @missing":                                   {400, "invalidQuery"},
		"SELECT TIMESTAMP 'yesterday'":                      {400, "invalidQuery"},
		"SELECT CAST('x' AS INT64)":                         {400, "invalidQuery"},
		"SELECT 1 AS a, 2 AS a":                             {400, "invalidQuery"},
		"SELECT * FROM `" + s.Project + ".nowhere.table`":   {404, "notFound"},
		"SELECT * FROM " + s.dataset.DatasetID + ".nothing": {404, "notFound"},
	} {
		_, err := s.rest.Query(query).Read(ctx)
		if err == nil {
			t.Errorf("%s: accepted", query)
			continue
		}
		wantREST(t, err, want.code, want.reason)
	}
}
