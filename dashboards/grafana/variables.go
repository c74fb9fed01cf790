package grafana

// Variables, as a dashboard's top shows them.

func datasource(name, label, plugin string) object {
	return object{"name": name, "label": label, "type": "datasource", "query": plugin, "refresh": 1, "regex": "", "hide": 0, "includeAll": false, "multi": false}
}

// among is the values that a label of the metric has, below those that are chosen before.
func among(label, series string) object {
	return object{
		"name": label, "label": label, "type": "query", "datasource": object{"type": "prometheus", "uid": "${prometheus}"},
		"query": object{"query": "label_values(" + series + ", " + label + ")", "refId": label, "qryType": 1},
		// Who has no such label has it empty, and .* takes that.
		"includeAll": true, "multi": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"},
		"refresh": 2, "sort": 1, "regex": "", "hide": 0,
	}
}

func textbox(name, label, description, value string) object {
	return object{"name": name, "label": label, "description": description, "type": "textbox", "query": value, "current": object{"text": value, "value": value}, "hide": 0}
}

// runbooks is where the links lead to: a copy of dashboards/runbooks that a browser finds.
func runbooks() object {
	const where = "https://example.com/iotbridge/dashboards/runbooks"
	return object{"name": "runbooks", "label": "Runbooks at", "type": "constant", "query": where, "current": object{"text": where, "value": where}, "hide": 2}
}

const selector = `namespace=~"$namespace", job=~"$job", instance=~"$instance"`

// programs are the variables of a dashboard of what has the metric.
func programs(metric string) []object {
	return []object{
		datasource("prometheus", "Prometheus", "prometheus"),
		among("namespace", metric),
		among("job", metric+`{namespace=~"$namespace"}`),
		among("instance", metric+`{namespace=~"$namespace", job=~"$job"}`),
		runbooks(),
	}
}
