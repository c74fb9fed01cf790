package cloudrun_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"
	"google.golang.org/api/run/v1"

	"iotbridge/internal/deploycheck"
)

// Google's clients come with one that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// strict decodes a file as Cloud Run's API would have it: a field that it does not
// know is an error.
func strict(text []byte, into any) error {
	var tree any
	if err := yaml.Load(text, &tree); err != nil {
		return err
	}
	between, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(between))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func job(t *testing.T) *run.TaskSpec {
	t.Helper()
	var j run.Job
	if err := strict(read(t, "job.yaml"), &j); err != nil {
		t.Fatal(err)
	}
	if j.ApiVersion != "run.googleapis.com/v1" || j.Kind != "Job" {
		t.Errorf("it is a %s %s", j.ApiVersion, j.Kind)
	}
	return j.Spec.Template.Spec.Template.Spec
}

func pool(t *testing.T) *run.RevisionSpec {
	t.Helper()
	var p run.WorkerPool
	if err := strict(read(t, "workerpool.yaml"), &p); err != nil {
		t.Fatal(err)
	}
	if p.ApiVersion != "run.googleapis.com/v1" || p.Kind != "WorkerPool" {
		t.Errorf("it is a %s %s", p.ApiVersion, p.Kind)
	}
	return p.Spec.Template.Spec
}

func TestAFieldThatCloudRunDoesNotKnowIsFound(t *testing.T) {
	for _, name := range []string{"job.yaml", "workerpool.yaml"} {
		text := strings.Replace(string(read(t, name)), "volumeMounts:", "volumeMount:", 1)
		var j run.Job
		var p run.WorkerPool
		into := map[string]any{"job.yaml": &j, "workerpool.yaml": &p}[name]
		if err := strict([]byte(text), into); err == nil || !strings.Contains(err.Error(), `unknown field "volumeMount"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Cloud Run kills 10 s after SIGTERM.
// https://cloud.google.com/run/docs/container-contract#lifecycle-shutdown
const killedAfter = 10 * time.Second

func TestTheWorkerTakesWhatItIsTold(t *testing.T) {
	j, p := job(t), pool(t)
	for name, at := range map[string]struct {
		containers []*run.Container
		volumes    []*run.Volume
	}{"job": {j.Containers, j.Volumes}, "pool": {p.Containers, p.Volumes}} {
		t.Run(name, func(t *testing.T) {
			if len(at.containers) != 1 {
				t.Fatalf("%d containers", len(at.containers))
			}
			c := at.containers[0]
			program, _, tagged := strings.Cut(c.Image[strings.LastIndex(c.Image, "/")+1:], ":")
			if !tagged {
				t.Errorf("which image is not said: %s", c.Image)
			}
			env := map[string]string{}
			for _, e := range c.Env {
				env[e.Name] = e.Value
			}
			deploycheck.CommandLine(t, program, c.Args, env)

			said := map[string]string{}
			for _, arg := range c.Args {
				flag, value, _ := strings.Cut(arg, "=")
				said[flag] = value
			}
			if grace, err := time.ParseDuration(said["--shutdown-grace"]); err != nil || grace >= killedAfter {
				t.Errorf("--shutdown-grace=%s: it is killed after %s", said["--shutdown-grace"], killedAfter)
			}
			if _, drains := said["--drain"]; drains != (name == "job") {
				t.Errorf("drains: %v", drains)
			}
			if said["--attestation"] != "require" {
				t.Errorf("--attestation=%s: who may publish may be any device", said["--attestation"])
			}
			if c.Resources == nil || c.Resources.Limits["memory"] == "" {
				t.Error("no limit of memory")
			}
			if len(at.volumes) != 1 || len(at.volumes[0].Secret.Items) != 1 || len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != at.volumes[0].Name ||
				c.VolumeMounts[0].MountPath+"/"+at.volumes[0].Secret.Items[0].Path != said["--attestation-keys"] {
				t.Errorf("nothing is mounted at %s", said["--attestation-keys"])
			}
		})
	}
}
