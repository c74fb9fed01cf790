package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Dashboard is one file. Its panels flow from left to right.
type Dashboard struct {
	UID, Title, Description string
	Tags                    []string
	From, Refresh           string
	Variables               []object
	Selector                string // what {@} stands for; nothing between the braces when empty
	Rows                    []Row
}

// Row is panels below a heading; the first has none.
type Row struct {
	Title  string
	Closed bool // opened by a click: what it asks costs, or not everybody has
	Panels []Panel
}

// Panel is one picture. What is zero is Grafana's own choice.
type Panel struct {
	Title, Description string
	Kind               kind
	Unit               string
	Width, Height      int // of 24 columns, and of 30 pixels; 12 by 8 when zero
	Queries            []Query
	Runbooks           []string // alerts
	Limits             []Limit  // where the colour changes
	Line               bool     // the limits are drawn
	Stack              bool
	Min, Max           *float64
	Decimals           *int
	Words              map[string]string // for values: "0" → "ready"
	NoValue            string            // said when nothing is answered
	Columns            map[string]string // units of a table's columns
	Sort               string            // the column that a table is sorted by, greatest first
}

type kind string

const (
	stat       kind = "stat"
	timeseries kind = "timeseries"
	table      kind = "table"
)

// Query is one of Prometheus, of BigQuery or of Cloud Monitoring.
type Query struct {
	Expr   string
	Legend string

	SQL string // file below sql, without .sql

	Monitoring string // PromQL over Cloud Monitoring
}

// Limit is the colour from a value on; of the first the value does not count.
type Limit struct {
	From  float64
	Color string
}

type object = map[string]any

func ptr[T any](v T) *T { return &v }

const (
	green, yellow, red, blue = "green", "#EAB839", "red", "blue"
	columns                  = 24
)

// JSON is the file that Grafana loads.
func (d Dashboard) JSON() ([]byte, error) {
	l := layout{of: d}
	var panels []object
	for _, row := range d.Rows {
		panels = append(panels, l.row(row)...)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(object{
		"uid": d.UID, "title": d.Title, "description": d.Description, "tags": d.Tags,
		"schemaVersion": 42, "version": 1, "editable": true, "graphTooltip": 1,
		"time": object{"from": d.From, "to": "now"}, "timezone": "browser", "refresh": d.Refresh,
		"templating":  object{"list": d.Variables},
		"annotations": object{"list": []object{}},
		"links": []object{{
			"title": "iotbridge", "type": "dashboards", "tags": []string{"iotbridge"}, "tooltip": "The other dashboards of iotbridge", "icon": "external link",
			"asDropdown": false, "includeVars": false, "keepTime": true, "targetBlank": false,
		}},
		"panels": panels,
	})
	if err == nil {
		err = l.err
	}
	return text.Bytes(), err
}

// layout gives panels their places and numbers.
type layout struct {
	of      Dashboard
	x, y, h int // where the next one goes, and how high its line is
	id      int
	err     error
}

func (l *layout) row(r Row) []object {
	var heading object
	if r.Title != "" {
		l.newLine()
		heading = object{"id": l.next(), "type": "row", "title": r.Title, "collapsed": r.Closed, "gridPos": l.place(columns, 1), "panels": []object{}}
		l.newLine()
	}
	var panels []object
	for _, p := range r.Panels {
		panels = append(panels, l.panel(p))
	}
	l.newLine()
	switch {
	case heading == nil:
		return panels
	case r.Closed:
		heading["panels"] = panels
		return []object{heading}
	}
	return append([]object{heading}, panels...)
}

func (l *layout) next() int { l.id++; return l.id }

func (l *layout) newLine() { l.x, l.y, l.h = 0, l.y+l.h, 0 }

func (l *layout) place(w, h int) object {
	if l.x+w > columns {
		l.newLine()
	}
	at := object{"x": l.x, "y": l.y, "w": w, "h": h}
	l.x, l.h = l.x+w, max(l.h, h)
	return at
}

func (l *layout) panel(p Panel) object {
	if p.Kind == "" {
		p.Kind = timeseries
	}
	if p.Width == 0 {
		p.Width = 12
	}
	if p.Height == 0 {
		p.Height = 8
	}
	var links []object
	for _, alert := range p.Runbooks {
		links = append(links, object{
			"title": "Runbook: " + alert, "type": "link", "url": "${runbooks}/" + alert + ".md", "tags": []string{}, "tooltip": "", "icon": "doc",
			"asDropdown": false, "includeVars": false, "keepTime": false, "targetBlank": true,
		})
	}
	var targets []object
	for i, q := range p.Queries {
		target, err := q.target(p.Kind, l.of.Selector)
		if err != nil {
			l.err = fmt.Errorf("%s: %w", p.Title, err)
			return nil
		}
		target["refId"] = string(rune('A' + i))
		targets = append(targets, target)
	}
	made := object{
		"id": l.next(), "type": string(p.Kind), "title": p.Title, "description": p.Description, "gridPos": l.place(p.Width, p.Height),
		"datasource": targets[0]["datasource"], "targets": targets, "fieldConfig": p.fields(), "options": p.options(),
	}
	if links != nil {
		made["links"] = links
	}
	return made
}

// target is the query as its data source reads it.
func (q Query) target(k kind, selector string) (object, error) {
	switch {
	case q.SQL != "":
		text, err := queries.ReadFile("sql/" + q.SQL + ".sql")
		format := 0 // a time series
		if k == table || k == stat {
			format = 1
		}
		return object{
			"datasource": object{"type": "grafana-bigquery-datasource", "uid": "${bigquery}"},
			"editorMode": "code", "rawQuery": true, "rawSql": string(text), "format": format,
		}, err
	case q.Monitoring != "":
		return object{
			"datasource": object{"type": "stackdriver", "uid": "${monitoring}"}, "queryType": "promQL", "aliasBy": q.Legend,
			"promQLQuery": object{"projectName": "${project}", "expr": q.Monitoring, "step": "60s"},
		}, nil
	}
	t := object{
		"datasource": object{"type": "prometheus", "uid": "${prometheus}"}, "editorMode": "code",
		"expr": selected(q.Expr, selector), "legendFormat": q.Legend,
	}
	if k == timeseries {
		t["range"] = true
	} else {
		t["instant"] = true
	}
	if k == table {
		t["format"] = "table"
	}
	return t, nil
}

func selected(expr, selector string) string { return strings.ReplaceAll(expr, "{@", "{"+selector) }
