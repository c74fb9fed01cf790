package gatewayd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"iotbridge/internal/site"
)

// Operators over TLS: with a token over REST, with a certificate over gRPC, and
// strangers not at all.
func TestOperatorsOverTLS(t *testing.T) {
	s := start(t)
	s.operators = s.write("operators", string(s.read(s.operators))+"prober viewer certificate\n")
	g := s.gateway("--api-tls-cert="+s.files.File, "--api-tls-key="+s.files.Key, "--api-client-ca="+s.files.CA)
	rest, err := (&site.Site{API: "https://" + g.api, AdminToken: s.token, CA: s.files.CA}).OpenDeviceManager(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	create := &iotpb.CreateDeviceRegistryRequest{Parent: parent, DeviceRegistry: &iotpb.DeviceRegistry{Id: "RaspberryPiDevices"}}
	if _, err := rest.CreateDeviceRegistry(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	prober := g.overGRPC(s.clientCertificate("prober"))
	it := prober.ListDeviceRegistries(t.Context(), &iotpb.ListDeviceRegistriesRequest{Parent: parent})
	if r, err := it.Next(); err != nil || r.Id != "RaspberryPiDevices" {
		t.Errorf("the viewer sees %v, %v", r, err)
	}
	if _, err := it.Next(); err != iterator.Done {
		t.Error(err)
	}
	if _, err := prober.CreateDeviceRegistry(t.Context(), create); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the viewer creates: %v", err)
	}
	for _, stranger := range []*iot.DeviceManagerClient{g.overGRPC(s.clientCertificate("stranger")), g.overGRPC()} {
		_, err := stranger.GetDeviceRegistry(t.Context(), &iotpb.GetDeviceRegistryRequest{Name: registry})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("a stranger: %v", err)
		}
	}
}

// overGRPC is the stock client, with a certificate or none.
func (g *gate) overGRPC(certificates ...tls.Certificate) *iot.DeviceManagerClient {
	g.t.Helper()
	config := &tls.Config{RootCAs: g.roots, Certificates: certificates, MinVersion: tls.VersionTLS12}
	c, err := iot.NewDeviceManagerClient(g.t.Context(), option.WithEndpoint(g.grpc), option.WithoutAuthentication(),
		option.WithTelemetryDisabled(), option.WithGRPCDialOption(grpc.WithTransportCredentials(credentials.NewTLS(config))))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	return c
}

// clientCertificate is one for an operator, by the local authority.
func (s *system) clientCertificate(name string) tls.Certificate {
	s.t.Helper()
	issuer, err := tls.X509KeyPair(s.read(s.files.CA), s.read(filepath.Join(s.dir, "ca.key")))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.issue(issuer, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (s *system) issue(issuer tls.Certificate, template *x509.Certificate) tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Leaf, key.Public(), issuer.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A certificate that is replaced is shown to who connects from then on; one that is
// broken, or has ended, is not.
func TestTheCertificateIsReadAgain(t *testing.T) {
	s := start(t)
	g := s.gateway()
	shown := func() string {
		c, err := tls.Dial("tcp", g.mqtt, &tls.Config{RootCAs: g.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := shown()
	s.write("server.pem", "broken")
	if _, err := site.ServerCertificate(s.dir); err != nil { // the same files, anew
		t.Fatal(err)
	}
	s.eventually("the new certificate is shown", func() bool { return shown() != first })
	second := shown()

	issuer, err := tls.X509KeyPair(s.read(s.files.CA), s.read(filepath.Join(s.dir, "ca.key")))
	if err != nil {
		t.Fatal(err)
	}
	ended := s.issue(issuer, &x509.Certificate{SerialNumber: big.NewInt(3), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	der, err := x509.MarshalECPrivateKey(ended.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	s.write("server.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	s.write("server.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ended.Certificate[0]})))
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if now := shown(); now != second {
			t.Fatalf("shown: %s, want %s", now, second)
		}
	}
}

// Devices and registries of another project or location are not served here.
func TestOnlyThisProjectAndLocation(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	for _, parent := range []string{"projects/project-2/locations/us-central1", "projects/project-1/locations/europe-west1"} {
		_, err := g.manager().CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: parent, DeviceRegistry: &iotpb.DeviceRegistry{Id: "Other"}})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", parent, err)
		}
	}
	d := g.device("device1")
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	elsewhere := s.gateway("--location=europe-west1")
	if c, err := elsewhere.connect(d); err == nil {
		c.Disconnect(100)
		t.Error("a device of us-central1 is let in at europe-west1")
	}
	if n := elsewhere.metric(`gateway_refusals_total{reason="unknown_registry"}`); n != 1 {
		t.Errorf("refused as unknown %d times, want 1", n)
	}
}
