package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// workflow is a file of GitHub's; a key that is not here is refused.
type workflow struct {
	Name        string
	On          map[string]any
	Permissions map[string]string
	Concurrency map[string]any
	Jobs        map[string]struct {
		Needs       string
		Uses        string
		RunsOn      string `yaml:"runs-on"`
		Timeout     int    `yaml:"timeout-minutes"`
		Container   map[string]string
		Permissions map[string]string
		Strategy    struct{ Matrix map[string][]string }
		Steps       []struct {
			ID, If, Uses, Run string
			With, Env         map[string]any
		}
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

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	target  = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	ourFile = regexp.MustCompile(`(?:^|\s)(\.[a-z./-]+/[a-z./-]+)`)
	action  = regexp.MustCompile(`^[a-z-]+/[a-z-]+@(v\d+(\.\d+)*|[0-9a-f]{40})$`)
)

// Every target and file that the workflows name is there, nobody has more rights than
// reading unless a job says for what, and nothing runs for hours.
func TestWorkflowsNameWhatIsThere(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	makefile := read(t, "../Makefile")
	for _, name := range files {
		var w workflow
		strict(t, name, &w)
		if len(w.On) == 0 || len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: on %v, permissions %v: the jobs ask for what they need", name, w.On, w.Permissions)
		}
		for id, job := range w.Jobs {
			if _, ok := w.Jobs[job.Needs]; !ok && job.Needs != "" {
				t.Errorf("%s: %s needs %s, which is not there", name, id, job.Needs)
			}
			if job.Uses != "" {
				read(t, filepath.Join("..", job.Uses))
				continue
			}
			if job.Timeout == 0 || job.RunsOn == "" || len(job.Steps) == 0 {
				t.Errorf("%s: %s says not where it runs, or how long, or what", name, id)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !action.MatchString(step.Uses) {
					t.Errorf("%s: %s is neither of a version nor of a commit", name, step.Uses)
				}
				for _, m := range target.FindAllStringSubmatch(step.Run, -1) {
					if !strings.Contains(makefile, "\n"+m[1]+":") {
						t.Errorf("%s: there is no target %s", name, m[1])
					}
				}
				for _, m := range ourFile.FindAllStringSubmatch(step.Run, -1) {
					read(t, filepath.Join("..", m[1]))
				}
				if strings.Contains(step.Run, "github.event.") || strings.Contains(step.Run, "head_ref") {
					t.Errorf("%s: %q: a stranger's text becomes a command", name, step.Run)
				}
			}
			if programs := job.Strategy.Matrix["program"]; programs != nil {
				if want := commands(t); !slices.Equal(programs, want) {
					t.Errorf("%s: images of %q, the programs are %q", name, programs, want)
				}
			}
		}
	}
	if w := read(t, "../.github/workflows/ci.yml"); !strings.Contains(w, "run: .ci/run\n") {
		t.Error("ci.yml does not run .ci/run")
	}
	if base := regexp.MustCompile(`golang:[0-9]\S+`).FindString(read(t, "../Dockerfile")); base == "" || !strings.Contains(read(t, "../.github/workflows/ci.yml"), `"`+base+`"`) {
		t.Errorf("ci.yml runs on another image than the Dockerfile's %s", base)
	}
}

func commands(t *testing.T) (names []string) {
	t.Helper()
	dirs, err := os.ReadDir("../cmd")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		names = append(names, d.Name())
	}
	return names
}

func TestDependabotLooksWhereSomethingIs(t *testing.T) {
	var file struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
			Groups      map[string]struct{ Patterns []string }
		}
	}
	strict(t, "../.github/dependabot.yml", &file)
	manifest := map[string]string{"gomod": "go.mod", "github-actions": ".github/workflows/*.yml", "docker": "Dockerfile", "docker-compose": "compose.yaml"}
	for _, u := range file.Updates {
		for _, dir := range append(u.Directories, u.Directory) {
			if dir == "" {
				continue
			}
			if found, _ := filepath.Glob(filepath.Join("..", dir, manifest[u.Ecosystem])); len(found) == 0 {
				t.Errorf("%s: nothing in %s", u.Ecosystem, dir)
			}
		}
	}
	if file.Version != 2 || len(file.Updates) != len(manifest) {
		t.Errorf("version %d, %d updates", file.Version, len(file.Updates))
	}
}
