package googlesql

import (
	"database/sql/driver"
	"strings"
	"testing"

	"modernc.org/sqlite"
)

// catalog has the table p.d.t and the view p.d.v of it.
func catalog(path []string) (*Relation, error) {
	columns := []Column{{"s", String}, {"n", Int64}, {"f", Float64}, {"ts", Timestamp}, {"j", JSON}, {"ok", Bool}}
	switch name := strings.Join(path, "."); name {
	case "p.d.t", "d.t":
		return &Relation{Table: "p.d.t", Columns: columns}, nil
	case "d.v":
		return &Relation{View: "SELECT s, n FROM d.t -- the end", Columns: columns[:2]}, nil
	case "d.loop":
		return &Relation{View: "SELECT * FROM d.loop"}, nil
	default:
		return nil, wrong("no table %s", name)
	}
}

func TestTranslate(t *testing.T) {
	for sql, want := range map[string]string{
		"select s from d.t":                                        `SELECT "t"."s" AS "s" FROM main."p.d.t" AS "t"`,
		"SELECT x.n FROM `p.d.t` x;":                               `SELECT "x"."n" AS "n" FROM main."p.d.t" AS "x"`,
		"SELECT n FROM d.v":                                        `SELECT "v"."n" AS "n" FROM (SELECT "t"."s" AS "s", "t"."n" AS "n" FROM main."p.d.t" AS "t") AS "v"`,
		"SELECT 'it\\'s; --' AS `a\"b`":                            `SELECT 'it''s; --' AS "a""b"`,
		"SELECT COUNT(DISTINCT s), 1 FROM d.t":                     `SELECT COUNT(DISTINCT "t"."s") AS "f0_", 1 AS "f1_" FROM main."p.d.t" AS "t"`,
		"SELECT n FROM d.t WHERE ts > '2026-11-23T01:00:00+01:00'": `SELECT "t"."n" AS "n" FROM main."p.d.t" AS "t" WHERE ("t"."ts" > '2026-11-23 00:00:00.000000')`,
		"WITH a AS (SELECT 1 AS x) SELECT x FROM a":                `WITH "a" AS (SELECT 1 AS "x") SELECT "a"."x" AS "x" FROM "a" AS "a"`,
	} {
		q, err := Translate(sql, catalog, nil)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if q.SQL != want {
			t.Errorf("%s:\n got %s\nwant %s", sql, q.SQL, want)
		}
	}
}

// What is not understood is refused by name, before SQLite sees anything of it.
func TestRefused(t *testing.T) {
	for sql, want := range map[string]string{
		"":                                               "Expected \"SELECT\" but got end of input",
		"PRAGMA writable_schema = 1":                     "PRAGMA is not served",
		"ATTACH DATABASE '/etc/passwd' AS x":             "ATTACH is not served",
		"DELETE FROM d.t":                                "DELETE is not served",
		"INSERT INTO d.t VALUES (1)":                     "INSERT is not served",
		"CREATE TABLE d.x (a INT64)":                     "CREATE is not served",
		"SELECT 1; DROP TABLE d.t":                       "Expected end of input but got \"DROP\" at [1:11]",
		"SELECT load_extension('x')":                     "Function not found, or not served by the local BigQuery: LOAD_EXTENSION",
		"SELECT readfile('/etc/passwd')":                 "READFILE",
		"SELECT gsql_time('DATE', 'x')":                  "GSQL_TIME",
		"SELECT * FROM sqlite_master":                    "no table sqlite_master",
		"SELECT * FROM d._tables":                        "no table d._tables",
		"SELECT * FROM pragma_table_list()":              "table function \"pragma_table_list\"",
		"SELECT rowid FROM d.t":                          "Unrecognized name: rowid at [1:8]",
		"SELECT nothing FROM d.t":                        "Unrecognized name: nothing at [1:8]",
		"SELECT s FROM d.t a, d.t b":                     "Column name s is ambiguous",
		"SELECT *":                                       "* has nothing to stand for",
		"SELECT n FROM d.t WHERE s = n":                  "No matching signature for operator = for argument types: STRING, INT64",
		"SELECT n FROM d.t WHERE s":                      "WHERE clause should return type BOOL, but returns STRING",
		"SELECT n FROM d.t WHERE MAX(n) > 1":             "Aggregate function MAX not allowed here",
		"SELECT SUM(MAX(n)) FROM d.t":                    "Aggregate function MAX not allowed here",
		"SELECT SUM(s) FROM d.t":                         "No matching signature for function SUM for argument types: STRING",
		"SELECT ROW_NUMBER() FROM d.t":                   "cannot be called without an OVER clause",
		"SELECT j FROM d.t ORDER BY j":                   "ORDER BY does not support expressions of type JSON",
		"SELECT [1, 2]":                                  "Expected an expression",
		"SELECT STRUCT(1)":                               "STRUCT is not served",
		"SELECT (1, 2)":                                  "STRUCT values are not served",
		"SELECT n FROM d.t QUALIFY 1 = 1":                "QUALIFY is not served",
		"WITH RECURSIVE a AS (SELECT 1) SELECT 1":        "WITH RECURSIVE is not served",
		"SELECT * FROM d.loop":                           "views are nested deeper than 16",
		"SELECT 'open":                                   "unclosed string literal at [1:8]",
		"SELECT '\\q'":                                   "illegal escape sequence",
		"SELECT 1.2.3":                                   "Invalid number",
		"SELECT 12abc":                                   "missing whitespace",
		"SELECT TIMESTAMP '2026-13-01'":                  "Invalid TIMESTAMP literal",
		"SELECT @x":                                      "Query parameter 'x' not found",
		"SELECT ?":                                       "Query parameter number 1 is not given",
		"SELECT 1 FROM d.t LIMIT 'x'":                    "LIMIT and OFFSET expect an INT64",
		"SELECT a.s FROM d.t AS `x\".y`":                 "with a dot in it",
		"SELECT \x00":                                    "not valid UTF-8 text",
		"SELECT " + strings.Repeat("(", 500):             "nests deeper than 100",
		"SELECT " + strings.Repeat("- ", 500):            "nests deeper than 100",
		"SELECT " + strings.Repeat("NOT ", 500) + "TRUE": "nests deeper than 100",
		"SELECT 1 " + strings.Repeat(" ", maxQuery):      "longer than",
	} {
		q, err := Translate(sql, catalog, nil)
		if err == nil {
			t.Errorf("%.80s: accepted as %s", sql, q.SQL)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: error %q, want %q", sql, err, want)
		}
	}
}

