package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
)

// publicKey is a fresh P-256 key, as openssl writes it.
func publicKey(t testing.TB) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, &private.PublicKey)
}

func encoded(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestADeviceIsAddedWithItsKey(t *testing.T) {
	b := newBed(t)
	b.console.MQTT = ":8884"
	w := b.browse(bound)
	key := strings.ReplaceAll(publicKey(t), "\n", "\r\n") // as a browser sends it
	a := w.post("/registries/plant7/new", url.Values{"id": {"boiler1"}, "key": {key}, "expires": {"2036-01-02T15:04"}})
	if a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.text)
	}
	d, err := b.store.Device(t.Context(), deviceKey("boiler1"))
	if err != nil || len(d.Credentials) != 1 || d.Credentials[0].Format != gateway.ES256PEM || d.Credentials[0].Expires.Year() != 2036 {
		t.Fatalf("%+v, %v", d, err)
	}
	page := w.get(a.header.Get("Location"))
	if !strings.Contains(page.text, "The device is registered.") || !strings.Contains(page.text, d.Num()) || !strings.Contains(page.text, "ES256_PEM") || !strings.Contains(page.text, "2036-01-02 15:04:00") {
		t.Error(page.text)
	}
	file := w.get("/registries/plant7/devices/boiler1/gcp_iot_config.txt")
	if !strings.Contains(file.text, "DEVICE_ID   = "+d.Num()+"\n") || !strings.HasSuffix(file.text, "HOST = 127.0.0.1\nPORT = 8884\n") || file.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Error(file)
	}
	if a := w.get("/registries/plant7/devices/" + d.Num()); a.status != http.StatusOK || !strings.Contains(a.text, "<h1>boiler1") {
		t.Error("by its number", a.status)
	}
}

func TestKeysThatAreNoneAreRefusedWithTheReason(t *testing.T) {
	b := newBed(t)
	w := b.browse(admin)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"weak": encoded(t, &weak.PublicKey), "of another curve": encoded(t, &foreign.PublicKey), "none": "hello", "": "",
		"private": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), "two": publicKey(t) + publicKey(t),
	} {
		a := w.post("/registries/plant7/new", url.Values{"id": {"boiler1"}, "key": {text}})
		if a.status != http.StatusBadRequest || !strings.Contains(a.text, `role="alert"`) {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		if name == "private" && strings.Contains(a.text, text[40:60]) {
			t.Error("the private key is shown")
		}
	}
	if _, err := b.store.Device(t.Context(), deviceKey("boiler1")); err == nil {
		t.Error("there is a device")
	}
}

func deviceKey(name string) gateway.DeviceKey {
	return gateway.DeviceKey{RegistryKey: key("plant7"), Device: name}
}

