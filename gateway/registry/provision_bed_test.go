package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

// office is a world with a profile of its own.
type office struct {
	*world
	*registry.Provisioning
	profile string
}

func newOffice(t testing.TB, w *world) *office {
	t.Helper()
	o := &office{w, w.Store.Provisioning(), w.key.Registry}
	o.put(t, &provision.Profile{})
	return o
}

// put makes or changes the office's profile.
func (o *office) put(t testing.TB, p *provision.Profile) *provision.Profile {
	t.Helper()
	p.ID, p.Registry = o.profile, o.key
	kept, err := o.PutProfile(t.Context(), "tester", p)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// board is a unit with a key and a certificate of it.
type board struct {
	provision.Unit
	key         *ecdsa.PrivateKey
	spki        [32]byte
	certificate []byte
}

func newBoard(t testing.TB, serial string, macs ...string) *board {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return (&board{Unit: provision.Unit{Serial: serial, MACs: macs}, key: key}).certified(t)
}

// certified gives the board's key another certificate.
func (b *board) certified(t testing.TB) *board {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(b.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: number, NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.spki = sha256.Sum256(der)
	if b.certificate, err = x509.CreateCertificate(rand.Reader, template, template, b.key.Public(), b.key); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *board) credential() gateway.Credential {
	return gateway.Credential{Format: gateway.ES256X509, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.certificate}))}
}

// bare is the key without its certificate.
func (b *board) bare(t testing.TB) gateway.Credential {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(b.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Credential{Format: gateway.ES256PEM, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// change grants the board what it asks for.
func (b *board) change() *provision.Change {
	return &provision.Change{
		Claim:       provision.Claim{Unit: b.Unit, State: provision.Claimed, SPKI: b.spki, Certificate: b.certificate, Bootstrap: "b0075742a9"},
		Credentials: []gateway.Credential{b.credential()}, DeviceID: "d-" + b.Serial, Action: "provision_claim",
	}
}

var errRefused = errors.New("refused")

// decide grants a unit that has no claim, and answers again the key that has it.
func (b *board) decide(k provision.Known) (*provision.Change, error) {
	switch {
	case k.KeyOwner != "" || k.Listing.Denied:
		return nil, errRefused
	case k.Claim == nil && (k.Profile.MaxDevices == 0 || k.Profile.Devices < k.Profile.MaxDevices):
		return b.change(), nil
	case k.Claim != nil && k.Claim.SPKI == b.spki && k.Device != nil:
		return nil, nil
	}
	return nil, errRefused
}

// insist grants whatever is known.
func (b *board) insist(provision.Known) (*provision.Change, error) { return b.change(), nil }

func (o *office) settle(t testing.TB, b *board) (*provision.Claim, error) {
	t.Helper()
	return o.Settle(t.Context(), o.profile, b.Unit, b.spki, b.decide)
}

// grant is for what must be granted.
func (o *office) grant(t testing.TB, b *board) *provision.Claim {
	t.Helper()
	c, err := o.settle(t, b)
	if err != nil || c == nil {
		t.Fatalf("%s: %+v, %v", b.Serial, c, err)
	}
	return c
}

// granted counts devices, claims that have one, and entries in the audit log that say so;
// and says when they do not agree.
func (o *office) granted(t testing.TB) int {
	t.Helper()
	devices, next, err := o.Devices(t.Context(), o.key, gateway.DeviceFilter{}, gateway.Page{Size: 500})
	if err != nil || next != "" {
		t.Fatal(err)
	}
	var claims int
	for _, state := range []provision.ClaimState{provision.Claimed, provision.Active} {
		list, next, err := o.Claims(t.Context(), o.profile, state, gateway.Page{Size: 500})
		if err != nil || next != "" {
			t.Fatal(err)
		}
		for _, c := range list {
			d, err := o.Device(t.Context(), c.Device)
			if err != nil || d.Number != c.Number || len(d.Credentials) == 0 {
				t.Errorf("the device of %s: %+v, %v", c.Unit.Serial, d, err)
			}
		}
		claims += len(list)
	}
	if claims != len(devices) {
		t.Errorf("%d claims have devices, and there are %d: %s", claims, len(devices), names(devices))
	}
	if made := len(o.actions(t, "provision_claim")); made < claims {
		t.Errorf("%d claims, %d entries in the audit log", claims, made)
	}
	return len(devices)
}

// actions are the entries of the audit log about this office's claims, newest first.
func (o *office) actions(t testing.TB, action string) (list []gateway.AuditEntry) {
	t.Helper()
	for page := (gateway.Page{Size: 500}); ; {
		entries, next, err := o.Audit(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		of := "provisioning/profiles/" + o.profile
		for _, e := range entries {
			if e.Action == action && len(e.Object) >= len(of) && e.Object[:len(of)] == of {
				list = append(list, e)
			}
		}
		if page.Token = next; next == "" {
			return list
		}
	}
}

// credentials are what the device has now.
func (o *office) credentials(t testing.TB, c *provision.Claim) []gateway.Credential {
	t.Helper()
	d, err := o.Device(t.Context(), c.Device)
	if err != nil {
		t.Fatal(err)
	}
	return d.Credentials
}

func serial(i int) string { return fmt.Sprintf("10000000%08X", i) }
