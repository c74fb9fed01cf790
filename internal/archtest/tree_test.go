package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheTreeKeepsTheRules(t *testing.T) {
	packages := list(t)
	if !slices.ContainsFunc(packages, func(p Package) bool { return p.Path == "ingest" && slices.Contains(p.Deps, "schema") }) {
		t.Fatal("the graph was not read: ingest does not need schema in it")
	}
	for _, line := range Violations(packages) {
		t.Error(line)
	}
}

func TestTheRootShowsFewNames(t *testing.T) {
	expected := []string{
		"CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "SECURITY.md", "bench", "cmd",
		"dashboards", "deploy", "device", "docs", "gateway", "go.mod", "go.sum", "ingest", "internal", "localcloud", "schema",
	}
	// What .gitignore names is on a working machine only.
	local := []string{"bin", "dist", "iotbridge-data"}
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(expected, name) && !slices.Contains(local, name) {
			t.Errorf("%s: a new name at the root; is there no folder for it?", name)
		}
	}
}

// list asks the go command; the module's packages are named from its root.
func list(t *testing.T) []Package {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, Package{fromRoot(p.ImportPath), fromRoots(p.Imports), fromRoots(p.Deps)})
	}
}

func fromRoot(path string) string { return strings.TrimPrefix(path, "iotbridge/") }

func fromRoots(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = fromRoot(p)
	}
	return out
}
