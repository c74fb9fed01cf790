package dashboards_test

import (
	"strings"
	"testing"

	"iotbridge/dashboards"
)

func TestExpressionsAreOfAllPanels(t *testing.T) {
	all, err := dashboards.Expressions()
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, e := range all {
		of[e.Dashboard]++
		if e.Expr == "" || strings.Contains(e.Expr, "$") {
			t.Errorf("%s: %s: %q", e.Dashboard, e.Panel, e.Expr)
		}
	}
	for title, least := range map[string]int{"iotbridge · Ingest": 30, "iotbridge · Gateway": 35, "iotbridge · Provisioning": 15} {
		if of[title] < least {
			t.Errorf("%s: only %d expressions", title, of[title])
		}
	}
	if n := of["iotbridge · Fleet"]; n != 0 {
		t.Errorf("%d expressions of a dashboard that asks BigQuery alone", n)
	}
}
