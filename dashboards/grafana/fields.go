package grafana

import (
	"maps"
	"slices"
)

// fields say how values are shown.
func (p Panel) fields() object {
	steps := []object{{"color": green, "value": nil}}
	if len(p.Limits) > 0 {
		steps = nil
		for i, l := range p.Limits {
			step := object{"color": l.Color, "value": l.From}
			if i == 0 {
				step["value"] = nil
			}
			steps = append(steps, step)
		}
	}
	defaults := object{
		"unit": p.Unit, "thresholds": object{"mode": "absolute", "steps": steps},
		"color": object{"mode": "palette-classic"},
	}
	if p.Kind == stat {
		defaults["color"] = object{"mode": "thresholds"}
	}
	for key, bound := range map[string]*float64{"min": p.Min, "max": p.Max} {
		if bound != nil {
			defaults[key] = *bound
		}
	}
	if p.Decimals != nil {
		defaults["decimals"] = *p.Decimals
	}
	if p.NoValue != "" {
		defaults["noValue"] = p.NoValue
	}
	if len(p.Words) > 0 {
		words := object{}
		for i, value := range slices.Sorted(maps.Keys(p.Words)) {
			words[value] = object{"text": p.Words[value], "index": i}
		}
		defaults["mappings"] = []object{{"type": "value", "options": words}}
	}
	if p.Kind == timeseries || p.Kind == "" {
		defaults["custom"] = p.graph()
	}
	overrides := []object{}
	for _, column := range slices.Sorted(maps.Keys(p.Columns)) {
		overrides = append(overrides, object{
			"matcher":    object{"id": "byName", "options": column},
			"properties": []object{{"id": "unit", "value": p.Columns[column]}},
		})
	}
	return object{"defaults": defaults, "overrides": overrides}
}

func (p Panel) graph() object {
	stacking, fill, line := "none", 10, "off"
	if p.Stack {
		stacking, fill = "normal", 60
	}
	if p.Line {
		line = "dashed"
	}
	return object{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": fill, "showPoints": "auto", "spanNulls": false,
		"axisSoftMin": 0, "stacking": object{"mode": stacking, "group": "A"}, "thresholdsStyle": object{"mode": line},
	}
}

func (p Panel) options() object {
	switch p.Kind {
	case stat:
		text := "auto"
		if p.Queries[0].Legend != "" {
			text = "value_and_name"
		}
		return object{
			"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": text, "wideLayout": true,
			"percentChangeColorMode": "standard", "showPercentChange": false,
			"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
	case table:
		sort := []object{}
		if p.Sort != "" {
			sort = append(sort, object{"displayName": p.Sort, "desc": true})
		}
		return object{"showHeader": true, "cellHeight": "sm", "frameIndex": 0, "sortBy": sort}
	}
	return object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}
