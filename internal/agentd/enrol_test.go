package agentd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/device/enroll"
	"iotbridge/gateway/provision"
)

// factory makes what provisioning wants: two roots, and a batch's bootstrap certificate.
type factory struct {
	t       *testing.T
	dir     string
	devices provision.Authority
	boot    provision.Authority
}

func newFactory(t *testing.T) *factory {
	t.Helper()
	f := &factory{t: t, dir: t.TempDir()}
	f.devices, f.boot = f.root(provision.ForDevice), f.root(provision.ForBootstrap)
	key := f.key("bootstrap.key")
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := f.boot.Issue(provision.Leaf{CommonName: "batch", PublicKey: spki, Lifetime: 24 * time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.pem("bootstrap.pem", "CERTIFICATE", der)
	return f
}

func (f *factory) pem(name, kind string, der []byte) {
	f.t.Helper()
	write(f.t, filepath.Join(f.dir, name), string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), 0o600)
}

func (f *factory) key(name string) *ecdsa.PrivateKey {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.pem(name, "PRIVATE KEY", der)
	return key
}

func (f *factory) root(purpose provision.Purpose) provision.Authority {
	f.t.Helper()
	key := f.key(string(purpose) + "-ca.key")
	der, err := provision.NewRoot(purpose, string(purpose), key, time.Now(), 24*time.Hour*365)
	if err != nil {
		f.t.Fatal(err)
	}
	f.pem(string(purpose)+"-ca.pem", "CERTIFICATE", der)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	return provision.Authority{Purpose: purpose, Certificate: leaf, Signer: key}
}

// profile makes one whose boards come from the factory.
func (s *system) profile(f *factory, id string, lists bool) {
	s.t.Helper()
	text, err := json.Marshal(map[string]any{
		"registry": "RaspberryPiDevices", "keyMode": "csr", "reprovision": "refuse", "lists": lists,
		"bootstrap": []any{map[string]any{"name": "factory", "authority": string(read(s.t, filepath.Join(f.dir, "bootstrap-ca.pem")))}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, s.api+"/v1/provisioning/profiles/"+id, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer a-token-of-the-tests")
	r.Header.Set("Content-Type", "application/json")
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("profile %s: %d %s", id, answer.StatusCode, text)
	}
}

// board is a device with the factory's image: no key, no name.
func (s *system) board(f *factory, serial, profile string) *pi {
	s.t.Helper()
	p := &pi{s, "d-" + strings.ToUpper(serial), s.t.TempDir()}
	for _, name := range []string{"bootstrap.pem", "bootstrap.key"} {
		write(s.t, filepath.Join(p.dir, name), string(read(s.t, filepath.Join(f.dir, name))), 0o600)
	}
	write(s.t, filepath.Join(p.dir, "roots.pem"), string(read(s.t, s.files.CA)), 0o644)
	_, port, err := net.SplitHostPort(s.https)
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, p.file(), fmt.Sprintf("[SETTINGS]\nPROVISION_URL = https://localhost:%s\nPROFILE = %s\nSERIAL = %s\nSIMULATE = yes\nINTERVAL = 200ms\n", port, profile, serial), 0o644)
	return p
}

func startProvisioning(t *testing.T) (*system, *factory) {
	t.Helper()
	f := newFactory(t)
	s := start(t, "--provision-ca="+filepath.Join(f.dir, "device-ca.pem"), "--provision-ca-key="+filepath.Join(f.dir, "device-ca.key"))
	s.profile(f, "batch", false)
	s.profile(f, "listed", true) // nobody is on the list
	return s, f
}

// From nothing: a board without a key or a name asks for both, and publishes; it renews
// its key while it works, and the one before is no more. One that is not on the list is
// told so, and nothing more.
func TestABoardEnrolsPublishesAndRenews(t *testing.T) {
	t.Parallel()
	s, f := startProvisioning(t)
	p, stranger := s.board(f, "10000000abcdef01", "batch"), s.board(f, "10000000abcdef02", "listed")
	stop := p.run()
	stranger.run()
	s.waitFor("three readings", func(all []reading) bool { return of(p.id, all) >= 3 })
	p.state("sending", func(s *state) bool { return s.Link == "sending" && s.Enrolment.State == "enrolled" })
	refused := stranger.state("refused", func(s *state) bool { return s.Link == linkEnrolling && strings.Contains(s.LastError, "DENIED (403)") })
	if !regexp.MustCompile("request [0-9a-f-]{36}").MatchString(refused.LastError) || time.Until(refused.Enrolment.NextAttempt) < 30*time.Minute {
		t.Errorf("%+v", refused)
	}
	var out bytes.Buffer
	if err := refused.table(&out); err != nil || !strings.Contains(out.String(), "enrolling") || !strings.Contains(out.String(), "DENIED") {
		t.Errorf("%v\n%s", err, &out)
	}
	if _, err := os.Stat(filepath.Join(stranger.dir, "ec_private.pem")); err == nil {
		t.Error("it has a key")
	}
	stop()

	name := filepath.Join(p.dir, "ec_private.pem")
	first, err := enroll.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	due(t, name)
	p.run()
	sending := p.state("renewed and sending", func(s *state) bool {
		now, err := enroll.Load(name)
		_, old := os.Stat(name + ".old")
		return err == nil && !now.Certificate.Equal(first.Certificate) && old != nil && s.Link == "sending"
	})
	s.waitFor("more", func(all []reading) bool { return uint64(of(p.id, all)) > 3+sending.Sent })
	if _, err := s.admin.GetDevice(t.Context(), &iotpb.GetDeviceRequest{Name: registry + "/devices/" + stranger.id}); err == nil {
		t.Errorf("%s is registered", stranger.id)
	}
}

// due has the credential want to be renewed now.
func due(t *testing.T, name string) {
	t.Helper()
	var text bytes.Buffer
	for block, rest := pem.Decode(read(t, name)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "IOTBRIDGE IDENTITY" {
			members := map[string]any{}
			if err := json.Unmarshal(block.Bytes, &members); err != nil {
				t.Fatal(err)
			}
			members["renewAfter"] = time.Now().Add(-time.Hour * 24 * 365)
			var err error
			if block.Bytes, err = json.Marshal(members); err != nil {
				t.Fatal(err)
			}
		}
		if err := pem.Encode(&text, block); err != nil {
			t.Fatal(err)
		}
	}
	write(t, name, text.String(), 0o600)
}

func TestProvisionAsksOnceAndSaysWhoThisIs(t *testing.T) {
	t.Parallel()
	s, f := startProvisioning(t)
	p, stranger := s.board(f, "10000000abcdef01", "batch"), s.board(f, "10000000abcdef02", "listed")
	for range 2 { // the second time there is nothing to do
		child := p.process("provision", "--json")
		if err := child.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &child.err)
		}
		var got struct{ Name, DeviceID string }
		if err := json.Unmarshal(child.out.Bytes(), &got); err != nil || got.Name != registry+"/devices/"+p.id || got.DeviceID != p.id {
			t.Errorf("%v: %s", err, &child.out)
		}
	}
	child := stranger.process("provision", "--once")
	if err := child.Wait(); err == nil || !strings.Contains(child.err.String(), "DENIED (403)") {
		t.Errorf("%v\n%s", err, &child.err)
	}
	// A key that was made here is not asked for.
	own := s.board(f, "10000000abcdef03", "batch")
	if _, err := keygen(t, "--key-path="+own.dir); err != nil {
		t.Fatal(err)
	}
	child = own.process("provision")
	if err := child.Wait(); err == nil {
		t.Errorf("%s", &child.out)
	}
}

