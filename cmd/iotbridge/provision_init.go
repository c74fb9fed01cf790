package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"iotbridge/gateway/provision"
	"iotbridge/schema"
)

type provisionInit struct {
	Dir               string        `type:"path" default:"./pki" placeholder:"DIR" help:"Where the files go. What is there is never written over."`
	Name              string        `default:"batch1" placeholder:"NAME" help:"Of the bootstrap certificate, and its files: a product, or a batch."`
	AuthorityLifetime time.Duration `default:"87600h" help:"How long the two authorities last."`
	BootstrapLifetime time.Duration `default:"17520h" help:"How long the bootstrap certificate lasts: from the factory to the last board's first day."`
	JSON              bool          `name:"json" help:"Print one JSON object."`
}

// Help is shown after the flags.
func (*provisionInit) Help() string {
	return `Makes two authorities with roots of their own, and a bootstrap certificate. Nothing that one of the roots has issued is worth anything to the other:

  device-ca.pem, .key      issues what devices are granted; for the gateway alone
  bootstrap-ca.pem, .key   issues bootstrap certificates; keep the key offline
  bootstrap-NAME.pem, .key one for all boards of a batch; all it can do is ask

Run again with another --name, it makes one more bootstrap certificate by the authorities that are there.`
}

// authorityFiles are a certificate and its key.
type authorityFiles struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	SHA256      string `json:"sha256"` // of the certificate's DER
	Until       string `json:"notAfter"`
	Made        bool   `json:"made"` // now
}

type initialised struct {
	Device    authorityFiles `json:"deviceAuthority"`
	Bootstrap authorityFiles `json:"bootstrapAuthority"`
	Shared    authorityFiles `json:"bootstrap"`
}

// Run makes what is not there. What it made is taken away again if the rest fails.
func (c *provisionInit) Run(out io.Writer) (err error) {
	if !schema.ValidID(c.Name) {
		return usage("--name " + shown(c.Name) + ": want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %")
	}
	if c.AuthorityLifetime <= 0 || c.BootstrapLifetime <= 0 {
		return usage("--authority-lifetime and --bootstrap-lifetime: want more than 0")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	m := maker{dir: c.Dir, now: time.Now()}
	defer func() {
		if err != nil {
			m.undo()
		}
	}()
	var done initialised
	if _, err = m.authority(provision.ForDevice, "device-ca", "iotbridge devices", c.AuthorityLifetime, &done.Device); err != nil {
		return err
	}
	issuer, err := m.authority(provision.ForBootstrap, "bootstrap-ca", "iotbridge bootstrap", c.AuthorityLifetime, &done.Bootstrap)
	if err != nil {
		return err
	}
	if err = m.bootstrap(issuer, c.Name, c.BootstrapLifetime, &done.Shared); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(out).Encode(done)
	}
	done.tell(out, c.Name)
	return nil
}

func (i *initialised) tell(out io.Writer, name string) {
	for _, f := range []struct {
		authorityFiles
		goes string
	}{
		{i.Device, "to the gateway, the key to nobody else"},
		{i.Bootstrap, "the certificate into the profile, the key offline"},
		{i.Shared, "both into the image of every board of " + name},
	} {
		verb := "made"
		if !f.Made {
			verb = "kept"
		}
		fmt.Fprintf(out, "%s  %s and its key: %s\n", verb, f.Certificate, f.goes)
	}
	fmt.Fprintf(out, `
A profile that takes it, for iotbridge provision profiles apply:

id: %s
registry: REGISTRY
lists: true
bootstrap:
  - name: %s
    sha256: "%s"
`, name, name, i.Shared.SHA256)
}

// maker makes files, and knows which.
type maker struct {
	dir  string
	now  time.Time
	made []string
}

func (m *maker) undo() {
	for _, name := range m.made {
		os.Remove(name)
	}
}

// files are where a certificate of that name goes.
func (m *maker) files(name string) authorityFiles {
	return authorityFiles{Certificate: filepath.Join(m.dir, name+".pem"), Key: filepath.Join(m.dir, name+".key")}
}

// authority is the one of that name, made when neither of its files is there.
func (m *maker) authority(purpose provision.Purpose, name, title string, life time.Duration, f *authorityFiles) (*provision.Authority, error) {
	*f = m.files(name)
	if !there(f.Certificate) && !there(f.Key) {
		key, err := newKey()
		if err != nil {
			return nil, err
		}
		der, err := provision.NewRoot(purpose, title, key, m.now, life)
		if err != nil {
			return nil, err
		}
		if err := m.write(f, der, key); err != nil {
			return nil, err
		}
	}
	pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", f.Certificate, f.Key, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: the key cannot sign", f.Key)
	}
	a := &provision.Authority{Purpose: purpose, Certificate: pair.Leaf, Signer: signer}
	f.describe(pair.Leaf)
	if err := a.Fault(m.now); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Certificate, err)
	}
	return a, nil
}

func (m *maker) bootstrap(issuer *provision.Authority, name string, life time.Duration, f *authorityFiles) error {
	*f = m.files("bootstrap-" + name)
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	der, err := issuer.Issue(provision.Leaf{CommonName: name, PublicKey: public, Lifetime: life}, m.now)
	if err != nil {
		return err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	f.describe(c)
	return m.write(f, der, key)
}

func (f *authorityFiles) describe(c *x509.Certificate) {
	sum := sha256.Sum256(c.Raw)
	f.SHA256, f.Until = hex.EncodeToString(sum[:]), whenever(c.NotAfter)
}

// write makes both files, the key first: where the certificate is, the key is too.
func (m *maker) write(f *authorityFiles, certificate []byte, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f.Made = true
	return errors.Join(
		m.exclusive(f.Key, &pem.Block{Type: "PRIVATE KEY", Bytes: der}, 0o600),
		m.exclusive(f.Certificate, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}, 0o644),
	)
}

func (m *maker) exclusive(name string, block *pem.Block, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: nothing is written over; choose another --name or --dir, or move it away", name)
	}
	if err != nil {
		return err
	}
	m.made = append(m.made, name)
	err = pem.Encode(f, block)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func there(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
