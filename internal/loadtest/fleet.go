package loadtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
)

// tokenTime is how long a token serves; a load ends before.
const tokenTime = 12 * time.Hour

// Device is one that is simulated, with the token that says who it is.
type Device struct {
	gateway.DeviceKey
	PublicKey string // PEM
	token     string
}

// NewFleet makes n devices, each with a key of its own: prefix1, prefix2, …
func NewFleet(registry gateway.RegistryKey, prefix string, n int) ([]Device, error) {
	fleet := make([]Device, n)
	for i := range fleet {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		fleet[i], err = newDevice(gateway.DeviceKey{RegistryKey: registry, Device: prefix + strconv.Itoa(i+1)}, key)
		if err != nil {
			return nil, err
		}
	}
	return fleet, nil
}

// ReadFleet makes devices of the private keys in a directory, n at the most: the
// file DEVICE.pem has device DEVICE's key, for ES256, in PEM.
func ReadFleet(registry gateway.RegistryKey, dir string, n int) ([]Device, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no key in it: want a file DEVICE.pem for each device", dir)
	}
	var fleet []Device
	for _, name := range names[:min(n, len(names))] {
		key, err := readKey(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		id := strings.TrimSuffix(filepath.Base(name), ".pem")
		d, err := newDevice(gateway.DeviceKey{RegistryKey: registry, Device: id}, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fleet = append(fleet, d)
	}
	return fleet, nil
}

var errKey = errors.New("not the private key of a device: want one for ES256, on P-256, alone in PEM")

func readKey(name string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	key, err := jwt.ParseECPrivateKeyFromPEM(text)
	if err != nil || key.Curve != elliptic.P256() {
		return nil, errors.Join(errKey, err)
	}
	return key, nil
}

func newDevice(name gateway.DeviceKey, key *ecdsa.PrivateKey) (Device, error) {
	if !name.Valid() {
		return Device{}, fmt.Errorf("%s is no device's name", name)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Device{}, err
	}
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"aud": name.Project, "iat": now.Unix(), "exp": now.Add(tokenTime).Unix(),
	}).SignedString(key)
	if err != nil {
		return Device{}, err
	}
	return Device{name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), token}, nil
}
