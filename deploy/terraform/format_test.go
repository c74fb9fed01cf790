package terraform_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

func TestFilesAreFormatted(t *testing.T) {
	for _, dir := range roots {
		for name, file := range load(t, dir).files {
			if !bytes.Equal(hclwrite.Format(file.Bytes), file.Bytes) {
				t.Errorf("%s is not as `terraform fmt` has it", filepath.Join(dir, name))
			}
		}
	}
}

func terraform(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("NOT CHECKED: terraform is not installed")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	// No registry is asked and nothing of whoever runs the tests is read or written.
	home := t.TempDir()
	rc := filepath.Join(home, "rc")
	mirror := "provider_installation {\n  filesystem_mirror {\n    path = \"" + os.Getenv("IOTBRIDGE_TERRAFORM_PROVIDERS") + "\"\n  }\n}\n"
	if err := os.WriteFile(rc, []byte(mirror), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "HOME="+home, "TF_CLI_CONFIG_FILE="+rc, "TF_DATA_DIR="+filepath.Join(home, "data"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTerraformFindsThemFormatted(t *testing.T) {
	if out, err := terraform(t, ".", "fmt", "-check", "-diff", "-recursive"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The provider comes from a mirror on this machine, as `terraform providers mirror`
// makes one.
func TestTerraformValidates(t *testing.T) {
	if os.Getenv("IOTBRIDGE_TERRAFORM_PROVIDERS") == "" {
		t.Skip("NOT CHECKED: IOTBRIDGE_TERRAFORM_PROVIDERS names no folder with the provider; its attributes are held against testdata/provider.txt")
	}
	dir := t.TempDir()
	// As far up as file() reaches.
	for _, part := range []string{"deploy/terraform", "schema/export", "schema/sql"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	example := filepath.Join(dir, "deploy/terraform/examples/complete")
	for _, args := range []string{"init -backend=false -input=false -no-color", "validate -no-color"} {
		if out, err := terraform(t, example, strings.Fields(args)...); err != nil {
			t.Fatalf("terraform %s: %v\n%s", args, err, out)
		}
	}
}
