package provision_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

// counter is a desk over a real store, as the server calls it.
type counter struct {
	*provision.Desk
	t      *testing.T
	path   string
	store  *registry.Store
	office *registry.Provisioning
	root   *root
	by     provision.Presented
	past   time.Duration // that has gone by; nothing else does
}

// newCounter has the profile batch, which the certificates of one authority ask for.
func newCounter(t *testing.T, change func(*provision.Profile)) *counter {
	t.Helper()
	begin := time.Now()
	c := &counter{t: t, path: filepath.Join(t.TempDir(), "registry.db"), root: newRoot(t, "bootstrap")}
	c.Desk = &provision.Desk{Authority: newDevices(t), Metrics: provision.NewMetrics(prometheus.NewRegistry()), Now: func() time.Time { return begin.Add(c.past) }}
	c.by = presented(t, c.root.issue(t, forClients()).Certificate[0])
	c.open()
	if _, err := c.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: fleet, MQTT: true}); err != nil {
		t.Fatal(err)
	}
	c.put(change)
	t.Cleanup(func() { c.store.Close() })
	return c
}

func presented(t testing.TB, der ...[]byte) provision.Presented {
	t.Helper()
	var chain []*x509.Certificate
	for _, d := range der {
		c, err := x509.ParseCertificate(d)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return provision.Present(chain)
}

func (c *counter) open() {
	c.t.Helper()
	var err error
	if c.store, err = registry.Open(c.t.Context(), "sqlite:"+c.path, registry.Options{}); err != nil {
		c.t.Fatal(err)
	}
	c.office = c.store.Provisioning()
	c.Store = c.office
}

// put makes the profile, or changes it.
func (c *counter) put(change func(*provision.Profile)) {
	c.t.Helper()
	p, err := c.office.Profile(c.t.Context(), "batch")
	if errors.Is(err, gateway.ErrNotFound) {
		p, err = &provision.Profile{
			ID: "batch", Registry: fleet, KeyMode: provision.KeyOnEither, Again: provision.AgainRefuse, Bootstrap: []provision.Bootstrap{c.root.pin()},
		}, nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	if err := p.Fault(); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.office.PutProfile(c.t.Context(), "test", p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) enlist(list provision.List, entries ...provision.Entry) {
	c.t.Helper()
	if _, err := c.office.Enlist(c.t.Context(), "test", "batch", list, func(yield func(provision.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}); err != nil {
		c.t.Fatal(err)
	}
}

func spki(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// request asks for a serial with a key; nil: for a key too.
func (c *counter) request(serial string, key *ecdsa.PrivateKey) provision.Request {
	r := provision.Request{
		ID: "request-1", Profile: "batch", Unit: provision.Unit{Serial: serial}, Bootstrap: c.by, From: netip.MustParseAddr("192.0.2.1"),
	}
	if key != nil {
		r.PublicKey = spki(c.t, key)
	}
	return r
}

// granted is an answer that grants.
func (c *counter) granted(r provision.Request) *provision.Grant {
	c.t.Helper()
	g, err := c.Enroll(c.t.Context(), r)
	if err != nil {
		c.t.Fatalf("%s: %v", r.Unit.Serial, err)
	}
	return g
}

// refused is an answer that does not, by the code.
func (c *counter) refused(what string, r provision.Request, want provision.Code) *provision.Refusal {
	c.t.Helper()
	g, err := c.Enroll(c.t.Context(), r)
	return refusal(c.t, what, g, err, want)
}

func refusal(t testing.TB, what string, g *provision.Grant, err error, want provision.Code) *provision.Refusal {
	t.Helper()
	var no *provision.Refusal
	if g != nil || !errors.As(err, &no) || no.Code != want {
		t.Fatalf("%s: %+v, %v; want %s", what, g, err, want)
	}
	return no
}

// device is that of a grant, as the registry has it.
func (c *counter) device(g *provision.Grant) *gateway.Device {
	c.t.Helper()
	d, err := c.store.Device(c.t.Context(), g.Claim.Device)
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

func (c *counter) block(g *provision.Grant, blocked bool) {
	c.t.Helper()
	if _, err := c.store.UpdateDevice(c.t.Context(), "test", g.Claim.Device, func(d *gateway.Device) error { d.Blocked = blocked; return nil }); err != nil {
		c.t.Fatal(err)
	}
}

// connected tells that the device came with its newest credential.
func (c *counter) connected(g *provision.Grant) {
	c.t.Helper()
	d := c.device(g)
	if err := c.office.Used(c.t.Context(), d.Number, d.Credentials[len(d.Credentials)-1], time.Now()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counter) reset(serial string) {
	c.t.Helper()
	if err := c.office.Reset(c.t.Context(), "test", "batch", serial); err != nil {
		c.t.Fatal(err)
	}
}

// devices are all that there are.
func (c *counter) devices() []*gateway.Device {
	c.t.Helper()
	list, _, err := c.store.Devices(c.t.Context(), fleet, gateway.DeviceFilter{}, gateway.Page{Size: 500})
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

func (c *counter) alarms(kind string) float64 {
	return testutil.ToFloat64(c.Metrics.Alarms.WithLabelValues(kind))
}

// proofOf proves a unit's claim secret over a key.
func proofOf(secret string, publicKey []byte) []byte {
	hash := sha256.Sum256([]byte(secret))
	return proofBy(hash[:], publicKey)
}

func proofBy(hash, publicKey []byte) []byte {
	mac := hmac.New(sha256.New, hash)
	mac.Write(publicKey)
	return mac.Sum(nil)
}