func TestADevicesPageChangesIt(t *testing.T) {
	b := newBed(t)
	d := b.create("boiler1")
	w := b.browse(admin)
	const page = "/registries/plant7/devices/boiler1"
	do := func(action string, fields url.Values) answer { return w.post(page+"/"+action, fields) }
	now := func() *gateway.Device {
		t.Helper()
		d, err := b.store.Device(t.Context(), deviceKey("boiler1"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if a := do("block", nil); a.status != http.StatusSeeOther || !now().Blocked {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := do("unblock", nil); a.status != http.StatusSeeOther || now().Blocked {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := do("key", url.Values{"key": {publicKey(t)}}); a.status != http.StatusSeeOther || len(now().Credentials) != 1 {
		t.Errorf("%d %s", a.status, a.text)
	}
	_, rest, _ := strings.Cut(w.get(page).text, `name="fingerprint" value="`)
	if a := do("unkey", url.Values{"fingerprint": {rest[:16]}}); a.status != http.StatusSeeOther || len(now().Credentials) != 0 {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := do("unkey", url.Values{"fingerprint": {rest[:16]}}); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := do("config", url.Values{"version": {"1"}, "config": {"{\"a\":\r\n1}"}, "json": {"on"}}); a.status != http.StatusSeeOther || string(now().Config.Data) != "{\"a\":\n1}" {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := do("config", url.Values{"version": {"1"}, "config": {"{}"}}); a.status != http.StatusConflict || now().Config.Version != 2 {
		t.Errorf("after another: %d %s", a.status, a.text)
	}
	if a := do("config", url.Values{"version": {"2"}, "config": {"{"}, "json": {"on"}}); a.status != http.StatusBadRequest || now().Config.Version != 2 {
		t.Errorf("no JSON: %d %s", a.status, a.text)
	}
	if a := do("command", url.Values{"command": {"x"}}); a.status != http.StatusConflict {
		t.Errorf("to a device that is not there: %d %s", a.status, a.text)
	}
	if a := do("delete", url.Values{"sure": {"boiler2"}}); a.status != http.StatusBadRequest {
		t.Errorf("%d %s", a.status, a.text)
	}
	now()
	if a := do("delete", url.Values{"sure": {"boiler1"}}); a.status != http.StatusSeeOther {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.get(page); a.status != http.StatusNotFound {
		t.Errorf("%d", a.status)
	}
	entries, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 20})
	if err != nil || entries[0].Actor != "ada" || entries[0].Action != "delete_device" || !strings.HasSuffix(entries[0].Object, "/devices/boiler1") {
		t.Errorf("%+v, %v, %d", entries[0], err, d.Number)
	}
}

// A viewer's hand-made requests, with the word of its own session, change nothing.
func TestAViewerChangesNothing(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	before, err := b.store.Device(t.Context(), deviceKey("boiler1"))
	if err != nil {
		t.Fatal(err)
	}
	w := b.browse(viewer)
	const page = "/registries/plant7/devices/boiler1"
	if a := w.get(page); a.status != http.StatusOK || strings.Contains(a.text, "/block") || strings.Contains(a.text, "/delete") {
		t.Error(a.text)
	}
	for _, action := range []string{"block", "unblock", "config", "command", "key", "unkey", "delete"} {
		fields := url.Values{"version": {"1"}, "config": {"{}"}, "command": {"x"}, "key": {publicKey(t)}, "sure": {"boiler1"}}
		if a := w.post(page+"/"+action, fields); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", action, a.status)
		}
	}
	if a := w.post("/registries/plant7/new", url.Values{"id": {"boiler2"}, "key": {publicKey(t)}}); a.status != http.StatusForbidden {
		t.Errorf("%d", a.status)
	}
	after, err := b.store.Device(t.Context(), deviceKey("boiler1"))
	if err != nil || after.Blocked || !after.Updated.Equal(before.Updated) || after.Config.Version != 1 {
		t.Errorf("%+v, %v", after, err)
	}
}

// R3: what a device or an operator can write is text on every page.
func TestR3_HostileTextIsText(t *testing.T) {
	b := newBed(t)
	d := b.create("boiler1")
	for _, evil := range []string{`"><script>alert(1)</script>`, `'-alert(1)-'`, `javascript:alert(1)`, `</textarea><script>alert(1)</script>`, `{{.Word}}`, "\u202Egnp.exe", "<img src=x onerror=alert(1)>"} {
		at := time.Now()
		if err := b.store.SetState(t.Context(), d.Number, []byte(evil), at); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.SetConfig(t.Context(), "test", deviceKey("boiler1"), 0, []byte(evil)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.UpdateDevice(t.Context(), "test", deviceKey("boiler1"), func(d *gateway.Device) error {
			d.Metadata = map[string]string{"note": evil}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := b.store.Note(t.Context(), []gateway.Sign{{Device: d.Number, Error: at, ErrorStatus: &gateway.Status{Code: 3, Message: evil}}}); err != nil {
			t.Fatal(err)
		}
		if err := b.store.Book(t.Context(), []gateway.Connection{{Device: d.Number, Began: at, Ended: at.Add(time.Second), Reason: evil, Instance: evil, Address: netip.MustParseAddr("192.0.2.1")}}); err != nil {
			t.Fatal(err)
		}
		w := b.browse(admin)
		for _, path := range []string{"/registries/plant7/devices/boiler1", "/registries/plant7/devices", "/registries/plant7/devices?q=" + url.QueryEscape(evil), "/registries/plant7/devices/" + url.PathEscape(evil), "/?done=" + url.QueryEscape(evil), "/login?next=" + url.QueryEscape(evil)} {
			text := w.get(path).text
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `"'-alert`} {
				if strings.Contains(text, bad) {
					t.Errorf("%s with %q: %s", path, evil, bad)
				}
			}
		}
	}
}

func TestBytesThatAreNoTextAreHex(t *testing.T) {
	b := newBed(t)
	d := b.create("boiler1")
	if err := b.store.SetState(t.Context(), d.Number, []byte{0xff, 0, 'A'}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := b.browse(viewer).get("/registries/plant7/devices/boiler1"); !strings.Contains(a.text, "000000  ff 00 41") || !strings.Contains(a.text, "No text") {
		t.Error(a.text)
	}
}
