package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page's commands, top to bottom, up to where nodes would be needed.
func TestTheCommandsOfThePage(t *testing.T) {
	prepare(t)
	text, err := os.ReadFile(manifests + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tree := range []string{"deploy/k8s", "dashboards/rules"} {
		if err := os.CopyFS(filepath.Join(dir, tree), os.DirFS("../../../"+tree)); err != nil {
			t.Fatal(err)
		}
	}
	// What the page takes for granted: the database's authority.
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, section := range regexp.MustCompile(`(?m)^## `).Split(string(text), -1) {
		title, _, _ := strings.Cut(section, "\n")
		if title == "Operate" { // a pod is needed
			continue
		}
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
			script := regexp.MustCompile(`(?m)^kubectl rollout status .*$`).ReplaceAllString(block[1], "")
			cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+shared.dir+":"+os.Getenv("PATH"), "KUBECONFIG="+shared.path("kubeconfig"), "HOME="+shared.dir)
			if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "Warning") {
				t.Fatalf("%s: %v\n%s\n%s", title, err, script, out)
			}
			ran++
		}
	}
	if ran < 7 {
		t.Errorf("only %d blocks were run", ran)
	}
	for _, secret := range []string{"attestation", "gateway-tls", "gateway-api-tls", "gateway-operators", "gateway-store"} {
		must(t, "", "get", "secret", "-n", "iotbridge", secret)
	}
}
