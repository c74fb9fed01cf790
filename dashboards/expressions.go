package dashboards

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed grafana/*.json
var files embed.FS

// Expression is a query of Prometheus as a dashboard asks it, with all that its
// variables offer selected.
type Expression struct {
	Dashboard, Panel string // their titles; a variable's name stands for a panel
	Expr             string
}

// panel is what of Grafana's is looked at here.
type panel struct {
	Title      string
	Datasource struct{ Type string }
	Targets    []struct{ Expr string }
	Panels     []panel
}

// Expressions are those of all dashboards, in their order.
func Expressions() ([]Expression, error) {
	names, err := files.ReadDir("grafana")
	if err != nil {
		return nil, err
	}
	var out []Expression
	for _, name := range names {
		text, err := files.ReadFile("grafana/" + name.Name())
		if err != nil {
			return nil, err
		}
		var d struct {
			Title      string
			Panels     []panel
			Templating struct {
				List []struct {
					Name, Type string
					Query      any
				}
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", name.Name(), err)
		}
		for _, v := range d.Templating.List {
			if query, ok := v.Query.(map[string]any); ok && v.Type == "query" {
				text, _ := query["query"].(string)
				inner := strings.TrimSuffix(strings.TrimPrefix(text, "label_values("), ")")
				if at := strings.LastIndex(inner, ","); at >= 0 {
					out = append(out, Expression{d.Title, "$" + v.Name, chosen.Replace(inner[:at])})
				}
			}
		}
		for _, p := range flat(d.Panels) {
			for _, t := range p.Targets {
				if p.Datasource.Type == "prometheus" {
					out = append(out, Expression{d.Title, p.Title, chosen.Replace(t.Expr)})
				}
			}
		}
	}
	return out, nil
}

// chosen is what Grafana puts in place of variables.
var chosen = strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$namespace", ".*", "$job", ".*", "$instance", ".*")

// flat has the panels of rows that are closed, too.
func flat(panels []panel) []panel {
	out := slices.Clone(panels)
	for _, p := range panels {
		out = append(out, flat(p.Panels)...)
	}
	return out
}
