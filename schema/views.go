package schema

import (
	"embed"
	"strings"
)

//go:embed sql/temperature_*.sql
var sql embed.FS

// View is a view of the product: the query that it stands for.
type View struct{ Name, Description, SQL string }

// Views are the views over the built-in tables of one dataset, each after those
// that it reads. An empty project or dataset stays a placeholder. They keep to
// what SQLite understands too, since the local BigQuery serves them.
func Views(project, dataset string) []View {
	views := make([]View, 0, 4)
	for _, name := range []string{"temperature_dedup", "temperature_latest", "temperature_hourly", "temperature_daily"} {
		description, query := text(name, project, dataset)
		views = append(views, View{name, description, query})
	}
	return views
}

// DDL is the statement that makes the view, or makes it anew.
func (v View) DDL(project, dataset string) string {
	return "CREATE OR REPLACE VIEW " + path(project, dataset, v.Name) +
		"\nOPTIONS (description = " + literal(v.Description) + ")\nAS\n" + v.SQL + ";\n"
}

// Queries are the statements of BigQuery ML, in the order in which they are run:
// make the models, forecast, look for anomalies; and a forecast without a model of
// one's own. They need BigQuery itself: the local one has no ML.
func Queries(project, dataset string) []View {
	queries := make([]View, 0, 4)
	for _, name := range []string{"temperature_model", "temperature_forecast", "temperature_anomalies", "temperature_ai_forecast"} {
		description, query := text(name, project, dataset)
		queries = append(queries, View{name, description, query})
	}
	return queries
}

// text returns an embedded statement without its final semicolon, and apart
// from it the comment at its head.
func text(name, project, dataset string) (description, query string) {
	src, err := sql.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the names stand in this file
	}
	rest := string(src)
	var lines []string
	for strings.HasPrefix(rest, "-- ") {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		lines = append(lines, strings.TrimPrefix(line, "-- "))
	}
	if project == "" {
		project = ProjectPlaceholder
	}
	if dataset == "" {
		dataset = DatasetPlaceholder
	}
	rest = strings.NewReplacer(ProjectPlaceholder, project, DatasetPlaceholder, dataset).Replace(rest)
	return strings.Join(lines, " "), strings.TrimSuffix(strings.TrimSpace(rest), ";")
}
