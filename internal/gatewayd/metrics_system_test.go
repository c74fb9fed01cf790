package gatewayd_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/gateway/provision"
)

// Telemetry counts by registry whatever way it comes; certificates tell when they end,
// those that the gateway does not have tell nothing.
func TestMetricsOfTheWholeGateway(t *testing.T) {
	s := start(t)
	devices := s.root(provision.ForDevice)
	g := s.gateway("--provision-ca="+devices.files, "--provision-ca-key="+devices.keys)
	g.seed()
	d := g.device("device1")
	if err := g.mustConnect(d).send("/devices/device1/events/temperature", "over MQTT"); err != nil {
		t.Fatal(err)
	}
	if code := g.publishHTTP(d); code != http.StatusOK {
		t.Fatalf("HTTP: %d", code)
	}
	block, _ := pem.Decode(s.read(s.files.File))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		`gateway_registry_messages_total{registry="RaspberryPiDevices"}`:        2,
		`gateway_registry_messages_total{registry="other"}`:                     0,
		`gateway_certificate_expiry_timestamp_seconds{certificate="device"}`:    leaf.NotAfter.Unix(),
		`gateway_certificate_expiry_timestamp_seconds{certificate="api"}`:       -1,
		`gateway_certificate_expiry_timestamp_seconds{certificate="provision"}`: devices.authority.Certificate.NotAfter.Unix(),
		`gateway_hold{cause="store"}`:                                           0,
		`gateway_hold{cause="pubsub"}`:                                          0,
		`gateway_device_credentials_expiring`:                                   0,
	} {
		s.eventually(fmt.Sprintf("%s is %d", name, want), func() bool { return int64(g.metric(name)) == want })
	}
}

// A gateway counts when it starts what expires in its store.
func TestExpiringCredentialsAreCountedAtTheStart(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d := g.device("device1")
	soon := &iotpb.Device{Name: d.Name, Credentials: d.Credentials}
	soon.Credentials[0].ExpirationTime = timestamppb.New(time.Now().Add(24 * time.Hour))
	if _, err := g.manager().UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{Device: soon, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"credentials"}}}); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	g = s.gateway()
	s.eventually("one expires", func() bool { return g.metric("gateway_device_credentials_expiring") == 1 })
}
