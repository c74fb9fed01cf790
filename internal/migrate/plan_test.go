package migrate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// bare is a credential of a public key.
func bare(t *testing.T, public crypto.PublicKey, format iotpb.PublicKeyFormat) *iotpb.DeviceCredential {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return credential(format.String(), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), 0)
}

// certified is a credential of a certificate that ends then.
func certified(t *testing.T, k *ecdsa.PrivateKey, until time.Time) *iotpb.DeviceCredential {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return credential("ES256_X509_PEM", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0)
}

func from(registry, id string, credentials ...*iotpb.DeviceCredential) Device {
	return Device{Device: &iotpb.Device{Id: id, Credentials: credentials}, From: registry}
}

func TestEachDeviceHasItsVerdict(t *testing.T) {
	const es256, rs256 = iotpb.PublicKeyFormat_ES256_PEM, iotpb.PublicKeyFormat_RSA_PEM
	own, other := key(t), key(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]*iotpb.Device{"there": {Id: "there", Credentials: []*iotpb.DeviceCredential{bare(t, own.Public(), es256)}}}
	devices := []Device{
		from("A", "new", bare(t, own.Public(), es256)),
		from("A", "new", bare(t, own.Public(), es256)),
		from("B", "new", bare(t, own.Public(), es256)),
		from("A", "there", bare(t, own.Public(), es256)),
		from("A", "there", bare(t, own.Public(), es256)),
		from("A", "keyless"),
		from("A", "a+b", bare(t, own.Public(), es256)),
		from("A", "goog-1", bare(t, own.Public(), es256)),
		from("A", "2928540609735937", bare(t, own.Public(), es256)),
		from("A", "", bare(t, own.Public(), es256)),
		from("A", "weak", bare(t, weak.Public(), rs256)),
		from("A", "wrong-format", bare(t, own.Public(), rs256)),
		from("A", "unreadable", &iotpb.DeviceCredential{}),
		from("A", "ended", certified(t, own, now.Add(-time.Hour))),
		from("A", "valid", certified(t, own, now.Add(time.Minute))),
	}
	want := []struct {
		verdict   Verdict
		why, note string
	}{
		{Create, "", ""},
		{Present, "twice in the files", ""},
		{Collides, "the files have another device of this id, from A", ""},
		{Present, "there already", ""},
		{Present, "twice in the files", ""},
		{Create, "", ""},
		{Refused, "wildcard", ""},
		{Refused, "not beginning with goog", ""},
		{Refused, "a number is no id", ""},
		{Refused, "it has no id", ""},
		{Refused, "key 1: an RSA key of 1024 bits", ""},
		{Refused, "key 1: the key is in the format ES256_PEM", ""},
		{Refused, "key 1: none that can be read", ""},
		{Create, "", "key 1 goes over bare: its certificate has ended"},
		{Create, "", ""},
	}
	steps := Plan(devices, there, now)
	for i, s := range steps {
		w := want[i]
		if s.Verdict != w.verdict || !strings.Contains(s.Why, w.why) || s.Note != w.note {
			t.Errorf("%d, %s: %s, %q, %q, want %+v", i, s.GetId(), s.Verdict, s.Why, s.Note, w)
		}
	}
	if k := steps[13].GetCredentials()[0].GetPublicKey(); k.GetFormat() != es256 || !strings.Contains(k.GetKey(), "PUBLIC KEY") {
		t.Errorf("the key goes over as %v", k)
	}
	// Other keys of the same id are another device.
	s := Plan([]Device{from("A", "there", bare(t, other.Public(), es256))}, there, now)
	if s[0].Verdict != Collides {
		t.Errorf("%s, %s, want it to collide", s[0].Verdict, s[0].Why)
	}
	// The same key in a certificate is the same device.
	s = Plan([]Device{from("A", "there", certified(t, own, now.Add(time.Minute)))}, there, now)
	if s[0].Verdict != Present {
		t.Errorf("%s, %s, want it to be present", s[0].Verdict, s[0].Why)
	}
}

func TestNumbersGoOver(t *testing.T) {
	const old, other, theirs = 2928540609735937, 2928540609735938, 2928540609735939
	device := func(id string, number uint64) Device {
		d := from("A", id)
		d.NumId = number
		return d
	}
	renumbered := device("renumbered", old)
	renumbered.Renumber = true
	there := map[string]*iotpb.Device{
		"there":  {Id: "there", NumId: theirs},
		"there2": {Id: "there2", NumId: theirs + 1},
	}
	steps := Plan([]Device{
		device("kept", old), device("same-number", old), renumbered, device("none", 0), device("short", 17),
		device("of-another", theirs), device("there", theirs), device("there2", other), device("a+b", other), device("free", other),
	}, there, now)
	for i, want := range []struct {
		verdict   Verdict
		why, note string
		keeps     bool
	}{
		{verdict: Create, keeps: true},
		{verdict: Collides, why: "its number 2928540609735937 is that of kept"},
		{verdict: Create},
		{verdict: Create},
		{verdict: Create, note: "a new number"},
		{verdict: Collides, why: "its number 2928540609735939 is that of there"},
		{verdict: Present, why: "there already", keeps: true},
		{verdict: Present, why: "there already, with the number 2928540609735940"},
		{verdict: Refused},
		{verdict: Create, keeps: true}, // what is refused takes no number
	} {
		s := &steps[i]
		if s.Verdict != want.verdict || !strings.Contains(s.Why, want.why) || !strings.Contains(s.Note, want.note) ||
			s.Verdict != Refused && s.Verdict != Collides && s.KeepsNumber() != want.keeps {
			t.Errorf("%s: %s, %q, %q, keeps its number: %v, want %+v", s.GetId(), s.Verdict, s.Why, s.Note, s.KeepsNumber(), want)
		}
	}
}
