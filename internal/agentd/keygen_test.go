package agentd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iotbridge/device/mqtt"
)

// keygen runs the command as a user does.
func keygen(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := new(Commands)
	_, err := c.parse(append([]string{"keygen"}, args...), &out)
	if err != nil {
		return "", err
	}
	err = c.Keygen.Run(&c.ConfigFile, &out)
	return out.String(), err
}

func TestKeygenMakesAPairThatTheAgentTakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "iot_keys")
	text, err := keygen(t, "--key-path="+dir, "--registry-id=RaspberryPiDevices", "--device-id=device1")
	if err != nil {
		t.Fatal(err)
	}
	private, public := filepath.Join(dir, "ec_private.pem"), filepath.Join(dir, "ec_public.pem")
	key, err := mqtt.LoadKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if key.Algorithm() != "ES256" {
		t.Errorf("algorithm %s", key.Algorithm())
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700, private: 0o600, public: 0o644} {
		if at, err := os.Stat(name); err != nil || at.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, at.Mode(), err, mode)
		}
	}
	block, _ := pem.Decode(read(t, public))
	got, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !key.Public().(*ecdsa.PublicKey).Equal(got) {
		t.Errorf("the public key is another: %v", err)
	}
	for _, want := range []string{string(read(t, public)), "iotbridge devices create device1 --registry RaspberryPiDevices --public-key ec_public.pem"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if secret := string(read(t, private)); strings.Contains(text, strings.Split(secret, "\n")[1]) {
		t.Error("the private key is shown")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeygenOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ec_private.pem", "ec_public.pem"} {
		t.Run(name, func(t *testing.T) {
			here := filepath.Join(dir, name)
			write(t, here, "precious", 0o600)
			if _, err := keygen(t, "--key-path="+dir); err == nil || !strings.Contains(err.Error(), "is there already") {
				t.Errorf("got %v", err)
			}
			if got := read(t, here); string(got) != "precious" {
				t.Errorf("it is %q now", got)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("there are %v, %v", files, err)
			}
			os.Remove(here)
		})
	}
	// Not even what comes while the key is being made, or leads elsewhere.
	elsewhere, link := filepath.Join(dir, "elsewhere"), filepath.Join(dir, "link")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if err := writeNew(link, 0o600, []byte("secret")); err == nil {
		t.Error("a link was written to")
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("a link was followed")
	}
}

func TestKeygenWantsANameForTheKey(t *testing.T) {
	if _, err := keygen(t, "--key-path="+t.TempDir(), "--private-key="); err == nil || !strings.Contains(err.Error(), "PRIVATE_KEY is empty") {
		t.Errorf("got %v", err)
	}
}

func TestKeygenShowsTheKeyThatIsThere(t *testing.T) {
	dir := t.TempDir()
	if _, err := keygen(t, "--key-path="+dir, "--show"); err == nil {
		t.Error("there is none to show")
	}
	text, err := keygen(t, "--key-path="+dir, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var made, shown keyPair
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	if text, err = keygen(t, "--key-path="+dir, "--json", "--show"); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	if shown != made || made.Register != "iotbridge devices create DEVICE --registry REGISTRY --public-key ec_public.pem" {
		t.Errorf("made %+v, shown %+v", made, shown)
	}
}

// A key is made before the device has its number, from a file that is half filled in.
func TestKeygenMindsNoPlaceholder(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "gcp_iot_config.txt", "[SETTINGS]\nKEY_PATH = keys\nDEVICE_ID = <DEVICE_NUMERIC_ID>\nREGISTRY_ID = RaspberryPiDevices\n", 0o600)
	text, err := keygen(t)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "create DEVICE --registry RaspberryPiDevices") {
		t.Error(text)
	}
	if _, err := mqtt.LoadKey("keys/ec_private.pem"); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
