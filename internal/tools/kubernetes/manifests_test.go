package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// variant is an overlay as someone would change it.
type variant struct {
	name, overlay string
	changes       []string // old, new, ...: of its kustomization.yaml
}

var variants = []variant{
	{"gke", "gke", nil},
	{"local", "local", nil},
	{"gke without KEDA", "gke", []string{"- ../../components/keda", "- ../../components/hpa"}},
	{"gke with all", "gke", []string{"# - ../../components/podmonitor", "- ../../components/podmonitor", "# - ../../components/provisioning", "- ../../components/provisioning"}},
	{"gke with all, without KEDA", "gke", []string{
		"- ../../components/keda", "- ../../components/hpa",
		"# - ../../components/podmonitor", "- ../../components/podmonitor", "# - ../../components/provisioning", "- ../../components/provisioning",
	}},
}

// render returns what kustomize makes of a variant.
func render(t *testing.T, v variant) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(manifests)); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "overlays", v.overlay)
	name := filepath.Join(at, "kustomization.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(v.changes); i += 2 {
		if strings.Count(string(text), v.changes[i]) != 1 {
			t.Fatalf("%s: %q is not there once", v.overlay, v.changes[i])
		}
		text = []byte(strings.Replace(string(text), v.changes[i], v.changes[i+1], 1))
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(shared.path("kustomize"), "build", at).CombinedOutput()
	if err != nil {
		t.Fatalf("kustomize: %v\n%s", err, out)
	}
	return string(out)
}

// prepare makes what manifests need to be there: definitions and the namespace.
func prepare(t *testing.T) {
	t.Helper()
	prepared.Do(func() {
		for _, definitions := range []string{
			filepath.Join(module(t, "github.com/kedacore/keda/v2"), "config/crd/bases"),
			filepath.Join(module(t, "github.com/prometheus-operator/prometheus-operator"), "example/prometheus-operator-crd"),
		} {
			must(t, "", "apply", "--server-side", "-f", definitions)
		}
		must(t, "", "wait", "--for=condition=established", "--timeout=120s", "--all", "crd")
		must(t, "", "apply", "-f", manifests+"/base/namespace/namespace.yaml")
		// A controller would make it.
		must(t, "", "create", "serviceaccount", "default", "-n", "iotbridge")
	})
}

var prepared sync.Once

// A warning counts, too: it is by one that a Deployment is told whose pods would be
// refused later, when nobody looks.
func apply(stdin string) (string, error) {
	return shared.kubectl(stdin, "apply", "-n", "iotbridge", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
}

func TestTheServerTakesEachOverlay(t *testing.T) {
	prepare(t)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			text := render(t, v)
			out, err := apply(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got, want := strings.Count(out, "(server dry run)"), len(objects(t, text)); got != want {
				t.Errorf("%d of %d objects were taken:\n%s", got, want, out)
			}
			keda, hpa := strings.Contains(out, "scaledobject"), strings.Contains(out, "horizontalpodautoscaler")
			if keda && hpa || (keda || hpa) != (v.overlay == "gke") {
				t.Errorf("scaled by KEDA %v, by an HPA %v", keda, hpa)
			}
		})
	}
}

func TestTheServerTakesTheRules(t *testing.T) {
	prepare(t)
	text, err := exec.Command("sh", manifests+"/prometheusrules.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := apply(string(text)); err != nil || strings.Count(out, "prometheusrule") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A KEDA trigger's metadata are any text to the server; its scaler knows which.
func TestKEDAKnowsTheTriggersSettings(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(module(t, "github.com/kedacore/keda/v2"), "pkg/scalers/gcp_pubsub_scaler.go"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile("`keda:\"name=(\\w+)[^`]*`").FindAllStringSubmatch(string(source), -1) {
		known[m[1]] = !strings.Contains(m[0], "deprecated=")
		known[m[1]+"FromEnv"] = strings.Contains(m[0], "resolvedEnv")
	}
	seen := 0
	for _, o := range objects(t, render(t, variants[0])) {
		if o.Kind != "ScaledObject" {
			continue
		}
		for _, trigger := range o.Spec.Triggers {
			for setting := range trigger.Metadata {
				if !known[setting] {
					t.Errorf("%s has no setting %s", trigger.Type, setting)
				}
				seen++
			}
		}
	}
	if seen == 0 {
		t.Error("no trigger was found")
	}
}

// object is a manifest, with what is looked at here, and all of it as it is.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Triggers []struct {
			Type     string
			Metadata map[string]string
		}
	}
	tree map[string]any
}

func objects(t *testing.T, text string) (out []object) {
	t.Helper()
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(document), &o.tree); err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}
