package gatewayd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"go.uber.org/zap"

	"iotbridge/gateway/provision"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
)

// root is an authority of provisioning: its certificate and key in files.
type root struct {
	authority   provision.Authority
	pem         string
	files, keys string
}

func (s *system) root(purpose provision.Purpose) *root {
	s.t.Helper()
	key := s.newKey()
	der, err := provision.NewRoot(purpose, string(purpose)+" root", key, time.Now(), time.Hour*24*365)
	if err != nil {
		s.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &root{authority: provision.Authority{Purpose: purpose, Certificate: leaf, Signer: key}}
	r.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	r.files = s.write(string(purpose)+".pem", r.pem)
	r.keys = s.write(string(purpose)+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return r
}

func (s *system) newKey() *ecdsa.PrivateKey {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// client shows the certificate; nil: none.
func (g *gate) client(own *tls.Certificate) *http.Client {
	config := &tls.Config{RootCAs: g.roots, ServerName: "localhost"}
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	transport := &http.Transport{TLSClientConfig: config}
	g.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask sends a request and decodes what is answered.
func (g *gate) ask(c *http.Client, method, url string, body, answer any) int {
	g.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(g.t.Context(), method, url, bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	if strings.HasPrefix(url, "http://"+g.api) {
		r.Header.Set("Authorization", "Bearer "+string(g.read(g.token)))
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if answer != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(got, answer); err != nil {
			g.t.Fatalf("%s: %v", got, err)
		}
	}
	return res.StatusCode
}

// From nothing: a board that has only the bootstrap certificate becomes a device, which
// publishes as itself and as nobody else.
func TestABoardBecomesADevice(t *testing.T) {
	s := start(t)
	devices, boot := s.root(provision.ForDevice), s.root(provision.ForBootstrap)
	g := s.gateway("--provision-ca="+devices.files, "--provision-ca-key="+devices.keys, "--provision-mqtt=mqtt.example.com:443")
	g.seed()
	api, https := "http://"+g.api+"/v1/provisioning/", "https://"+g.https+"/v1/provisioning/"
	operator := g.client(nil)
	profile := map[string]any{"registry": "RaspberryPiDevices", "keyMode": "csr", "reprovision": "refuse", "bootstrap": []any{map[string]any{"name": "factory", "authority": boot.pem}}}
	if code := g.ask(operator, "PUT", api+"profiles/batch", profile, nil); code != http.StatusOK {
		t.Fatalf("the profile: %d", code)
	}

	shared := s.newKey()
	spki, err := x509.MarshalPKIXPublicKey(shared.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := boot.authority.Issue(provision.Leaf{CommonName: "batch", PublicKey: spki, Lifetime: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	board := g.client(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: shared})
	key := s.newKey()
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	enrolment := map[string]any{
		"identifiers": map[string]any{"serialNumber": "10000000abcdef01"},
		"csr":         string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})),
	}
	var got struct {
		Device struct{ DeviceID, NumID string }
		MQTT   struct {
			Host string
			Port int
		}
		HTTP struct {
			Host string
			Port int
		}
		Certificate string
	}
	if code := g.ask(operator, "POST", https+"batch:enroll", enrolment, nil); code != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d", code)
	}
	if code := g.ask(board, "POST", https+"batch:enroll", enrolment, &got); code != http.StatusCreated {
		t.Fatalf("enrolment: %d", code)
	}
	if got.Device.DeviceID != "d-10000000ABCDEF01" || got.MQTT.Host != "mqtt.example.com" || got.MQTT.Port != 443 || got.HTTP.Host != "localhost" || got.HTTP.Port != 8443 {
		t.Errorf("%+v", got)
	}
	state := func() string {
		t.Helper()
		var claim struct{ State string }
		if code := g.ask(operator, "GET", api+"profiles/batch/claims/10000000ABCDEF01", nil, &claim); code != http.StatusOK {
			t.Fatalf("the claim: %d", code)
		}
		return claim.State
	}
	if now := state(); now != "CLAIMED" {
		t.Errorf("before it connects: %s", now)
	}

	number, err := strconv.ParseUint(got.Device.NumID, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{&iotpb.Device{Id: got.Device.DeviceID, NumId: number}, key}
	session := g.mustConnect(d)
	if err := session.send("/devices/"+d.num()+"/events/temperature", "from a new device"); err != nil {
		t.Fatal(err)
	}
	if m := s.messages("temperature", 1); m[0].Attributes["deviceId"] != d.Id {
		t.Errorf("%v", m[0].Attributes)
	}
	s.eventually("active, once it has connected", func() bool { return state() == "ACTIVE" }) // if the store is slow, it is told late

	// P15: the bootstrap key and its certificate open nothing else.
	if code := g.publishBy(board, &device{d.Device, shared}); code != http.StatusUnauthorized {
		t.Errorf("the bootstrap key over HTTP: %d", code)
	}
	if _, err := g.connect(&device{d.Device, shared}); err == nil {
		t.Error("the bootstrap key over MQTT: connected")
	}
	if code := g.ask(board, "GET", https+"self", nil, nil); code != http.StatusUnauthorized {
		t.Errorf("the bootstrap certificate on self: %d", code)
	}
	block, _ := pem.Decode([]byte(got.Certificate))
	own := g.client(&tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key})
	if code := g.ask(own, "GET", https+"self", nil, nil); code != http.StatusOK {
		t.Errorf("the device on self: %d", code)
	}
	if code := g.ask(own, "POST", https+"batch:enroll", enrolment, nil); code != http.StatusUnauthorized {
		t.Errorf("the device's certificate on enrolment: %d", code)
	}
	// It is for that device alone.
	other := g.device("device2")
	if code := g.publishBy(own, &device{other.Device, key}); code != http.StatusUnauthorized {
		t.Errorf("as another device: %d", code)
	}
}

// P17: there is no way to provision without TLS or without an authority of devices.
func TestP17_ProvisioningIsOffOrSound(t *testing.T) {
	s := start(t)
	devices, boot := s.root(provision.ForDevice), s.root(provision.ForBootstrap)
	open := s.write("open.key", string(s.read(devices.keys)))
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	wrong, server := s.write("wrong", "wrong\n"), s.files.Key
	for _, c := range []struct{ ca, key, want string }{
		{wrong, devices.keys, "no certificate in PEM"},
		{devices.keys, devices.keys, "PRIVATE KEY"},
		{devices.files, wrong, "one private key in PEM"},
		{devices.files, open, "chmod 600"},
		{devices.files, devices.files, "one private key in PEM"},
		{devices.files, boot.keys, "not that of the certificate"},
		{boot.files, boot.keys, "device authority"},
		{s.files.File, server, "device authority"},
		{devices.files, "kms:projects/nothing", "provision-ca-key"},
	} {
		if err := s.begun("--provision-ca="+c.ca, "--provision-ca-key="+c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s: %v, want %q in it", c.ca, c.key, err, c.want)
		}
	}
	g := s.gateway()
	for _, path := range []string{"/.well-known/est/batch/cacerts", "/v1/provisioning/self"} {
		if code := g.ask(g.client(nil), "GET", "https://"+g.https+path, nil, nil); code != http.StatusNotFound {
			t.Errorf("%s without provisioning: %d", path, code)
		}
	}
}

// begun is what ends a start that must not succeed.
func (s *system) begun(args ...string) error {
	s.t.Helper()
	settings, err := parse(append(s.args("--mqtt=127.0.0.1:0", "--device-https=127.0.0.1:0", "--api=127.0.0.1:0", "--grpc=127.0.0.1:0", "--ops=127.0.0.1:0"), args...))
	if err != nil {
		s.t.Fatal(err)
	}
	settings.PubSub = s.pubsub
	if err := settings.Fault(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience) // only a start that succeeds takes that long
	defer cancel()
	return gatewayd.Run(ctx, settings, zap.NewNop(), ops.NewRegistry())
}
