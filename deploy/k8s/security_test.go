package k8s_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// Google's clients come with one that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// What Pod Security restricted asks for, and more that it does not.
func TestPodsAreRestricted(t *testing.T) {
	for _, d := range kind(t, "Deployment") {
		p := d.Spec.Template.Spec
		switch {
		case !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser != 65532:
			t.Errorf("%s: user %d, runAsNonRoot %v", d.file, p.SecurityContext.RunAsUser, p.SecurityContext.RunAsNonRoot)
		case p.SecurityContext.SeccompProfile.Type != "RuntimeDefault":
			t.Errorf("%s: no seccomp profile", d.file)
		case p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken:
			t.Errorf("%s: has a token of the cluster's API", d.file)
		// The variables that Kubernetes makes of services begin as those of our programs do.
		case p.EnableServiceLinks == nil || *p.EnableServiceLinks:
			t.Errorf("%s: enableServiceLinks is not off", d.file)
		}
		for _, c := range p.Containers {
			s := c.SecurityContext
			if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem ||
				!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || len(s.Capabilities.Add) > 0 {
				t.Errorf("%s: %s has %+v", d.file, c.Name, s)
			}
		}
		for _, v := range p.Volumes {
			if mode := v.Secret.DefaultMode; mode != 0 && mode != 0o440 {
				t.Errorf("%s: the secret %s has mode %#o", d.file, v.Name, mode)
			}
		}
	}
	for _, a := range kind(t, "ServiceAccount") {
		if a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken {
			t.Errorf("%s: %s lends a token", a.file, a.Metadata.Name)
		}
	}
	for _, n := range kind(t, "Namespace") {
		if n.Metadata.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			t.Errorf("%s enforces nothing", n.file)
		}
	}
}

// The programs make GOMEMLIMIT of the container's limit by themselves; one that is set
// beside would be forgotten when the limit changes.
func TestMemoryIsBounded(t *testing.T) {
	for _, d := range kind(t, "Deployment") {
		for _, c := range d.Spec.Template.Spec.Containers {
			if c.Resources.Limits["memory"] == "" || c.Resources.Limits["memory"] != c.Resources.Requests["memory"] || c.Resources.Requests["cpu"] == "" {
				t.Errorf("%s: %s has %+v", d.file, c.Name, c.Resources)
			}
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" || e.Name == "GOMAXPROCS" {
					t.Errorf("%s sets %s", c.Name, e.Name)
				}
			}
		}
	}
}

func TestPodsAreSpreadAndNotTakenAwayTogether(t *testing.T) {
	for _, d := range kind(t, "Deployment") {
		if filepath.Dir(filepath.Dir(d.file)) != "base" {
			continue
		}
		if len(d.Spec.Template.Spec.TopologySpreadConstraints) != 2 {
			t.Errorf("%s: is not spread over zones and nodes", d.file)
		}
		if u := d.Spec.Strategy.RollingUpdate; u.MaxUnavailable != 0 || u.MaxSurge != 1 {
			t.Errorf("%s: a rollout takes pods away before others are there", d.file)
		}
		if !slices.ContainsFunc(kind(t, "PodDisruptionBudget"), func(b object) bool {
			return selects(t, b.Spec.Selector, d.Spec.Template.Metadata.Labels)
		}) {
			t.Errorf("%s: no PodDisruptionBudget", d.file)
		}
	}
}

// What listens is reached by somebody, and nobody reaches more.
func TestTheNetworkIsClosedButForWhatListens(t *testing.T) {
	denied := false
	open := map[string][]string{} // ports by pod, of policies with a pod's name
	for _, p := range kind(t, "NetworkPolicy") {
		denied = denied || p.Metadata.Name == "default-deny" && string(p.Spec.PodSelector) == "{}" && len(p.Spec.PolicyTypes) == 2
		for _, in := range p.Spec.Ingress {
			for _, port := range in.Ports {
				open[p.Metadata.Name] = append(open[p.Metadata.Name], strconv.Itoa(port.Port))
				if len(in.From) == 0 && port.Port != 8883 && port.Port != 8443 {
					t.Errorf("%s: all the world comes to port %d", p.file, port.Port)
				}
			}
		}
	}
	if !denied {
		t.Error("nothing is denied by default")
	}
	for _, d := range kind(t, "Deployment") {
		var ports []string
		for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
			ports = append(ports, strconv.Itoa(p.ContainerPort))
		}
		slices.Sort(ports)
		if got := slices.Sorted(slices.Values(open[d.Metadata.Name])); !slices.Equal(got, ports) {
			t.Errorf("%s: the policy lets in %v, the ports are %v", d.Metadata.Name, got, ports)
		}
	}
}

// Operators' tokens are for the cluster's inside.
func TestOnlyDevicesComeFromOutside(t *testing.T) {
	for _, s := range kind(t, "Service") {
		if s.Spec.Type != "LoadBalancer" {
			continue
		}
		if s.Spec.ExternalTrafficPolicy != "Local" {
			t.Errorf("%s: devices' addresses are hidden, by which they are bounded", s.file)
		}
		for _, p := range s.Spec.Ports {
			if p.TargetPort != "mqtt" && p.TargetPort != "https" {
				t.Errorf("%s: %s is open to the world", s.file, p.TargetPort)
			}
		}
	}
}

// An image without a tag, or with latest, is another one tomorrow.
func TestOverlaysNameEachImagesVersion(t *testing.T) {
	for _, name := range overlays {
		k := overlay(t, name)
		for _, d := range kind(t, "Deployment") {
			if filepath.Dir(d.file) != k.dir() && filepath.Dir(filepath.Dir(d.file)) != "base" {
				continue
			}
			image := d.Spec.Template.Spec.Containers[0].Image
			at := slices.IndexFunc(k.Images, func(i struct{ Name, NewName, NewTag, Digest string }) bool { return i.Name == image })
			if at < 0 || k.Images[at].NewTag+k.Images[at].Digest == "" || k.Images[at].NewTag == "latest" {
				t.Errorf("%s: which %s is not said", k.file, image)
			}
		}
	}
}
