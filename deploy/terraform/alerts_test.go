package terraform_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The name of an alert opens its runbook.
func TestEachAlertLinksItsRunbook(t *testing.T) {
	link := regexp.MustCompile(`\]\(https://runbooks\.example\.com/(\w+)\.md\)`)
	rules, err := os.ReadFile("../../dashboards/rules/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, i := range mustEvaluate(t, ".", forms["job"]).instances {
		if i.typ != "google_monitoring_alert_policy" {
			continue
		}
		alerts++
		if len(i.blocks["conditions"]) != 1 || len(i.list("notification_channels")) != 1 {
			t.Errorf("%s has %d conditions and notifies %q", i.address, len(i.blocks["conditions"]), i.list("notification_channels"))
		}
		content := i.blocks["documentation"][0].text("content")
		m := link.FindStringSubmatch(content)
		if m == nil || m[1] != i.text("display_name") {
			t.Errorf("%s is %s and says %q", i.address, i.text("display_name"), content)
			continue
		}
		// That Prometheus's alerts have their runbooks is held in dashboards.
		if _, err := os.Stat(filepath.Join("../../dashboards/runbooks", m[1]+".md")); err != nil && !strings.Contains(string(rules), "alert: "+m[1]+"\n") {
			t.Errorf("%s: %v", i.address, err)
		}
	}
	if alerts != 4 {
		t.Errorf("%d alerts", alerts)
	}
}
