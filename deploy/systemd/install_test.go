package systemd_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// install runs the script below root and returns the tree.
func install(t *testing.T, root, binary string) map[string]string {
	t.Helper()
	cmd := exec.Command("sh", "./install-agent.sh", binary)
	cmd.Env = append(os.Environ(), "DESTDIR="+root)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	return tree(t, root)
}

// tree is what lies below root: mode and text by path.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		at, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		out[name] = at.Mode().String()
		if at.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out[name] += fmt.Sprintf(" %d %q", at.ModTime().UnixNano(), text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInstallingTwiceIsInstallingOnce(t *testing.T) {
	root := t.TempDir()
	binary := write(t, filepath.Join(t.TempDir(), "agent"), "first", 0o644)
	once := install(t, root, binary)
	if diff := cmp.Diff(once, install(t, root, binary)); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	for name, mode := range map[string]string{
		"usr/local/bin":                              "drwxr-xr-x",
		"usr/local/bin/iotbridge-agent":              "-rwxr-xr-x",
		"etc/systemd/system/iotbridge-agent.service": "-rw-r--r--",
		"etc/iotbridge":                              "drwxr-x---",
		"etc/iotbridge/keys":                         "drwx------",
		"etc/iotbridge/agent.conf":                   "-rw-------",
	} {
		if got, _, _ := strings.Cut(once[name], " "); got != mode {
			t.Errorf("%s has mode %q, want %s", name, got, mode)
		}
	}
	for name := range once {
		if strings.HasSuffix(name, ".new") {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestD1_InstallingKeepsKeyAndConfigurationAndClosesThem(t *testing.T) {
	root := t.TempDir()
	dir := t.TempDir()
	install(t, root, write(t, filepath.Join(dir, "old"), "old", 0o755))
	etc := filepath.Join(root, "etc", "iotbridge")
	mine := map[string]string{
		filepath.Join(etc, "agent.conf"):             "[SETTINGS]\nHOST = mine\n",
		filepath.Join(etc, "keys", "ec_private.pem"): "my key",
		filepath.Join(etc, "ec_private.pem"):         "my key, beside the configuration",
	}
	for path, text := range mine {
		write(t, path, text, 0o666)
	}
	certificate := write(t, filepath.Join(etc, "keys", "roots.pem"), "roots", 0o644)

	after := install(t, root, write(t, filepath.Join(dir, "new"), "new", 0o755))
	for path, text := range mine {
		name, _ := filepath.Rel(root, path)
		if got := after[name]; !strings.HasPrefix(got, "-rw------- ") || !strings.HasSuffix(got, fmt.Sprintf("%q", text)) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if at, err := os.Stat(certificate); err != nil || at.Mode().Perm() != 0o644 {
		t.Errorf("the certificate: %v, %v", at.Mode(), err)
	}
	if got := after["usr/local/bin/iotbridge-agent"]; !strings.HasSuffix(got, `"new"`) {
		t.Errorf("the binary: %s", got)
	}
}

func TestInstallingSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	binary := write(t, filepath.Join(dir, "agent"), "", 0o755)
	linked := t.TempDir()
	if err := os.MkdirAll(filepath.Join(linked, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(linked, "etc", "iotbridge")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root string
		args []string
		says string
	}{
		"no binary":               {t.TempDir(), nil, "is not there"},
		"another's binary":        {t.TempDir(), []string{"/no/such/agent"}, "/no/such/agent is not there"},
		"too much":                {t.TempDir(), []string{binary, "x"}, "usage"},
		"a configuration by link": {linked, []string{binary}, "is a symbolic link"},
	} {
		cmd := exec.Command("sh", append([]string{"./install-agent.sh"}, c.args...)...)
		cmd.Env = append(os.Environ(), "DESTDIR="+c.root)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "install-agent.sh: ") || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "keys")); err == nil {
		t.Error("the link was followed before it was refused")
	}
}

func TestTheScriptIsClean(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not here: install-agent.sh is not looked at")
	}
	if out, err := exec.Command("shellcheck", "install-agent.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
