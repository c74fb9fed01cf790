package k8s_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v4"

	"iotbridge/ingest"
	"iotbridge/internal/deploycheck"
)

// The store's URL is a Secret's.
var secrets = map[string]string{"GATEWAY_STORE": "postgres://iotbridge:word@10.0.0.3/registry?sslmode=require"}

var overlays = []string{"gke", "local"}

func TestTheProgramsTakeWhatTheyAreTold(t *testing.T) {
	seen := 0
	for _, name := range overlays {
		k := overlay(t, name)
		for _, d := range kind(t, "Deployment") {
			if strings.HasPrefix(d.file, "overlays") && filepath.Dir(d.file) != k.dir() {
				continue
			}
			for _, c := range d.Spec.Template.Spec.Containers {
				t.Run(name+"/"+c.Name, func(t *testing.T) {
					deploycheck.CommandLine(t, c.Image, c.Args, environment(c, k, secrets))
				})
				seen++
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d programs were looked at, want worker and gateway twice and the cloud", seen)
	}
}

func TestTheGatewayTakesTheArgumentsOfProvisioning(t *testing.T) {
	c := deployment(t, "iotbridge-gateway").Containers[0]
	_, all := objects(t)
	i := slices.IndexFunc(all, func(k kustomization) bool { return k.file == "components/provisioning/kustomization.yaml" })
	if i < 0 {
		t.Fatal("there is no such component")
	}
	added := 0
	for _, p := range all[i].Patches {
		var operations []struct{ Path, Value any }
		if err := yaml.Load([]byte(p.Patch), &operations); err != nil {
			t.Fatal(err)
		}
		for _, op := range operations {
			if op.Path == "/spec/template/spec/containers/0/args/-" {
				c.Args = append(c.Args, op.Value.(string))
				added++
			}
		}
	}
	if added == 0 {
		t.Fatal("the component adds no argument")
	}
	env := environment(c, overlay(t, "gke"), secrets)
	env["GATEWAY_PROVISION_CA_KEY"] = "kms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
	deploycheck.CommandLine(t, c.Image, c.Args, env)
}

// deployment is the pod of the one of the name.
func deployment(t *testing.T, name string) pod {
	t.Helper()
	for _, d := range kind(t, "Deployment") {
		if d.Metadata.Name == name {
			return d.Spec.Template.Spec
		}
	}
	t.Fatalf("there is no Deployment %s", name)
	return pod{}
}

var listens = regexp.MustCompile(`^--[a-z-]+=:(\d+)$`)

// What a container names as its ports is what its program is told to listen on, off
// loopback; services and probes go by the names.
func TestPortsAreThoseThatAreListenedOn(t *testing.T) {
	for _, d := range kind(t, "Deployment") {
		for _, c := range d.Spec.Template.Spec.Containers {
			var told, named, names []string
			for _, arg := range c.Args {
				if m := listens.FindStringSubmatch(arg); m != nil {
					told = append(told, m[1])
				}
			}
			for _, p := range c.Ports {
				named, names = append(named, strconv.Itoa(p.ContainerPort)), append(names, p.Name)
				if p.Name == "ops" && d.Spec.Template.Metadata.Annotations["prometheus.io/port"] != strconv.Itoa(p.ContainerPort) {
					t.Errorf("%s: prometheus.io/port is not the port ops", c.Name)
				}
			}
			if slices.Sort(told); !slices.Equal(told, slices.Sorted(slices.Values(named))) {
				t.Errorf("%s listens on %v, its ports are %v", c.Name, told, named)
			}
			for what, p := range map[string]string{
				"startup":   c.StartupProbe.HTTPGet.Port + c.StartupProbe.TCPSocket.Port,
				"liveness":  c.LivenessProbe.HTTPGet.Port + c.LivenessProbe.TCPSocket.Port,
				"readiness": c.ReadinessProbe.HTTPGet.Port + c.ReadinessProbe.TCPSocket.Port,
			} {
				if !slices.Contains(names, p) {
					t.Errorf("%s: %s asks at port %q, there are %v", c.Name, what, p, names)
				}
			}
			for _, s := range kind(t, "Service") {
				if !selects(t, s.Spec.Selector, d.Spec.Template.Metadata.Labels) {
					continue
				}
				for _, p := range s.Spec.Ports {
					if !slices.Contains(names, p.TargetPort) {
						t.Errorf("service %s goes to port %q of %s", s.Metadata.Name, p.TargetPort, c.Name)
					}
				}
			}
		}
	}
}

// A worker that holds is alive, and must not be restarted: only /healthz may do that.
func TestProbesAskWhatTheProgramsAnswer(t *testing.T) {
	for _, name := range []string{"iotbridge-ingest", "iotbridge-gateway"} {
		for _, c := range deployment(t, name).Containers {
			if c.StartupProbe.HTTPGet.Path != "/healthz" || c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" {
				t.Errorf("%s: startup %q, liveness %q, readiness %q", name, c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path)
			}
		}
	}
}

func TestThereIsTimeToDrain(t *testing.T) {
	for _, name := range []string{"iotbridge-ingest", "iotbridge-gateway"} {
		p := deployment(t, name)
		for _, c := range p.Containers {
			grace, err := time.ParseDuration(deploycheck.Flags(t, c.Image)["--shutdown-grace"].Default)
			if err != nil {
				t.Fatal(err)
			}
			for _, arg := range c.Args {
				if strings.HasPrefix(arg, "--shutdown-grace") {
					t.Errorf("%s: this test reads the default, not %s", name, arg)
				}
			}
			needs := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + grace + 5*time.Second
			if has := time.Duration(p.TerminationGracePeriodSeconds) * time.Second; has < needs {
				t.Errorf("%s is killed after %s, and needs %s", name, has, needs)
			}
		}
	}
	if c := deployment(t, "iotbridge-gateway").Containers[0]; c.Lifecycle.PreStop.Sleep.Seconds < 10 {
		t.Error("the gateway's listeners close before a load balancer can have noticed")
	}
}

func TestFilesThatArgumentsNameAreMounted(t *testing.T) {
	for _, d := range kind(t, "Deployment") {
		for _, c := range d.Spec.Template.Spec.Containers {
			for _, arg := range c.Args {
				_, path, _ := strings.Cut(arg, "=")
				if !strings.HasPrefix(path, "/") {
					continue
				}
				if !slices.ContainsFunc(c.VolumeMounts, func(m struct{ Name, MountPath string }) bool {
					return path == m.MountPath || filepath.Dir(path) == m.MountPath
				}) {
					t.Errorf("%s: nothing is mounted where %s points", c.Name, arg)
				}
			}
		}
	}
}

// Each overlay scales by one component, which names what is there.
func TestWhatScalesTheWorker(t *testing.T) {
	worker := "iotbridge-ingest"
	for _, d := range kind(t, "Deployment") {
		if d.Metadata.Name == worker && d.Spec.Replicas != nil {
			t.Error("replicas stands in the Deployment: each apply would undo what scales")
		}
	}
	_, all := objects(t)
	for _, k := range all {
		parts := fmt.Sprint(k.Components)
		if strings.Contains(parts, "/keda") && strings.Contains(parts, "/hpa") {
			t.Errorf("%s: two components scale one worker", k.file)
		}
	}
	reg := prometheus.NewRegistry()
	ingest.NewBudget(1, 1).Observe(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]bool{"": true}
	for _, f := range families {
		metrics[f.GetName()] = true
	}
	for _, h := range kind(t, "HorizontalPodAutoscaler") {
		if h.Spec.ScaleTargetRef.Name != worker {
			t.Errorf("%s scales %s", h.file, h.Spec.ScaleTargetRef.Name)
		}
		for _, m := range h.Spec.Metrics {
			if !metrics[m.Pods.Metric.Name] {
				t.Errorf("the worker has no metric %s", m.Pods.Metric.Name)
			}
		}
	}
	c := deployment(t, worker).Containers[0]
	flags := deploycheck.Flags(t, worker)
	for _, s := range kind(t, "ScaledObject") {
		if s.Spec.ScaleTargetRef.Name != worker || s.Spec.ScaleTargetRef.EnvSourceContainerName != c.Name || len(s.Spec.Triggers) < 2 {
			t.Errorf("%s scales %+v", s.file, s.Spec.ScaleTargetRef)
		}
		for _, trigger := range s.Spec.Triggers {
			if trigger.Metadata["subscriptionNameFromEnv"] != flags["--subscription"].Env {
				t.Errorf("%s: a trigger's subscription is that of %v", s.file, trigger.Metadata)
			}
		}
	}
}

// The job is the program's name, as the rules in dashboards/rules want it.
func TestPrometheusFindsThePods(t *testing.T) {
	for _, m := range kind(t, "PodMonitor") {
		if m.Spec.JobLabel != "app.kubernetes.io/name" || len(m.Spec.PodMetricsEndpoints) != 1 || m.Spec.PodMetricsEndpoints[0].Port != "ops" || m.Spec.PodMetricsEndpoints[0].Path != "/metrics" {
			t.Errorf("got %+v", m.Spec)
		}
	}
	for _, name := range []string{"iotbridge-ingest", "iotbridge-gateway"} {
		for _, d := range kind(t, "Deployment") {
			at := d.Spec.Template.Metadata.Annotations
			if d.Metadata.Name == name && (d.Spec.Template.Metadata.Labels["app.kubernetes.io/name"] != name || at["prometheus.io/scrape"] != "true" || at["prometheus.io/path"] != "/metrics") {
				t.Errorf("%s: labels %v, annotations %v", name, d.Spec.Template.Metadata.Labels, at)
			}
		}
	}
}

// selects says whether a selector of plain labels, or of matchLabels, takes a pod.
func selects(t *testing.T, selector json.RawMessage, labels map[string]string) bool {
	t.Helper()
	var plain map[string]any
	if err := json.Unmarshal(selector, &plain); err != nil {
		t.Fatal(err)
	}
	if match, is := plain["matchLabels"].(map[string]any); is {
		plain = match
	}
	for k, v := range plain {
		if labels[k] != v {
			return false
		}
	}
	return true
}