func TestP17_ProvisioningWithoutTLSIsNoSetting(t *testing.T) {
	for key, c := range map[string]struct{ text, want string }{
		"http":         {"PROVISION_URL = http://gateway:8443\nPROFILE = batch\n", "over TLS only"},
		"no profile":   {"PROVISION_URL = https://gateway:8443\n", "PROFILE is not set"},
		"bad profile":  {"PROVISION_URL = https://gateway:8443\nPROFILE = a/b\n", "PROFILE is"},
		"bad serial":   {"PROVISION_URL = https://gateway:8443\nPROFILE = batch\nSERIAL = x\n", "SERIAL"},
		"nothing else": {"PROVISION_URL = https://gateway:8443\nPROFILE = batch\n", ""},
		"no url":       {"PROFILE = batch\n", "not set"},
	} {
		t.Run(key, func(t *testing.T) {
			got, err := parse(t, "[SETTINGS]\n"+c.text, "run")
			if err != nil {
				t.Fatal(err)
			}
			s := got.Start.Settings
			if err := s.adopt(); err != nil {
				t.Fatal(err)
			}
			if err = s.Fault(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestDoctorLooksAtTheBootstrapCertificate(t *testing.T) {
	f := newFactory(t)
	dir := t.TempDir()
	for _, name := range []string{"bootstrap.pem", "bootstrap.key"} {
		write(t, filepath.Join(dir, name), string(read(t, filepath.Join(f.dir, name))), 0o600)
	}
	look := func(more string) map[string]Finding {
		t.Helper()
		c, err := parse(t, "[SETTINGS]\nKEY_PATH = "+dir+"\nPROVISION_URL = https://localhost:1\nPROFILE = batch\nSERIAL = BOARD-1\n"+more, "doctor")
		if err != nil {
			t.Fatal(err)
		}
		c.Doctor.config = c.Config
		all := map[string]Finding{}
		for one := range c.Doctor.examine(t.Context(), newClock()) {
			all[one.Check] = one
		}
		return all
	}
	got := look("")
	if got["bootstrap"].Result != well || !strings.Contains(got["bootstrap"].Detail, "BOARD-1") {
		t.Errorf("%+v", got["bootstrap"])
	}
	if got["key"].Result != ill || !strings.Contains(got["key"].Detail, "provision --once") || got["configuration"].Result != well {
		t.Errorf("%+v", got)
	}
	write(t, filepath.Join(dir, "bootstrap.key"), string(read(t, filepath.Join(f.dir, "bootstrap.key"))), 0o640)
	if got := look("")["bootstrap"]; got.Result != ill || !strings.Contains(got.Detail, "chmod 600") {
		t.Errorf("%+v", got)
	}
}
