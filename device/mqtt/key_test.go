package mqtt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func encoded(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encoded("PRIVATE KEY", der, err)
}

func sec1() []byte {
	der, err := x509.MarshalECPrivateKey(ecKey)
	return encoded("EC PRIVATE KEY", der, err)
}

func TestKeysThatAreTaken(t *testing.T) {
	rsaPEM := encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()), nil)
	parameters := encoded("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, nil)
	for _, c := range []struct {
		name, algorithm string
		text            []byte
		public          crypto.PublicKey
	}{
		{"PKCS #8, P-256", "ES256", pkcs8(ecKey), ecKey.Public()},
		{"SEC 1", "ES256", sec1(), ecKey.Public()},
		{"openssl ecparam -genkey", "ES256", append(parameters, sec1()...), ecKey.Public()},
		{"PKCS #8, RSA", "RS256", pkcs8(rsaKey()), rsaKey().Public()},
		{"PKCS #1", "RS256", rsaPEM, rsaKey().Public()},
	} {
		for _, mode := range []os.FileMode{0o600, 0o400} {
			k, err := LoadKey(writeFile(t, "key", mode, c.text))
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if k.Algorithm() != c.algorithm || !k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.public) {
				t.Errorf("%s: %s, %v", c.name, k.Algorithm(), k.Public())
			}
		}
	}
}

func TestKeysThatAreNot(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(ecKey.Public())
	secret := sec1()
	encrypted := encoded("EC PRIVATE KEY", []byte("x"), nil)
	encrypted = bytes.Replace(encrypted, []byte("-----\n"), []byte("-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"), 1)
	for _, c := range []struct {
		name, want string
		text       []byte
	}{
		{"P-384", "curve is P-384", pkcs8(p384)},
		{"Ed25519", "want P-256 or RSA", pkcs8(edwards)},
		{"RSA 1024", "RSA of 1024 bits", pkcs8(small)},
		{"empty", "no private key in PEM", nil},
		{"no PEM", "no private key in PEM", []byte("hello")},
		{"public", "holds a PUBLIC KEY", encoded("PUBLIC KEY", public, err)},
		{"certificate", "holds a CERTIFICATE", encoded("CERTIFICATE", ourCA.cert.Raw, nil)},
		{"PKCS #8, encrypted", "pass phrase", encoded("ENCRYPTED PRIVATE KEY", []byte("x"), nil)},
		{"SEC 1, encrypted", "pass phrase", encrypted},
		{"damaged", "damaged", encoded("PRIVATE KEY", []byte("x"), nil)},
		{"half", "no private key in PEM", secret[:len(secret)/2]},
		{"huge", "more than", make([]byte, maxPEM+1)},
	} {
		path := writeFile(t, "key", 0o600, c.text)
		if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	odd := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: rsaKey().N, E: 3}, D: rsaKey().D, Primes: rsaKey().Primes}
	if _, err := admitted(odd, "k"); err == nil || !strings.Contains(err.Error(), "exponent 3") {
		t.Errorf("exponent 3: %v", err)
	}
	if _, err := admitted(&rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16383), E: 65537}}, "k"); err == nil {
		t.Error("16384 bits were taken")
	}
}

func TestD1_KeysThatOthersCouldHave(t *testing.T) {
	for others := range os.FileMode(0o100) {
		mode := 0o600 | others
		path := writeFile(t, "key", mode, pkcs8(ecKey))
		_, err := LoadKey(path)
		if mode&0o077 != 0 && (err == nil || !strings.Contains(err.Error(), path)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if others == 0 && err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if !trusted(0) || !trusted(uint32(os.Geteuid())) || trusted(uint32(os.Geteuid()+1)) {
		t.Error("want keys of this user's and root's, and nobody else's")
	}
	if os.Geteuid() == 0 { // only root can give a file away
		path := keyFile(t, ecKey)
		if err := os.Chown(path, 1000, 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "belongs to user 1000") {
			t.Errorf("another's key: %v", err)
		}
	}
}

func TestD2_WhatStandsInAKeysPlace(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(keyFile(t, ecKey), link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		link:                         "symbolic link",
		fifo:                         "no regular file", // and nobody waits for its other end
		dir:                          "no regular file",
		filepath.Join(dir, "absent"): "no such file",
	} {
		if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// However a key is printed, its secret is not.
func TestD9_AKeyDoesNotShowItself(t *testing.T) {
	path := keyFile(t, ecKey)
	k, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ecKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	number := new(big.Int).SetBytes(secret)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, k), fmt.Sprintf(verb, *k)} {
			if want := "ES256 key of " + path; printed != want {
				t.Errorf("%s: %.50s, want %s", verb, printed, want)
			}
		}
		fmt.Fprintf(&out, verb+"\n", struct{ K *Key }{k})
		fmt.Fprintf(&out, verb+"\n", &Uplink{Key: k})
		fmt.Fprintf(&out, verb+"\n", []any{*k})
	}
	var buffer bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&buffer), zap.DebugLevel))
	log.Info("key", zap.Any("key", k), zap.Any("value", *k), zap.Reflect("reflect", k), zap.Any("uplink", struct{ Key *Key }{k}))
	out.Write(buffer.Bytes())
	for _, form := range []string{number.String(), fmt.Sprintf("%x", secret[1:]), fmt.Sprintf("%X", secret[1:]), string(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]")[:40]} {
		if strings.Contains(out.String(), form) {
			t.Fatalf("the secret, as %.8s…, in\n%s", form, out.String())
		}
	}
	if want := "ES256 key of " + path; k.String() != want || !strings.Contains(out.String(), want) {
		t.Errorf("%s, want %q", k, want)
	}
}
