package gatewayd_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"iotbridge/schema"
)

// The seed's device: its number in client id and topic, a token made by hand.
func TestTheSeedsDevice(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d := g.device("device1")
	c := g.mustConnect(d)
	body := `{"device_id":"` + d.num() + `","timestamp":1700000000.123,"temperature":21.437}`
	for _, to := range []struct{ folder, topic string }{{"temperature", "temperature"}, {"humidity/inside", "sensordata"}, {"", "sensordata"}} {
		topic := "/devices/" + d.num() + "/events"
		if to.folder != "" {
			topic += "/" + to.folder
		}
		if err := c.send(topic, body); err != nil {
			t.Fatal(err)
		}
		m := s.messages(to.topic, 1)[0]
		s.attested(m)
		delete(m.Attributes, schema.AttrAttestation)
		want := map[string]string{
			"deviceId": "device1", "deviceNumId": d.num(), "deviceRegistryId": "RaspberryPiDevices",
			"deviceRegistryLocation": "us-central1", "projectId": project, "subFolder": to.folder,
		}
		if diff := cmp.Diff(want, m.Attributes); diff != "" || string(m.Data) != body {
			t.Errorf("%q (-want +got)\n%s", m.Data, diff)
		}
	}
}

// attested checks the signature over attributes and payload.
func (s *system) attested(m *pubsubpb.PubsubMessage) {
	s.t.Helper()
	got := &schema.Message{Data: m.Data}
	for k, v := range m.Attributes {
		got.Attributes = append(got.Attributes, schema.Attribute{Key: []byte(k), Value: []byte(v)})
	}
	if why := s.keys.Verify(got); why != nil {
		s.t.Error(why)
	}
}

// M1: who publishes for another is disconnected, and nothing is published.
func TestM1_PublishingForAnother(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d, other := g.device("device1"), g.device("device2")
	victim := g.mustConnect(other)
	for _, topic := range []string{"/devices/" + other.num() + "/events/temperature", "/devices/device2/events", "/devices/device2/state", "/devices/unknown/events"} {
		c := g.mustConnect(d)
		if c.send(topic, "x") == nil {
			t.Errorf("%s was acknowledged", topic)
		}
		g.closed(c)
	}
	if err := victim.send("/devices/device2/events/temperature", "mine"); err != nil {
		t.Errorf("the other's session suffered: %v", err)
	}
	if got := s.messages("temperature", 1); len(got) != 1 || got[0].Attributes["deviceId"] != "device2" {
		t.Errorf("%d messages: %v", len(got), got)
	}
	if got := s.messages("sensordata", 0); len(got) != 0 {
		t.Errorf("published for another: %v", got)
	}
}

// J12: a token is for the device whose key has signed it.
func TestJ12_M5_AnothersToken(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d, other := g.device("device1"), g.device("device2")
	victim := g.mustConnect(other)
	if c, err := g.connect(&device{other.Device, d.key}); err == nil {
		c.Disconnect(100)
		t.Error("connected with another's key")
	}
	select {
	case <-victim.lost:
		t.Error("who could not connect has ended the device's session")
	default:
	}
	if err := victim.send("/devices/device2/events/temperature", "mine"); err != nil {
		t.Error(err)
	}
}

// B34: a device that is blocked, or has lost the key of its session, is gone within
// two seconds, over MQTT and over HTTP.
func TestB34_BlockedAndRevoked(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	for _, c := range []struct {
		name, mask string
		device     *iotpb.Device
	}{
		{"blocked1", "blocked", &iotpb.Device{Blocked: true}},
		{"revoked1", "credentials", &iotpb.Device{}},
	} {
		d := g.device(c.name)
		conn := g.mustConnect(d)
		if code := g.publishHTTP(d); code != http.StatusOK {
			t.Fatalf("HTTP: %d", code)
		}
		c.device.Name = registry + "/devices/" + c.name
		_, err := g.manager().UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{Device: c.device, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{c.mask}}})
		if err != nil {
			t.Fatal(err)
		}
		if code := g.publishHTTP(d); code != http.StatusUnauthorized {
			t.Errorf("%s, HTTP: %d, want 401", c.name, code)
		}
		g.closed(conn)
		if again, err := g.connect(d); err == nil {
			again.Disconnect(100)
			t.Errorf("%s connects again", c.name)
		}
	}
}

// publishHTTP publishes over the HTTP bridge and returns the answer's code.
func (g *gate) publishHTTP(d *device) int {
	g.t.Helper()
	client := g.overHTTP()
	defer client.CloseIdleConnections()
	return g.publishBy(client, d)
}

func (g *gate) overHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.roots, MinVersion: tls.VersionTLS12}}}
}

func (g *gate) publishBy(client *http.Client, d *device) int {
	g.t.Helper()
	body := `{"binary_data":"` + base64.StdEncoding.EncodeToString([]byte("over HTTP")) + `","sub_folder":"temperature"}`
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "https://"+g.https+"/v1/"+registry+"/devices/"+d.Id+":publishEvent", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.token())
	res, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func TestTheHTTPBridgePublishesLikeMQTT(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d := g.device("device1")
	if code := g.publishHTTP(d); code != http.StatusOK {
		t.Fatalf("%d", code)
	}
	m := s.messages("temperature", 1)[0]
	s.attested(m)
	if !bytes.Equal(m.Data, []byte("over HTTP")) || m.Attributes["deviceNumId"] != d.num() || m.Attributes["subFolder"] != "temperature" {
		t.Errorf("%v", m)
	}
}

// Config and commands reach the device through the operator's API.
func TestConfigAndCommandsReachTheDevice(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d := g.device("device1")
	c := g.mustConnect(d)
	configs, commands := make(chan string, 10), make(chan string, 10)
	for topic, to := range map[string]chan string{"/devices/device1/config": configs, "/devices/device1/commands/#": commands} {
		token := c.Subscribe(topic, 1, receive(to))
		if token.Wait(); token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	if first := <-configs; first != "/devices/device1/config " {
		t.Errorf("the first config is %q", first)
	}
	name := registry + "/devices/device1"
	if _, err := g.manager().ModifyCloudToDeviceConfig(t.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{Name: name, BinaryData: []byte("faster")}); err != nil {
		t.Fatal(err)
	}
	if got := <-configs; got != "/devices/device1/config faster" {
		t.Errorf("config %q", got)
	}
	if _, err := g.manager().SendCommandToDevice(t.Context(), &iotpb.SendCommandToDeviceRequest{Name: name, BinaryData: []byte("reboot"), Subfolder: "now"}); err != nil {
		t.Fatal(err)
	}
	if got := <-commands; got != "/devices/device1/commands/now reboot" {
		t.Errorf("command %q", got)
	}
}
