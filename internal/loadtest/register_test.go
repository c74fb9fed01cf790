package loadtest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	iot "cloud.google.com/go/iot/apiv1"
	"google.golang.org/api/option"

	"iotbridge/gateway"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/registry"
)

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// newManager is a Device Manager with the test's registry, and its store.
func newManager(t *testing.T) (*iot.DeviceManagerClient, *registry.Store) {
	t.Helper()
	dir := t.TempDir()
	store, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if _, err := store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: testRegistry, MQTT: true}); err != nil {
		t.Fatal(err)
	}
	const token = "the token of the admin"
	file := filepath.Join(dir, "operators")
	if err := os.WriteFile(file, []byte(operators.Operator{Name: "ada", Role: operators.Admin}.Line(token)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := operators.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer((&devicemanager.Server{Admin: store, Bus: store, Operators: list}).Handler())
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Cleanup(server.Close)
	c, err := iot.NewDeviceManagerRESTClient(t.Context(), option.WithEndpoint(server.URL), option.WithHTTPClient(&http.Client{Transport: bearer(token)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, store
}

func registered(t *testing.T, store *registry.Store) int {
	t.Helper()
	devices, _, err := store.Devices(t.Context(), testRegistry, gateway.DeviceFilter{}, gateway.Page{Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return len(devices)
}

func TestRegister(t *testing.T) {
	manager, store := newManager(t)
	ctx, cancel := context.WithCancel(t.Context())
	fleet := newFleet(t, 40)
	remove, err := Register(ctx, manager, fleet)
	if err != nil {
		t.Fatal(err)
	}
	if n := registered(t, store); n != 40 {
		t.Errorf("%d are registered", n)
	}
	d, err := store.Device(t.Context(), fleet[7].DeviceKey)
	if err != nil || len(d.Credentials) != 1 || d.Credentials[0].PEM != fleet[7].PublicKey {
		t.Errorf("%+v, %v", d, err)
	}
	cancel()
	if err := remove(); err != nil {
		t.Error(err)
	}
	if n := registered(t, store); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// TestRegisterAllOrNone finds a device there that is not its own, and leaves it.
func TestRegisterAllOrNone(t *testing.T) {
	manager, store := newManager(t)
	fleet := newFleet(t, 40)
	if _, err := Register(t.Context(), manager, fleet[30:31]); err != nil {
		t.Fatal(err)
	}
	if _, err := Register(t.Context(), manager, fleet); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := registered(t, store); n != 1 {
		t.Errorf("%d are registered", n)
	}
}
