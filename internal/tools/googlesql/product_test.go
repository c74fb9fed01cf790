package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iotbridge/schema"
)

func open(t *testing.T) *catalog {
	t.Helper()
	c, err := newCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestProductIsGoogleSQL(t *testing.T) {
	c := open(t)
	texts, err := product()
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 25 {
		t.Fatalf("only %d texts", len(texts))
	}
	for _, text := range texts {
		if n, err := c.analyze(text.sql); err != nil || n == 0 {
			t.Errorf("%s: %d statements, %v", text.name, n, err)
		}
	}
}

func TestViewsAnswerWithTheColumnsOfTheirTable(t *testing.T) {
	c := open(t)
	table, err := schema.Builtin("temperature")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range schema.Views(project, dataset)[:2] {
		columns, err := c.columns(v.SQL)
		if err != nil {
			t.Fatal(err)
		}
		if len(columns) != len(table.Columns) {
			t.Fatalf("%s answers with %d columns, the table has %d", v.Name, len(columns), len(table.Columns))
		}
		for i, col := range columns {
			if col.name != table.Columns[i].Name {
				t.Errorf("%s: column %d is %s, want %s", v.Name, i, col.name, table.Columns[i].Name)
			}
		}
	}
}

func TestFilesOfAnotherFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.sql": "SELECT 1", "b.sql": "SELECT '${DATASET}'", "c.txt": "SELECT 2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := files(dir, "")
	if err != nil || len(texts) != 2 || texts[1].sql != "SELECT 'dataset'" {
		t.Errorf("got %v, %v", texts, err)
	}
}

// Whatever a description holds, the DDL stays one statement.
func TestDDLQuotesDescriptions(t *testing.T) {
	c := open(t)
	for _, description := range []string{"\"", `\`, "a\nb\r\x00\x7f", "'''", "`; DROP TABLE x; --", "${PROJECT} @p ?", "ü 🌡 \u2028"} {
		table := schema.Table{Name: "select", Description: description, Columns: []schema.Column{{Name: "order", Type: schema.Int64, Description: description}}}
		if n, err := c.analyze(table.DDL(project, dataset)); err != nil || n != 1 {
			t.Errorf("%q: %d statements, %v", description, n, err)
		}
	}
}

func TestAnalyzerRefuses(t *testing.T) {
	c := open(t)
	queries := make(map[string]string)
	for _, q := range append(schema.Views(project, dataset), schema.Queries(project, dataset)...) {
		queries[q.Name] = q.SQL
	}
	for _, row := range []struct{ name, sql, want string }{
		{"syntax", "SELECT FROM", "Syntax error"},
		{"table", "SELECT 1 FROM `project.dataset.humidity`", "not found"},
		{"column", "SELECT humidity FROM `project.dataset.temperature`", "Unrecognized name"},
		{"function", "SELECT STRFTIME('%s', event_time) FROM `project.dataset.temperature`", "Function not found"},
		{"type", "SELECT device_id + 1 FROM `project.dataset.temperature`", "No matching signature"},
		{"second statement", "SELECT 1; SELECT nothing", "Unrecognized name"},
		{"grouping", strings.Replace(queries["temperature_hourly"], "device_id, hour", "hour", 1), "neither grouped nor aggregated"},
		{"view of a view", strings.Replace(queries["temperature_hourly"], "event_time", "eventtime", 1), "Unrecognized name"},
		{"ML without its model", strings.Replace(queries["temperature_forecast"], "temperature_model", "model", 1), "Model not found"},
		{"ML setting", strings.Replace(queries["temperature_forecast"], "24 AS", "'24' AS", 1), "No matching signature"},
		{"ML answer", strings.Replace(queries["temperature_anomalies"], "lower_bound", "lowest", 1), "Unrecognized name"},
		{"AI argument", strings.Replace(queries["temperature_ai_forecast"], "horizon =>", "horizont =>", 1), "amed argument"},
		{"AI setting", strings.Replace(queries["temperature_ai_forecast"], "=> 24", "=> '24'", 1), "No matching signature"},
		{"AI series", strings.Replace(queries["temperature_ai_forecast"], "=> ['project_id'", "=> [7, 'project_id'", 1), "supertype"},
		{"AI answer", strings.Replace(queries["temperature_ai_forecast"], "forecast_value AS", "forecast AS", 1), "Unrecognized name"},
		{"another ML", strings.Replace(queries["temperature_forecast"], "ML.FORECAST", "ML.PREDICT", 1), "not found"},
	} {
		if _, err := c.analyze(row.sql); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}
