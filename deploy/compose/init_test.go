package compose_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway/operators"
	"iotbridge/schema"
)

// secrets are what init.sh has made in a folder that holds compose.yaml too.
func secrets(t *testing.T, dir string, args ...string) map[string]string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			t.Fatal("openssl is not here")
		}
		t.Skip("openssl is not here: init.sh is not run")
	}
	script, err := filepath.Abs("init.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{script}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out := map[string]string{}
	files, err := os.ReadDir(filepath.Join(dir, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, "secrets", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = string(text)
	}
	return out
}

func TestSecretsAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	copyInto(t, dir, "compose.yaml")
	made := secrets(t, dir, "secrets", "gateway.example", "192.0.2.7", "2001:db8::7")
	if diff := cmp.Diff(made, secrets(t, dir)); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	var file struct {
		Secrets map[string]struct{ File string }
	}
	decode(t, "compose.yaml", &file)
	for name, secret := range file.Secrets {
		if secret.File != "./secrets/"+name || made[name] == "" {
			t.Errorf("%s: %+v is not made", name, secret)
		}
	}
	for name := range made {
		at, err := os.Stat(filepath.Join(dir, "secrets", name))
		if want := os.FileMode(0o640); name == "ca.key" && err == nil && at.Mode() != 0o600 || err == nil && at.Mode()&^want != 0 {
			t.Errorf("%s has mode %v", name, at.Mode())
		}
		if err != nil || strings.HasSuffix(name, ".new") {
			t.Errorf("%s was left behind, %v", name, err)
		}
	}
	if env, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || !strings.HasPrefix(string(env), "SECRETS_GID=") {
		t.Errorf(".env: %q, %v", env, err)
	}

	// What each is for.
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(made["ca.pem"])) {
		t.Fatal("ca.pem holds no certificate")
	}
	pair, err := tls.X509KeyPair([]byte(made["server.pem"]), []byte(made["server.key"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "gateway", "gateway.example", "192.0.2.7", "2001:db8::7"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := schema.ParseKeyring([]byte(made["attestation.keys"])); err != nil {
		t.Error(err)
	}
	list, err := operators.Open(filepath.Join(dir, "secrets", "operators"))
	if err != nil {
		t.Fatal(err)
	}
	if who, err := list.Admit("Bearer "+strings.TrimSpace(made["admin.token"]), nil); err != nil || who.Role != operators.Admin {
		t.Errorf("the token is of %+v, %v", who, err)
	}
	if want := "postgres:5432:iotbridge:iotbridge:" + made["postgres.password"]; made["pgpass"] != want {
		t.Errorf("pgpass is %q", made["pgpass"])
	}
}

func TestAWithdrawnCertificateIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	before := secrets(t, dir)
	if err := os.Remove(filepath.Join(dir, "secrets", "server.pem")); err != nil {
		t.Fatal(err)
	}
	after := secrets(t, dir)
	if after["server.pem"] == before["server.pem"] || after["ca.pem"] != before["ca.pem"] || after["attestation.keys"] != before["attestation.keys"] {
		t.Error("want another server's certificate, by the same authority, and the rest as it was")
	}
	if _, ok := after["pgpass"]; ok {
		t.Error("passwords of compose.yaml are made where it is not")
	}
}

func TestTheScriptIsClean(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not here: the scripts are not looked at")
	}
	if out, err := exec.Command("shellcheck", "init.sh", "../image/standin.sh", "../release.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