func TestTimestampForms(t *testing.T) {
	for in, want := range map[string]string{
		"2026-11-23":                       "2026-11-23 00:00:00.000000",
		"2026-1-2 3:4:5":                   "2026-01-02 03:04:05.000000",
		"2026-11-23T07:29:37.123456Z":      "2026-11-23 07:29:37.123456",
		"2026-11-23 07:29:37.5+00":         "2026-11-23 07:29:37.500000",
		"2026-11-23 07:29:37.5+05:30":      "2026-11-23 01:59:37.500000",
		"2026-11-23 07:29:37 UTC":          "2026-11-23 07:29:37.000000",
		"0001-01-01":                       "0001-01-01 00:00:00.000000",
		"9999-12-31 23:59:59.999999":       "9999-12-31 23:59:59.999999",
		"9999-12-31 23:59:59.999999-01:00": "",
		"yesterday":                        "",
		"":                                 "",
	} {
		got, err := ReadTime(Timestamp, in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, n := range []int64{MinTimestamp, -1, 0, 1795418977123456, MaxTimestamp} {
		if back, ok := ParseStoredTimestamp(FormatTimestamp(n)); back != n || !ok {
			t.Errorf("%d: back %d", n, back)
		}
	}
}

// FuzzTranslate: no text makes the translation panic, and what it lets through is a query that
// SQLite understands.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{
		"SELECT * EXCEPT (s) FROM d.t AS a JOIN d.v USING (n) WHERE ts > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY) ORDER BY 1 DESC LIMIT 3",
		"WITH a AS (SELECT 1 x UNION ALL SELECT 2) SELECT CASE x WHEN 1 THEN 'a' END FROM a GROUP BY x HAVING COUNT(*) > 0",
		"(SELECT s FROM d.t ORDER BY n LIMIT 1) UNION ALL (SELECT 'x')", "SELECT a.s, b.n FROM d.t a LEFT JOIN (d.t b JOIN d.v c ON b.n = c.n) ON a.n = b.n, d.v",
		"SELECT DISTINCT n + 1 AS m FROM d.t WHERE n IN (SELECT n FROM d.v) AND s LIKE @p GROUP BY m, n HAVING m > 1 ORDER BY m + 1",
		"SELECT EXTRACT(HOUR FROM ts), JSON_VALUE(j, '$.a'), SAFE_CAST(s AS INT64), n ^ 3, -n, f / n FROM d.t WHERE NOT ok OR ok IS NULL",
		"SELECT ROW_NUMBER() OVER (PARTITION BY s ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM d.t", `SELECT r'\', b"\x00", '''a'b''', @p`,
	} {
		f.Add(s)
	}
	conn := open(f)
	f.Fuzz(func(t *testing.T, sql string) {
		q, err := Translate(sql, catalog, []Parameter{{Name: "p", Type: String}})
		if err != nil {
			return
		}
		stmt, err := conn.Prepare(q.SQL)
		if err != nil {
			t.Fatalf("%q became %q: %v", sql, q.SQL, err)
		}
		stmt.Close()
	})
}

// open makes a database in memory that has the catalog's table.
func open(t testing.TB) driver.Conn {
	var d sqlite.Driver
	if err := Register(&d); err != nil {
		t.Fatal(err)
	}
	conn, err := d.Open("file::memory:?_dqs=0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.(driver.ExecerContext).ExecContext(t.Context(), `CREATE TABLE "p.d.t" (s TEXT, n INT, f REAL, ts TEXT, j TEXT, ok INT)`, nil); err != nil {
		t.Fatal(err)
	}
	return conn
}
