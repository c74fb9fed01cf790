package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBenchLoadsThisMachineOnly(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "device1.pem"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := benchGateway{
		Devices: 1, Rate: []int{1}, For: time.Second, Target: "192.0.2.1:8883",
		Keys: dir, Project: "my-project", Location: "us-central1", Registry: "RaspberryPiDevices",
	}
	if err := c.Run(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "is not on this machine") {
		t.Errorf("got %v", err)
	}
}
