package provision

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is one of five years, and the time at which it was made.
func authority(t testing.TB, purpose Purpose) (*Authority, time.Time) {
	t.Helper()
	key, now := generate(t, elliptic.P256()), time.Now().Truncate(time.Second)
	der, err := NewRoot(purpose, string(purpose), key, now, 5*365*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{Purpose: purpose, Certificate: c, Signer: key}, now
}

func leafOf(t testing.TB, a *Authority, now time.Time) *x509.Certificate {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(generate(t, elliptic.P256()).Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Issue(Leaf{CommonName: "x", PublicKey: spki, Lifetime: time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// P15: roots are apart, and say what they are for.
func TestP15_Purposes(t *testing.T) {
	devices, now := authority(t, ForDevice)
	bootstrap, _ := authority(t, ForBootstrap)
	for _, a := range []*Authority{devices, bootstrap} {
		if c := a.Certificate; a.Fault(now) != nil || c.MaxPathLen != 0 || !c.MaxPathLenZero || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Errorf("%v, %+v", a.Fault(now), a.Certificate)
		}
	}
	own, other := leafOf(t, devices, now), leafOf(t, bootstrap, now)
	if err := devices.Verify(Present([]*x509.Certificate{own}), now); err != nil {
		t.Error(err)
	}
	// The same key for both purposes does not make them one.
	both := &Authority{Purpose: ForBootstrap, Certificate: devices.Certificate, Signer: devices.Signer}
	for name, c := range map[string]*x509.Certificate{"bootstrap's": other, "bootstrap's by the same key": leafOf(t, both, now), "the authority": devices.Certificate} {
		if devices.Verify(Present([]*x509.Certificate{c}), now) == nil {
			t.Errorf("%s is a device's", name)
		}
	}
	if devices.Verify(Present([]*x509.Certificate{own}), now.Add(2*time.Hour)) == nil {
		t.Error("expired")
	}
	for name, a := range map[string]*Authority{
		"another purpose": both,
		"another's key":   {Purpose: ForDevice, Certificate: devices.Certificate, Signer: bootstrap.Signer},
		"no key":          {Purpose: ForDevice, Certificate: devices.Certificate},
		"no certificate":  {Purpose: ForDevice, Signer: devices.Signer},
		"a leaf":          {Purpose: ForDevice, Certificate: own, Signer: devices.Signer},
		"a leaf before":   {Purpose: ForDevice, Certificate: devices.Certificate, Signer: devices.Signer, Before: []*x509.Certificate{own}},
	} {
		if a.Fault(now) == nil {
			t.Errorf("%s: no fault", name)
		}
	}
	late := now.Add(6 * 365 * 24 * time.Hour)
	if _, err := devices.Issue(Leaf{PublicKey: own.RawSubjectPublicKeyInfo, Lifetime: time.Hour}, late); err == nil || devices.Fault(late) == nil {
		t.Error("an authority that has expired issues")
	}
	if _, err := NewRoot("server", "x", devices.Signer, now, time.Hour); err == nil {
		t.Error("a root for anything")
	}
}

func TestTheKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device-ca.key")
	made, err := NewSigner(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSigner(path); err == nil {
		t.Error("it was overwritten")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if read, err := OpenSigner(path); err != nil || !read.Public().(*ecdsa.PublicKey).Equal(made.Public()) {
		t.Error(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(made.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := x509.MarshalECPrivateKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
	}
	for name, row := range map[string]struct {
		text string
		ok   bool
	}{
		"SEC 1":       {block("EC PRIVATE KEY", sec1), true},
		"empty":       {"", false},
		"two":         {string(good) + string(good), false},
		"certificate": {block("CERTIFICATE", sec1), false},
		"garbage":     {block("PRIVATE KEY", []byte("secret")), false},
		"P-224":       {block("EC PRIVATE KEY", short), false},
		"long":        {string(good) + strings.Repeat("\n", maxKeyFile), false},
	} {
		at := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(at, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSigner(at); (err == nil) != row.ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSigner(path); err == nil {
			t.Errorf("%s is read", mode)
		}
	}
	if _, err := OpenSigner(t.TempDir()); err == nil {
		t.Error("a folder is read")
	}
}
