package images_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeDir = "../../../deploy/compose"

func load(t *testing.T, file string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv([]string{"SECRETS_GID=1000"}), cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// Compose's own reader takes the file, and every file that it mounts or builds from is
// there; init.sh makes the secrets.
func TestComposeReadsTheFile(t *testing.T) {
	project, err := load(t, filepath.Join(composeDir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	there := func(what, path string) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, service := range project.Services {
		for _, v := range service.Volumes {
			if v.Type == types.VolumeTypeBind {
				there(name, v.Source)
			}
		}
		if service.Build != nil {
			there(name, filepath.Join(service.Build.Context, "Dockerfile"))
			there(name, filepath.Join(service.Build.Context, "cmd", *service.Build.Args["PROGRAM"]))
		}
		for _, secret := range service.Secrets {
			if _, ok := project.Secrets[secret.Source]; !ok {
				t.Errorf("%s: there is no secret %s", name, secret.Source)
			}
		}
		if len(service.SecurityOpt) == 0 && name != "postgres" {
			t.Errorf("%s may gain privileges", name)
		}
		if strings.HasPrefix(service.Image, "iotbridge") && (!service.ReadOnly || len(service.CapDrop) != 1) {
			t.Errorf("%s: its root file system can be written, or it has capabilities", name)
		}
	}
}

func TestComposeRefusesWhatItDoesNotKnow(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(composeDir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(text), "mem_limit:", "memory_limit:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, wrong); err == nil || !strings.Contains(err.Error(), "memory_limit") {
		t.Errorf("an unknown key: %v", err)
	}
}
