package kubernetes

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pods are those that the Deployments of an overlay would make.
func pods(t *testing.T, v variant) map[string]func() map[string]any {
	t.Helper()
	out := map[string]func() map[string]any{}
	text := render(t, v)
	for _, o := range objects(t, text) {
		if o.Kind != "Deployment" {
			continue
		}
		// A fresh one each time: tests change it.
		out[o.Metadata.Name] = func() map[string]any {
			for _, again := range objects(t, text) {
				if again.Kind == "Deployment" && again.Metadata.Name == o.Metadata.Name {
					template := again.tree["spec"].(map[string]any)["template"].(map[string]any)
					template["apiVersion"], template["kind"] = "v1", "Pod"
					template["metadata"].(map[string]any)["name"] = o.Metadata.Name
					return template
				}
			}
			return nil
		}
	}
	return out
}

func create(t *testing.T, tree map[string]any) (string, error) {
	t.Helper()
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return shared.kubectl(string(text), "create", "-n", "iotbridge", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
}

// accounts makes those that pods name.
func accounts(t *testing.T, v variant) {
	t.Helper()
	for _, o := range objects(t, render(t, v)) {
		if o.Kind == "ServiceAccount" {
			text, err := yaml.Marshal(o.tree)
			if err != nil {
				t.Fatal(err)
			}
			must(t, string(text), "apply", "-f", "-")
		}
	}
}

func TestTheServerTakesEachPod(t *testing.T) {
	prepare(t)
	for _, v := range variants {
		accounts(t, v)
		for name, pod := range pods(t, v) {
			if out, err := create(t, pod()); err != nil {
				t.Errorf("%s: %s: %v\n%s", v.name, name, err, out)
			}
		}
	}
}

func TestTheServerRefusesWhatIsTooWeakOrWrong(t *testing.T) {
	prepare(t)
	accounts(t, variants[0])
	fresh := pods(t, variants[0])["iotbridge-gateway"]
	type tree = map[string]any
	for _, c := range []struct {
		name   string
		change func(spec, container tree)
		want   string
	}{
		{"as it is", func(tree, tree) {}, ""},
		{"root", func(spec, _ tree) { spec["securityContext"].(tree)["runAsUser"] = 0 }, "runAsUser=0"},
		{"perhaps root", func(spec, _ tree) { delete(spec["securityContext"].(tree), "runAsNonRoot") }, "runAsNonRoot != true"},
		{"privileged", func(_, c tree) {
			c["securityContext"].(tree)["privileged"] = true
			c["securityContext"].(tree)["allowPrivilegeEscalation"] = true
		}, "privileged"},
		{"may gain privileges", func(_, c tree) { delete(c["securityContext"].(tree), "allowPrivilegeEscalation") }, "allowPrivilegeEscalation != false"},
		{"a capability", func(_, c tree) { c["securityContext"].(tree)["capabilities"].(tree)["add"] = []string{"NET_ADMIN"} }, "unrestricted capabilities"},
		{"the usual capabilities", func(_, c tree) { delete(c["securityContext"].(tree), "capabilities") }, "unrestricted capabilities"},
		{"all system calls", func(spec, _ tree) { delete(spec["securityContext"].(tree), "seccompProfile") }, "seccompProfile"},
		{"the node's network", func(spec, _ tree) { spec["hostNetwork"] = true }, "host namespaces"},
		{"the node's files", func(spec, _ tree) {
			spec["volumes"] = append(spec["volumes"].([]any), tree{"name": "node", "hostPath": tree{"path": "/"}})
		}, "hostPath"},
		{"a container beside it", func(spec, _ tree) {
			spec["initContainers"] = []tree{{"name": "init", "image": "busybox:1", "securityContext": tree{"runAsUser": 0}}}
		}, "restricted"},
		{"an unknown field", func(_, c tree) { c["livenesProbe"] = tree{} }, `unknown field "spec.containers[0].livenesProbe"`},
		{"an unknown field deep inside", func(_, c tree) { c["securityContext"].(tree)["readOnlyRootFileSystem"] = true }, "unknown field"},
		{"no number", func(spec, _ tree) { spec["terminationGracePeriodSeconds"] = "50s" }, "terminationGracePeriodSeconds"},
		{"no port", func(_, c tree) { c["ports"].([]any)[0].(tree)["containerPort"] = 88830 }, "must be between 1 and 65535"},
		{"no amount", func(_, c tree) { c["resources"].(tree)["limits"].(tree)["memory"] = "1536Mo" }, "quantities must match"},
		{"more asked for than allowed", func(_, c tree) { c["resources"].(tree)["requests"].(tree)["memory"] = "8Gi" }, "must be less than or equal to memory limit"},
		{"a volume that is not there", func(spec, _ tree) { spec["volumes"] = spec["volumes"].([]any)[1:] }, "Not found"},
		{"an account that is not there", func(spec, _ tree) { spec["serviceAccountName"] = "nobody" }, `serviceaccount "nobody" not found`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := fresh()
			spec := pod["spec"].(tree)
			c.change(spec, spec["containers"].([]any)[0].(tree))
			out, err := create(t, pod)
			if (err != nil) != (c.want != "") || !strings.Contains(out, c.want) {
				t.Errorf("%v, want %q:\n%s", err, c.want, out)
			}
		})
	}
}

// What stands around the pods is looked at as closely.
func TestTheServerRefusesAWrongManifest(t *testing.T) {
	prepare(t)
	whole := render(t, variants[3]) + "---\n" + render(t, variants[2])
	for _, c := range []struct{ name, kind, old, wrong, want string }{
		{"KEDA's", "ScaledObject", "minReplicaCount", "minReplicas", `unknown field "spec.minReplicas"`},
		{"the operator's", "PodMonitor", "jobLabel", "joblabel", `unknown field "spec.joblabel"`},
		{"an address", "NetworkPolicy", "169.254.169.254/32", "169.254.169.254/33", "must be a valid CIDR"},
		{"a policy", "Service", "externalTrafficPolicy: Local", "externalTrafficPolicy: Here", "externalTrafficPolicy"},
		{"a metric", "HorizontalPodAutoscaler", "averageValue: 700m", "averageValue: 70 %", "quantities must match"},
		{"a budget", "PodDisruptionBudget", "unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: Always", "supported values"},
		// A Deployment is only warned of: that alone would be found when pods do not come.
		{"a template", "Deployment", "runAsNonRoot: true", "runAsNonRoot: false", "would violate PodSecurity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := false
			for _, o := range objects(t, whole) {
				text, err := yaml.Marshal(o.tree)
				if err != nil {
					t.Fatal(err)
				}
				if o.Kind != c.kind || !strings.Contains(string(text), c.old) {
					continue
				}
				found = true
				out, err := apply(strings.Replace(string(text), c.old, c.wrong, 1))
				if err == nil || !strings.Contains(out, c.want) {
					t.Errorf("%v, want %q:\n%s", err, c.want, out)
				}
			}
			if !found {
				t.Errorf("no %s has %q", c.kind, c.old)
			}
		})
	}
}
