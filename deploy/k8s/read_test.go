package k8s_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// object is a manifest, with what these tests look at. That nothing else is wrong in
// it an API server says (internal/tools/kubernetes).
type object struct {
	file string

	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	AutomountServiceAccountToken *bool
	Spec                         struct {
		Replicas *int // of a Deployment
		Strategy struct {
			RollingUpdate struct{ MaxUnavailable, MaxSurge int }
		}
		Template struct {
			Metadata struct{ Labels, Annotations map[string]string }
			Spec     pod
		}
		Type, ExternalTrafficPolicy string // of a Service
		Ports                       []struct {
			Port       int
			TargetPort string
		}
		PodSelector json.RawMessage // of a NetworkPolicy
		PolicyTypes []string
		Ingress     []struct {
			From  []any
			Ports []struct{ Port int }
		}
		Selector json.RawMessage // of a Service or a PodDisruptionBudget

		ScaleTargetRef struct{ Name, EnvSourceContainerName string } // of what scales
		Metrics        []struct {
			Pods struct{ Metric struct{ Name string } }
		}
		Triggers []struct {
			Type     string
			Metadata map[string]string
		}
		JobLabel            string // of a PodMonitor
		PodMetricsEndpoints []struct{ Port, Path string }
	}
}

type pod struct {
	ServiceAccountName            string
	AutomountServiceAccountToken  *bool
	EnableServiceLinks            *bool
	TerminationGracePeriodSeconds int
	SecurityContext               struct {
		RunAsNonRoot   bool
		RunAsUser      int
		SeccompProfile struct{ Type string }
	}
	TopologySpreadConstraints []struct{ TopologyKey string }
	Containers                []container
	Volumes                   []struct {
		Name   string
		Secret struct{ DefaultMode int }
	}
}

type container struct {
	Name, Image string
	Args        []string
	EnvFrom     []struct{ ConfigMapRef struct{ Name string } }
	Env         []struct{ Name, Value string }
	Ports       []struct {
		Name          string
		ContainerPort int
	}
	StartupProbe, LivenessProbe, ReadinessProbe struct {
		HTTPGet   struct{ Path, Port string }
		TCPSocket struct{ Port string }
	}
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } }
	}
	Resources       struct{ Requests, Limits map[string]string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool
		ReadOnlyRootFilesystem   bool
		Capabilities             struct{ Drop, Add []string }
	}
	VolumeMounts []struct{ Name, MountPath string }
}

// kustomization is a kustomization.yaml.
type kustomization struct {
	file string

	Namespace                           string
	Resources, Components               []string
	ConfigMapGenerator, SecretGenerator []struct {
		Name     string
		Literals []string
	}
	Images  []struct{ Name, NewName, NewTag, Digest string }
	Patches []struct{ Patch string }
}

func (k kustomization) dir() string { return filepath.Dir(k.file) }

// objects are all manifests of this folder, and kustomizations what puts them together.
func objects(t *testing.T) (all []object, kustomizations []kustomization) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		switch {
		case err != nil || filepath.Ext(name) != ".yaml" || filepath.Base(name) == "adapter.yaml":
		case filepath.Base(name) == "kustomization.yaml":
			for _, k := range documents[kustomization](t, name) {
				k.file = name
				kustomizations = append(kustomizations, k)
			}
		default:
			for _, o := range documents[object](t, name) {
				o.file = name
				all = append(all, o)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, kustomizations
}

// kind are the objects of one.
func kind(t *testing.T, kind string) (out []object) {
	t.Helper()
	all, _ := objects(t)
	for _, o := range all {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	if len(out) == 0 {
		t.Fatalf("there is no %s", kind)
	}
	return out
}

// documents decodes those of a file; JSON stands between, which knows a field in any
// spelling.
func documents[T any](t *testing.T, name string) (out []T) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	loader := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var tree any
		switch err := loader.Decode(&tree); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		var one T
		between, err := json.Marshal(tree)
		if err == nil {
			err = json.Unmarshal(between, &one)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, one)
	}
}

// overlay returns that of the name.
func overlay(t *testing.T, name string) kustomization {
	t.Helper()
	_, all := objects(t)
	for _, k := range all {
		if k.dir() == filepath.Join("overlays", name) {
			return k
		}
	}
	t.Fatalf("there is no overlay %s", name)
	return kustomization{}
}

// environment is what a container's variables are in an overlay. What only a Secret
// knows is left to secrets.
func environment(c container, k kustomization, secrets map[string]string) map[string]string {
	env := map[string]string{}
	for _, from := range c.EnvFrom {
		for _, made := range k.ConfigMapGenerator {
			if made.Name != from.ConfigMapRef.Name {
				continue
			}
			for _, literal := range made.Literals {
				name, value, _ := strings.Cut(literal, "=")
				env[name] = value
			}
		}
	}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if value, is := secrets[e.Name]; is {
			env[e.Name] = value
		}
	}
	return env
}
