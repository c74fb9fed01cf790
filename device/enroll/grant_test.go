package enroll

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/smallstep/pkcs7"
)

// Nothing of an answer that is not believed is kept: the same is asked again.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	foreign := func(t *testing.T, g *gateway, m map[string]any) {
		other, err := newRequest(serial, nil)
		if err != nil {
			t.Fatal(err)
		}
		m["certificate"] = armour(blockCertificate, g.devices.sign(t, &x509.Certificate{}, other.key.Public()).Raw)
	}
	for _, c := range []struct {
		name, want string
		change     func(*testing.T, *gateway, map[string]any)
		instead    func(w io.Writer)
	}{
		{"another key's certificate", "not for the key", foreign, nil},
		{"an expired certificate", "expired", func(_ *testing.T, g *gateway, _ map[string]any) { g.t.Helper() }, nil},
		{"no certificate", "one certificate", func(_ *testing.T, _ *gateway, m map[string]any) { delete(m, "certificate") }, nil},
		{"two certificates", "one certificate", func(_ *testing.T, _ *gateway, m map[string]any) {
			m["certificate"] = m["certificate"].(string) + m["certificate"].(string)
		}, nil},
		{"authorities that are none", "one certificate", func(_ *testing.T, _ *gateway, m map[string]any) { m["caCertificates"] = []string{"x"} }, nil},
		{"too many authorities", "of authorities", func(_ *testing.T, _ *gateway, m map[string]any) {
			one := m["caCertificates"].([]string)[0]
			all := make([]string, maxAuthorities+1)
			for i := range all {
				all[i] = one
			}
			m["caCertificates"] = all
		}, nil},
		{"a port", "port", func(_ *testing.T, _ *gateway, m map[string]any) {
			m["mqtt"] = map[string]any{"host": "h", "port": 70000}
		}, nil},
		{"of another type", "answer", func(_ *testing.T, _ *gateway, m map[string]any) { m["device"] = "d" }, nil},
		{"a name that is refused", "taken", func(_ *testing.T, _ *gateway, m map[string]any) { m["device"] = map[string]any{"deviceId": "bad"} }, nil},
		{"too large", "more than", nil, func(w io.Writer) { io.WriteString(w, `{"a":"`+strings.Repeat("x", maxAnswer)+`"}`) }},
		{"empty", "answer", nil, func(io.Writer) {}},
		{"text", "answer", nil, func(w io.Writer) { io.WriteString(w, "<html>") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			b := newBoard(t, g)
			b.Check = func(i *Identity) error {
				if i.Device == "bad" {
					return errors.New("not taken")
				}
				return nil
			}
			if c.name == "an expired certificate" {
				g.lifetime = -1
			}
			if c.change != nil {
				g.change = func(m map[string]any) { c.change(t, g, m) }
			}
			if c.instead != nil {
				g.instead = func(w http.ResponseWriter, _ int) bool { c.instead(w); return true }
			}
			_, err := b.EnrollOnce(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %s", err, c.want)
			}
			if b.has(b.name()) || !b.has(b.next()) {
				t.Error("the key has its name")
			}
		})
	}
}

func TestMembersThatComeTwiceAreRefused(t *testing.T) {
	for text, good := range map[string]bool{
		`{"a":1,"b":{"a":"a"},"c":[{"a":1},{"a":1},"a","a"]}`: true,
		`{"a":"b","b":"a"}`:                true,
		`{"a":1,"a":1}`:                    false,
		`{"device":{},"DEVICE":{}}`:        false,
		`{"a":{"b":[1,{"c":1,"c":2}]}}`:    false,
		`{"a":[],"b":null,"a":true}`:       false,
		`{"a":{"x":{}},"b":"c","b":false}`: false,
		`{"a":1`:                           false,
	} {
		if err := unique([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := parseGrant([]byte(`{} {}`)); err == nil {
		t.Error("two values are taken")
	}
}

func TestABoardsHardware(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/device-tree/serial-number":     "10000000abcdef01\x00",
		"sys/class/net/eth0/address":         "b8:27:eb:00:00:02\n",
		"sys/class/net/eth0/device/vendor":   "x",
		"sys/class/net/wlan0/address":        "B8:27:EB:00:00:01\n",
		"sys/class/net/wlan0/device/vendor":  "x",
		"sys/class/net/wlan1/address":        "b8:27:eb:00:00:01\n", // the same radio
		"sys/class/net/wlan1/device/vendor":  "x",
		"sys/class/net/docker0/address":      "02:42:00:00:00:01\n", // nothing behind it
		"sys/class/net/lo/address":           "00:00:00:00:00:00\n",
		"sys/class/net/can0/device/vendor":   "x",
		"sys/class/net/ib0/address":          "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01\n",
		"sys/class/net/ib0/device/vendor":    "x",
		"sys/class/net/broken/address":       "00:00:00:00:00:00\n",
		"sys/class/net/broken/device/vendor": "x",
		"sys/class/net/bonding_masters":      "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), 0o644, text)
	}
	got, err := Board{Root: root}.Unit()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Unit{"10000000abcdef01", []string{"b8:27:eb:00:00:01", "b8:27:eb:00:00:02"}}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := (Board{Root: root, Serial: "BOARD-7"}).Unit(); err != nil || got.Serial != "BOARD-7" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := (Board{Root: t.TempDir()}).Unit(); err == nil || !strings.Contains(err.Error(), "set SERIAL") {
		t.Error(err)
	}
	for _, bad := range []string{"", "abc", "0000 0000", "ä234", "a\x00bc", strings.Repeat("1", 65)} {
		if CheckSerial(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	r, err := newRequest(serial, nil)
	if err != nil {
		f.Fatal(err)
	}
	a := newAuthority(f)
	leaf := a.sign(f, &x509.Certificate{}, r.key.Public())
	der, err := pkcs7.DegenerateCertificate(leaf.Raw)
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"certificate": armour(blockCertificate, leaf.Raw), "caCertificates": []string{armour(blockCertificate, a.certificate.Raw)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(base64.StdEncoding.EncodeToString(der)))
	f.Add([]byte(`{"a":[{}],"mqtt":null}`))
	f.Add([]byte("MAA="))
	f.Fuzz(func(t *testing.T, text []byte) {
		if g, err := parseGrant(text); err == nil && g.leaf == nil {
			t.Error("granted without a certificate")
		}
		if c, err := certificateFor(text, r.key.Public()); err == nil && !belongs(c, r.key.Public()) {
			t.Error("another key's certificate")
		}
		if e, err := parseEnrolled(text); err == nil && !belongs(e.identity.Certificate, e.key.Public()) {
			t.Error("another key's certificate was kept")
		}
		if _, err := parseRequest(text); err == nil {
			t.Log("a request")
		}
	})
}
