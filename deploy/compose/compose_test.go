package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"iotbridge/internal/deploycheck"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// service is what is looked at here; Compose's own reader looks at the rest, in
// internal/tools/images.
type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	Volumes     []string
	Secrets     []string
	Healthcheck struct{ Test []string }
}

func services(t *testing.T) map[string]service {
	t.Helper()
	var file struct{ Services map[string]service }
	decode(t, "compose.yaml", &file)
	if len(file.Services) == 0 {
		t.Fatal("compose.yaml has no services")
	}
	return file.Services
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestTheProgramsKnowWhatTheyAreTold(t *testing.T) {
	seen := 0
	for name, s := range services(t) {
		program, _, _ := strings.Cut(s.Image, ":")
		if !strings.HasPrefix(program, "iotbridge") {
			continue
		}
		seen++
		args := s.Command
		if name == "iotbridge" { // what its user would say
			args = []string{"registries", "list"}
		}
		t.Run(name, func(t *testing.T) {
			if name == "worker" { // the rest is in its file
				deploycheck.ConfigFile(t, program, "worker.yaml", args[1:]...)
				return
			}
			deploycheck.CommandLine(t, program, args, s.Environment)
		})
		for _, arg := range args {
			_, path, _ := strings.Cut(arg, "=")
			if secret, ok := strings.CutPrefix(path, "/run/secrets/"); ok && !slices.Contains(s.Secrets, secret) {
				t.Errorf("%s: %s is not given to it", name, arg)
			}
		}
		if test := s.Healthcheck.Test; len(test) > 0 {
			if !slices.Equal(test, []string{"CMD", "/" + program, "--healthy"}) {
				t.Errorf("%s is asked for its health by %q", name, test)
			}
			if _, ok := deploycheck.Flags(t, program)["--healthy"]; !ok {
				t.Errorf("%s has no --healthy", program)
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d of the services are ours, want 4", seen)
	}
}

func TestReadmesCommandsAreKnown(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^docker compose run --rm .*?\biotbridge ((?:registries|devices|quarantine) .*)$`).FindAllSubmatch(text, -1)
	for _, m := range lines {
		t.Run(string(m[1]), func(t *testing.T) {
			deploycheck.CommandLine(t, "iotbridge", strings.Fields(string(m[1])), nil)
		})
	}
	if len(lines) != 4 {
		t.Errorf("%d commands were found", len(lines))
	}
}

func TestTheWorkersFileIsRead(t *testing.T) {
	worker := services(t)["worker"]
	if !slices.Contains(worker.Command, "--config=/etc/iotbridge/worker.yaml") || !slices.Contains(worker.Volumes, "./worker.yaml:/etc/iotbridge/worker.yaml:ro") {
		t.Errorf("the worker does not read worker.yaml: %+v", worker)
	}
}

func TestPrometheusAsksThePrograms(t *testing.T) {
	var config struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	decode(t, "prometheus.yaml", &config)
	all := services(t)
	for _, scrape := range config.ScrapeConfigs {
		if len(scrape.StaticConfigs) != 1 || len(scrape.StaticConfigs[0].Targets) != 1 {
			t.Fatalf("%+v: want one target", scrape)
		}
		host, port, _ := strings.Cut(scrape.StaticConfigs[0].Targets[0], ":")
		s := all[host]
		if program, _, _ := strings.Cut(s.Image, ":"); program != scrape.JobName || !slices.Contains(s.Command, "--ops=:"+port) {
			t.Errorf("job %s asks %s:%s, which is %s with %q", scrape.JobName, host, port, s.Image, s.Command)
		}
	}
	if len(config.ScrapeConfigs) != 2 || !slices.Contains(all["prometheus"].Volumes, "../../dashboards/rules:/etc/prometheus/rules:ro") {
		t.Errorf("jobs or rules are missing: %+v", config)
	}
}

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			t.Fatal("promtool is not here")
		}
		t.Skip("promtool is not here (package prometheus): prometheus.yaml is not checked")
	}
	dir := t.TempDir()
	copyInto(t, dir, "prometheus.yaml")
	rules, err := filepath.Glob("../../dashboards/rules/*.yaml")
	if err != nil || len(rules) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	copyInto(t, filepath.Join(dir, "rules"), rules...)
	if out, err := exec.Command("promtool", "check", "config", filepath.Join(dir, "prometheus.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGrafanaFindsDashboardsAndDatasource(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
		}
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			AllowUIUpdates     bool `yaml:"allowUiUpdates"`
			Options            struct{ Path string }
		}
	}
	strict(t, "grafana/datasources/prometheus.yaml", &sources)
	strict(t, "grafana/dashboards/iotbridge.yaml", &providers)
	grafana, found := services(t)["grafana"], services(t)["prometheus"]
	if len(sources.Datasources) != 1 || sources.Datasources[0].URL != "http://prometheus:9090" || found.Image == "" {
		t.Errorf("datasources %+v", sources)
	}
	if len(providers.Providers) != 1 || !slices.Contains(grafana.Volumes, "../../dashboards/grafana:"+providers.Providers[0].Options.Path+":ro") {
		t.Errorf("providers %+v, volumes %q", providers, grafana.Volumes)
	}
	if boards, _ := filepath.Glob("../../dashboards/grafana/*.json"); len(boards) == 0 {
		t.Error("there are no dashboards")
	}
}

func strict(t *testing.T, name string, into any) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func copyInto(t *testing.T, dir string, names ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
