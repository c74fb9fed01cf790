package site_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"iotbridge/internal/site"
)

// A device that pinned the authority at the first start believes every later server.
func TestTheAuthorityStaysAndTheCertificateIsNew(t *testing.T) {
	dir := t.TempDir()
	first, err := site.ServerCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := os.ReadFile(first.CA)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(first.File)
	if err != nil {
		t.Fatal(err)
	}
	second, err := site.ServerCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(second.File); err != nil || string(after) == string(before) {
		t.Errorf("the certificate is the old one: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pinned)
	pair, err := tls.LoadX509KeyPair(second.File, second.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{"127.0.0.1": true, "localhost": true, "::1": true, "example.com": false} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); (err == nil) != good {
			t.Errorf("%s: %v, want good to be %v", name, err, good)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}
}
