package dashboards_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// rule is one of a rule file: it records, or it alerts.
type rule struct {
	Record, Alert       string
	Expr, For           string
	Labels, Annotations map[string]string
}

// rules reads dashboards/rules; what Prometheus does not know there is an error.
func rules(t *testing.T) []rule {
	t.Helper()
	var out []rule
	for _, name := range glob(t, "rules/*.yaml", 2) {
		var file struct {
			Groups []struct {
				Name  string
				Rules []rule
			}
		}
		dec, err := yaml.NewLoader(strings.NewReader(read(t, name)), yaml.WithKnownFields())
		if err == nil {
			err = dec.Load(&file)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, g := range file.Groups {
			out = append(out, g.Rules...)
		}
	}
	return out
}

// alerts are those that Prometheus sends; some have several rules.
func alerts(t *testing.T) map[string][]rule {
	t.Helper()
	out := map[string][]rule{}
	for _, r := range rules(t) {
		if r.Alert != "" {
			out[r.Alert] = append(out[r.Alert], r)
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d alerts were read", len(out))
	}
	return out
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func glob(t *testing.T, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < least {
		t.Fatalf("%s: %d files, %v", pattern, len(names), err)
	}
	return names
}

func TestEachAlertSaysWhatItIsAndWhereToLook(t *testing.T) {
	for name, all := range alerts(t) {
		for _, r := range all {
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s has severity %q", name, s)
			}
			if want := "dashboards/runbooks/" + name + ".md"; r.Annotations["runbook_url"] != want {
				t.Errorf("%s leads to %q, want %s", name, r.Annotations["runbook_url"], want)
			}
			uid, ok := strings.CutPrefix(r.Annotations["dashboard_url"], "d/")
			if file := "grafana/" + strings.TrimPrefix(uid, "iotbridge-") + ".json"; !ok || !strings.Contains(read(t, file), `"uid": "`+uid+`"`) {
				t.Errorf("%s leads to %q, which %s is not", name, r.Annotations["dashboard_url"], file)
			}
			for _, key := range []string{"summary", "description"} {
				if r.Annotations[key] == "" {
					t.Errorf("%s has no %s", name, key)
				}
			}
		}
	}
}

// A device's name or number is nowhere a label: it says who somebody is, and there are
// as many as there are devices.
func TestNoDeviceIsALabel(t *testing.T) {
	device := regexp.MustCompile(`(?i)device_?(num_?)?id\b`)
	for _, r := range rules(t) {
		for _, text := range append(slices.Collect(maps.Values(r.Annotations)), r.Expr) {
			if device.MatchString(text) {
				t.Errorf("%s%s: %s", r.Record, r.Alert, text)
			}
		}
	}
}

// elsewhere are the alerts that Cloud Monitoring sends.
var elsewhere = regexp.MustCompile(`format\(local\.runbook, "(\w+)"\)`)

func TestEachAlertHasItsRunbookAndEachRunbookItsAlert(t *testing.T) {
	want := slices.Collect(maps.Keys(alerts(t)))
	for _, m := range elsewhere.FindAllStringSubmatch(read(t, "../deploy/terraform/alerts.tf"), -1) {
		want = append(want, m[1])
	}
	var have []string
	for _, name := range glob(t, "runbooks/*.md", 1) {
		have = append(have, strings.TrimSuffix(filepath.Base(name), ".md"))
	}
	slices.Sort(want)
	for _, name := range slices.Compact(want) {
		if !slices.Contains(have, name) {
			t.Errorf("the alert %s has no runbook", name)
		}
	}
	for _, name := range have {
		if !slices.Contains(want, name) {
			t.Errorf("the runbook %s has no alert", name)
		}
	}
}

// Somebody who was woken finds the same things in the same order.
func TestRunbooksHaveOneForm(t *testing.T) {
	form := []string{"What it means", "How bad, and who is hurt", "Look", "Do", "When it is over", "Afterwards"}
	heading := regexp.MustCompile(`(?m)^## (.*)$`)
	for _, name := range glob(t, "runbooks/*.md", 20) {
		text := read(t, name)
		if title := "# " + strings.TrimSuffix(filepath.Base(name), ".md") + "\n"; !strings.HasPrefix(text, title) {
			t.Errorf("%s does not begin with %q", name, title)
		}
		var have []string
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			have = append(have, m[1])
		}
		if !slices.Equal(have, form) {
			t.Errorf("%s has %q", name, have)
		}
		if !strings.Contains(text, "```sh\n") {
			t.Errorf("%s has no command", name)
		}
	}
}

// scenario is what promtool runs; it says when an alert fires by ALERTS.
type scenario struct {
	Name  string
	Tests []struct {
		At       string `yaml:"eval_time"`
		Expr     string
		Expected []any `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
	Rest map[string]any `yaml:",inline"`
}

// That the scenarios hold is shown by promtool test rules.
func TestEachAlertIsTestedBothWays(t *testing.T) {
	fires, silent, lost := map[string]bool{}, map[string]bool{}, map[string]bool{}
	gone := regexp.MustCompile(`restart|nobody tells|without (it|them)|that is new`)
	asked := regexp.MustCompile(`^count by \(.+\) \(ALERTS\{alertname="(\w+)", alertstate="firing"\}\)$`)
	for _, name := range glob(t, "rules/tests/*.yaml", 1) {
		var file struct {
			Tests []scenario
			Rest  map[string]any `yaml:",inline"`
		}
		if err := yaml.Unmarshal([]byte(read(t, name)), &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range file.Tests {
			alert, _, _ := strings.Cut(s.Name, ":")
			lost[alert] = lost[alert] || gone.MatchString(s.Name)
			for _, one := range s.Tests {
				m := asked.FindStringSubmatch(one.Expr)
				switch {
				case one.Expr == "ALERTS": // all at once
				case m == nil:
					t.Errorf("%s: %s: %s", name, s.Name, one.Expr)
				case len(one.Expected) > 0:
					fires[m[1]] = true
				case m[1] == alert:
					silent[alert] = true
				}
			}
		}
	}
	for name := range alerts(t) {
		if !fires[name] || !silent[name] || !lost[name] {
			t.Errorf("%s: shown to fire: %t, to be silent: %t, also when a counter or a series goes: %t", name, fires[name], silent[name], lost[name])
		}
	}
}
