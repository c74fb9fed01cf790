package agentd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"iotbridge/device/mqtt"
)

// Keygen is the command that makes the device's key pair.
type Keygen struct {
	Identity `embed:""`
	Show     bool `cli:"" env:"-" help:"Make nothing: show the public key of the key that is there."`
	JSON     bool `cli:"" env:"-" name:"json" help:"Print JSON."`
}

// keyPair is what keygen tells.
type keyPair struct {
	File     string `json:"file"`       // the private one's
	Public   string `json:"publicFile"` // the public one's
	PEM      string `json:"publicKey"`
	Register string `json:"register"` // how an operator registers it
}

// Run makes it, and never over another: a device whose key is lost must be registered
// anew.
func (k *Keygen) Run(c *ConfigFile, out io.Writer) error {
	k.config = c.Config
	if k.PrivateKey == "" {
		return errors.New("PRIVATE_KEY is empty: name the key's file")
	}
	pair := keyPair{File: k.key()}
	pair.Public = publicName(pair.File)
	public, err := k.pair(pair)
	if err != nil {
		return err
	}
	pair.PEM = string(public)
	pair.Register = k.register(filepath.Base(pair.Public))
	if k.JSON {
		return json.NewEncoder(out).Encode(pair)
	}
	fmt.Fprintf(out, "The private key is %s and stays there; the public one is %s:\n\n%s\n", pair.File, pair.Public, pair.PEM)
	_, err = fmt.Fprintf(out, "Copy it to where the gateway is operated, and register the device:\n\n  %s\n", pair.Register)
	return err
}

// pair makes the files, or reads the private one, and returns the public key in PEM.
func (k *Keygen) pair(files keyPair) ([]byte, error) {
	if k.Show {
		key, err := mqtt.LoadKey(files.File)
		if err != nil {
			return nil, err
		}
		return publicPEM(key.Public())
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := publicPEM(key.Public())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(files.File), 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{files.File, files.Public} {
		if _, err := os.Lstat(name); err == nil {
			return nil, exists(name)
		}
	}
	if err := writeNew(files.File, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})); err != nil {
		return nil, err
	}
	return public, writeNew(files.Public, 0o644, public)
}

func exists(name string) error {
	return fmt.Errorf("%s is there already, and is not overwritten: keygen --show shows its public key; move it away to make another, which must then be registered", name)
}

func publicPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// publicName is ec_public.pem for ec_private.pem.
func publicName(private string) string {
	dir, base := filepath.Split(private)
	if strings.Contains(base, "private") {
		return dir + strings.Replace(base, "private", "public", 1)
	}
	return private + ".pub"
}

// register is the operator's command. Before a device is registered it has no number,
// so the name is the operator's to choose.
func (k *Keygen) register(public string) string {
	device, registry := k.DeviceID, k.RegistryID
	if !named(device) {
		device = "DEVICE"
	}
	if !named(registry) {
		registry = "REGISTRY"
	}
	return fmt.Sprintf("iotbridge devices create %s --registry %s --public-key %s", device, registry, public)
}

// writeNew makes a file whole and durable, or not at all, and never over another.
func writeNew(name string, mode fs.FileMode, text []byte) (err error) {
	dir := filepath.Dir(name)
	tmp := filepath.Join(dir, "."+filepath.Base(name)+"."+rand.Text()[:8])
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what is there.
	if err := os.Link(tmp, name); errors.Is(err, fs.ErrExist) {
		return exists(name)
	} else if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
